/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <arpa/inet.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/cpu.h"

/* The Internet checksum (RFC 1071), summed as many bits at a time as the CPU has (base/cpu.h). Sums are carried in the byte order of memory, so that
 * what checksum_fold returns is stored as it is. Parts may be summed one by one as long as all but the last have an even length. */

/* What checksum_add is made of: vectors, of at least CHECKSUM_WIDE bytes, and words. any */
#define CHECKSUM_WIDE 128
uint64_t checksum_add_vectors(uint64_t sum, const uint8_t *p, uint32_t bytes);
uint64_t checksum_add_words(uint64_t sum, const uint8_t *p, uint32_t bytes);

/* sum + the 16-bit words of data; an odd last byte is padded with zero. any */
static inline uint64_t checksum_add(uint64_t sum, const void *data, uint32_t bytes)
{
	return bytes >= CHECKSUM_WIDE && cpu_level != CPU_SCALAR ? checksum_add_vectors(sum, data, bytes) : checksum_add_words(sum, data, bytes);
}

/* The complement of the folded sum; 0 when the sum over a whole, with its checksum field, is right. any */
static inline uint16_t checksum_fold(uint64_t sum)
{
	/* Both halves of a word, added with the carry come back in at the bottom, stand in the upper half then. */
	uint32_t half = (uint32_t)((sum + (sum << 32 | sum >> 32)) >> 32);

	return (uint16_t)~((half + (half << 16 | half >> 16)) >> 16);
}

/* Whether checksum_fold makes 0 of it: it is a multiple of 65,535, and there was something to sum. (The inverse of 65,535 modulo 2^64 is -each, and
 * what it makes of multiples alone is not above each, the greatest quotient.) any */
static inline bool checksum_is_right(uint64_t sum)
{
	const uint64_t each = 0x0001000100010001;

	return 0 - sum * each <= each && sum;
}

/* sum + a few 32-bit words: headers and addresses, too short for a call to pay. any */
static inline uint64_t checksum_words(uint64_t sum, const uint8_t *data, unsigned words)
{
	for (unsigned i = 0; i < words; i++) {
		uint32_t word;

		memcpy(&word, data + 4 * i, 4);
		sum += word;
	}
	return sum;
}

/* The pseudo header of RFC 768 and RFC 8200 §8.1. `bytes` of an upper-layer packet; addresses of 4 or 16 bytes each. any */
static inline uint64_t checksum_pseudo(const uint8_t *source, const uint8_t *destination, uint32_t address_bytes, uint8_t protocol,
				       uint32_t bytes)
{
	uint64_t sum = (uint64_t)htonl(bytes) + htonl(protocol);

	return checksum_words(checksum_words(sum, source, address_bytes / 4), destination, address_bytes / 4);
}
