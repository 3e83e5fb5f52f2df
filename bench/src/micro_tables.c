/* SPDX-License-Identifier: Apache-2.0 */
/* Steps that read the tables, and those that begin and end with a frame. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_mbuf.h>

#include "micro.h"
#include "net/checksum.h"
#include "net/output.h"
#include "net/packet.h"
#include "proxy/proxy.h"
#include "tables/access.h"
#include "tables/domains.h"
#include "tables/endpoints.h"
#include "tables/numbers.h"
#include "tables/profiles.h"
#include "tables/routes.h"
#include "tables/select.h"
#include "tables/tables.h"
#include "tables/trunks.h"
#include "turn.h"
#include "worker_state.h"
#include "world.h"

#define NUMBERS 1000000
#define NAMES	1000
#define BULK	32

static struct world world;
static int started; /* 1, or -1: it cannot be */
static e164 *numbers;
static struct domains *domains;
static char (*names)[32];
static struct rte_mbuf *frames[CORPUS_MESSAGES];

static const struct tables *tables(void)
{
	return world.shared->tables;
}

static void make_numbers(void)
{
	numbers = calloc(NUMBERS, sizeof(*numbers));
	for (uint32_t i = 0; numbers && i < NUMBERS; i++) {
		char text[20] = "+";
		uint64_t n = FIRST_NUMBER + i;

		for (unsigned d = 12; d; d--, n /= 10)
			text[d] = (char)('0' + n % 10);
		if (e164_parse(span_of(text, 13), &numbers[i]))
			abort();
	}
}

static void make_domains(void)
{
	struct domain_entry *entries = calloc(NAMES, sizeof(*entries));

	names = calloc(NAMES, sizeof(*names));
	for (uint32_t i = 0; i < NAMES; i++) {
		static const char *const kinds[] = { "customer", "branch-office", "pbx", "trunk" };

		snprintf(names[i], sizeof(names[i]), "%s-%u.example.net", kinds[i % 4], i);
		entries[i] = (struct domain_entry){ names[i], i };
	}
	domains = domains_build(entries, NAMES);
	free(entries);
}

int micro_world(void)
{
	/* 24 endpoints in 24 trunks make three profiles of eight targets: round robin, weighted, failover. */
	static const struct world_config config = { .workers = 1, .numbers = NUMBERS, .endpoints = 24, .max_transactions = 10000, .max_calls = 10000,
						    .message_mb = 64, .mbufs = 8192, .ring = 1024 };

	if (started)
		return started > 0 ? 0 : -1;
	if (world_start(&world, &config) < 0) {
		started = -1;
		return -1;
	}
	make_numbers();
	make_domains();
	for (uint32_t i = 0; i < CORPUS_MESSAGES; i++) {
		uint32_t len;
		const uint8_t *m = corpus_invite(i, &len);

		frames[i] = world_frame(&world, m, len, world_caller_ip(i));
	}
	started = 1;
	return 0;
}

static int ready(void)
{
	return micro_world() == 0;
}

/* A fixed walk that no prefetcher follows. */
static uint32_t anywhere(uint32_t i, uint32_t count)
{
	return (uint32_t)(mix64(i) % count);
}

static uint64_t number_hot(uint32_t i)
{
	return numbers_lookup(tables()->numbers, numbers[i % 64]).exact;
}

static uint64_t number_random(uint32_t i)
{
	return numbers_lookup(tables()->numbers, numbers[anywhere(i, NUMBERS)]).exact;
}

static uint64_t number_bulk(uint32_t i)
{
	struct number_match found[BULK];
	e164 wanted[BULK];
	uint64_t n = 0;

	for (uint32_t k = 0; k < BULK; k++)
		wanted[k] = numbers[anywhere(i * BULK + k, NUMBERS)];
	numbers_lookup_bulk(tables()->numbers, wanted, BULK, found);
	for (uint32_t k = 0; k < BULK; k++)
		n += found[k].exact;
	return n == BULK;
}

static uint64_t domain(uint32_t i)
{
	i = anywhere(i, NAMES);
	return domains_lookup(domains, span_str(names[i])) == i;
}

static uint64_t source(uint32_t i)
{
	struct ip_addr a = { .family = IP_V4, .bytes = { 10, 8, (uint8_t)(i & 15), (uint8_t)(2 + i % 11) } };

	return access_lookup(tables()->access, &a) != TRUNK_NONE;
}

static uint64_t route(uint32_t i)
{
	struct ip_addr a = { .family = IP_V4, .bytes = { 10, 16, 0, (uint8_t)(2 + i % 24) } };
	struct route_result hop;

	return routes_lookup(tables()->routes, &a, &hop) == ROUTE_OK;
}

