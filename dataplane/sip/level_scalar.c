/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "sip/header_line.h"
#include "sip/level.h"
#include "sip/lex.h"
#include "sip/start_line.h"

/* Eight flags, one a byte of x: set where that byte equals `byte`. No carry leaves a byte, so the answer is exact. */
static inline uint64_t equal8(uint64_t x, uint8_t byte)
{
	const uint64_t low = 0x7f7f7f7f7f7f7f7fULL;

	x ^= 0x0101010101010101ULL * byte;
	x = ~(((x & low) + low) | x | low);
	return (x >> 7) * 0x0102040810204080ULL >> 56;
}

struct chunk {
	uint64_t word[8];
};

static inline struct chunk chunk_load(const uint8_t *p, uint32_t n)
{
	struct chunk c;

	if (n < sizeof(c))
		memset(&c, 0, sizeof(c));
	memcpy(&c, p, n);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	for (int i = 0; i < 8; i++)
		c.word[i] = __builtin_bswap64(c.word[i]);
#endif
	return c;
}

static inline uint64_t chunk_is(const struct chunk *c, uint8_t byte)
{
	uint64_t mask = 0;

	for (int i = 0; i < 8; i++)
		mask |= equal8(c->word[i], byte) << 8 * i;
	return mask;
}

/* The place of the first bit; 64 without one. */
static inline uint32_t first_bit(uint64_t mask)
{
	return mask ? (uint32_t)__builtin_ctzll(mask) : 64;
}

#include "sip/scan_walk.h"

static enum scan_end scan_lines_scalar(const uint8_t *data, uint32_t len, struct scan_line *lines, uint32_t max_lines, uint32_t *ret_count,
				       uint32_t *ret_head)
{
	return scan_list(data, len, lines, max_lines, ret_count, ret_head);
}

#define MESSAGE_START start_line_read
#define MESSAGE_ZERO(p, n) memset(p, 0, n)
#include "sip/message_head.h"

#define MESSAGE_VIA    via_next_careful
#define MESSAGE_ELEMENT	 name_addr_read_careful
#define MESSAGE_INDEX(m) false
#define MESSAGE_PARTY(value, tag) false
#define MESSAGE_CSEQ(value, method) -1
#define MESSAGE_SMALL(end, n) ((void)(n), -1)
#define MESSAGE_METHOD(name) SIP_UNKNOWN_METHOD
#include "sip/message_body.h"

const struct sip_level sip_level_scalar = {
	.scan_lines = scan_lines_scalar,
	.parse = message_read,
	.via_next = via_next_careful,
	.name_addr_read = name_addr_read_careful,
	.uri_parse = uri_parse_careful,
};
