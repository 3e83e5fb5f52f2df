/* SPDX-License-Identifier: Apache-2.0 */
/* What the machine can do with the same bytes and with tables of the same size. */
#include <immintrin.h>
#include <string.h>

#include <rte_hash.h>
#include <rte_hash_crc.h>

#include "base/pages.h"
#include "micro.h"
#include "peers.h"

#define KEYS 1000000
#define BULK 32
#define MULTIPLICATIONS 1000

static uint8_t out[MESSAGE_MAX];

static uint64_t copy(uint32_t i)
{
	uint32_t len;
	const uint8_t *m = corpus_invite(i, &len);

	memcpy(out, m, len);
	__asm__ volatile("" : : "r"(out) : "memory");
	return len;
}

static uint64_t lines(uint32_t i)
{
	uint32_t len, n = 0;
	const uint8_t *p = corpus_invite(i, &len), *end = p + len;

	while (p < end && (p = memchr(p, '\n', (size_t)(end - p))))
		p++, n++;
	return n;
}

#define WIDE __attribute__((target("avx512f,avx512bw")))

static int has_avx512(void)
{
	return __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512f");
}

/* Where line ends and colons are, a bit for each byte: what any scan with these registers must do at least. */
WIDE static uint64_t bitmap(uint32_t i)
{
	static uint64_t bits[2 * MESSAGE_MAX / 64];
	const __m512i newline = _mm512_set1_epi8('\n'), colon = _mm512_set1_epi8(':');
	uint32_t len, n = 0;
	const uint8_t *m = corpus_invite(i, &len);

	for (uint32_t at = 0; at < len; at += 64) {
		__mmask64 inside = len - at < 64 ? (1ull << (len - at)) - 1 : ~0ull;
		__m512i v = _mm512_maskz_loadu_epi8(inside, m + at);

		bits[n++] = _mm512_cmpeq_epi8_mask(v, newline);
		bits[n++] = _mm512_cmpeq_epi8_mask(v, colon);
	}
	__asm__ volatile("" : : "r"(bits) : "memory");
	return n;
}

/* ---- a hash table of a million keys of 8 bytes */

static struct rte_hash *table;

static uint64_t key_of(uint64_t i)
{
	uint64_t x = (i + 1) * 0x9e3779b97f4a7c15ULL;

	return x ^ x >> 29;
}

/* A fixed walk over the keys that no prefetcher follows. */
static uint64_t random_key(uint32_t i)
{
	uint64_t x = i * 0xbf58476d1ce4e5b9ULL;

	return key_of((x ^ x >> 31) % KEYS);
}

static int fill_table(void)
{
	struct rte_hash_parameters hp = { .name = "bound", .entries = 2 * KEYS, .key_len = 8, .hash_func = rte_hash_crc };

	if (table)
		return 1;
	if (micro_world() < 0 || !(table = rte_hash_create(&hp)))
		return 0;
	for (uint64_t i = 0; i < KEYS; i++) {
		uint64_t key = key_of(i);

		if (rte_hash_add_key(table, &key) < 0)
			return 0;
	}
	return 1;
}

static uint64_t hash_single(uint32_t i)
{
	uint64_t key = random_key(i);

	return rte_hash_lookup(table, &key) >= 0;
}

static uint64_t hash_bulk(uint32_t i)
{
	uint64_t keys[BULK];
	const void *at[BULK];
	int32_t found[BULK];
	uint64_t n = 0;

	for (uint32_t k = 0; k < BULK; k++) {
		keys[k] = random_key(i * BULK + k);
		at[k] = &keys[k];
	}
	rte_hash_lookup_bulk(table, at, BULK, found);
	for (uint32_t k = 0; k < BULK; k++)
		n += found[k] >= 0;
	return n == BULK;
}

/* Multiplications, each of which waits for the one before it, for three cycles on every x86 CPU of this century, whatever the clock is said to be.
 * (Additions of a constant are put together before they run.) */
static uint64_t multiplications(uint32_t i)
{
	uint64_t x = i | 1;

	for (unsigned k = 0; k < MULTIPLICATIONS; k++)
		__asm__ volatile("imul %0, %0" : "+r"(x));
	return x & 1;
}

/* ---- lines that are found one by the other: as many, and so all of them in the second cache, side by side or one to a page of 4 kB. All lie in huge
 * pages (where there are any): what the second takes longer is what finding a page takes that the CPU does not hold as a huge one, as under a host that
 * maps its guests by small pages. */

#define CHASED	    4096
#define CHASED_STEPS 1024
#define PAGE	    4096
#define LINE	    64

static uint8_t *chased;
static void **chased_next;

/* A ring through line i of every `apart` bytes, in an order that no prefetcher follows: a linear congruence, whose period is all of them. */
static int chase_through(uint32_t apart)
{
	if (micro_world() < 0 || (!chased && !(chased = pages_new((size_t)CHASED * PAGE))))
		return 0;
	for (uint32_t i = 0, at = 0; i < CHASED; i++) {
		uint32_t next = (at * 1664525 + 1013904223) % CHASED;
		/* where pages are apart, not the same line of each: those would share a few places of the cache */
		uint32_t from = apart == PAGE ? at % (PAGE / LINE) * LINE : 0, to = apart == PAGE ? next % (PAGE / LINE) * LINE : 0;

		*(void **)(chased + (size_t)at * apart + from) = chased + (size_t)next * apart + to;
		at = next;
	}
	chased_next = (void **)chased;
	return 1;
}

static int lines_beside(void)
{
	return chase_through(LINE);
}

static int lines_of_pages(void)
{
	return chase_through(PAGE);
}

static uint64_t chase(uint32_t i)
{
	for (unsigned k = 0; k < CHASED_STEPS; k++)
		chased_next = *chased_next;
	return 1;
}

const struct micro_step bound_steps[] = {
	{ .name = "clock/cycle", .run = multiplications, .operations = 3 * MULTIPLICATIONS },
	{ .name = "memory/line", .run = chase, .operations = CHASED_STEPS, .prepare = lines_beside },
	{ .name = "memory/line_of_a_page", .run = chase, .operations = CHASED_STEPS, .prepare = lines_of_pages },
	{ .name = "bound/memcpy", .run = copy },
	{ .name = "bound/memchr", .run = lines },
	{ .name = "bound/avx512_bitmap", .run = bitmap, .prepare = has_avx512 },
	{ .name = "bound/rte_hash_1M", .run = hash_single, .prepare = fill_table },
	{ .name = "bound/rte_hash_1M_bulk", .run = hash_bulk, .operations = BULK, .prepare = fill_table },
	{ .name = NULL },
};
