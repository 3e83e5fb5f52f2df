/* SPDX-License-Identifier: Apache-2.0 */
#include "base/base32.h"

#include "base/base32_lanes.h"
#include "base/cpu.h"
#include "base/err.h"
#include "base/partial.h"

static uint32_t encode_scalar(const uint8_t *in, uint32_t n, char *out)
{
	static const char alphabet[32] = { "abcdefghijklmnopqrstuvwxyz234567" };
	uint32_t held = 0, bits = 0, written = 0;

	for (uint32_t i = 0; i < n; i++) {
		held = held << 8 | in[i];
		for (bits += 8; bits >= 5; bits -= 5)
			out[written++] = alphabet[held >> (bits - 5) & 31];
	}
	if (bits)
		out[written++] = alphabet[held << (5 - bits) & 31];
	return written;
}

/* 0..31, or something above for a foreign character. */
static inline uint32_t value_of(uint8_t c)
{
	uint32_t letter = (uint32_t)(ascii_lower(c) - 'a');
	uint32_t digit = (uint32_t)(c - '2');

	if (letter < 26)
		return letter;
	return digit < 6 ? digit + 26 : UINT32_MAX;
}

/* text is of a length that whole bytes have, and these fit. */
static int decode_scalar(struct span text, uint8_t *out)
{
	uint32_t held = 0, bits = 0, written = 0;

	for (uint32_t i = 0; i < text.n; i++) {
		uint32_t v = value_of(text.p[i]);

		if (v > 31)
			return -ERR_INVALID;
		held = held << 5 | v;
		bits += 5;
		if (bits >= 8) {
			bits -= 8;
			out[written++] = (uint8_t)(held >> bits);
		}
	}
	if (held & ((1u << bits) - 1))
		return -ERR_INVALID;
	return (int)written;
}

#if CPU_X86
/* Ten bytes to sixteen characters. */
TARGET_AVX2 static inline __m128i encode_ten(__m128i v)
{
	return _mm256_castsi256_si128(base32_encode_lanes(_mm256_castsi128_si256(v)));
}

/* n <= 10 */
TARGET_AVX2 static inline uint32_t encode_few(__m128i v, uint32_t n, char *out)
{
	uint32_t length = BASE32_LEN(n);
	__m128i text = encode_ten(v);

	store_pair((uint8_t *)out, length, (uint64_t)_mm_cvtsi128_si64(text), (uint64_t)_mm_extract_epi64(text, 1));
	return length;
}

/* n <= 16 */
TARGET_AVX2 static uint32_t encode_pair_avx2(uint64_t low, uint64_t high, uint32_t n, char *out)
{
	__m128i v = _mm_set_epi64x((long long)high, (long long)low);

	if (n <= 10)
		return encode_few(v, n, out);
	_mm_storeu_si128((__m128i *)out, encode_ten(v));
	return 16 + encode_few(_mm_srli_si128(v, 10), n - 10, out + 16);
}

TARGET_AVX2 static uint32_t encode_avx2(const uint8_t *in, uint32_t n, char *out)
{
	uint32_t length = BASE32_LEN(n);
	uint64_t low, high;

	for (; n > 16; in += 10, n -= 10, out += 16)
		_mm_storeu_si128((__m128i *)out, encode_ten(_mm_set_epi64x((long long)load_64(in + 8), (long long)load_64(in))));
	if (n == 16) {
		low = load_64(in);
		high = load_64(in + 8);
	} else {
		load_pair(in, n, &low, &high);
	}
	encode_pair_avx2(low, high, n, out);
	return length;
}

/* Sixteen characters to ten bytes, zeros behind them; foreign characters leave bits in *bad. */
TARGET_AVX2 static inline __m128i decode_sixteen(__m128i v, __m128i *bad)
{
	__m256i foreign = _mm256_castsi128_si256(*bad), bytes = base32_decode_lanes(_mm256_castsi128_si256(v), &foreign);

	*bad = _mm256_castsi256_si128(foreign);
	return _mm256_castsi256_si128(bytes);
}

