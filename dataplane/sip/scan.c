/* SPDX-License-Identifier: Apache-2.0 */
#include "sip/scan.h"

#include <stdatomic.h>
#include <stddef.h>
#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#define HAVE_X86 1
#else
#define HAVE_X86 0
#endif

/* Every variant turns 64 bytes into two masks, one bit a byte: line feeds and colons. walk() reads lines out of the masks, so
 * that the variants can differ only in how fast they make them. */

#define BLOCK 64

struct walk {
	const uint8_t *data;
	uint32_t len;
	struct scan_line *lines;
	uint32_t max_lines;
	uint32_t count;
	uint32_t start; /* of the line being read */
	uint32_t colon; /* its first, UINT32_MAX before it was seen */
	uint32_t head;
};

enum step { STEP_ON, STEP_COMPLETE, STEP_TOO_MANY };

static inline __attribute__((always_inline)) enum step walk(struct walk *w, uint32_t base, uint64_t feeds, uint64_t colons)
{
	while (feeds) {
		uint32_t feed = base + (uint32_t)__builtin_ctzll(feeds), next = feed + 1;
		uint64_t upto = feeds ^ (feeds - 1);

		if (w->colon == UINT32_MAX && (colons & upto))
			w->colon = base + (uint32_t)__builtin_ctzll(colons);
		colons &= ~upto;
		feeds &= feeds - 1;
		if (feed <= w->start + 1 && (feed == w->start || w->data[w->start] == '\r')) {
			w->head = next;
			return STEP_COMPLETE;
		}
		if (next < w->len && (w->data[next] == ' ' || w->data[next] == '\t'))
			continue;
		if (w->count == w->max_lines)
			return STEP_TOO_MANY;
		w->lines[w->count++] = (struct scan_line){ w->start, w->colon, next };
		w->start = next;
		w->colon = UINT32_MAX;
	}
	if (colons && w->colon == UINT32_MAX)
		w->colon = base + (uint32_t)__builtin_ctzll(colons);
	return STEP_ON;
}

/* Eight flags, one a byte of x: set where that byte equals `byte`. No carry leaves a byte, so the answer is exact. */
static inline uint64_t equal8(uint64_t x, uint8_t byte)
{
	const uint64_t low = 0x7f7f7f7f7f7f7f7fULL;

	x ^= 0x0101010101010101ULL * byte;
	x = ~(((x & low) + low) | x | low);
	return (x >> 7) * 0x0102040810204080ULL >> 56;
}

static inline void masks_scalar(const uint8_t *p, uint64_t *feeds, uint64_t *colons)
{
	*feeds = *colons = 0;
	for (int i = 0; i < BLOCK / 8; i++) {
		uint64_t word;

		memcpy(&word, p + 8 * i, 8);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
		word = __builtin_bswap64(word);
#endif
		*feeds |= equal8(word, '\n') << 8 * i;
		*colons |= equal8(word, ':') << 8 * i;
	}
}

/* The variants work on a copy of *w, which the compiler keeps in registers. */
static enum step run_scalar(struct walk *w)
{
	uint8_t rest[BLOCK] = { 0 };
	uint64_t feeds, colons;
	struct walk l = *w;
	enum step s = STEP_ON;
	uint32_t at = 0;

	for (; s == STEP_ON && l.len - at >= BLOCK; at += BLOCK) {
		masks_scalar(l.data + at, &feeds, &colons);
		s = walk(&l, at, feeds, colons);
	}
	if (s == STEP_ON && at < l.len) {
		memcpy(rest, l.data + at, l.len - at);
		masks_scalar(rest, &feeds, &colons);
		s = walk(&l, at, feeds, colons);
	}
	*w = l;
	return s;
}

#if HAVE_X86
#define AVX2   __attribute__((target("avx2,bmi,bmi2")))
#define AVX512 __attribute__((target("avx512f,avx512bw,bmi,bmi2")))

