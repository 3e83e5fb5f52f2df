/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cmac.h"

#include <string.h>

/* Times x in GF(2^128), the first byte highest (SP 800-38B §5.3). */
static void doubled(const uint8_t in[16], uint8_t out[16])
{
	uint8_t carry = 0;

	for (int i = 15; i >= 0; i--) {
		uint8_t next = in[i] >> 7;

		out[i] = (uint8_t)(in[i] << 1 | carry);
		carry = next;
	}
	out[15] ^= carry ? 0x87 : 0;
}

void cmac_init(struct cmac *ret_mac, const struct hash_key *secret)
{
	uint8_t bytes[16] = { 0 };

	memcpy(bytes, secret, 16);
	aes_expand(&ret_mac->key, bytes);
	memset(bytes, 0, sizeof(bytes));
	aes_encrypt(&ret_mac->key, bytes);
	doubled(bytes, ret_mac->whole);
	doubled(ret_mac->whole, ret_mac->partial);
}

static inline void add(uint8_t to[16], const uint8_t *p, uint32_t bytes)
{
	for (uint32_t i = 0; i < bytes; i++)
		to[i] ^= p[i];
}

void cmac(const struct cmac *mac, const void *data, uint32_t bytes, uint8_t out[CMAC_BYTES])
{
	const uint8_t *p = data;
	uint8_t s[16] = { 0 };

	for (; bytes > 16; bytes -= 16, p += 16) {
		add(s, p, 16);
		aes_encrypt(&mac->key, s);
	}
	add(s, p, bytes);
	if (bytes < 16)
		s[bytes] ^= 0x80;
	add(s, bytes < 16 ? mac->partial : mac->whole, 16);
	aes_encrypt(&mac->key, s);
	memcpy(out, s, 16);
}

struct hash_key cmac_derive(const struct cmac *mac, const char *name)
{
	uint8_t out[CMAC_BYTES];
	struct hash_key secret;

	cmac(mac, name, (uint32_t)strlen(name) + 1, out);
	memcpy(&secret, out, sizeof(secret));
	return secret;
}
