/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/cmac.h"
#include "base/span.h"

/* The branch of the Via that Strowger adds: says which worker and which client transaction a response belongs to, and cannot be
 * forged: its MAC (CMAC, cut to 40 bits) is keyed afresh at each start. Lower-case base32 behind the cookie z9hG4bK. */

enum branch_kind {
	BRANCH_TRANSACTION, /* worker, slot and generation name a client transaction */
	BRANCH_STATELESS,   /* forwarded without one: `digest` was derived from the received branch (RFC 3261 §16.11) */
};

#define BRANCH_WORKER_BITS 6
#define BRANCH_SLOT_BITS   26

struct branch {
	enum branch_kind kind;
	uint8_t worker;	     /* of a transaction: BRANCH_WORKER_BITS of it */
	uint32_t slot;	     /* BRANCH_SLOT_BITS */
	uint16_t generation;
	uint64_t digest;     /* stateless: 40 bits kept in place of slot and generation */
	uint32_t loop;	     /* RFC 5393 §4.2.1: hash of what routing depends on */
};

#define BRANCH_TEXT 32 /* 7 of cookie, 1 of kind, 24 of base32: 15 bytes of content and MAC; no NUL */

/* The MAC that branches get, out of a secret that has other uses too; of all workers alike. control-only */
void branch_key(struct cmac *ret_mac, const struct hash_key *secret);

/* Writes exactly BRANCH_TEXT characters. any */
void branch_encode(const struct cmac *mac, const struct branch *b, char out[BRANCH_TEXT]);

/* 0; -ERR_NOT_FOUND: not of our shape; -ERR_FORGED: of our shape, but the MAC fails (stale, from before a restart, or forged). any */
int branch_decode(const struct cmac *mac, struct span text, struct branch *ret_branch);
