/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdatomic.h>
#include <sys/types.h>
#include <time.h>

#include <openssl/ssl.h>

#include "tls/tls.h"

/* The CA certificates of a file, or of the files of a directory, read whole: a worker that verifies opens nothing. Kept by path, so that a
 * thousand peers that name the system's bundle hold it once. */

struct authorities {
	_Atomic(uint32_t) refs; /* a worker may be the last to let go of it */
	X509_STORE *store;
	STACK_OF(X509_NAME) *subjects; /* what a server tells clients that it knows; empty where they are many */
	uint64_t stamp;		       /* of the files as they were read */
	struct authorities *next;      /* of the shelf */
	char path[];
};

/* The control thread's. */
struct authorities_shelf {
	struct authorities *first;
};

/* One that the caller has to let go of: from the shelf where the files are as they were. 0, -ERR_INVALID, -ERR_NOMEM with an error that
 * names the file. control-only */
int authorities_get(struct authorities_shelf *shelf, const char *path, struct authorities **ret_authorities, char error[TLS_ERROR_BYTES]);
/* NULL is ignored. any */
void authorities_put(struct authorities *a);
/* Takes off the shelf what nobody else holds. control-only */
void authorities_tidy(struct authorities_shelf *shelf, bool all);
