/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdint.h>

#include "base/span.h"

/* Lower-case base32 of RFC 4648 without padding. SIP compares tokens without case, so base64 would not survive every peer. */

#define BASE32_LEN(bytes) (((bytes)*8 + 4) / 5)

/* Writes BASE32_LEN(n) characters, no NUL; returns that length. any */
uint32_t base32_encode(const uint8_t *in, uint32_t n, char *out);

/* The same of the first n <= 16 bytes of two words as they lie in memory. any */
uint32_t base32_encode_pair(uint64_t low, uint64_t high, uint32_t n, char *out);

/* Either case is read. Returns the bytes written (at most cap), or -ERR_INVALID for a foreign character, a length that no
 * whole number of bytes has, or non-zero bits left over. any */
int base32_decode(struct span text, uint8_t *out, uint32_t cap);

/* The same of 8 to 24 characters, into two words as they lie in memory, zeros behind the bytes. any */
int base32_decode_pair(struct span text, uint64_t *ret_low, uint64_t *ret_high);
