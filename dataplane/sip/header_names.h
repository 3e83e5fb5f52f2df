/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stddef.h>
#include <string.h>

#include "sip/message.h"

/* A perfect hash over length, first and last letter (without case): every name has a slot of its own, so that a look-up is one
 * load and one comparison. */

#define HEADER_SLOTS			256
#define HEADER_SLOT_OF(n, first, last)	(((first) + (last)*4u + (n)*15u) % HEADER_SLOTS)

struct header_slot {
	char text[24]; /* lower case, zeros behind it */
	uint8_t n;     /* 0: an empty slot */
	uint8_t id;
} __attribute__((aligned(32)));

extern const struct header_slot header_slots[HEADER_SLOTS];

static inline const struct header_slot *header_slot_of(const uint8_t *name, uint64_t n)
{
	return &header_slots[HEADER_SLOT_OF(n, name[0] | 0x20u, name[n - 1] | 0x20u)];
}

/* Eight bytes of a name against the lower-case ones. Bit 5 is case for letters only: where the lower-case name has a letter (bit 6 set)
 * it is forced, elsewhere ('-') it counts. */
static inline bool header_same8(const uint8_t *p, const char *lower)
{
	uint64_t got, want;

	memcpy(&got, p, 8);
	memcpy(&want, lower, 8);
	return (got | (want & 0x4040404040404040ULL) >> 1) == want;
}

/* The same for whole lines: names of up to thirty bytes, with the colon and the space behind them, by their first three bytes (of a compact one its
 * letter, colon and space) and their length. Beside the names that we know it has some that are often met and that nobody asks for: SIP_H_OTHER. */
#define HEADER_LOOK_BITS     8
#define HEADER_LOOKS	     (1 << HEADER_LOOK_BITS)
#define HEADER_LOOK_NAME_MAX 30
#define HEADER_LOOK_FACTOR   0x84293339u
/* Bytes from the first of the table's places on: as many bits of the product, those that its factors' lowest three bytes decide on. */
#define HEADER_LOOK_OF(word, n) \
	((((uint32_t)(word) | 0x202020u) + (uint32_t)(n)) * HEADER_LOOK_FACTOR >> (24 - HEADER_LOOK_BITS - HEADER_LOOK_SHIFT) & \
	 (HEADER_LOOKS - 1) << HEADER_LOOK_SHIFT)
#define HEADER_LOOK_SHIFT 7

struct header_look {
	uint8_t text[32]; /* "call-id: " in lower case, ones behind it; zeros, which nothing folded is: an empty one */
	uint8_t fold[32]; /* bit 5 where text has a letter; ones behind it, and in an empty one */
	uint64_t tail;	  /* of a line's struct sip_header: from name_len on */
	uint64_t bit;	  /* in a message's `present`; SIP_H_OTHER has none */
	uint64_t id;
} __attribute__((aligned(128)));

_Static_assert(sizeof(struct sip_header) == offsetof(struct sip_header, name_len) + sizeof(uint64_t), "its tail is a word");

/* Filled before main; read only from then on. */
extern struct header_look header_looks[HEADER_LOOKS] __attribute__((visibility("hidden")));

/* Thirty-two of them, not known to the compiler, which would rather put them together for each line than load them. */
extern const uint8_t header_colons[32] __attribute__((visibility("hidden")));

_Static_assert(sizeof(struct header_look) == 1 << HEADER_LOOK_SHIFT, "its places are that far apart");

/* Where a name of n bytes is found, if at all; word: its first three bytes, of a shorter one those behind it too. */
static inline struct header_look *header_look_of(uint32_t word, uint32_t n)
{
	return (struct header_look *)((uint8_t *)header_looks + HEADER_LOOK_OF(word, n));
}
