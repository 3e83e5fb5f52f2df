/* SPDX-License-Identifier: Apache-2.0 */
#include "sip/token.h"

#include "base/base32.h"
#include "base/err.h"
#include "base/partial.h"
#include "sip/dialog_hash.h"

/* Bytes, big-endian, in base32: key id 1, node 2, boot 2, worker 1, slot 3, generation 2, setup 4, caller trunk 4, target trunk 4,
 * endpoint 4, family 1 and, where that is 4 or 6, address and port; then 8 of MAC. */

#define FIXED	  28
#define MAC	  8
#define BYTES_MAX (FIXED + 18 + MAC)

_Static_assert(BASE32_LEN(BYTES_MAX) <= TOKEN_TEXT_MAX, "the longest token fits");

static inline void put_16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static inline void put_32(uint8_t *p, uint32_t v)
{
	put_16(p, (uint16_t)(v >> 16));
	put_16(p + 2, (uint16_t)v);
}

static inline uint16_t get_16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t get_32(const uint8_t *p)
{
	return (uint32_t)get_16(p) << 16 | get_16(p + 2);
}

static inline uint64_t get_64(const uint8_t *p)
{
	return (uint64_t)get_32(p) << 32 | get_32(p + 4);
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

/* Each part has its place, so that no byte can move from one to the other: this, then the hash of the tag. */
struct covered {
	uint64_t call_hash;
	uint8_t content[FIXED + 18 + 2];
};

#define COVERED_BYTES (sizeof(struct covered) + 8)

_Static_assert(COVERED_BYTES == 64, "no holes");

/* content: BYTES_MAX of them, of which the first n count. The sizes are those that there are, so that no loop is needed. */
static inline void cover(struct covered *x, const uint8_t *content, uint32_t n, uint64_t call_hash)
{
	x->call_hash = call_hash;
	memcpy(x->content, content, sizeof(x->content));
	if (n == FIXED)
		memset(x->content + FIXED, 0, sizeof(x->content) - FIXED);
	else if (n == FIXED + 6)
		memset(x->content + FIXED + 6, 0, sizeof(x->content) - FIXED - 6);
	else
		memset(x->content + FIXED + 18, 0, sizeof(x->content) - FIXED - 18);
}

/* What is before the tag is hashed once for both. */
static struct siphash mac_begin(const struct hash_key *key, const struct covered *x)
{
	struct siphash s = siphash_start(key);

	siphash24_word(&s, x->call_hash);
	for (uint32_t i = 0; i < sizeof(x->content); i += 8)
		siphash24_word(&s, load_64(x->content + i));
	return s;
}

static uint64_t mac_end(struct siphash s, uint64_t tag)
{
	siphash24_word(&s, tag);
	return siphash24_end(s, 0, COVERED_BYTES);
}

uint32_t token_encode(const struct token_keys *keys, const struct token *t, uint64_t call_hash, uint64_t caller_tag_hash, char *out)
{
	uint8_t bytes[BYTES_MAX] = { 0 };
	unsigned address = address_bytes(t->caller_flow.ip.family);
	uint32_t n = FIXED;
	struct covered x;
	uint64_t mac;

	bytes[0] = keys->signing;
	put_16(bytes + 1, t->node);
	put_16(bytes + 3, t->boot);
	put_32(bytes + 5, (uint32_t)t->worker << 24 | (t->slot & 0xffffff));
	put_16(bytes + 9, t->generation);
	put_32(bytes + 11, t->setup_s);
	put_32(bytes + 15, t->caller_trunk);
	put_32(bytes + 19, t->target_trunk);
	put_32(bytes + 23, t->endpoint);
	bytes[FIXED - 1] = address ? t->caller_flow.ip.family : IP_NONE;
	if (address) {
		memcpy(bytes + n, t->caller_flow.ip.bytes, address);
		n += address;
		put_16(bytes + n, t->caller_flow.port);
		n += 2;
	}
	cover(&x, bytes, n, call_hash);
	mac = mac_end(mac_begin(&keys->key[keys->signing % TOKEN_KEYS_MAX], &x), caller_tag_hash);
	put_32(bytes + n, (uint32_t)(mac >> 32));
	put_32(bytes + n + 4, (uint32_t)mac);
	return base32_encode(bytes, n + MAC, out);
}

static void read_content(const uint8_t *bytes, struct token *t)
{
	unsigned address;

	memset(t, 0, sizeof(*t));
	t->key_id = bytes[0];
	t->node = get_16(bytes + 1);
	t->boot = get_16(bytes + 3);
	t->worker = bytes[5];
	t->slot = get_32(bytes + 5) & 0xffffff;
	t->generation = get_16(bytes + 9);
	t->setup_s = get_32(bytes + 11);
	t->caller_trunk = get_32(bytes + 15);
	t->target_trunk = get_32(bytes + 19);
	t->endpoint = get_32(bytes + 23);
	t->caller_flow.ip.family = bytes[FIXED - 1];
	address = address_bytes(t->caller_flow.ip.family);
	if (address) {
		memcpy(t->caller_flow.ip.bytes, bytes + FIXED, address);
		t->caller_flow.port = get_16(bytes + FIXED + address);
	}
}

int token_decode(const struct token_keys *keys, struct span text, const struct token_dialog *dialog, struct token *ret_token,
		 enum token_side *ret_side)
{
	uint8_t bytes[BYTES_MAX + 10]; /* room for whole words at a time */
	int read = text.n < BASE32_LEN(FIXED + MAC) || text.n > BASE32_LEN(BYTES_MAX) ? -1 : base32_decode(text, bytes, sizeof(bytes));
	uint64_t mac, call_hash = dialog->call_hash, from_hash = dialog->from_hash;
	const struct hash_key *key;
	struct hash_key by = *dialog->key;
	struct siphash begun;
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
		call_hash = call_id_hash(&by, dialog->call_id);
		from_hash = tag_hash(&by, dialog->from_tag);
	}
	mac = get_64(bytes + n);
	cover(&x, bytes, n, call_hash);
	begun = mac_begin(key, &x);
	if (mac == mac_end(begun, from_hash))
		*ret_side = TOKEN_FROM_CALLER;
	else if (mac == mac_end(begun, tag_hash(&by, dialog->to_tag)))
		*ret_side = TOKEN_FROM_TARGET;
	else
		return -ERR_FORGED;
	read_content(bytes, ret_token);
	return 0;
}
