/* SPDX-License-Identifier: Apache-2.0 */
#include "sip/token.h"

#include "base/base32.h"
#include "base/err.h"
#include "sip/tag_hash.h"

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

struct hash_key token_dialog_key(const struct token_keys *keys, uint8_t key_id)
{
	const struct hash_key *key = &keys->key[key_id % TOKEN_KEYS_MAX];

	return (struct hash_key){ siphash24(key, "dialog 0", 8), siphash24(key, "dialog 1", 8) };
}

/* Each part has its place, so that no byte can move from one to the other. */
struct covered {
	uint64_t call_hash;
	uint8_t content[FIXED + 18 + 2];
	uint64_t tag_hash;
};

_Static_assert(sizeof(struct covered) == 64, "no holes");

static void cover(struct covered *x, const uint8_t *content, uint32_t n, uint64_t call_hash)
{
	x->call_hash = call_hash;
	memset(x->content, 0, sizeof(x->content));
	memcpy(x->content, content, n);
}

static uint64_t mac_of(const struct hash_key *key, struct covered *x, uint64_t tag_hash)
{
	x->tag_hash = tag_hash;
	return siphash24(key, x, sizeof(*x));
}

uint32_t token_encode(const struct token_keys *keys, const struct token *t, uint64_t call_hash, uint64_t caller_tag_hash, char *out)
{
	uint8_t bytes[BYTES_MAX];
	struct cursor c = { bytes };
	unsigned address = address_bytes(t->caller_flow.ip.family);
	struct covered x;
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
	cover(&x, bytes, n, call_hash);
	put_be(&c, mac_of(&keys->key[keys->signing % TOKEN_KEYS_MAX], &x, caller_tag_hash), MAC);
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

int token_decode(const struct token_keys *keys, struct span text, const struct token_dialog *dialog, struct token *ret_token,
		 enum token_side *ret_side)
{
	uint8_t bytes[BYTES_MAX];
	int read = text.n < BASE32_LEN(FIXED + MAC) ? -1 : base32_decode(text, bytes, sizeof(bytes));
	uint64_t mac, call_hash = dialog->call_hash, from_hash = dialog->from_hash;
	const struct hash_key *key;
	struct hash_key by = *dialog->key;
	struct covered x;
	uint8_t family;
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
	if (bytes[0] % TOKEN_KEYS_MAX != keys->signing % TOKEN_KEYS_MAX) {
		by = token_dialog_key(keys, bytes[0]);
		call_hash = siphash24(&by, dialog->call_id.p, dialog->call_id.n);
		from_hash = tag_hash(&by, dialog->from_tag);
	}
	mac = get_be(&(struct cursor){ bytes + n }, MAC);
	cover(&x, bytes, n, call_hash);
	if (mac == mac_of(key, &x, from_hash))
		*ret_side = TOKEN_FROM_CALLER;
	else if (mac == mac_of(key, &x, tag_hash(&by, dialog->to_tag)))
		*ret_side = TOKEN_FROM_TARGET;
	else
		return -ERR_FORGED;
	read_content(bytes, ret_token);
	return 0;
}
