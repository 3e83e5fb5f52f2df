/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdint.h>

#include "base/siphash.h"

/* A keyed hash out of rounds of AES, for places in tables and for choices: a tenth of the instructions of SipHash where the CPU has them, the same
 * values where it has not (in some thousand instructions; aes.h), since the nodes of a fleet hash alike.
 *
 * Why a sender cannot steer it: a block is taken in by four rounds under a secret key, through which no difference between two texts goes to any other one
 * with a probability above 2^-113 (Keliher and Sui 2007), which makes texts that collide as hard to find as with any universal hash (the same four rounds in
 * a chain are PC-MAC's: Minematsu and Tsunoo 2006); behind the last block follow ten rounds, as many as AES-128 has, so that what is
 * seen of a result says nothing of the key. Not for MACs of what leaves this machine: those are cmac.h's. */

/* any, all of these */
uint64_t keyed_hash(const struct hash_key *key, const void *data, uint32_t bytes);

/* The same for any two texts that differ only in bit 5 of their bytes: of tokens, only in case. */
uint64_t keyed_hash_folded(const struct hash_key *key, const void *data, uint32_t bytes);

/* With 128 bits of result, for keys whose equality is to mean that what was hashed is equal. */
void keyed_hash_128(const struct hash_key *key, const void *data, uint32_t bytes, uint64_t *ret_low, uint64_t *ret_high);

/* Of an even number of words (at most 6) and, behind them, a text. What has other words is to have another number of them, or another key. */
uint64_t keyed_hash_with(const struct hash_key *key, const uint64_t *words, unsigned n, const void *data, uint32_t bytes);
