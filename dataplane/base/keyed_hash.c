/* SPDX-License-Identifier: Apache-2.0 */
#include "base/keyed_hash.h"

#include <string.h>

#include "base/aes_hard.h"
#include "base/partial.h"

/* The key of every other round is the secret with one of these in it, so that no round is like the one before it, nor the last ones like any. */
#define ROUND_ODD  { 0x243f6a8885a308d3ULL, 0x13198a2e03707344ULL }
#define FINAL_EVEN { 0xa4093822299f31d0ULL, 0x082efa98ec4e6c89ULL }
#define FINAL_ODD  { 0x452821e638d01377ULL, 0xbe5466cf34e90c6cULL }

#define ROUNDS	     4 /* behind each block */
#define ROUNDS_FINAL 6 /* more behind the last one */

#define FOLD 0x2020202020202020ULL

/* Sixteen bytes as they lie in memory. */
struct block {
	uint64_t low, high;
};

/* A text of less than a block; its length is hashed too, so that bytes may stand there twice. */
static inline struct block short_block(const uint8_t *p, uint32_t bytes)
{
	struct block b = { 0, 0 };

	if (bytes >= 8) {
		b.low = load_64(p);
		b.high = load_64(p + bytes - 8);
	} else if (bytes >= 4) {
		b.low = load_32(p) | (uint64_t)load_32(p + bytes - 4) << 32;
	} else if (bytes) {
		b.low = (uint64_t)p[0] | (uint64_t)p[bytes / 2] << 8 | (uint64_t)p[bytes - 1] << 16;
	}
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#error "words are taken as they lie in memory"
#endif
	return b;
}

/* ---- in software */

static struct block rounds(struct block s, const struct block *even, const struct block *odd, unsigned n)
{
	uint8_t state[16];

	memcpy(state, &s, 16);
	for (unsigned i = 0; i < n; i++)
		aes_round(state, (const uint8_t *)(i & 1 ? odd : even));
	memcpy(&s, state, 16);
	return s;
}

static struct block soft(const struct hash_key *key, const uint64_t *words, uint32_t word_bytes, const uint8_t *p, uint32_t bytes, uint64_t fold)
{
	const struct block odd = ROUND_ODD, final_even = FINAL_EVEN, final_odd = FINAL_ODD;
	struct block k[4] = { { key->k0, key->k1 },
			      { key->k0 ^ odd.low, key->k1 ^ odd.high },
			      { key->k0 ^ final_even.low, key->k1 ^ final_even.high },
			      { key->k0 ^ final_odd.low, key->k1 ^ final_odd.high } };
	struct block s = { key->k0 ^ (word_bytes + bytes), key->k1 }, b;

	for (uint32_t i = 0; i < word_bytes / 8; i += 2)
		s = rounds((struct block){ s.low ^ words[i], s.high ^ words[i + 1] }, &k[0], &k[1], ROUNDS);
	if (bytes < 16) {
		b = short_block(p, bytes);
	} else {
		for (; bytes > 16; bytes -= 16, p += 16)
			s = rounds((struct block){ s.low ^ (load_64(p) | fold), s.high ^ (load_64(p + 8) | fold) }, &k[0], &k[1], ROUNDS);
		b = (struct block){ load_64(p + bytes - 16), load_64(p + bytes - 8) };
	}
	s = rounds((struct block){ s.low ^ (b.low | fold), s.high ^ (b.high | fold) }, &k[0], &k[1], ROUNDS);
	return rounds(s, &k[2], &k[3], ROUNDS_FINAL);
}

/* ---- by the CPU */

#if CPU_X86
static inline TARGET_AES __m128i vector(struct block b)
{
	return _mm_set_epi64x((long long)b.high, (long long)b.low);
}

/* Two words, each loaded as it was stored, a moment ago: one load of both would wait until they are in the cache. */
static inline TARGET_AES __m128i words_block(const uint64_t *words)
{
	__m128i low = _mm_cvtsi64_si128((long long)words[0]), high = _mm_cvtsi64_si128((long long)words[1]);

	__asm__("" : "+x"(low), "+x"(high)); /* or the compiler makes it one */
	return _mm_unpacklo_epi64(low, high);
}