static uint64_t choose(uint32_t i, uint32_t slot)
{
	const struct profile *p = profiles_get(tables()->profiles, slot);
	struct selection_state s;
	struct selection r;

	selection_start(&s, p->strategy == STRATEGY_ROUND_ROBIN ? profiles_ticket(tables()->profiles, slot) : mix64(i));
	return select_next(p, tables()->endpoints, 1000, &s, &r) == 0;
}

static uint64_t choose_round_robin(uint32_t i)
{
	return choose(i, 0);
}

static uint64_t choose_weighted(uint32_t i)
{
	return choose(i, 1);
}

static uint64_t choose_failover(uint32_t i)
{
	return choose(i, 2);
}

const struct micro_step table_steps[] = {
	{ .name = "tables/number_hot", .run = number_hot, .prepare = ready },
	{ .name = "tables/number_1M_random", .run = number_random, .prepare = ready },
	{ .name = "tables/number_1M_bulk", .run = number_bulk, .operations = BULK, .prepare = ready },
	{ .name = "tables/domain", .run = domain, .prepare = ready },
	{ .name = "tables/source", .run = source, .prepare = ready },
	{ .name = "tables/route", .run = route, .prepare = ready },
	{ .name = "tables/select_round_robin", .run = choose_round_robin, .prepare = ready },
	{ .name = "tables/select_weighted", .run = choose_weighted, .prepare = ready },
	{ .name = "tables/select_failover", .run = choose_failover, .prepare = ready },
	{ .name = NULL },
};

/* ---- frames */

static uint64_t read_frame(uint32_t i, bool checked)
{
	struct ip_port from, to;

	return packet_usual(frames[i % CORPUS_MESSAGES], &world.shared->listeners, checked, &from, &to) != 0;
}

/* The driver has verified the checksum, and says so in the mbuf. */
static uint64_t frame_offloaded(uint32_t i)
{
	struct rte_mbuf *m = frames[i % CORPUS_MESSAGES];

	m->ol_flags |= RTE_MBUF_F_RX_L4_CKSUM_GOOD | RTE_MBUF_F_RX_IP_CKSUM_GOOD;
	return read_frame(i, true);
}

static uint64_t frame_verified(uint32_t i)
{
	return read_frame(i, false);
}

static uint64_t checksum(uint32_t i)
{
	uint32_t len;
	const uint8_t *m = corpus_invite(i, &len);

	return checksum_add(1, m, len);
}

static uint64_t owner(uint32_t i)
{
	uint32_t len;
	const uint8_t *m = corpus_invite(i, &len);

	return proxy_owner(&world.shared->call_key, &world.shared->branch_mac, 8, 0, m, len) < 8;
}

/* A whole frame out of the output floor: headers, checksum, the ring that stands for a driver. */
static uint64_t send_frame(uint32_t i)
{
	static uint32_t waiting;
	struct ip_port us = world.shared->listeners.addr[0];
	struct ip_port to = { { .family = IP_V4, .bytes = { 10, 16, 0, (uint8_t)(2 + i % 24) } }, 5060 };
	struct rte_mbuf *sent[BULK];
	uint32_t len;
	const uint8_t *m = corpus_invite(i, &len);
	uint8_t *out = output_reserve(world.worker[0]->output, len);
	int rc;

	if (!out)
		return 0;
	memcpy(out, m, len);
	rc = output_commit(world.worker[0]->output, len, &us, &to);
	if (++waiting == BULK) {
		waiting = 0;
		output_flush(world.worker[0]->output);
		if (rte_ring_dequeue_bulk(world.wire_out[0], (void **)sent, BULK, NULL) != BULK)
			return 0;
		rte_pktmbuf_free_bulk(sent, BULK);
	}
	return rc == 0;
}

static uint64_t empty_turn(uint32_t i)
{
	turn_run(world.worker[0]);
	return 1;
}

const struct micro_step packet_steps[] = {
	{ .name = "net/frame_verified", .run = frame_verified, .prepare = ready },
	{ .name = "net/frame_offloaded", .run = frame_offloaded, .prepare = ready },
	{ .name = "net/checksum", .run = checksum, .prepare = ready },
	{ .name = "net/send", .run = send_frame, .prepare = ready },
	{ .name = "worker/owner", .run = owner, .prepare = ready },
	{ .name = "worker/empty_turn", .run = empty_turn, .prepare = ready },
	{ .name = NULL },
};
