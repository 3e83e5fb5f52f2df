/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "tls/tls.h"

/* Every certificate that somebody has shown us: of the peers of trunks, and of clients. control-only, all of it */

#define THEIRS_MAX	      4096
#define THEIRS_STRANGERS_MAX 256 /* of those, clients that could not be verified: anybody can send such */
#define THEIRS_WHO_MAX	      160

struct their {
	bool client;	   /* they came to us */
	bool verified, refused;
	uint8_t why;	   /* enum tls_end, where not */
	uint32_t peer;	   /* of a peer: its id */
	uint64_t key;	   /* the table's own */
	char who[THEIRS_WHO_MAX]; /* "TRUNK/ADDRESS", or "client SUBJECT" */
	char server[64];   /* of a client: where it came */
	struct ip_port remote; /* where it was last */
	struct tls_certificate certificate;
	char text[128];	   /* why it was not verified */
	int64_t first_s, last_s;
	uint64_t times;
};

struct theirs;

/* NULL: no memory. */
struct theirs *theirs_new(void);
/* NULL is ignored. */
void theirs_free(struct theirs *t);

/* trunk: the name of the trunk of seen->peer (NULL: of none); server: of the listener's server. The entry that it is kept as, valid until
 * the next call that changes; NULL: no memory. At a bound the one that was seen least lately goes, and is counted. */
struct their *theirs_note(struct theirs *t, const struct tls_seen *seen, const char *trunk, const char *server, int64_t now_s);
/* The i-th in no order; NULL: there are no more. */
const struct their *theirs_at(const struct theirs *t, unsigned i);
/* Forgets the i-th; the last one takes its place. */
void theirs_forget(struct theirs *t, unsigned i);
uint64_t theirs_forgotten(const struct theirs *t);
