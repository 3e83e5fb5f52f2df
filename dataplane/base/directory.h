/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <emmintrin.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Where what has a key is found. Each entry is a reference (any number but 0) at a signature, which is 16 bits of the
 * key's hash; a cache line has room for ten, so that who finds nothing, who adds, replaces and removes wait for one line and for nothing that is
 * referred to. An equal signature is no proof: the key itself is compared by whoever seeks.
 *
 * An entry that finds its own line full lies in the next that has room, and each line that it passed by counts it: whoever seeks goes on as long as
 * there are such, which nearly always are none. There are twice as many places as entries, so there always is one. */

#define DIRECTORY_PLACES 10
#define DIRECTORY_LOAD	 5 /* entries a line when it is full: 3 % of them do not get into their own, of half as many 0.03 % */

struct directory_line {
	uint32_t reference[DIRECTORY_PLACES];
	uint16_t signature[DIRECTORY_PLACES]; /* 0: free */
	uint32_t beyond;		      /* entries that passed by */
};
_Static_assert(sizeof(struct directory_line) == 64, "a cache line");

struct directory {
	struct directory_line *lines;
	uint32_t count;
};

/* For at most `entries` at a time, which the caller sees to. 0, -ERR_NOMEM. control-only */
int directory_init(struct directory *d, uint32_t entries);
void directory_done(struct directory *d);
/* Touches its pages (pages.h). control-only */
void directory_touch(struct directory *d);

/* The line that an entry of that hash belongs to. Its high half says, its low half has the signature. any */
static inline uint32_t directory_home(const struct directory *d, uint64_t hash)
{
	return (uint32_t)((hash >> 32) * d->count >> 32);
}

static inline void directory_prefetch(const struct directory *d, uint32_t home)
{
	__builtin_prefetch(&d->lines[home], 1);
}

static inline uint16_t directory_signature(uint64_t hash)
{
	return (uint16_t)hash ? (uint16_t)hash : 1;
}

static inline uint32_t directory_next_line(const struct directory *d, uint32_t line)
{
	return line + 1 == d->count ? 0 : line + 1;
}

/* The line's places with that signature, a bit each; 0: the free ones. */
static inline uint32_t directory_places(const struct directory_line *l, uint16_t signature)
{
	__m128i wanted = _mm_set1_epi16((short)signature);
	__m128i first = _mm_cmpeq_epi16(_mm_loadu_si128((const __m128i *)&l->signature[0]), wanted);
	__m128i last = _mm_cmpeq_epi16(_mm_loadu_si128((const __m128i *)&l->signature[DIRECTORY_PLACES - 8]), wanted);
	uint32_t both = (uint32_t)_mm_movemask_epi8(_mm_packs_epi16(first, last)); /* eight and eight, of which some are the same */

	return (both & 0xff) | both >> 8 << (DIRECTORY_PLACES - 8);
}

/* The place of a reference in the line; -1: it is not there. */
static inline int directory_place_of(const struct directory_line *l, uint32_t reference)
{
	__m128i wanted = _mm_set1_epi32((int)reference);
	__m128i a = _mm_cmpeq_epi32(_mm_loadu_si128((const __m128i *)&l->reference[0]), wanted);
	__m128i b = _mm_cmpeq_epi32(_mm_loadu_si128((const __m128i *)&l->reference[4]), wanted);
	__m128i c = _mm_cmpeq_epi32(_mm_loadl_epi64((const __m128i *)&l->reference[8]), wanted); /* above it zeros, which equal no reference */
	uint32_t places = (uint32_t)_mm_movemask_epi8(_mm_packs_epi16(_mm_packs_epi32(a, b), _mm_packs_epi32(c, _mm_setzero_si128())));

	return places ? __builtin_ctz(places) : -1;
}

/* ---- seeking: directory_seek, then directory_next until it is the one that is meant, or 0 */

struct directory_search {
	const struct directory_line *at;
	uint32_t places; /* of this line that are still to be looked at */
	uint32_t line, passed;
	uint16_t signature;
};

/* worker-only */
static inline struct directory_search directory_seek(const struct directory *d, uint64_t hash)
{
	uint32_t home = directory_home(d, hash);
	uint16_t signature = directory_signature(hash);

	return (struct directory_search){ &d->lines[home], directory_places(&d->lines[home], signature), home, 0, signature };
}

/* The next reference at the signature; 0: there is none. Nothing may be changed in between. worker-only */
static inline uint32_t directory_next(const struct directory *d, struct directory_search *s)
{
	uint32_t place;

	while (__builtin_expect(!s->places, 1)) {
		if (__builtin_expect(!s->at->beyond || ++s->passed == d->count, 1))
			return 0;
		s->line = directory_next_line(d, s->line);
		s->at = &d->lines[s->line];
		s->places = directory_places(s->at, s->signature);
	}
	place = (uint32_t)__builtin_ctz(s->places);
	s->places &= s->places - 1;
	return s->at->reference[place];
}

/* ---- changing. A reference may be there once only, and those below need it to be. worker-only */

void directory_add(struct directory *d, uint64_t hash, uint32_t reference);
/* home: directory_home of the hash that it was added with. */
void directory_remove(struct directory *d, uint32_t home, uint32_t reference);
/* Another in its place, of the same hash. */
void directory_replace(struct directory *d, uint32_t home, uint32_t reference, uint32_t by);