static inline TARGET_AES __m128i take(__m128i s, __m128i block, __m128i even, __m128i odd)
{
	s = _mm_aesenc_si128(_mm_xor_si128(s, block), even);
	s = _mm_aesenc_si128(s, odd);
	return _mm_aesenc_si128(_mm_aesenc_si128(s, even), odd);
}

static inline TARGET_AES __m128i hard(const struct hash_key *key, const uint64_t *words, uint32_t word_bytes, const uint8_t *p, uint32_t bytes,
				       __m128i fold)
{
	const struct block more = ROUND_ODD, final_even = FINAL_EVEN, final_odd = FINAL_ODD;
	__m128i even = _mm_loadu_si128((const __m128i *)key), odd = _mm_xor_si128(even, vector(more)), x, y, b;
	__m128i s = _mm_xor_si128(even, _mm_cvtsi32_si128((int)(word_bytes + bytes)));

	for (uint32_t i = 0; i < word_bytes / 8; i += 2)
		s = take(s, words_block(words + i), even, odd);
	if (bytes < 16) {
		b = vector(short_block(p, bytes));
	} else {
		for (; bytes > 16; bytes -= 16, p += 16)
			s = take(s, _mm_or_si128(_mm_loadu_si128((const __m128i *)p), fold), even, odd);
		b = _mm_loadu_si128((const __m128i *)(p + bytes - 16));
	}
	s = take(s, _mm_or_si128(b, fold), even, odd);
	x = _mm_xor_si128(even, vector(final_even));
	y = _mm_xor_si128(even, vector(final_odd));
	for (int i = 0; i < ROUNDS_FINAL; i += 2)
		s = _mm_aesenc_si128(_mm_aesenc_si128(s, x), y);
	return s;
}

static TARGET_AES uint64_t hash_hard(const struct hash_key *key, const uint8_t *p, uint32_t bytes)
{
	return (uint64_t)_mm_cvtsi128_si64(hard(key, NULL, 0, p, bytes, _mm_setzero_si128()));
}

static TARGET_AES uint64_t folded_hard(const struct hash_key *key, const uint8_t *p, uint32_t bytes)
{
	return (uint64_t)_mm_cvtsi128_si64(hard(key, NULL, 0, p, bytes, _mm_set1_epi8(0x20)));
}

static TARGET_AES uint64_t with_hard(const struct hash_key *key, const uint64_t *words, unsigned n, const uint8_t *p, uint32_t bytes)
{
	return (uint64_t)_mm_cvtsi128_si64(hard(key, words, 8 * n, p, bytes, _mm_setzero_si128()));
}

static TARGET_AES void hash_128_hard(const struct hash_key *key, const uint8_t *p, uint32_t bytes, uint64_t *ret_low, uint64_t *ret_high)
{
	__m128i s = hard(key, NULL, 0, p, bytes, _mm_setzero_si128());

	*ret_low = (uint64_t)_mm_cvtsi128_si64(s);
	*ret_high = (uint64_t)_mm_extract_epi64(s, 1);
}
#define BY_HARDWARE(call)            \
	do {                         \
		if (aes_by_hardware) \
			return call; \
	} while (0)
#else
#define BY_HARDWARE(call)
#endif

uint64_t keyed_hash(const struct hash_key *key, const void *data, uint32_t bytes)
{
	BY_HARDWARE(hash_hard(key, data, bytes));
	return soft(key, NULL, 0, data, bytes, 0).low;
}

uint64_t keyed_hash_folded(const struct hash_key *key, const void *data, uint32_t bytes)
{
	BY_HARDWARE(folded_hard(key, data, bytes));
	return soft(key, NULL, 0, data, bytes, FOLD).low;
}

uint64_t keyed_hash_with(const struct hash_key *key, const uint64_t *words, unsigned n, const void *data, uint32_t bytes)
{
	BY_HARDWARE(with_hard(key, words, n, data, bytes));
	return soft(key, words, 8 * n, data, bytes, 0).low;
}

void keyed_hash_128(const struct hash_key *key, const void *data, uint32_t bytes, uint64_t *ret_low, uint64_t *ret_high)
{
	struct block s;

	BY_HARDWARE(hash_128_hard(key, data, bytes, ret_low, ret_high));
	s = soft(key, NULL, 0, data, bytes, 0);
	*ret_low = s.low;
	*ret_high = s.high;
}
