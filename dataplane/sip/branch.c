/* SPDX-License-Identifier: Apache-2.0 */
#include "sip/branch.h"

#include "base/base32.h"
#include "base/err.h"
#include "sip/lex.h"

/* Behind the cookie: one letter for the kind, then 15 bytes as 24 characters of base32: worker, slot and generation (or 40 bits
 * of digest), loop hash, and 40 bits of MAC over all of it. */

#define COOKIE	"z9hG4bK"
#define CONTENT 10
#define MAC	5

static void put_be(uint8_t *out, uint64_t v, unsigned bytes)
{
	for (unsigned i = bytes; i--; v >>= 8)
		out[i] = (uint8_t)v;
}

static uint64_t get_be(const uint8_t *in, unsigned bytes)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < bytes; i++)
		v = v << 8 | in[i];
	return v;
}

static uint64_t mac_of(const struct hash_key *key, const uint8_t content[CONTENT], char kind)
{
	uint8_t covered[CONTENT + 1];

	memcpy(covered, content, CONTENT);
	covered[CONTENT] = (uint8_t)kind;
	return siphash24(key, covered, sizeof(covered)) & 0xffffffffffULL;
}

void branch_encode(const struct hash_key *key, const struct branch *b, char out[BRANCH_TEXT])
{
	char kind = b->kind == BRANCH_TRANSACTION ? 't' : 's';
	uint8_t bytes[CONTENT + MAC];

	bytes[0] = b->worker;
	if (b->kind == BRANCH_TRANSACTION) {
		put_be(bytes + 1, b->slot, 3);
		put_be(bytes + 4, b->generation, 2);
	} else {
		put_be(bytes + 1, b->digest, 5);
	}
	put_be(bytes + 6, b->loop, 4);
	put_be(bytes + CONTENT, mac_of(key, bytes, kind), MAC);
	memcpy(out, COOKIE, 7);
	out[7] = kind;
	base32_encode(bytes, sizeof(bytes), out + 8);
}

int branch_decode(const struct hash_key *key, struct span text, struct branch *ret_branch)
{
	uint8_t bytes[CONTENT + MAC];
	struct branch b = { 0 };
	char kind;

	if (text.n != BRANCH_TEXT || !lex_ieq(text.p, "z9hg4bk", 7))
		return -ERR_NOT_FOUND;
	kind = (char)ascii_lower(text.p[7]);
	if ((kind != 't' && kind != 's') || base32_decode(span_of(text.p + 8, BRANCH_TEXT - 8), bytes, sizeof(bytes)) < 0)
		return -ERR_NOT_FOUND;
	if (get_be(bytes + CONTENT, MAC) != mac_of(key, bytes, kind))
		return -ERR_FORGED;
	b.worker = bytes[0];
	if (kind == 't') {
		b.kind = BRANCH_TRANSACTION;
		b.slot = (uint32_t)get_be(bytes + 1, 3);
		b.generation = (uint16_t)get_be(bytes + 4, 2);
	} else {
		b.kind = BRANCH_STATELESS;
		b.digest = get_be(bytes + 1, 5);
	}
	b.loop = (uint32_t)get_be(bytes + 6, 4);
	*ret_branch = b;
	return 0;
}
