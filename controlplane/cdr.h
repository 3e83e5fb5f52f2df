/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "cdr_file.h"

struct call_record;
struct dataplane;

/* Call records out of the data plane and into a file. A record is dropped there only once its line is written, so that neither a full disk nor
 * a SIGKILL loses one; it may come twice (docs/cdr.md). Each line is a write of its own: that is half a microsecond, less than its formatting,
 * and what a crash repeats is one line. Every function is control-only. */

struct cdr;

/* Opens the file; without one (an empty path) records are taken and thrown away. What a predecessor that was killed left in the data plane is
 * written by cdr_take, but for what the file has already. 0; -ERR_IO, -ERR_NOMEM with an error. */
int cdr_new(struct dataplane *dataplane, const struct cdr_file_config *file, struct cdr **ret_cdr, char *error);
/* Writes what waits before. NULL is ignored. */
void cdr_free(struct cdr *c);

/* seen is handed every record of this process once it is safe, before it is dropped. */
void cdr_listen(struct cdr *c, void (*seen)(void *ctx, const struct call_record *record), void *ctx);

/* Writes some of the records that wait. true: there may be more, come again soon. After a failed write it does nothing until cdr_second has
 * found that writing works again. */
bool cdr_take(struct cdr *c);

/* Once a second: tries again after a failure, follows a file that was moved away. As cdr_take. */
bool cdr_second(struct cdr *c);

/* SIGHUP: logrotate has renamed the file. */
void cdr_reopen(struct cdr *c);

struct cdr_stats {
	uint64_t written, repeated; /* repeated: left out, for the file had them already */
	uint64_t failures;	    /* of writing */
	uint64_t rotations, rotations_failed;
	int failing; /* errno of the last try to write; 0: all is well */
};
void cdr_stats(const struct cdr *c, struct cdr_stats *ret);