/* The last up to sixteen characters of at least eight, padded with zeros. */
TARGET_AVX2 static inline __m128i load_text(const uint8_t *p, uint32_t n)
{
	const uint64_t zeros = 0x6161616161616161ULL; /* "aaaaaaaa" */
	uint64_t low, high = zeros;

	if (n == 16)
		return _mm_loadu_si128((const __m128i *)p);
	if (n < 8) {
		low = n ? load_64(p + n - 8) >> 8 * (8 - n) | zeros << 8 * n : zeros;
	} else {
		low = load_64(p);
		if (n > 8)
			high = load_64(p + n - 8) >> 8 * (16 - n) | zeros << 8 * (n - 8);
	}
	return _mm_set_epi64x((long long)high, (long long)low);
}

/* Whether all behind the first n of ten bytes is zero: what is left of a byte that began. */
static inline bool clean_behind(uint64_t low, uint64_t high, uint32_t n)
{
	return n < 8 ? !(low >> 8 * n | high) : !(high >> 8 * (n - 8));
}

/* text.n >= 8, as decode_scalar. */
TARGET_AVX2 static int decode_avx2(struct span text, uint8_t *out, uint32_t cap)
{
	uint32_t left = text.n, n;
	const uint8_t *p = text.p;
	__m128i bad = _mm_setzero_si128(), v;
	uint64_t low, high;

	for (; left > 16 && cap >= 16; p += 16, left -= 16, out += 10, cap -= 10)
		_mm_storeu_si128((__m128i *)out, decode_sixteen(_mm_loadu_si128((const __m128i *)p), &bad));
	for (;; p += 16, left -= 16, out += 10) {
		v = decode_sixteen(load_text(p, left < 16 ? left : 16), &bad);
		low = (uint64_t)_mm_cvtsi128_si64(v);
		high = (uint64_t)_mm_extract_epi64(v, 1);
		if (left <= 16)
			break;
		store_pair(out, 10, low, high);
	}
	n = left * 5 / 8;
	if (!_mm_testz_si128(bad, bad) || !clean_behind(low, high, n))
		return -ERR_INVALID;
	store_pair(out, n, low, high);
	return (int)(text.n * 5 / 8);
}

/* text.n is 8..24 */
TARGET_AVX2 static int decode_pair_avx2(struct span text, uint64_t *ret_low, uint64_t *ret_high)
{
	uint32_t some = text.n < 16 ? text.n : 16, n = text.n * 5 / 8;
	__m128i bad = _mm_setzero_si128(), v = decode_sixteen(load_text(text.p, some), &bad);

	if (text.n > 16)
		v = _mm_or_si128(v, _mm_slli_si128(decode_sixteen(load_text(text.p + 16, text.n - 16), &bad), 10));
	*ret_low = (uint64_t)_mm_cvtsi128_si64(v);
	*ret_high = (uint64_t)_mm_extract_epi64(v, 1);
	return _mm_testz_si128(bad, bad) && clean_behind(*ret_low, *ret_high, n) ? (int)n : -ERR_INVALID;
}
#endif

uint32_t base32_encode(const uint8_t *in, uint32_t n, char *out)
{
#if CPU_X86
	if (cpu_level >= CPU_AVX2)
		return encode_avx2(in, n, out);
#endif
	return encode_scalar(in, n, out);
}

int base32_decode(struct span text, uint8_t *out, uint32_t cap)
{
	uint64_t bytes = (uint64_t)text.n * 5 / 8;

	if (bytes > cap || bytes > INT32_MAX || BASE32_LEN(bytes) != text.n)
		return -ERR_INVALID;
#if CPU_X86
	if (cpu_level >= CPU_AVX2 && text.n >= 8)
		return decode_avx2(text, out, cap);
#endif
	return decode_scalar(text, out);
}

uint32_t base32_encode_pair(uint64_t low, uint64_t high, uint32_t n, char *out)
{
	uint64_t bytes[2] = { low, high };

#if CPU_X86
	if (cpu_level >= CPU_AVX2)
		return encode_pair_avx2(low, high, n, out);
#endif
	return encode_scalar((const uint8_t *)bytes, n, out);
}

int base32_decode_pair(struct span text, uint64_t *ret_low, uint64_t *ret_high)
{
	uint32_t n = text.n * 5 / 8;
	uint64_t bytes[2] = { 0 };
	int read;

	if (text.n < 8 || text.n > 24 || BASE32_LEN(n) != text.n)
		return -ERR_INVALID;
#if CPU_X86
	if (cpu_level >= CPU_AVX2)
		return decode_pair_avx2(text, ret_low, ret_high);
#endif
	read = decode_scalar(text, (uint8_t *)bytes);
	*ret_low = bytes[0];
	*ret_high = bytes[1];
	return read;
}
