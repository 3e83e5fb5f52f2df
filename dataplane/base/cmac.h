/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/aes.h"
#include "base/siphash.h"

/* AES-128-CMAC (NIST SP 800-38B, RFC 4493): the MAC of what leaves this machine and comes back: branches and tokens.
 *
 * It is one, unlike keyed_hash: whoever tells its results from random ones, of texts of any length that he chooses, tells AES from a
 * random permutation (Iwata and Kurosawa 2003; SP 800-38B lets one key serve for 2^48 texts, which is nine years of a million a second).
 * So results may be seen by everybody, and the first bits of one are as hard to guess as their number says. That texts of different lengths are safe beside each other is what it has over a bare CBC-MAC; that
 * a block costs a single encryption, over HMAC. */

#define CMAC_BYTES 16

/* A key ready for use. */
struct cmac {
	struct aes_key key;
	uint8_t whole[16], partial[16]; /* K1 and K2: what goes into a last block that is full, or is not */
};

/* The secret's bytes are those of its words as they lie in memory. any */
void cmac_init(struct cmac *ret_mac, const struct hash_key *secret);

/* any */
void cmac(const struct cmac *mac, const void *data, uint32_t bytes, uint8_t out[CMAC_BYTES]);

/* A secret for another use, out of this one: the MAC of its name, of at most 15 characters, with its NUL (as SP 800-108 does).
 * Nothing else of that length may be MACed under the same key. any */
struct hash_key cmac_derive(const struct cmac *mac, const char *name);
