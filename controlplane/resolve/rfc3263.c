/* SPDX-License-Identifier: Apache-2.0 */
#include "resolve/rfc3263.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sip/via.h"

#define PLAIN_WEIGHT 100 /* of a name without SRV records */
#define COARSE	     20	 /* a weight of fewer than so many per address is not divided as it stands */
#define SCALE_MAX    840 /* the least common multiple of 1..8 */

/* The transports, in the order of our preference. */
static const struct service {
	const char *naptr, *srv;
	uint8_t transport;
	uint16_t port;
} services[] = {
	{ "SIP+D2U", "_sip._udp.", TRANSPORT_UDP, 5060 },
	{ "SIP+D2T", "_sip._tcp.", TRANSPORT_TCP, 5060 },
	{ "SIPS+D2T", "_sips._tcp.", TRANSPORT_TLS, 5061 },
};

#define SERVICES (sizeof(services) / sizeof(services[0]))

struct search {
	const struct model_host *target;
	unsigned listeners;
	struct lookups *l;
	struct location *ret;
	bool failed; /* a question on the way has no answer: what follows may be wrong */
};

/* We could send to what it names: nothing is found out about places that no call could go to. */
static bool carried(const struct search *s, const struct service *service)
{
	return s->listeners & LISTENS_TO(service->transport);
}

static void because(struct search *s, enum location_state state, const char *what, const char *name, const char *why)
{
	s->ret->state = state;
	snprintf(s->ret->why, sizeof(s->ret->why), "%s %.150s: %s", what, name, why);
}

/* The answer at the end of the CNAMEs that the servers did not walk themselves. NULL: open or failed. */
static const struct dns_answer *known(struct search *s, const char *name, uint16_t type)
{
	for (unsigned hops = 0; hops < DNS_CHAIN_MAX; hops++) {
		struct lookup *k = lookups_get(s->l, name, type);
		const struct dns_answer *a;

		if (!k) {
			s->ret->left_out++;
			return NULL;
		}
		k->used = true;
		a = k->answer;
		if (!a) {
			if (k->failed) {
				s->failed = true;
				because(s, LOCATION_FAILED, dns_type_name(type), name, k->why);
			} else {
				s->ret->open++;
			}
			return NULL;
		}
		if (a->outcome != DNS_NO_DATA || a->has_soa || strcmp(a->name, name) == 0)
			return a;
		name = a->name;
	}
	because(s, LOCATION_FAILED, dns_type_name(type), name, "too many CNAMEs");
	s->failed = true;
	return NULL;
}

/* Both an open and a failed question have no answer. */
static bool has_records(const struct dns_answer *a)
{
	return a && a->outcome == DNS_RECORDS;
}

/* ---- places */

static void add_place(struct search *s, const struct sip_place *place)
{
	struct location *r = s->ret;

	for (unsigned i = 0; i < r->count; i++) {
		struct sip_place *p = &r->places[i];

		if (!ip_port_eq(&p->addr, &place->addr) || p->transport != place->transport)
			continue;
		/* Two records lead to one place: it is where the better of them says, with the weight of both where they are as good. */
		if (place->priority < p->priority)
			*p = *place;
		else if (place->priority == p->priority)
			p->weight = place->weight > UINT16_MAX - p->weight ? UINT16_MAX : (uint16_t)(p->weight + place->weight);
		return;
	}
	if (r->count == TRUNK_ENDPOINTS_MAX)
		r->left_out++;
	else
		r->places[r->count++] = *place;
}

static const struct {
	enum ip_family family;
	uint16_t type;
} kinds[] = { { IP_V4, DNS_A }, { IP_V6, DNS_AAAA } };

static unsigned count_addresses(struct search *s, const char *name, uint8_t transport)
{
	unsigned n = 0;

	for (unsigned k = 0; k < 2; k++) {
		const struct dns_answer *a = s->listeners & LISTENS(transport, kinds[k].family) ? known(s, name, kinds[k].type) : NULL;

		n += has_records(a) ? a->count : 0;
	}
	return n;
}

static void add_addresses(struct search *s, const char *name, const struct sip_place *like)
{
	for (unsigned k = 0; k < 2; k++) {
		bool ours = s->listeners & LISTENS(like->transport, kinds[k].family);
		const struct lookup *looked = ours ? lookups_find(s->l, name, kinds[k].type) : NULL;
		const struct dns_answer *a = looked ? known(s, name, kinds[k].type) : NULL;

		for (unsigned i = 0; has_records(a) && i < a->count; i++) {
			struct sip_place place = *like;

			place.addr.ip = a->records[i].ip;
			snprintf(place.target, sizeof(place.target), "%s", name);
			add_place(s, &place);
		}
	}
}

