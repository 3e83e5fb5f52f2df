/* SPDX-License-Identifier: Apache-2.0 */
#include "tables/routes.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "tables/epoch.h"
#include "tables/hash.h"

struct hop {
	struct ip_addr gateway;
	uint16_t port;
};

/* One published list, immutable. */
struct route_list {
	struct ranges *ranges; /* value: index into hops */
	struct hop hops[];
};

struct routes {
	struct epoch *epoch;
	_Atomic(struct route_list *) list;
	_Atomic(uint32_t) version;
	struct hash_table neighbours; /* value: MAC_PRESENT and the six bytes, the first one lowest */
};

#define MAC_PRESENT (1ULL << 48)

struct neighbour_key {
	uint16_t port;
	uint8_t family, zero;
	uint8_t ip[16];
};

static void list_free(void *object)
{
	struct route_list *l = object;

	if (!l)
		return;
	ranges_free(l->ranges);
	free(l);
}

/* A route with its place in the list, so that sorting is stable. */
struct ordered {
	const struct route *route;
	size_t order;
};

/* The worst metric first and, of equals, the one given last: ranges_build takes the last of equal prefixes. */
static int compare(const void *pa, const void *pb)
{
	const struct ordered *a = pa, *b = pb;

	if (a->route->metric != b->route->metric)
		return a->route->metric > b->route->metric ? -1 : 1;
	return a->order > b->order ? -1 : 1;
}

static struct route_list *list_build(const struct route *routes, size_t count)
{
	struct route_list *l = calloc(1, sizeof(*l) + count * sizeof(l->hops[0]));
	struct range_entry *entries = malloc((count + 1) * sizeof(*entries));
	struct ordered *sorted = malloc((count + 1) * sizeof(*sorted));

	if (!l || !entries || !sorted)
		goto done;
	for (size_t i = 0; i < count; i++)
		sorted[i] = (struct ordered){ &routes[i], i };
	if (count)
		qsort(sorted, count, sizeof(*sorted), compare);
	for (size_t i = 0; i < count; i++) {
		entries[i] = (struct range_entry){ sorted[i].route->prefix, (uint32_t)i };
		l->hops[i] = (struct hop){ sorted[i].route->gateway, sorted[i].route->port };
	}
	l->ranges = ranges_build(entries, count);
done:
	free(entries);
	free(sorted);
	if (l && !l->ranges) {
		free(l);
		l = NULL;
	}
	return l;
}

struct routes *routes_new(struct epoch *e)
{
	struct routes *r = calloc(1, sizeof(*r));
	struct route_list *empty = list_build(NULL, 0);
	char name[40];

	if (!r || !empty)
		goto fail;
	r->epoch = e;
	atomic_init(&r->list, empty);
	snprintf(name, sizeof(name), "neighbours/%p", (void *)r);
	if (hash_table_init(&r->neighbours, name, NEIGHBOURS_MAX, sizeof(struct neighbour_key), e))
		goto fail;
	return r;

fail:
	list_free(empty);
	free(r);
	return NULL;
}

void routes_free(struct routes *r)
{
	if (!r)
		return;
	epoch_flush(r->epoch);
	hash_table_done(&r->neighbours);
	list_free(atomic_load(&r->list));
	free(r);
}

uint32_t routes_version(const struct routes *r)
{
	return atomic_load_explicit((_Atomic(uint32_t) *)&r->version, memory_order_acquire);
}

/* After the change, so that nobody keeps what was before it under the new number. */
static void changed(struct routes *r)
{
	atomic_fetch_add_explicit(&r->version, 1, memory_order_release);
}

int routes_publish(struct routes *r, const struct route *list, size_t count)
{
	struct route_list *l;

	if (count > ROUTES_MAX)
		return -ERR_FULL;
	l = list_build(list, count);
	if (!l)
		return -ERR_NOMEM;
	/* Workers may be searching the old one. */
	epoch_retire(r->epoch, atomic_exchange_explicit(&r->list, l, memory_order_acq_rel), list_free);
	changed(r);
	return 0;
}

static struct neighbour_key key_of(uint16_t port, const struct ip_addr *ip)
{
	struct neighbour_key key = { .port = port, .family = ip->family };

	memcpy(key.ip, ip->bytes, sizeof(key.ip));
	return key;
}

int routes_neighbour_set(struct routes *r, uint16_t port, const struct ip_addr *ip, const uint8_t mac[6])
{
	struct neighbour_key key = key_of(port, ip);
	uint64_t word = MAC_PRESENT;
	int err;

	for (unsigned i = 0; i < 6; i++)
		word |= (uint64_t)mac[i] << (8 * i);
	err = hash_table_set(&r->neighbours, &key, word);
	changed(r);
	return err;
}

void routes_neighbour_delete(struct routes *r, uint16_t port, const struct ip_addr *ip)
{
	struct neighbour_key key = key_of(port, ip);

	(void)hash_table_delete(&r->neighbours, &key);
	changed(r);
}

enum route_verdict routes_lookup(const struct routes *r, const struct ip_addr *destination, struct route_result *ret)
{
	const struct route_list *l = atomic_load_explicit(&r->list, memory_order_acquire);
	uint32_t i = ranges_lookup(l->ranges, destination);
	struct neighbour_key key;
	const struct hop *hop;
	uint64_t word;

	if (i == RANGES_NONE)
		return ROUTE_NONE;
	hop = &l->hops[i];
	ret->port = hop->port;
	key = key_of(hop->port, hop->gateway.family == IP_NONE ? destination : &hop->gateway);
	if (!hash_table_get(&r->neighbours, &key, &word))
		return ROUTE_NO_NEIGHBOUR;
	for (unsigned k = 0; k < 6; k++)
		ret->mac[k] = (uint8_t)(word >> (8 * k));
	return ROUTE_OK;
}
