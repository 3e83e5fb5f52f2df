/* SPDX-License-Identifier: Apache-2.0 */
#include "tables/tables.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "tables/access.h"
#include "tables/domains.h"
#include "tables/endpoints.h"
#include "tables/epoch.h"
#include "tables/loads.h"
#include "tables/numbers.h"
#include "tables/profiles.h"
#include "tables/routes.h"
#include "tables/trunks.h"

struct domain_table {
	struct epoch *epoch;
	_Atomic(struct domains *) domains;
};

struct domain_table *domain_table_new(struct epoch *e)
{
	struct domain_table *t = calloc(1, sizeof(*t));
	struct domains *empty = domains_build(NULL, 0);

	if (!t || !empty) {
		free(t);
		domains_free(empty);
		return NULL;
	}
	t->epoch = e;
	atomic_init(&t->domains, empty);
	return t;
}

void domain_table_free(struct domain_table *t)
{
	if (!t)
		return;
	domains_free(atomic_load(&t->domains));
	free(t);
}

static void release(void *object)
{
	domains_free(object);
}

void domain_table_publish(struct domain_table *t, struct domains *d)
{
	/* Workers may be searching the old one. */
	epoch_retire(t->epoch, atomic_exchange_explicit(&t->domains, d, memory_order_acq_rel), release);
}

const struct domains *domain_table_get(const struct domain_table *t)
{
	return atomic_load_explicit(&t->domains, memory_order_acquire);
}

struct tables *tables_new(const struct tables_limits *limits)
{
	struct tables *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->epoch = epoch_new(limits->workers);
	if (!t->epoch)
		goto fail;
	t->numbers = numbers_new(limits->numbers, limits->prefixes);
	t->profiles = profiles_new(limits->profiles, t->epoch);
	t->trunks = trunks_new(limits->trunks, t->epoch);
	t->endpoints = endpoints_new(limits->endpoints, t->epoch);
	t->access = access_new(t->epoch);
	t->routes = routes_new(t->epoch);
	t->domains = domain_table_new(t->epoch);
	t->loads = loads_new(limits->workers);
	if (!t->numbers || !t->profiles || !t->trunks || !t->endpoints || !t->access || !t->routes || !t->domains || !t->loads)
		goto fail;
	return t;

fail:
	tables_free(t);
	return NULL;
}

void tables_free(struct tables *t)
{
	if (!t)
		return;
	/* The epoch last: the tables release through it what they retired. */
	numbers_free(t->numbers);
	profiles_free(t->profiles);
	trunks_free(t->trunks);
	endpoints_free(t->endpoints);
	access_free(t->access);
	routes_free(t->routes);
	domain_table_free(t->domains);
	loads_free(t->loads);
	epoch_free(t->epoch);
	free(t);
}
