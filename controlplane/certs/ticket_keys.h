/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "tls/tls.h"

struct alarms;

/* The keys that session tickets are sealed with: from a file that the nodes of a fleet may share, or of our own. The file has a line for
 * each key, the one that seals first: when it was made (Unix time), and its 80 bytes in hexadecimal. control-only, all of it */

struct ticket_key {
	int64_t made_s;
	uint8_t bytes[TLS_TICKET_KEY_BYTES];
};

struct ticket_keys {
	struct tls_store *store;
	struct alarms *alarms;
	const char *path;   /* NULL: they are kept in memory */
	uint32_t rotate_s;  /* 0: somebody else writes the file */
	unsigned keep;	    /* keys beside the first */
	struct ticket_key list[TLS_TICKET_KEYS];
	unsigned count;
	struct stat seen;   /* of the file, as it was read last */
	char broken[512];   /* why the file cannot be read, or written; empty: it can */
	bool unread;	    /* what it says now is not in use: it is not written over */
	int64_t again_s;    /* when writing is tried again */
};

/* Reads the file, or makes it (mode 0600) where it is not, and gives the store its keys. 0; -ERR_IO, -ERR_INVALID, -ERR_NOMEM with an error
 * that names the file. */
int ticket_keys_start(struct ticket_keys *k, int64_t now_s, char *error);
/* Every second: reads the file when it has changed, makes a new key when the first is old enough. What fails leaves the keys as they are,
 * and raises an alarm. */
void ticket_keys_look(struct ticket_keys *k, int64_t now_s);
/* The same at once, whether or not the file seems changed. */
void ticket_keys_reload(struct ticket_keys *k, int64_t now_s);
