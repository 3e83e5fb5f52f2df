/* SPDX-License-Identifier: Apache-2.0 */
#include "tables/routes.h"

#include <endian.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/pages.h"
#include "base/random.h"
#include "base/siphash.h"
#include "tables/epoch.h"
#include "tables/word_table.h"

struct hop {
	struct ip_addr gateway;
	uint16_t port;
};

/* One published list, immutable. */
struct route_list {
	struct ranges *ranges; /* value: index into hops */
	struct hop hops[];
};

/* One published neighbour. Where it is and whose it is stay until no reader can have been on the way to it. */
struct neighbour {
	_Atomic(uint64_t) mac; /* six bytes, the first one lowest */
	struct ip_addr ip;
	uint16_t port;
	uint32_t link; /* its own index; of a free one, the next free one's */
};

_Static_assert(sizeof(struct neighbour) == 32, "two in a cache line");

/* The first one is none, and tells whose they are. */
union neighbours_head {
	struct routes *owner;
	struct neighbour none;
};

#define NEIGHBOUR_SLOTS (1 + NEIGHBOURS_MAX + 4096) /* some wait for the readers */

struct routes {
	struct epoch *epoch;
	_Atomic(struct route_list *) list;
	_Atomic(uint32_t) version;
	struct hash_key secret; /* of IPv6 neighbours' keys, so that nobody on the link makes two alike */
	struct word_table by_address; /* value: index into neighbours */
	struct neighbour *neighbours;
	uint32_t fresh, free; /* never used from there on; given back last, or 0 */
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
	struct range_entry *entries = calloc(count + 1, sizeof(*entries));
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

	if (!r || !empty)
		goto fail;
	r->epoch = e;
	atomic_init(&r->list, empty);
	random_secret(&r->secret, sizeof(r->secret));
	r->neighbours = pages_new(NEIGHBOUR_SLOTS * sizeof(r->neighbours[0]));
	if (!r->neighbours || word_table_init(&r->by_address, NEIGHBOURS_MAX))
		goto fail;
	((union neighbours_head *)r->neighbours)->owner = r;
	r->fresh = 1;
	return r;

fail:
	list_free(empty);
	if (r)
		pages_free(r->neighbours, NEIGHBOUR_SLOTS * sizeof(r->neighbours[0]));
	free(r);
	return NULL;
}

void routes_free(struct routes *r)
{
	if (!r)
		return;
	epoch_flush(r->epoch);
	word_table_done(&r->by_address);
	pages_free(r->neighbours, NEIGHBOUR_SLOTS * sizeof(r->neighbours[0]));
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

static uint64_t key_of(const struct routes *r, uint16_t port, const struct ip_addr *ip)
{
	struct hash_key key = { r->secret.k0, r->secret.k1 ^ port };
	uint32_t v4;

	if (ip->family != IP_V4)
		return siphash24(&key, ip->bytes, sizeof(ip->bytes)) | 1ULL << 63;
	memcpy(&v4, ip->bytes, sizeof(v4));
	return 1ULL << 62 | (uint64_t)port << 32 | v4;
}

/* NULL: none. */
static struct neighbour *neighbour_find(const struct routes *r, uint64_t key, uint16_t port, const struct ip_addr *ip)
{
	struct neighbour *n;
	uint32_t i;

	if (!word_table_get(&r->by_address, key, &i))
		return NULL;
	n = &r->neighbours[i];
	return n->port == port && ip_eq(&n->ip, ip) ? n : NULL;
}

static void neighbour_release(void *object)
{
	struct neighbour *n = object;
	struct routes *r = ((union neighbours_head *)(n - n->link))->owner;
	uint32_t index = n->link;

	n->link = r->free;
	r->free = index;
}

/* NULL: none is left. */
static struct neighbour *neighbour_take(struct routes *r)
{
	uint32_t index;

	if (!r->free && r->fresh == NEIGHBOUR_SLOTS)
		(void)epoch_reclaim(r->epoch);
	index = r->free;
	if (index)
		r->free = r->neighbours[index].link;
	else if (r->fresh < NEIGHBOUR_SLOTS)
		index = r->fresh++;
	else
		return NULL;
	r->neighbours[index].link = index;
	return &r->neighbours[index];
}

static int neighbour_add(struct routes *r, uint64_t key, uint16_t port, const struct ip_addr *ip, uint64_t mac)
{
	struct neighbour *n = neighbour_take(r);
	int err;

	if (!n)
		return -ERR_FULL;
	n->port = port;
	n->ip = *ip;
	atomic_store_explicit(&n->mac, mac, memory_order_relaxed);
	err = word_table_set(&r->by_address, key, n->link);
	if (err)
		neighbour_release(n); /* nobody has seen it */
	return err;
}

int routes_neighbour_set(struct routes *r, uint16_t port, const struct ip_addr *ip, const uint8_t mac[6])
{
	uint64_t key = key_of(r, port, ip), word = 0;
	struct neighbour *n = neighbour_find(r, key, port, ip);
	int err = 0;

	for (unsigned i = 0; i < 6; i++)
		word |= (uint64_t)mac[i] << (8 * i);
	if (n)
		atomic_store_explicit(&n->mac, word, memory_order_release);
	else
		err = neighbour_add(r, key, port, ip, word);
	changed(r);
	return err;
}

void routes_neighbour_delete(struct routes *r, uint16_t port, const struct ip_addr *ip)
{
	uint64_t key = key_of(r, port, ip);
	struct neighbour *n = neighbour_find(r, key, port, ip);

	if (!n)
		return;
	(void)word_table_delete(&r->by_address, key);
	/* Workers may be on the way to it. */
	epoch_retire(r->epoch, n, neighbour_release);
	changed(r);
}

enum route_verdict routes_lookup(const struct routes *r, const struct ip_addr *destination, struct route_result *ret)
{
	const struct route_list *l = atomic_load_explicit(&r->list, memory_order_acquire);
	uint32_t i = ranges_lookup(l->ranges, destination);
	const struct neighbour *n;
	const struct ip_addr *ip;
	const struct hop *hop;
	uint64_t mac;

	if (i == RANGES_NONE)
		return ROUTE_NONE;
	hop = &l->hops[i];
	ret->port = hop->port;
	ip = hop->gateway.family == IP_NONE ? destination : &hop->gateway;
	n = neighbour_find(r, key_of(r, hop->port, ip), hop->port, ip);
	if (!n)
		return ROUTE_NO_NEIGHBOUR;
	mac = htole64(atomic_load_explicit(&n->mac, memory_order_relaxed));
	memcpy(ret->mac, &mac, sizeof(ret->mac));
	return ROUTE_OK;
}
