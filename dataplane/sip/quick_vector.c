/* SPDX-License-Identifier: Apache-2.0 */
#include "sip/quick_vector.h"

#if CPU_X86
#include <immintrin.h>

#include "base/ip4.h"
#include "base/partial.h"
#include "sip/branch.h"
#include "sip/host.h"
#include "sip/lex.h"

#define BLOCK	 64
#define LEAST	 192 /* bytes of a message that is looked at here: a start line of a block, and behind it our Via, lie within them */
#define CALL_ID	 0x3a64692d6c6c6163ULL /* "call-id:", the first byte lowest */
#define LETTERS	 0x0020200020202020ULL /* where it has letters */
#define VIA	 0x3a616976U	       /* "via:" */
#define SIP_2	 0x302e322f504953ULL   /* "SIP/2.0" */
#define BRANCH	 0x3d68636e6172623bULL /* ";branch=" */

/* The bits of 64 bytes: which are line feeds, and which may be the first of a line that is a Call-ID's or none of its own. */
struct marks {
	uint64_t feeds, firsts;
};

TARGET_AVX2 static inline uint64_t bits(__m256i low, __m256i high)
{
	return (uint32_t)_mm256_movemask_epi8(low) | (uint64_t)(uint32_t)_mm256_movemask_epi8(high) << 32;
}

/* c, i, controls and space; of others a few, which are looked at in vain. */
TARGET_AVX2 static inline __m256i firsts(__m256i v)
{
	const __m256i space = _mm256_set1_epi8(' ');
	__m256i folded = _mm256_or_si256(v, space);
	__m256i letter = _mm256_or_si256(_mm256_cmpeq_epi8(folded, _mm256_set1_epi8('c')), _mm256_cmpeq_epi8(folded, _mm256_set1_epi8('i')));

	return _mm256_or_si256(letter, _mm256_cmpeq_epi8(_mm256_min_epu8(v, space), v));
}

/* Of the bytes from data + at on, at < len; zeros behind the end. */
TARGET_AVX2 static inline struct marks marks_at(const uint8_t *data, uint32_t len, uint32_t at)
{
	uint32_t from = at < len - BLOCK ? at : len - BLOCK, shift = at - from;
	__m256i low = _mm256_loadu_si256((const __m256i *)(data + from)), high = _mm256_loadu_si256((const __m256i *)(data + from + 32));
	const __m256i feed = _mm256_set1_epi8('\n');

	return (struct marks){ bits(_mm256_cmpeq_epi8(low, feed), _mm256_cmpeq_epi8(high, feed)) >> shift, bits(firsts(low), firsts(high)) >> shift };
}

/* The value that begins at `from` < len, if it ends as usual: no white space before CRLF, and no line that goes on behind it. */
TARGET_AVX2 static inline bool value_look(const uint8_t *data, uint32_t len, uint32_t from, struct span *ret)
{
	uint32_t at = from, end;
	uint64_t feeds;

	while (!(feeds = marks_at(data, len, at).feeds)) {
		at += BLOCK;
		if (at >= len)
			return false;
	}
	end = at + (uint32_t)_tzcnt_u64(feeds);
	if (data[from] <= ' ' || end + 1 >= len || data[end - 1] != '\r' || data[end - 2] <= ' ' || data[end + 1] == ' ' || data[end + 1] == '\t')
		return false;
	*ret = span_of(data + from, end - 1 - from);
	return true;
}

/* The first Call-ID. */
TARGET_AVX2 static inline bool call_id_look(const uint8_t *data, uint32_t len, struct span *ret)
{
	uint64_t carried = 0, starts;

	for (uint32_t base = 0; base < len; base += BLOCK) {
		struct marks m = marks_at(data, len, base);

		starts = (m.feeds << 1 | carried) & m.firsts;
		carried = m.feeds >> 63;
		for (; starts; starts = _blsr_u64(starts)) {
			uint32_t at = base + (uint32_t)_tzcnt_u64(starts);
			uint64_t name;

			if (at + 10 > len)
				return false;
			name = load_64(data + at) | LETTERS;
			if (name == CALL_ID && data[at + 8] == ' ')
				return value_look(data, len, at + 9, ret);
			/* with white space before the colon, or none behind it */
			if ((name ^ CALL_ID) << 8 == 0)
				return false;
			if ((uint8_t)name == 'c' || ((uint8_t)name == 'i' && data[at + 1] > ' ' && data[at + 1] != ':'))
				continue; /* another name */
			return false; /* the short name; the blank line, a line that goes on */
		}
	}
	return false;
}

