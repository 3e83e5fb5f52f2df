/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

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

/* Bit 6 of sixteen bytes: of all ASCII it has letters and little else. In memory, where a loop that calls others finds it again. */
extern const uint8_t header_letter_bits[16];

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
