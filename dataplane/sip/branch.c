/* SPDX-License-Identifier: Apache-2.0 */
#include "sip/branch.h"

#include "base/base32.h"
#include "base/base32_lanes.h"
#include "base/cmac_hard.h"
#include "base/err.h"
#include "base/partial.h"

/* Behind the cookie: one letter for the kind, then 15 bytes as 24 characters of base32, in two words as they lie in memory, from
 * their lowest bits on: worker 6, slot 26 and generation 16 (or worker 8 and 40 of digest), the loop hash's lower 16; its upper 16, and 40 of MAC.
 * The MAC is over a block of just that with the kind in the MAC's place. */

#define TEXT	 24
#define BYTES	 15
#define CONTENT  16 /* bits of the second word before the MAC */
#define DIGEST	 0xffffffffffULL
#define WORKER	 ((1u << BRANCH_WORKER_BITS) - 1)
#define SLOT	 ((1u << BRANCH_SLOT_BITS) - 1)
#define MAC_MASK 0xffffffffffULL
#define COOKIE	 0x4b62344768397aULL /* "z9hG4bK", the first byte lowest */
#define LETTERS	 0x20200020200020ULL /* what makes its letters lower-case */

_Static_assert(BRANCH_TEXT == 8 + TEXT, "cookie, kind, base32");
_Static_assert(BRANCH_WORKER_BITS + BRANCH_SLOT_BITS == 32, "the lower half of the first word, below the generation");

void branch_key(struct cmac *ret_mac, const struct hash_key *secret)
{
	struct hash_key derived;

	cmac_init(ret_mac, secret);
	derived = cmac_derive(ret_mac, "branch");
	cmac_init(ret_mac, &derived);
}

static inline uint64_t low_of(const struct branch *b)
{
	uint64_t content = b->kind == BRANCH_TRANSACTION ? (b->worker & WORKER) | (b->slot & SLOT) << BRANCH_WORKER_BITS | (uint64_t)b->generation << 32 :
							   b->worker | (b->digest & DIGEST) << 8;

	return content | (uint64_t)b->loop << 48;
}

static inline char kind_of(const struct branch *b)
{
	return b->kind == BRANCH_TRANSACTION ? 't' : 's';
}

static inline uint64_t put_kind(uint64_t high, char kind)
{
	return high | (uint64_t)(uint8_t)kind << CONTENT;
}

static uint64_t mac_of(const struct cmac *mac, uint64_t low, uint64_t high, char kind)
{
	uint64_t block[2] = { low, put_kind(high, kind) };
	uint8_t out[CMAC_BYTES];

	cmac(mac, block, sizeof(block), out);
	return load_64(out) & MAC_MASK;
}

/* 't' or 's'; 0: not of our shape. */
static inline char kind_read(struct span text)
{
	uint64_t cookie, kind;

	if (text.n != BRANCH_TEXT)
		return 0;
	cookie = little_endian(load_64(text.p));
	kind = cookie >> 56 | 0x20;
	return ((cookie << 8 >> 8) | LETTERS) == (COOKIE | LETTERS) && (kind == 't' || kind == 's') ? (char)kind : 0;
}

static inline void content_read(uint64_t low, uint64_t high, char kind, struct branch *ret)
{
	bool transaction = kind == 't';

	ret->kind = transaction ? BRANCH_TRANSACTION : BRANCH_STATELESS;
	ret->worker = (uint8_t)(transaction ? low & WORKER : low);
	ret->slot = transaction ? (uint32_t)low >> BRANCH_WORKER_BITS : 0;
	ret->generation = transaction ? (uint16_t)(low >> 32) : 0;
	ret->digest = transaction ? 0 : low >> 8 & DIGEST;
	ret->loop = (uint32_t)(low >> 48 | high << 16);
}

#if CPU_X86
/* Both ways by the CPU's instructions; the words and texts are those of the ways below. */

static TARGET_AES void encode_hard(const struct cmac *mac, uint64_t low, uint64_t high, char kind, uint8_t *out)
{
	__m128i v = _mm_set_epi64x((long long)put_kind(high, kind), (long long)low);
	__m256i text;

	high |= (uint64_t)_mm_cvtsi128_si64(cmac_hard_last(mac, _mm_setzero_si128(), v)) << CONTENT;
	v = _mm_insert_epi64(v, (long long)high, 1);
	text = base32_encode_lanes(_mm256_set_m128i(_mm_srli_si128(v, 10), v));
	_mm_storeu_si128((__m128i *)out, _mm256_castsi256_si128(text));
	_mm_storel_epi64((__m128i *)(out + 16), _mm256_extracti128_si256(text, 1));
}

static TARGET_AES int decode_hard(const struct cmac *mac, const uint8_t *p, char kind, struct branch *ret_branch)
{
	const __m128i zeros = _mm_set_epi64x(0x6161616161616161LL, 0); /* "aaaaaaaa" */
	__m128i last = _mm_or_si128(_mm_loadl_epi64((const __m128i *)(p + 16)), zeros), v;
	__m256i bad = _mm256_setzero_si256(), both;
	uint64_t low, high, content;

	both = base32_decode_lanes(_mm256_set_m128i(last, _mm_loadu_si128((const __m128i *)p)), &bad);
	if (!_mm256_testz_si256(bad, bad))
		return -ERR_NOT_FOUND;
	v = _mm_or_si128(_mm256_castsi256_si128(both), _mm_slli_si128(_mm256_extracti128_si256(both, 1), 10));
	low = (uint64_t)_mm_cvtsi128_si64(v);
	high = (uint64_t)_mm_extract_epi64(v, 1);
	content = high & ((1 << CONTENT) - 1);
	v = _mm_insert_epi64(v, (long long)put_kind(content, kind), 1);
	v = cmac_hard_last(mac, _mm_setzero_si128(), v);
	if (((uint64_t)_mm_cvtsi128_si64(v) & MAC_MASK) != high >> CONTENT)
		return -ERR_FORGED;
	content_read(low, content, kind, ret_branch);
	return 0;
}
#endif

void branch_encode(const struct cmac *mac, const struct branch *b, char out[BRANCH_TEXT])
{
	uint64_t low = low_of(b), high = b->loop >> 16, cookie = little_endian(COOKIE | (uint64_t)kind_of(b) << 56);

	memcpy(out, &cookie, 8);
#if CPU_X86
	if (aes_by_hardware && cpu_level >= CPU_AVX2) {
		encode_hard(mac, low, high, kind_of(b), (uint8_t *)out + 8);
		return;
	}
#endif
	high |= mac_of(mac, low, high, kind_of(b)) << CONTENT;
	base32_encode_pair(low, high, BYTES, out + 8);
}

int branch_decode(const struct cmac *mac, struct span text, struct branch *ret_branch)
{
	char kind = kind_read(text);
	uint64_t low, high, content;

	if (!kind)
		return -ERR_NOT_FOUND;
#if CPU_X86
	if (aes_by_hardware && cpu_level >= CPU_AVX2)
		return decode_hard(mac, text.p + 8, kind, ret_branch);
#endif
	if (base32_decode_pair(span_of(text.p + 8, TEXT), &low, &high) < 0)
		return -ERR_NOT_FOUND;
	content = high & ((1 << CONTENT) - 1);
	if (high >> CONTENT != mac_of(mac, low, content, kind))
		return -ERR_FORGED;
	content_read(low, content, kind, ret_branch);
	return 0;
}
