/* SPDX-License-Identifier: Apache-2.0 */
#include "tables/hash.h"

#include <stdio.h>
#include <string.h>

#include <rte_lcore.h>

#include "base/err.h"
#include "base/siphash.h"
#include "tables/epoch.h"

_Static_assert(sizeof(void *) == sizeof(uint64_t), "values live in rte_hash's data pointer");

/* rte_hash derives a ring's name of at most 20 free characters from ours and cuts what is longer. */
#define HASH_NAME_BYTES 21

static void short_name(const char *name, char out[HASH_NAME_BYTES])
{
	uint64_t h = 0;

	for (const char *p = name; *p; p++)
		h = mix64(h * 31 + (uint8_t)*p);
	snprintf(out, HASH_NAME_BYTES, "%.3s_%016lx", name, h);
}

int hash_table_init(struct hash_table *t, const char *name, uint32_t max, uint32_t key_bytes, struct epoch *e)
{
	char hash_name[HASH_NAME_BYTES];
	/* Room to spare: a cuckoo table that is nearly full refuses before it is full, and deleted keys hold their place until the grace
	 * period is over. */
	struct rte_hash_parameters parameters = {
		.name = hash_name,
		.entries = max + max / 4 + 64,
		.key_len = key_bytes,
		.socket_id = (int)rte_socket_id(),
		.extra_flag = RTE_HASH_EXTRA_FLAGS_RW_CONCURRENCY_LF,
	};
	struct rte_hash_rcu_config rcu = { .v = epoch_qsbr(e), .mode = RTE_HASH_QSBR_MODE_DQ };

	short_name(name, hash_name);
	t->max = max;
	t->count = 0;
	if (max > RTE_HASH_ENTRIES_MAX / 2)
		return -ERR_NOMEM;
	t->hash = rte_hash_create(&parameters);
	if (!t->hash)
		return -ERR_NOMEM;
	if (rte_hash_rcu_qsbr_add(t->hash, &rcu)) {
		rte_hash_free(t->hash);
		return -ERR_NOMEM;
	}
	return 0;
}

void hash_table_done(struct hash_table *t)
{
	rte_hash_free(t->hash);
}

int hash_table_set(struct hash_table *t, const void *key, uint64_t value)
{
	bool fresh = rte_hash_lookup(t->hash, key) < 0;

	if (fresh && t->count >= t->max)
		return -ERR_FULL;
	if (rte_hash_add_key_data(t->hash, key, (void *)(uintptr_t)value))
		return -ERR_FULL;
	t->count += fresh;
	return 0;
}

int hash_table_delete(struct hash_table *t, const void *key)
{
	if (rte_hash_del_key(t->hash, key) < 0)
		return -ERR_NOT_FOUND;
	t->count--;
	return 0;
}
