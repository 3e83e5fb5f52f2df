/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "model/trunk_tls.h"
#include "tls/tls.h"

/* The directory of our certificates: each a pair of a chain and its key, by name. What is good is kept in memory, so that what becomes of
 * the files later takes nothing away. control-only, all of it */

#define PAIRS_MAX	256
#define PAIR_FILE_MAX	512
#define PAIR_BROKEN_MAX 384

struct key_pair {
	char name[TLS_PAIR_MAX];
	char chain[PAIR_FILE_MAX], key[PAIR_FILE_MAX]; /* the files; empty: not there */
	struct tls_identity *identity;	/* in use; NULL: there never was a good one */
	int64_t since_s;		/* Unix time: in use since */
	char broken[PAIR_BROKEN_MAX];	/* what is wrong with the files as they are now; empty: nothing */
	uint64_t signature;		/* of the files, as they were read last */
	bool found;
};

/* What became of a pair when the directory was read. */
enum pair_news { PAIR_SAME, PAIR_NEW, PAIR_RENEWED, PAIR_REREAD, PAIR_BROKEN, PAIR_GONE }; /* REREAD: the same certificate, written anew */
const char *pair_news_word(enum pair_news news);

struct pairs {
	struct key_pair *list; /* by name */
	unsigned count, room;
	unsigned left_out; /* beyond PAIRS_MAX */
	char broken[PAIR_BROKEN_MAX]; /* the directory cannot be read; empty: it can */
};

struct pairs_reader {
	/* May the name go when its files have? What may not go stays in use, broken. */
	bool (*needed)(void *ctx, const char *name);
	/* One call for each pair, by name; PAIR_GONE: it is not in the list any more after this call. */
	void (*news)(void *ctx, const struct key_pair *pair, enum pair_news news);
	void *ctx;
	bool all; /* else files that look as they did are not read again */
};

/* Reads the directory. NAME.crt or NAME.pem with NAME.key beside it, or NAME/fullchain.pem and NAME/privkey.pem; other files are nobody's.
 * A pair that cannot be used, or is not valid at now_s while the one in use is, leaves that in use and is broken. 0, -ERR_NOMEM. */
int pairs_read(struct pairs *p, const char *directory, int64_t now_s, const struct pairs_reader *reader);
/* NULL: none of that name. */
const struct key_pair *pairs_find(const struct pairs *p, const char *name);
void pairs_done(struct pairs *p);