/* All of [p, p + 16) are of a token. */
TARGET_AVX2 static inline uint32_t token_bits(const uint8_t *p)
{
	const __m128i rows = _mm_setr_epi8(1, 2, 4, 8, 16, 32, 64, -128, 0, 0, 0, 0, 0, 0, 0, 0);
	__m128i set = _mm_load_si128((const __m128i *)lex_sets[LEX_SET_TOKEN]), v = _mm_loadu_si128((const __m128i *)p), odd;

	odd = _mm_and_si128(_mm_shuffle_epi8(set, v), _mm_shuffle_epi8(rows, _mm_and_si128(_mm_srli_epi16(v, 4), _mm_set1_epi8(15))));
	return ~(uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(odd, _mm_setzero_si128())) & 0xffff;
}

/* A method of at most fifteen letters. */
TARGET_AVX2 static inline bool request_looks(const uint8_t *data)
{
	uint32_t n = _tzcnt_u32(~token_bits(data));

	return n - 1 < 15 && data[n] == ' ';
}

/* The branch of a top Via that is as we write it: the first header, an IPv4 address, perhaps a port, and the branch. */
TARGET_AVX2 static inline bool branch_look(const uint8_t *data, uint32_t len, struct span *ret)
{
	uint64_t feeds = marks_at(data, len, 0).feeds;
	const uint8_t *p = data + _tzcnt_u64(feeds) + 1;
	uint32_t octets, n, transport;
	uint16_t port;

	if (!feeds || (load_32(p) | 0x202020) != VIA || p[4] != ' ' || load_64(p + 5) != (SIP_2 | (uint64_t)'/' << 56))
		return false;
	transport = load_32(p + 13) | 0x202020;
	if (transport != ('u' | 'd' << 8 | 'p' << 16 | ' ' << 24) && transport != ('t' | 'c' << 8 | 'p' << 16 | ' ' << 24) &&
	    transport != ('t' | 'l' << 8 | 's' << 16 | ' ' << 24))
		return false;
	p += 17;
	n = ip4_read(_mm_loadu_si128((const __m128i *)p), &octets);
	if (!n)
		return false;
	p += n;
	if (*p == ':') {
		p = port_read(p + 1, p + 7, &port);
		if (!p)
			return false;
	}
	if ((load_64(p) | 0x0020202020202000ULL) != BRANCH)
		return false;
	p += 8;
	if ((token_bits(p) & token_bits(p + BRANCH_TEXT - 16)) != 0xffff || p[BRANCH_TEXT] != '\r' || p[BRANCH_TEXT + 1] != '\n' ||
	    p[BRANCH_TEXT + 2] == ' ' || p[BRANCH_TEXT + 2] == '\t')
		return false;
	*ret = span_of(p, BRANCH_TEXT);
	return true;
}

_Static_assert(BRANCH_TEXT == 32, "two halves");
_Static_assert(BLOCK + 17 + 15 + 7 + 8 + BRANCH_TEXT + 3 <= LEAST, "what branch_look reads is there");

TARGET_AVX2 bool quick_look_vector(const uint8_t *data, uint32_t len, struct quick *ret_look)
{
	struct span none = { 0, 0 }, found;

	if (len < LEAST)
		return false;
	if (load_64(data) == (SIP_2 | (uint64_t)' ' << 56)) {
		if (!branch_look(data, len, &found))
			return false;
		*ret_look = (struct quick){ QUICK_RESPONSE, none, found };
		return true;
	}
	if (!request_looks(data) || !call_id_look(data, len, &found))
		return false;
	*ret_look = (struct quick){ QUICK_REQUEST, found, none };
	return true;
}
#endif