static int compare_places(const void *a, const void *b)
{
	const struct sip_place *x = a, *y = b;
	int order = (int)x->addr.ip.family - (int)y->addr.ip.family;

	if (!order)
		order = memcmp(x->addr.ip.bytes, y->addr.ip.bytes, sizeof(x->addr.ip.bytes));
	if (x->priority != y->priority)
		return x->priority < y->priority ? -1 : 1;
	if (!order)
		order = (int)x->addr.port - (int)y->addr.port;
	return order ? order : (int)x->transport - (int)y->transport;
}

/* ---- A and AAAA */

static void by_address(struct search *s, uint8_t transport, uint16_t port)
{
	const char *name = s->target->name;
	struct sip_place like;
	unsigned open = s->ret->open, n = count_addresses(s, name, transport);

	memset(&like, 0, sizeof(like));
	like.addr.port = port;
	like.transport = transport;
	like.weight = (uint16_t)(n > PLAIN_WEIGHT ? 1 : PLAIN_WEIGHT / (n ? n : 1));
	s->ret->open = (uint16_t)open; /* counted once, by add_addresses */
	add_addresses(s, name, &like);
	if (!n && !s->ret->open && !s->failed)
		because(s, LOCATION_NONE, "A and AAAA", name, "no address that a listener of ours could send to");
}

/* ---- SRV */

struct ranked {
	const struct dns_srv *srv;
	unsigned addresses;
};

static int compare_ranks(const void *a, const void *b)
{
	const struct dns_srv *x = ((const struct ranked *)a)->srv, *y = ((const struct ranked *)b)->srv;

	if (x->priority != y->priority)
		return x->priority < y->priority ? -1 : 1;
	return strcmp(x->target, y->target);
}

static uint32_t common_multiple(uint32_t a, uint32_t b)
{
	uint32_t x = a, y = b;

	while (y) {
		uint32_t rest = x % y;

		x = y;
		y = rest;
	}
	return a / x * b;
}

/* By how much the weights of a set are multiplied, so that what a target's addresses get of it is its weight divided: nothing where each has
 * one address, or the weights are large enough. */
static uint32_t scale_of(const struct ranked *set, unsigned n)
{
	uint32_t scale = 1, most = 1;
	bool coarse = false;

	for (unsigned i = 0; i < n; i++) {
		if (!set[i].srv->weight || !set[i].addresses)
			continue;
		coarse |= set[i].addresses > 1 && set[i].srv->weight < COARSE * set[i].addresses;
		if (scale < SCALE_MAX)
			scale = common_multiple(scale, set[i].addresses);
		if (set[i].srv->weight > most)
			most = set[i].srv->weight;
	}
	if (!coarse || n < 2)
		return 1;
	if (scale > SCALE_MAX)
		scale = SCALE_MAX;
	return scale > UINT16_MAX / most ? UINT16_MAX / most : scale;
}

static uint16_t divided(uint32_t weight, uint32_t scale, unsigned addresses)
{
	uint32_t each = weight * scale / (addresses ? addresses : 1);

	return weight && !each ? 1 : (uint16_t)(each > UINT16_MAX ? UINT16_MAX : each);
}

/* false: every target is ".", the service is not offered. */
static bool by_records(struct search *s, const struct dns_answer *a, uint8_t transport)
{
	struct ranked set[DNS_RECORDS_MAX];
	unsigned n = 0, open = s->ret->open;
	uint32_t scale;

	for (unsigned i = 0; i < a->count; i++)
		if (a->records[i].srv.target[0])
			set[n++] = (struct ranked){ &a->records[i].srv, 0 };
	qsort(set, n, sizeof(set[0]), compare_ranks);
	for (unsigned i = 0; i < n; i++)
		set[i].addresses = count_addresses(s, set[i].srv->target, transport);
	s->ret->open = (uint16_t)open; /* as in by_address */
	scale = scale_of(set, n);
	for (unsigned i = 0; i < n; i++) {
		struct sip_place like;

		memset(&like, 0, sizeof(like));
		like.addr.port = set[i].srv->port;
		like.transport = transport;
		like.priority = set[i].srv->priority;
		like.weight = divided(set[i].srv->weight, scale, set[i].addresses);
		add_addresses(s, set[i].srv->target, &like);
	}
	s->ret->left_out += a->left_out;
	if (n && !s->ret->count && !s->ret->open && !s->failed)
		because(s, LOCATION_NONE, "the SRV records of", s->target->name, "no target has an address that a listener of ours could send to");
	return n > 0;
}

enum srv_result { SRV_OPEN, SRV_FOUND, SRV_ABSENT, SRV_NOT_OFFERED };

static enum srv_result by_srv(struct search *s, const char *name, uint8_t transport)
{
	const struct dns_answer *a = known(s, name, DNS_SRV);

	if (!a)
		return SRV_OPEN;
	if (!has_records(a))
		return SRV_ABSENT;
	return by_records(s, a, transport) ? SRV_FOUND : SRV_NOT_OFFERED;
}

static enum srv_result by_service(struct search *s, const struct service *service)
{
	char name[DNS_TEXT_MAX];

