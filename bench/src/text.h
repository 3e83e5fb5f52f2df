/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdint.h>
#include <string.h>

/* Writing messages quickly: the peers that a benchmark plays must not take longer than what is measured. The caller has the room. */

struct text {
	uint8_t *p;
};

static inline void put(struct text *t, const void *s, size_t n)
{
	memcpy(t->p, s, n);
	t->p += n;
}

static inline void put_str(struct text *t, const char *s)
{
	put(t, s, strlen(s));
}

#define PUT(t, literal) put((t), (literal), sizeof(literal) - 1)

static inline void put_u(struct text *t, uint64_t v)
{
	uint8_t digits[20];
	unsigned n = sizeof(digits);

	do {
		digits[--n] = (uint8_t)('0' + v % 10);
	} while (v /= 10);
	put(t, digits + n, sizeof(digits) - n);
}

static inline void put_hex(struct text *t, uint64_t v, unsigned digits)
{
	static const char hex[] = "0123456789abcdef";

	while (digits--)
		*t->p++ = (uint8_t)hex[v >> (4 * digits) & 15];
}

/* An IPv4 address in host order. */
static inline void put_ip(struct text *t, uint32_t ip)
{
	for (unsigned shift = 24;; shift -= 8) {
		put_u(t, ip >> shift & 255);
		if (!shift)
			break;
		*t->p++ = '.';
	}
}
