/* SPDX-License-Identifier: Apache-2.0 */
#include "wire_template.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *name;
	uint8_t width; /* 0: the sender's own */
} slots[SLOT_COUNT] = {
	[SLOT_ID] = { "id", 16 },	 [SLOT_ID8] = { "id8", 8 },	    [SLOT_FTAG] = { "ftag", 16 },
	[SLOT_TTAG] = { "ttag", 16 },	 [SLOT_BRANCH] = { "branch", 16 },  [SLOT_CSEQ] = { "cseq", 0 },
	[SLOT_CALLER] = { "caller", 6 }, [SLOT_CALLEE] = { "callee", 4 },   [SLOT_FROM] = { "from", 3 },
	[SLOT_AT] = { "at", 3 },	 [SLOT_SESSION] = { "session", 8 },
};

static const char hex[513] =
	"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f"
	"404142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f606162636465666768696a6b6c6d6e6f707172737475767778797a7b7c7d7e7f"
	"808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9fa0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3b4b5b6b7b8b9babbbcbdbebf"
	"c0c1c2c3c4c5c6c7c8c9cacbcccdcecfd0d1d2d3d4d5d6d7d8d9dadbdcdddedfe0e1e2e3e4e5e6e7e8e9eaebecedeeeff0f1f2f3f4f5f6f7f8f9fafbfcfdfeff";

static void put_hex8(uint8_t *out, uint32_t value)
{
	for (unsigned i = 0; i < 4; i++)
		memcpy(out + 2 * i, hex + 2 * (value >> (24 - 8 * i) & 0xff), 2);
}

void put_hex16(uint8_t *out, uint64_t value)
{
	put_hex8(out, (uint32_t)(value >> 32));
	put_hex8(out + 8, (uint32_t)value);
}

bool read_hex16(const uint8_t *in, uint64_t *ret_value)
{
	const uint64_t ones = 0x0101010101010101ull;
	uint64_t value = 0, bad = 0;

	/* Eight digits at a time: y is 0..9, or 1..6 for a letter; then nibbles are pushed together. */
	for (unsigned i = 0; i < 2; i++) {
		uint64_t x, y, letters;

		memcpy(&x, in + 8 * i, 8);
		letters = x >> 6 & ones;
		y = x ^ (0x30 * ones ^ letters * 0x50);
		bad |= (y & 0xf0 * ones) | (((y & 0x0f * ones) + 6 * ones + 3 * letters) & 0x10 * ones);
		bad |= letters << 4 & ~((y & 0x0f * ones) + 0x0f * ones);
		x = __builtin_bswap64((y & 0x0f * ones) + 9 * letters);
		x = (x | x >> 4) & 0x00ff00ff00ff00ffull;
		x = (x | x >> 8) & 0x0000ffff0000ffffull;
		x = (x | x >> 16) & 0x00000000ffffffffull;
		value = value << 32 | x;
	}
	*ret_value = value;
	return !bad;
}

static inline void put_decimal(uint8_t *out, uint64_t value, unsigned width)
{
	for (unsigned i = width; i--; value /= 10)
		out[i] = (uint8_t)('0' + value % 10);
}

/* The name that begins at p ("{name}"): its slot, or -1. */
static int slot_named(const char *p, size_t n)
{
	for (int i = 0; i < SLOT_COUNT; i++)
		if (strlen(slots[i].name) == n && !memcmp(p, slots[i].name, n))
			return i;
	return -1;
}

/* Bytes that p .. end become, with names at their widths. */
static size_t written_len(const char *p, unsigned cseq_digits)
{
	size_t n = 0;

	while (*p) {
		size_t name = *p == '{' ? strcspn(p + 1, "}") : 0;
		int slot = name ? slot_named(p + 1, name) : -1;

		n += slot < 0 ? 1 : slots[slot].width ? slots[slot].width : cseq_digits;
		p += slot < 0 ? 1 : name + 2;
	}
	return n;
}

/* One {name}: false: unknown. */
static bool add_name(struct template *t, const char *text, const char *p, size_t n, unsigned cseq_digits)
{
	int slot = slot_named(p, n);

	if (n == 6 && !memcmp(p, "length", 6)) {
		const char *body = strstr(text, "\r\n\r\n");

		if (!body)
			return false;
		t->len = (uint16_t)(t->len + sprintf(t->text + t->len, "%zu", written_len(body + 4, cseq_digits)));
		return true;
	}
	if (n == 5 && !memcmp(p, "block", 5)) {
		t->head = t->len;
		return true;
	}
	if (slot < 0 || t->slots == TEMPLATE_SLOTS_MAX)
		return false;
	t->slot[t->slots].at = t->len;
	t->slot[t->slots].slot = (uint8_t)slot;
	t->slot[t->slots].width = slots[slot].width ? slots[slot].width : (uint8_t)cseq_digits;
	memset(t->text + t->len, '0', t->slot[t->slots].width);
	t->len = (uint16_t)(t->len + t->slot[t->slots].width);
	t->slots++;
	return true;
}

bool template_init(struct template *t, const char *text, unsigned cseq_digits)
{
	const char *p = text;

	memset(t, 0, sizeof(*t));
	t->text = malloc(4 * strlen(text) + 64);
	if (!t->text)
		return false;
	while (*p) {
		/* SDP and XML may hold braces of their own: only letters and digits between them are a name. */
		size_t n = *p == '{' ? strspn(p + 1, "abcdefghijklmnopqrstuvwxyz0123456789") : 0;

		if (n && p[n + 1] == '}') {
			if (!add_name(t, text, p + 1, n, cseq_digits)) {
				template_done(t);
				return false;
			}
			p += n + 2;
		} else {
			t->text[t->len++] = *p++;
		}
	}
	if (!strstr(text, "{block}"))
		t->head = t->len;
	return true;
}

void template_done(struct template *t)
{
	free(t->text);
	t->text = NULL;
}

uint32_t template_write(const struct template *t, const uint64_t value[SLOT_COUNT], const void *block, uint32_t block_len,
			uint8_t *out)
{
	uint8_t *tail = out + block_len;

	memcpy(out, t->text, t->head);
	if (block_len)
		memcpy(out + t->head, block, block_len);
	memcpy(tail + t->head, t->text + t->head, (size_t)(t->len - t->head));
	for (unsigned i = 0; i < t->slots; i++) {
		unsigned at = t->slot[i].at, width = t->slot[i].width;
		uint8_t *to = (at < t->head ? out : tail) + at;
		uint64_t v = value[t->slot[i].slot];

		if (width == 16)
			put_hex16(to, v);
		else if (t->slot[i].slot == SLOT_ID8)
			put_hex8(to, (uint32_t)v);
		else
			put_decimal(to, v, width);
	}
	return t->len + block_len;
}
