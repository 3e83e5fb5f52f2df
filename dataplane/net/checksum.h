/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <arpa/inet.h>
#include <stdint.h>
#include <string.h>

/* The Internet checksum (RFC 1071), summed as many bits at a time as the CPU has (base/cpu.h). Sums are carried in the byte order of memory, so that
 * what checksum_fold returns is stored as it is. Parts may be summed one by one as long as all but the last have an even length. */

/* sum + the 16-bit words of data; an odd last byte is padded with zero. any */
uint64_t checksum_add(uint64_t sum, const void *data, uint32_t bytes);

/* The complement of the folded sum; 0 when the sum over a whole, with its checksum field, is right. any */
static inline uint16_t checksum_fold(uint64_t sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + ((sum >> 16) & 0xffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
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
