/* SPDX-License-Identifier: Apache-2.0 */
#include "sip/token.h"

#include <stddef.h>

#include "base/base32.h"
#include "base/base32_lanes.h"
#include "base/cmac_hard.h"
#include "base/err.h"
#include "base/partial.h"
#include "sip/dialog_hash.h"

/* Bytes, numbers with their lowest first, in base32: key id 1, worker 1, node 2, boot 2, generation 2, slot 3, family 1,
 * setup 4, caller trunk 4, target trunk 4, endpoint 4 and, where the family is 4 or 6, address and port; then 8 of MAC. */

#define FIXED	  28
#define FLOW	  20 /* bytes behind those that the MAC covers: address, port, zeros */
#define MAC	  8
#define BYTES_MAX (FIXED + 18 + MAC)
#define SLOT	  8 /* where the word of slot and family is */

_Static_assert(BASE32_LEN(BYTES_MAX) <= TOKEN_TEXT_MAX, "the longest token fits");
_Static_assert(BASE32_LEN(FIXED + MAC) == TOKEN_TEXT_USUAL, "the shortest");
_Static_assert(offsetof(struct token, slot) == SLOT && offsetof(struct token, endpoint) + 4 == FIXED, "lies as it is sent");
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#error "numbers are sent as they lie in memory"
#endif

static unsigned address_bytes(uint8_t family)
{
	return family == IP_V4 ? 4 : family == IP_V6 ? 16 : 0;
}

static unsigned place_of(uint8_t key_id)
{
	return key_id % TOKEN_KEYS_MAX;
}

struct hash_key token_dialog_key(const struct token_keys *keys, uint8_t key_id)
{
	struct cmac mac;

	cmac_init(&mac, &keys->key[place_of(key_id)]);
	return cmac_derive(&mac, "dialog");
}

void token_signer_init(struct token_signer *ret_signer, const struct token_keys *keys)
{
	for (uint8_t i = 0; i < TOKEN_KEYS_MAX; i++) {
		cmac_init(&ret_signer->key[i].mac, &keys->key[i]);
		ret_signer->key[i].dialog = token_dialog_key(keys, i);
		ret_signer->present[i] = keys->present[i];
	}
	ret_signer->signing = keys->signing;
}

/* What the MAC covers. Each part has its place, so that no byte can move from one to the other; the family,
 * in front, says how long it is. */
struct covered {
	uint8_t content[FIXED + FLOW];
	uint64_t call_hash, tag_hash;
};

_Static_assert(sizeof(struct covered) == 64, "no holes");

/* content: the first n of a token's bytes. */
static uint64_t mac_of(const struct token_signer *s, const uint8_t *content, uint32_t n, uint64_t call_hash, uint64_t tag_hash)
{
	uint32_t bytes = n == FIXED ? 32 : FIXED + FLOW;
	struct covered x = { .content = { 0 } };
	uint8_t out[CMAC_BYTES];

	memcpy(x.content, content, n);
	memcpy(x.content + bytes, &call_hash, 8);
	memcpy(x.content + bytes + 8, &tag_hash, 8);
	cmac(&s->key[place_of(content[0])].mac, &x, bytes + 16, out);
	return load_64(out);
}

static uint32_t encode_any(const struct token_signer *signer, const struct token *t, uint64_t call_hash, uint64_t tag_hash, char *out)
{
	uint32_t n = FIXED, address = address_bytes(t->caller_flow.ip.family), slot;
	uint8_t bytes[BYTES_MAX];
	uint64_t mac;

	memcpy(bytes, t, FIXED);
	bytes[0] = signer->signing;
	slot = (t->slot & 0xffffff) | (uint32_t)(address ? t->caller_flow.ip.family : IP_NONE) << 24;
	memcpy(bytes + SLOT, &slot, 4);
	if (address) {
		memcpy(bytes + n, t->caller_flow.ip.bytes, address);
		n += address;
		memcpy(bytes + n, &t->caller_flow.port, 2);
		n += 2;
	}
	mac = mac_of(signer, bytes, n, call_hash, tag_hash);
	memcpy(bytes + n, &mac, MAC);
	return base32_encode(bytes, n + MAC, out);
}

