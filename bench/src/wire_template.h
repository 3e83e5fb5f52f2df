/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* A message as text with {names} in it, made ready so that writing one is two copies and a few stores: every name but {block} has
 * a fixed width, so it always stands at the same place of what is before or behind the block. */

enum slot {
	SLOT_ID,      /* {id}: 16 hex digits, the call's identity, with which every Call-ID begins */
	SLOT_ID8,     /* {id8}: 8 more that follow from it */
	SLOT_FTAG,    /* {ftag}: 16, the caller's tag */
	SLOT_TTAG,    /* {ttag}: 16, the target's tag */
	SLOT_BRANCH,  /* {branch}: 16 */
	SLOT_CSEQ,    /* {cseq}: as many decimal digits as the template's sender counts with */
	SLOT_CALLER,  /* {caller}: 6 decimal digits of the caller's number */
	SLOT_CALLEE,  /* {callee}: 4 of the called one's */
	SLOT_FROM,    /* {from}: 3, the last of the caller's address */
	SLOT_AT,      /* {at}: 3, the last of the target's address */
	SLOT_SESSION, /* {session}: 8 */
	SLOT_COUNT
};

#define TEMPLATE_SLOTS_MAX 32

struct template
{
	char *text;	    /* without the block */
	uint16_t len, head; /* all of it; what stands before the block */
	uint16_t slots;
	struct {
		uint16_t at;
		uint8_t slot, width;
	} slot[TEMPLATE_SLOTS_MAX];
};

/* Reads the text; {length} becomes the length of what follows the empty line. false: no memory, an unknown name, or too many of
 * them. */
bool template_init(struct template *t, const char *text, unsigned cseq_digits);
void template_done(struct template *t);

/* Writes the message with its values and the block's bytes; its length. out needs template.len + block_len bytes. */
uint32_t template_write(const struct template *t, const uint64_t value[SLOT_COUNT], const void *block, uint32_t block_len,
			uint8_t *out);

/* 16 lower-case hex digits. */
void put_hex16(uint8_t *out, uint64_t value);
/* false: they are not hex digits. */
bool read_hex16(const uint8_t *in, uint64_t *ret_value);