	if (snprintf(name, sizeof(name), "%s%s", service->srv, s->target->name) >= (int)sizeof(name))
		return SRV_ABSENT;
	return by_srv(s, name, service->transport);
}

static void not_offered(struct search *s)
{
	because(s, LOCATION_NONE, "the SRV record of", s->target->name, "its target is \".\": the service is not offered");
}

/* ---- the transport, without NAPTR: §4.1's last resort, and where the transport is given */

static void by_services(struct search *s, uint8_t only)
{
	const struct service *usual = NULL;
	bool refused = false;

	for (unsigned i = 0; i < SERVICES; i++) {
		if (only == TRANSPORT_UNSAID ? !carried(s, &services[i]) : services[i].transport != only)
			continue;
		if (!usual)
			usual = &services[i];
		switch (by_service(s, &services[i])) {
		case SRV_OPEN:
		case SRV_FOUND: return;
		case SRV_NOT_OFFERED: refused = true; break;
		case SRV_ABSENT: break;
		}
	}
	if (refused)
		not_offered(s);
	else if (usual)
		by_address(s, usual->transport, usual->port);
}

/* ---- NAPTR */

static const struct service *service_of(const struct dns_naptr *naptr)
{
	for (unsigned i = 0; i < SERVICES; i++)
		if (strcmp(naptr->service, services[i].naptr) == 0)
			return strcmp(naptr->flags, "S") == 0 && !naptr->has_regexp && naptr->replacement[0] ? &services[i] : NULL;
	return NULL;
}

static int compare_naptr(const void *a, const void *b)
{
	const struct dns_naptr *x = *(const struct dns_naptr *const *)a, *y = *(const struct dns_naptr *const *)b;

	if (x->order != y->order)
		return x->order < y->order ? -1 : 1;
	if (x->preference != y->preference)
		return x->preference < y->preference ? -1 : 1;
	return strcmp(x->replacement, y->replacement);
}

/* The services that NAPTR offers, in its order; SIP ones that we do not carry are passed over. false: it offers no SIP at all. */
static bool by_naptr(struct search *s, const struct dns_answer *a)
{
	const struct dns_naptr *list[DNS_RECORDS_MAX];
	bool refused = false, some = false;
	unsigned n = 0;

	for (unsigned i = 0; i < a->count; i++)
		if (service_of(&a->records[i].naptr))
			list[n++] = &a->records[i].naptr;
	qsort(list, n, sizeof(list[0]), compare_naptr);
	for (unsigned i = 0; i < n; i++) {
		const struct service *service = service_of(list[i]);

		if (!carried(s, service))
			continue;
		some = true;
		switch (by_srv(s, list[i]->replacement, service->transport)) {
		case SRV_OPEN:
		case SRV_FOUND: return true;
		case SRV_NOT_OFFERED: refused = true; break;
		case SRV_ABSENT: break;
		}
	}
	if (refused)
		not_offered(s);
	else if (some)
		because(s, LOCATION_NONE, "the NAPTR records of", s->target->name, "they lead to no SRV record");
	else if (n)
		because(s, LOCATION_NONE, "the NAPTR records of", s->target->name, "they offer only transports for which there is no listener");
	return n > 0;
}

/* What NAPTR cannot say (a server that fails on it, records of other services) is left to SRV. */
static void by_name(struct search *s)
{
	const struct dns_answer *a = known(s, s->target->name, DNS_NAPTR);

	if (!a && !s->failed)
		return;
	s->failed = false;
	if (!has_records(a) || !by_naptr(s, a))
		by_services(s, TRANSPORT_UNSAID);
}

void rfc3263_locate(const struct model_host *target, unsigned listeners, struct lookups *l, struct location *ret)
{
	struct search s = { target, listeners, l, ret, false };
	struct ip_addr ip;

	memset(ret, 0, sizeof(*ret));
	for (unsigned i = 0; i < l->count; i++)
		l->list[i]->used = false;
	if (ip_parse(span_str(target->name), &ip) == 0) {
		struct sip_place place;

		memset(&place, 0, sizeof(place));
		place.transport = target->transport == TRANSPORT_UNSAID ? TRANSPORT_UDP : target->transport;
		place.addr = (struct ip_port){ ip, target->port ? target->port : transport_port(place.transport) };
		place.weight = PLAIN_WEIGHT;
		add_place(&s, &place);
	} else if (target->port) {
		by_address(&s, target->transport == TRANSPORT_UNSAID ? TRANSPORT_UDP : target->transport, target->port);
	} else if (target->transport != TRANSPORT_UNSAID) {
		by_services(&s, target->transport);
	} else {
		by_name(&s);
	}
	qsort(ret->places, ret->count, sizeof(ret->places[0]), compare_places);
	if (ret->count) {
		ret->state = LOCATION_FOUND;
		if (!s.failed)
			ret->why[0] = 0;
	} else if (ret->open) {
		ret->state = LOCATION_OPEN;
	}
}