static void read_content(const uint8_t *bytes, struct token *t)
{
	uint8_t family = bytes[SLOT + 3];
	uint32_t address = address_bytes(family);

	memset(t, 0, sizeof(*t));
	memcpy(t, bytes, FIXED);
	t->slot &= 0xffffff;
	t->caller_flow.ip.family = family;
	if (address) {
		memcpy(t->caller_flow.ip.bytes, bytes + FIXED, address);
		memcpy(&t->caller_flow.port, bytes + FIXED + address, 2);
	}
}

static int decode_any(const struct token_signer *signer, struct span text, const struct token_dialog *dialog, struct token *ret_token,
		      enum token_side *ret_side)
{
	uint8_t bytes[BYTES_MAX + 10]; /* room for whole words at a time */
	int read = text.n < BASE32_LEN(FIXED + MAC) || text.n > BASE32_LEN(BYTES_MAX) ? -1 : base32_decode(text, bytes, sizeof(bytes));
	uint64_t mac, call_hash = dialog->call_hash, from_hash = dialog->from_hash;
	const struct hash_key *by = dialog->key;
	uint8_t family;
	uint32_t n;

	if (read < FIXED + MAC)
		return -ERR_NOT_FOUND;
	family = bytes[SLOT + 3];
	n = FIXED + (family == IP_NONE ? 0 : address_bytes(family) + 2);
	if ((family != IP_NONE && !address_bytes(family)) || (uint32_t)read != n + MAC)
		return -ERR_NOT_FOUND;
	if (!signer->present[place_of(bytes[0])])
		return -ERR_FORGED;
	if (place_of(bytes[0]) != place_of(signer->signing)) {
		by = &signer->key[place_of(bytes[0])].dialog;
		call_hash = call_id_hash(by, dialog->call_id);
		from_hash = tag_hash(by, dialog->from_tag);
	}
	mac = load_64(bytes + n);
	if (mac == mac_of(signer, bytes, n, call_hash, from_hash))
		*ret_side = TOKEN_FROM_CALLER;
	else if (mac == mac_of(signer, bytes, n, call_hash, tag_hash(by, dialog->to_tag)))
		*ret_side = TOKEN_FROM_TARGET;
	else
		return -ERR_FORGED;
	read_content(bytes, ret_token);
	return 0;
}

#if CPU_X86
/* Tokens without an address by the CPU's instructions: the same bytes in registers. */

#define USUAL_TEXT BASE32_LEN(FIXED + MAC)
#define LATER	   1 /* of decode_hard: look closer */

_Static_assert(USUAL_TEXT == 58 && sizeof(struct token) == 48, "what the vectors below are made for");

/* What is before the call's hash. */
static inline TARGET_AES __m128i begin_hard(const struct cmac *mac, __m128i first, __m128i second)
{
	return cmac_hard_more(mac, cmac_hard_more(mac, _mm_setzero_si128(), first), second);
}

static inline TARGET_AES uint64_t end_hard(const struct cmac *mac, __m128i s, uint64_t call_hash, uint64_t tag_hash)
{
	return (uint64_t)_mm_cvtsi128_si64(cmac_hard_last(mac, s, _mm_set_epi64x((long long)tag_hash, (long long)call_hash)));
}

/* out: 64 characters are written. */
static TARGET_AES uint32_t encode_hard(const struct token_signer *signer, const struct token *t, uint64_t call_hash, uint64_t tag_hash,
				       char *out)
{
	const __m128i kept = _mm_set_epi32(-1, 0xffffff, -1, ~0xff); /* of the first block: not the key id, of the slot 24 bits */
	const struct cmac *mac = &signer->key[place_of(signer->signing)].mac;
	__m128i first = _mm_loadu_si128((const __m128i *)t), second = _mm_loadu_si128((const __m128i *)((const uint8_t *)t + 16)), end;
	uint64_t sum;

	first = _mm_or_si128(_mm_and_si128(first, kept), _mm_cvtsi32_si128(signer->signing));
	second = _mm_blend_epi32(second, _mm_setzero_si128(), 8);
	sum = end_hard(mac, begin_hard(mac, first, second), call_hash, tag_hash);
	second = _mm_insert_epi32(second, (int)sum, 3);
	end = _mm_cvtsi64_si128((long long)(sum >> 32));
	_mm256_storeu_si256((__m256i *)out, base32_encode_lanes(_mm256_set_m128i(_mm_alignr_epi8(second, first, 10), first)));
	_mm256_storeu_si256((__m256i *)(out + 32),
			    base32_encode_lanes(_mm256_set_m128i(_mm_alignr_epi8(end, second, 14), _mm_srli_si128(second, 4))));
	return USUAL_TEXT;
}

