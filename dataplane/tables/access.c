/* SPDX-License-Identifier: Apache-2.0 */
#include "tables/access.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "base/err.h"
#include "tables/epoch.h"
#include "tables/trunks.h"

_Static_assert(TRUNK_NONE == RANGES_NONE, "a source that no prefix holds belongs to no trunk");

struct access {
	struct epoch *epoch;
	_Atomic(struct ranges *) list;
};

struct access *access_new(struct epoch *e)
{
	struct access *a = calloc(1, sizeof(*a));
	struct ranges *empty = ranges_build(NULL, 0);

	if (!a || !empty) {
		free(a);
		ranges_free(empty);
		return NULL;
	}
	a->epoch = e;
	atomic_init(&a->list, empty);
	return a;
}

void access_free(struct access *a)
{
	if (!a)
		return;
	ranges_free(atomic_load(&a->list));
	free(a);
}

static void release(void *object)
{
	ranges_free(object);
}

int access_publish(struct access *a, const struct range_entry *entries, size_t count)
{
	struct ranges *list = ranges_build(entries, count);

	if (!list)
		return -ERR_NOMEM;
	/* Workers may be searching the old one. */
	epoch_retire(a->epoch, atomic_exchange_explicit(&a->list, list, memory_order_acq_rel), release);
	return 0;
}

uint32_t access_lookup(const struct access *a, const struct ip_addr *source)
{
	return ranges_lookup(atomic_load_explicit(&a->list, memory_order_acquire), source);
}
