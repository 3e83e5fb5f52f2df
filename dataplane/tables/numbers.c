/* SPDX-License-Identifier: Apache-2.0 */
#include "tables/numbers.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "base/err.h"
#include "tables/word_table.h"

#define DIGITS_MAX 15

struct numbers {
	struct word_table exact;
	struct word_table prefixes;
	uint32_t per_length[DIGITS_MAX + 1]; /* prefixes of each length */
	_Atomic(uint32_t) lengths;	     /* bit per length that some prefix has: readers try only those */
};

struct numbers *numbers_new(uint32_t max_numbers, uint32_t max_prefixes)
{
	struct numbers *n = calloc(1, sizeof(*n));

	if (!n)
		return NULL;
	atomic_init(&n->lengths, 0);
	if (word_table_init(&n->exact, max_numbers ? max_numbers : 1))
		goto fail_exact;
	if (word_table_init(&n->prefixes, max_prefixes ? max_prefixes : 1))
		goto fail_prefixes;
	return n;

fail_prefixes:
	word_table_done(&n->exact);
fail_exact:
	free(n);
	return NULL;
}

void numbers_free(struct numbers *n)
{
	if (!n)
		return;
	word_table_done(&n->prefixes);
	word_table_done(&n->exact);
	free(n);
}

int numbers_set(struct numbers *n, e164 number, uint32_t profile_slot)
{
	if (!e164_digits(number))
		return -ERR_INVALID;
	return word_table_set(&n->exact, number, profile_slot);
}

int numbers_set_prefix(struct numbers *n, e164 prefix, uint32_t profile_slot)
{
	unsigned digits = e164_digits(prefix);
	uint32_t before = n->prefixes.count;
	int r;

	if (!digits)
		return -ERR_INVALID;
	r = word_table_set(&n->prefixes, prefix, profile_slot);
	if (r || n->prefixes.count == before)
		return r;
	if (n->per_length[digits]++ == 0)
		atomic_fetch_or_explicit(&n->lengths, 1u << digits, memory_order_release);
	return 0;
}

int numbers_delete(struct numbers *n, e164 number)
{
	return word_table_delete(&n->exact, number);
}

int numbers_delete_prefix(struct numbers *n, e164 prefix)
{
	unsigned digits = e164_digits(prefix);
	int r = word_table_delete(&n->prefixes, prefix);

	if (r)
		return r;
	if (--n->per_length[digits] == 0)
		atomic_fetch_and_explicit(&n->lengths, ~(1u << digits), memory_order_release);
	return 0;
}

uint32_t numbers_count(const struct numbers *n)
{
	return n->exact.count;
}

uint32_t numbers_prefix_count(const struct numbers *n)
{
	return n->prefixes.count;
}

static struct number_match longest_prefix(const struct numbers *n, e164 number)
{
	struct number_match match = { .profile_slot = NUMBERS_NONE };
	uint32_t lengths = atomic_load_explicit(&n->lengths, memory_order_acquire) & ((2u << e164_digits(number)) - 1);

	while (lengths) {
		unsigned length = 31 - (unsigned)__builtin_clz(lengths);

		if (word_table_get(&n->prefixes, e164_truncate(number, length), &match.profile_slot)) {
			match.prefix_digits = (uint8_t)length;
			break;
		}
		lengths &= ~(1u << length);
	}
	return match;
}

struct number_match numbers_lookup(const struct numbers *n, e164 number)
{
	struct number_match match = { .profile_slot = NUMBERS_NONE };

	if (!e164_digits(number))
		return match;
	match.exact = word_table_get(&n->exact, number, &match.profile_slot);
	return match.exact ? match : longest_prefix(n, number);
}

void numbers_prefetch(const struct numbers *n, e164 number)
{
	word_table_prefetch(&n->exact, number);
}

void numbers_lookup_bulk(const struct numbers *n, const e164 *numbers, unsigned count, struct number_match *ret)
{
	for (unsigned i = 0; i < count; i++)
		word_table_prefetch(&n->exact, numbers[i]);
	for (unsigned i = 0; i < count; i++)
		ret[i] = numbers_lookup(n, numbers[i]);
}
