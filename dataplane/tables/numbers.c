/* SPDX-License-Identifier: Apache-2.0 */
#include "tables/numbers.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/err.h"
#include "tables/epoch.h"
#include "tables/hash.h"

#define DIGITS_MAX 15

struct numbers {
	struct epoch *epoch;
	struct hash_table exact;
	struct hash_table prefixes;
	uint32_t per_length[DIGITS_MAX + 1]; /* prefixes of each length */
	_Atomic(uint32_t) lengths;	     /* bit per length that some prefix has: readers try only those */
};

struct numbers *numbers_new(const char *name, uint32_t max_numbers, uint32_t max_prefixes, struct epoch *e)
{
	struct numbers *n = calloc(1, sizeof(*n));
	char full[64];

	if (!n)
		return NULL;
	n->epoch = e;
	atomic_init(&n->lengths, 0);
	snprintf(full, sizeof(full), "num/%s", name);
	if (hash_table_init(&n->exact, full, max_numbers ? max_numbers : 1, sizeof(e164), e))
		goto fail_exact;
	snprintf(full, sizeof(full), "pre/%s", name);
	if (hash_table_init(&n->prefixes, full, max_prefixes ? max_prefixes : 1, sizeof(e164), e))
		goto fail_prefixes;
	return n;

fail_prefixes:
	hash_table_done(&n->exact);
fail_exact:
	free(n);
	return NULL;
}

void numbers_free(struct numbers *n)
{
	if (!n)
		return;
	epoch_flush(n->epoch);
	hash_table_done(&n->prefixes);
	hash_table_done(&n->exact);
	free(n);
}

int numbers_set(struct numbers *n, e164 number, uint32_t profile_slot)
{
	if (!e164_digits(number))
		return -ERR_INVALID;
	return hash_table_set(&n->exact, &number, profile_slot);
}

int numbers_set_prefix(struct numbers *n, e164 prefix, uint32_t profile_slot)
{
	unsigned digits = e164_digits(prefix);
	uint32_t before = n->prefixes.count;
	int r;

	if (!digits)
		return -ERR_INVALID;
	r = hash_table_set(&n->prefixes, &prefix, profile_slot);
	if (r || n->prefixes.count == before)
		return r;
	if (n->per_length[digits]++ == 0)
		atomic_fetch_or_explicit(&n->lengths, 1u << digits, memory_order_release);
	return 0;
}

int numbers_delete(struct numbers *n, e164 number)
{
	return hash_table_delete(&n->exact, &number);
}

int numbers_delete_prefix(struct numbers *n, e164 prefix)
{
	unsigned digits = e164_digits(prefix);
	int r = hash_table_delete(&n->prefixes, &prefix);

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

struct number_match numbers_lookup(const struct numbers *n, e164 number)
{
	struct number_match match = { .profile_slot = NUMBERS_NONE };
	unsigned digits = e164_digits(number);
	uint32_t lengths;
	uint64_t value;

	if (!digits)
		return match;
	if (hash_table_get(&n->exact, &number, &value)) {
		match.profile_slot = (uint32_t)value;
		match.exact = true;
		return match;
	}
	lengths = atomic_load_explicit(&n->lengths, memory_order_acquire) & ((2u << digits) - 1);
	while (lengths) {
		unsigned length = 31 - (unsigned)__builtin_clz(lengths);
		e164 prefix = e164_truncate(number, length);

		if (hash_table_get(&n->prefixes, &prefix, &value)) {
			match.profile_slot = (uint32_t)value;
			match.prefix_digits = (uint8_t)length;
			return match;
		}
		lengths &= ~(1u << length);
	}
	return match;
}