AVX2 static inline void masks_avx2(const uint8_t *p, uint64_t *feeds, uint64_t *colons)
{
	const __m256i feed = _mm256_set1_epi8('\n'), colon = _mm256_set1_epi8(':');
	__m256i a = _mm256_loadu_si256((const __m256i *)p), b = _mm256_loadu_si256((const __m256i *)(p + 32));

	*feeds = (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(a, feed)) |
		 (uint64_t)(uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(b, feed)) << 32;
	*colons = (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(a, colon)) |
		  (uint64_t)(uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(b, colon)) << 32;
}

AVX2 static enum step run_avx2(struct walk *w)
{
	uint64_t feeds, colons;
	struct walk l = *w;
	enum step s = STEP_ON;
	uint32_t at = 0, back;

	if (l.len < BLOCK)
		return run_scalar(w);
	for (; s == STEP_ON && l.len - at >= BLOCK; at += BLOCK) {
		masks_avx2(l.data + at, &feeds, &colons);
		s = walk(&l, at, feeds, colons);
	}
	if (s == STEP_ON && at < l.len) {
		/* the last block again reaches back over bytes that were seen: shift them out */
		back = BLOCK - (l.len - at);
		masks_avx2(l.data + at - back, &feeds, &colons);
		s = walk(&l, at, feeds >> back, colons >> back);
	}
	*w = l;
	return s;
}

AVX512 static enum step run_avx512(struct walk *w)
{
	const __m512i feed = _mm512_set1_epi8('\n'), colon = _mm512_set1_epi8(':');
	struct walk l = *w;
	enum step s = STEP_ON;
	uint32_t at = 0;

	for (; s == STEP_ON && l.len - at >= BLOCK; at += BLOCK) {
		__m512i v = _mm512_loadu_si512(l.data + at);

		s = walk(&l, at, _mm512_cmpeq_epi8_mask(v, feed), _mm512_cmpeq_epi8_mask(v, colon));
	}
	if (s == STEP_ON && at < l.len) {
		/* masked-out bytes are not touched, not even across a page's end */
		__m512i v = _mm512_maskz_loadu_epi8(_bzhi_u64(~0ULL, l.len - at), l.data + at);

		s = walk(&l, at, _mm512_cmpeq_epi8_mask(v, feed), _mm512_cmpeq_epi8_mask(v, colon));
	}
	*w = l;
	return s;
}
#endif

typedef enum step run_fn(struct walk *w);

static run_fn *run_of(enum scan_kind kind)
{
	switch (kind) {
	case SCAN_SCALAR:
		return run_scalar;
#if HAVE_X86
	case SCAN_AVX2:
		return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2") ? run_avx2 : NULL;
	case SCAN_AVX512:
		return __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("bmi2") ? run_avx512 : NULL;
#endif
	default:
		return NULL;
	}
}

/* The chosen one. Written once at start, or by whoever comes first: all of them would write the same. */
static _Atomic(run_fn *) chosen;

bool scan_select(enum scan_kind kind)
{
	run_fn *run = run_of(kind);

	if (!run)
		return false;
	atomic_store_explicit(&chosen, run, memory_order_relaxed);
	return true;
}

static __attribute__((noinline, cold)) run_fn *choose(void)
{
	if (!scan_select(SCAN_AVX512) && !scan_select(SCAN_AVX2))
		scan_select(SCAN_SCALAR);
	return atomic_load_explicit(&chosen, memory_order_relaxed);
}

enum scan_end scan_lines(const uint8_t *data, uint32_t len, struct scan_line *lines, uint32_t max_lines,
			 uint32_t *ret_count, uint32_t *ret_head)
{
	struct walk w = { .data = data, .len = len, .lines = lines, .max_lines = max_lines, .colon = UINT32_MAX };
	run_fn *run = atomic_load_explicit(&chosen, memory_order_relaxed);
	enum step s;

	if (!run)
		run = choose();
	s = run(&w);
	*ret_count = w.count;
	*ret_head = w.head;
	if (s == STEP_COMPLETE)
		return SCAN_COMPLETE;
	return s == STEP_TOO_MANY ? SCAN_TOO_MANY : SCAN_PARTIAL;
}
