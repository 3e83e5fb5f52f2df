/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* AES-128 (FIPS 197), only the way that encrypts: what hashes and MACs are made of. By the CPU's instructions where it
 * has them (aes_hard.h), else in software by a table, whose time may tell somebody on the same machine something of the key. */

#define AES_ROUNDS 10

/* A key ready for use: expanded once, where the key is set. */
struct aes_key {
	uint8_t round[AES_ROUNDS + 1][16];
};

/* any */
void aes_expand(struct aes_key *ret_key, const uint8_t secret[16]);

/* One block in place, by whichever way is chosen. any */
void aes_encrypt(const struct aes_key *key, uint8_t block[16]);

/* One round in software: SubBytes, ShiftRows, MixColumns, and the key. any */
void aes_round(uint8_t state[16], const uint8_t key[16]);

/* Whether the CPU's instructions are used; written by aes_select only. any */
extern bool aes_by_hardware;

/* Without the CPU's instructions (tests), or with them again; false: it has none. control-only, before the workers start */
bool aes_select(bool hardware);
