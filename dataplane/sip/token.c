/* SPDX-License-Identifier: Apache-2.0 */
#include "sip/token.h"

#include "base/base32.h"
#include "base/err.h"

/* Bytes, big-endian, in base32: key id 1, node 2, boot 2, worker 1, slot 3, generation 2, setup 4, caller trunk 4, target trunk 4,
 * endpoint 4, family 1 and, where that is 4 or 6, address and port; then 8 of MAC. */

#define FIXED	  28
#define MAC	  8
#define BYTES_MAX (FIXED + 18 + MAC)

_Static_assert(BASE32_LEN(BYTES_MAX) <= TOKEN_TEXT_MAX, "the longest token fits");

struct cursor {
	uint8_t *p;
};

static void put_be(struct cursor *c, uint64_t v, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i++)
		c->p[i] = (uint8_t)(v >> 8 * (bytes - 1 - i));
	c->p += bytes;
}

static uint64_t get_be(struct cursor *c, unsigned bytes)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < bytes; i++)
		v = v << 8 | c->p[i];
	c->p += bytes;
	return v;
}

static unsigned address_bytes(uint8_t family)
{
	return family == IP_V4 ? 4 : family == IP_V6 ? 16 : 0;
}

/* Content, Call-ID and tag are hashed apart, each under a key of its own, so that no byte can move from one to the other. */
static uint64_t mac_of(const struct hash_key *key, const uint8_t *content, uint32_t n, struct span call_id, struct span tag)
{
	const struct hash_key call_key = { key->k0 ^ 1, key->k1 }, tag_key = { key->k0 ^ 2, key->k1 };
	uint64_t hash[2] = { siphash24(&call_key, call_id.p, call_id.n), siphash24(&tag_key, tag.p, tag.n) };
	uint8_t covered[FIXED + 18 + 16];
	struct cursor c = { covered + n };

	memcpy(covered, content, n);
	put_be(&c, hash[0], 8);
	put_be(&c, hash[1], 8);
	return siphash24(key, covered, n + 16);
}

uint32_t token_encode(const struct token_keys *keys, const struct token *t, struct span call_id, struct span caller_tag, char *out)
{
	uint8_t bytes[BYTES_MAX];
	struct cursor c = { bytes };
	unsigned address = address_bytes(t->caller_flow.ip.family);
	uint32_t n;

	put_be(&c, keys->signing, 1);
	put_be(&c, t->node, 2);
	put_be(&c, t->boot, 2);
	put_be(&c, t->worker, 1);
	put_be(&c, t->slot, 3);
	put_be(&c, t->generation, 2);
	put_be(&c, t->setup_s, 4);
	put_be(&c, t->caller_trunk, 4);
	put_be(&c, t->target_trunk, 4);
	put_be(&c, t->endpoint, 4);
	put_be(&c, address ? t->caller_flow.ip.family : IP_NONE, 1);
	if (address) {
		memcpy(c.p, t->caller_flow.ip.bytes, address);
		c.p += address;
		put_be(&c, t->caller_flow.port, 2);
	}
	n = (uint32_t)(c.p - bytes);
	put_be(&c, mac_of(&keys->key[keys->signing % TOKEN_KEYS_MAX], bytes, n, call_id, caller_tag), MAC);
	return base32_encode(bytes, n + MAC, out);
}

static void read_content(uint8_t *bytes, struct token *t)
{
	struct cursor c = { bytes };
	unsigned address;

	memset(t, 0, sizeof(*t));
	t->key_id = (uint8_t)get_be(&c, 1);
	t->node = (uint16_t)get_be(&c, 2);
	t->boot = (uint16_t)get_be(&c, 2);
	t->worker = (uint8_t)get_be(&c, 1);
	t->slot = (uint32_t)get_be(&c, 3);
	t->generation = (uint16_t)get_be(&c, 2);
	t->setup_s = (uint32_t)get_be(&c, 4);
	t->caller_trunk = (uint32_t)get_be(&c, 4);
	t->target_trunk = (uint32_t)get_be(&c, 4);
	t->endpoint = (uint32_t)get_be(&c, 4);
	t->caller_flow.ip.family = (uint8_t)get_be(&c, 1);
	address = address_bytes(t->caller_flow.ip.family);
	if (address) {
		memcpy(t->caller_flow.ip.bytes, c.p, address);
		c.p += address;
		t->caller_flow.port = (uint16_t)get_be(&c, 2);
	}
}

int token_decode(const struct token_keys *keys, struct span text, struct span call_id, struct span from_tag, struct span to_tag,
		 struct token *ret_token, enum token_side *ret_side)
{
	uint8_t bytes[BYTES_MAX];
	int read = text.n < BASE32_LEN(FIXED + MAC) ? -1 : base32_decode(text, bytes, sizeof(bytes));
	const struct hash_key *key;
	uint8_t family;
	uint64_t mac;
	uint32_t n;

	if (read < FIXED + MAC)
		return -ERR_NOT_FOUND;
	family = bytes[FIXED - 1];
	n = FIXED + (family == IP_NONE ? 0 : address_bytes(family) + 2);
	if ((family != IP_NONE && !address_bytes(family)) || (uint32_t)read != n + MAC)
		return -ERR_NOT_FOUND;
	if (!keys->present[bytes[0] % TOKEN_KEYS_MAX])
		return -ERR_FORGED;
	key = &keys->key[bytes[0] % TOKEN_KEYS_MAX];
	mac = get_be(&(struct cursor){ bytes + n }, MAC);
	if (mac == mac_of(key, bytes, n, call_id, from_tag))
		*ret_side = TOKEN_FROM_CALLER;
	else if (mac == mac_of(key, bytes, n, call_id, to_tag))
		*ret_side = TOKEN_FROM_TARGET;
	else
		return -ERR_FORGED;
	read_content(bytes, ret_token);
	return 0;
}
