/* SPDX-License-Identifier: Apache-2.0 */
#include "base/directory.h"

#include <assert.h>

#include "base/err.h"
#include "base/pages.h"

static size_t bytes_of(uint32_t lines)
{
	return lines * sizeof(struct directory_line);
}

int directory_init(struct directory *d, uint32_t entries)
{
	d->count = entries / DIRECTORY_LOAD + 1;
	d->lines = pages_new(bytes_of(d->count));
	return d->lines ? 0 : -ERR_NOMEM;
}

void directory_done(struct directory *d)
{
	pages_free(d->lines, bytes_of(d->count));
}

void directory_touch(struct directory *d)
{
	pages_touch(d->lines, bytes_of(d->count));
}

void directory_add(struct directory *d, uint64_t hash, uint32_t reference)
{
	uint32_t line = directory_home(d, hash), free, place;
	struct directory_line *l = &d->lines[line];

	assert(reference);
	while (__builtin_expect(!(free = directory_places(l, 0)), 0)) {
		l->beyond++;
		line = directory_next_line(d, line);
		l = &d->lines[line];
	}
	place = (uint32_t)__builtin_ctz(free);
	l->signature[place] = directory_signature(hash);
	l->reference[place] = reference;
}

void directory_remove(struct directory *d, uint32_t home, uint32_t reference)
{
	struct directory_line *l = &d->lines[home];
	int place;

	while (__builtin_expect((place = directory_place_of(l, reference)) < 0, 0)) {
		assert(l->beyond);
		l->beyond--;
		home = directory_next_line(d, home);
		l = &d->lines[home];
	}
	l->signature[place] = 0;
	l->reference[place] = 0;
}

void directory_replace(struct directory *d, uint32_t home, uint32_t reference, uint32_t by)
{
	int place;

	assert(by);
	while (__builtin_expect((place = directory_place_of(&d->lines[home], reference)) < 0, 0)) {
		assert(d->lines[home].beyond);
		home = directory_next_line(d, home);
	}
	d->lines[home].reference[place] = by;
}