/* As token_decode, for texts of that length; LATER: the other way is to read it. */
static TARGET_AES int decode_hard(const struct token_signer *signer, const uint8_t *p, const struct token_dialog *dialog,
				  struct token *ret_token, enum token_side *ret_side)
{
	const __m128i zeros = _mm_set_epi32(0x61616161, 0x61610000, 0, 0); /* "aaaaaa" */
	__m128i last = _mm_srli_si128(_mm_loadu_si128((const __m128i *)(p + USUAL_TEXT - 16)), 6), first, second, begun;
	__m256i bad = _mm256_setzero_si256(), a, b;
	uint8_t key_id, *out = (uint8_t *)ret_token;
	const struct cmac *mac;
	bool by_caller, by_target;
	uint64_t end, sum;

	a = base32_decode_lanes(_mm256_loadu_si256((const __m256i *)p), &bad);
	b = base32_decode_lanes(_mm256_set_m128i(_mm_or_si128(last, zeros), _mm_loadu_si128((const __m128i *)(p + 32))), &bad);
	last = _mm256_extracti128_si256(b, 1);
	end = (uint64_t)_mm_cvtsi128_si64(last);
	first = _mm256_extracti128_si256(a, 1);
	second = _mm_or_si128(_mm_srli_si128(first, 6), _mm_slli_si128(_mm256_castsi256_si128(b), 4));
	first = _mm_or_si128(_mm256_castsi256_si128(a), _mm_slli_si128(first, 10));
	second = _mm_or_si128(second, _mm_slli_si128(last, 14));
	key_id = (uint8_t)_mm_cvtsi128_si32(first);
	/* bits behind the bytes, an address, another key */
	if (!_mm256_testz_si256(bad, bad) || end >> 48 || _mm_extract_epi8(first, SLOT + 3) || place_of(key_id) != place_of(signer->signing) ||
	    !signer->present[place_of(key_id)])
		return LATER;
	sum = (uint32_t)_mm_extract_epi32(second, 3) | end >> 16 << 32;
	second = _mm_blend_epi32(second, _mm_setzero_si128(), 8);
	mac = &signer->key[place_of(key_id)].mac;
	begun = begin_hard(mac, first, second);
	/* Both sides' at once: which one speaks cannot be foretold, and a wrong guess would be found out only behind all of the above. */
	by_caller = sum == end_hard(mac, begun, dialog->call_hash, dialog->from_hash);
	by_target = sum == end_hard(mac, begun, dialog->call_hash, tag_hash(dialog->key, dialog->to_tag));
	if (!(by_caller | by_target))
		return -ERR_FORGED;
	*ret_side = by_caller ? TOKEN_FROM_CALLER : TOKEN_FROM_TARGET;
	_mm_storeu_si128((__m128i *)out, first);
	_mm_storeu_si128((__m128i *)(out + 16), second);
	_mm_storeu_si128((__m128i *)(out + 32), _mm_setzero_si128());
	return 0;
}
#endif

uint32_t token_encode(const struct token_signer *signer, const struct token *t, uint64_t call_hash, uint64_t caller_tag_hash, char *out)
{
#if CPU_X86
	if (aes_by_hardware && cpu_level >= CPU_AVX2 && !address_bytes(t->caller_flow.ip.family))
		return encode_hard(signer, t, call_hash, caller_tag_hash, out);
#endif
	return encode_any(signer, t, call_hash, caller_tag_hash, out);
}

int token_decode(const struct token_signer *signer, struct span text, const struct token_dialog *dialog, struct token *ret_token,
		 enum token_side *ret_side)
{
#if CPU_X86
	if (aes_by_hardware && cpu_level >= CPU_AVX2 && text.n == USUAL_TEXT) {
		int r = decode_hard(signer, text.p, dialog, ret_token, ret_side);

		if (r != LATER)
			return r;
	}
#endif
	return decode_any(signer, text, dialog, ret_token, ret_side);
}
