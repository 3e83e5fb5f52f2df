/* SPDX-License-Identifier: Apache-2.0 */
#include "harness.h"

#include "base/pool.h"
#include "tables/access.h"
#include "tables/endpoints.h"
#include "tables/epoch.h"
#include "tables/loads.h"
#include "tables/numbers.h"

#define CALL_AGE_MS (12ull * 3600 * 1000)

struct ip_port addr_of(const char *text)
{
	struct ip_port a;

	if (ip_port_parse(span_str(plain_address(text)), 5060, &a))
		fail_msg("%s is no address", text);
	return a;
}

uint8_t transport_of(const char *text)
{
	return !strncmp(text, "tcp:", 4) ? TRANSPORT_TCP : !strncmp(text, "tls:", 4) ? TRANSPORT_TLS : TRANSPORT_UDP;
}

bool is_tcp(const char *text)
{
	return transport_of(text) == TRANSPORT_TCP;
}

const char *plain_address(const char *text)
{
	return transport_of(text) == TRANSPORT_UDP ? text : text + strlen("tcp:");
}

uint64_t connection_of(const char *text)
{
	struct ip_port a = addr_of(text);

	return transport_of(text) != TRANSPORT_UDP ? (uint64_t)a.ip.bytes[1] << 32 | (uint64_t)a.ip.bytes[3] << 16 | a.port : 0;
}

/* ---- the outbox */

static uint8_t *outbox_reserve(void *ctx, uint32_t bytes, const struct flow *to)
{
	struct harness *h = ctx;

	free(h->reserved);
	h->reserved = NULL;
	if (h->outbox_full)
		return NULL;
	assert_true(bytes > 0 && bytes <= SLAB_BYTES_MAX);
	h->reserved = malloc(bytes);
	h->reserved_bytes = bytes;
	h->reserved_for = *to;
	return h->reserved;
}

static struct call_record *record_room(void *ctx)
{
	struct harness *h = ctx;

	return h->records_full ? NULL : &h->record[h->record_count % ARRAY_SIZE(h->record)];
}

static void record_written(void *ctx)
{
	struct harness *h = ctx;
	const struct call_record *r = &h->record[h->record_count++ % ARRAY_SIZE(h->record)];

	h->starts += r->kind == RECORD_START;
	h->ends += r->kind == RECORD_END;
}

static int outbox_commit(void *ctx, uint32_t len, const struct flow *to)
{
	struct harness *h = ctx;
	struct ip_port nowhere;
	struct sent *s;

	assert_non_null(h->reserved);
	assert_true(len <= h->reserved_bytes);
	assert_true(ip_port_eq(&to->remote, &h->reserved_for.remote) && ip_port_eq(&to->local, &h->reserved_for.local));
	if (h->unreachable) {
		nowhere = addr_of(h->unreachable);
		if (ip_port_eq(&to->remote, &nowhere) && to->transport == transport_of(h->unreachable))
			return -ERR_UNREACHABLE;
	}
	/* It leaves by one of our own addresses, of the family it goes to. */
	assert_true(listener_at(h->proxy, &to->local, to->transport) >= 0);
	assert_int_equal(to->local.ip.family, to->remote.ip.family);
	assert_true(to->remote.port > 0);
	if (h->sent_count == h->sent_room) {
		h->sent_room = h->sent_room ? 2 * h->sent_room : 64;
		h->sent = realloc(h->sent, h->sent_room * sizeof(h->sent[0]));
	}
	s = malloc(sizeof(*s));
	*s = (struct sent){ .data = malloc(len), .len = len, .to = *to, .at_ms = h->now_ms };
	memcpy(s->data, h->reserved, len);
	h->sent[h->sent_count++] = s;
	free(h->reserved);
	h->reserved = NULL;
	return 0;
}

/* ---- the tables */

unsigned harness_trunk(struct harness *h, const char *name, const char *const *endpoints, const char *const *sources)
{
	unsigned i = h->trunk_count++;
	struct trunk *t = &h->trunk[i];

	assert_true(i < HARNESS_TRUNKS);
	*t = (struct trunk){
		.id = trunk_id(span_str(name)),
		.profile_slot = PROFILE_NONE,
		.plan = { "44", "00", "0" },
	};
	snprintf(t->name, sizeof(t->name), "%s", name);
	for (; sources && *sources; sources++)
		t->prefixes[t->prefix_count++] = prefix_of(*sources);
	assert_int_equal(trunks_add(h->tables->trunks, t, &h->trunk_slot[i]), 0);
	for (; endpoints && *endpoints; endpoints++) {
		struct endpoint_config e = { .addr = addr_of(*endpoints), .transport = transport_of(*endpoints), .priority = t->endpoint_count, .weight = 1,
					     .trunk_slot = h->trunk_slot[i] };

		if (e.transport == TRANSPORT_TLS)
			e.tls_peer = 100 + i;
		e.id = endpoint_id(t->id, &e.addr, e.transport);
		assert_int_equal(endpoints_add(h->tables->endpoints, &e, &t->endpoints[t->endpoint_count++]), 0);
	}
	assert_int_equal(trunks_update(h->tables->trunks, h->trunk_slot[i], t), 0);
	if (t->endpoint_count) {
		h->target_weight[h->target_count] = 1;
		h->target_trunk[h->target_count++] = i;
	}
	return i;
}

static struct profile *compile(const struct harness *h)
{
	static uint16_t priorities[TRUNK_ENDPOINTS_MAX], weights[TRUNK_ENDPOINTS_MAX];
	struct profile_target_source targets[HARNESS_TRUNKS];
	struct profile_source source = { .name = "main", .strategy = h->strategy, .knobs = h->knobs,
					 .target_count = (uint16_t)h->target_count, .targets = targets, .loads = h->tables->loads };
	struct profile *p;

	for (unsigned i = 0; i < TRUNK_ENDPOINTS_MAX; i++)
		priorities[i] = (uint16_t)i, weights[i] = 1;
	for (unsigned i = 0; i < h->target_count; i++) {
		const struct trunk *t = &h->trunk[h->target_trunk[i]];

		targets[i] = (struct profile_target_source){
			.trunk_slot = h->trunk_slot[h->target_trunk[i]],
			.target_slot = i,
			.stable_id = t->id,
			.position = (uint16_t)i,
			.weight = h->target_weight[i],
			.enabled = !h->target_disabled[i],
			.endpoint_count = t->endpoint_count,
			.endpoints = t->endpoints,
			.priorities = priorities,
			.weights = weights,
			.tier = h->target_tier[i],
			.max_calls = h->target_max_calls[i],
			.max_cps = h->target_max_cps[i],
		};
	}
	p = profile_compile(&source);
	assert_non_null(p);
	return p;
}

void harness_publish(struct harness *h)
{
	struct range_entry sources[HARNESS_TRUNKS * 4];
	size_t n = 0;

	for (unsigned i = 0; i < h->trunk_count; i++) {
		assert_int_equal(trunks_update(h->tables->trunks, h->trunk_slot[i], &h->trunk[i]), 0);
		for (unsigned k = 0; k < h->trunk[i].prefix_count; k++)
			sources[n++] = (struct range_entry){ h->trunk[i].prefixes[k], h->trunk_slot[i] };
	}
	assert_int_equal(access_publish(h->tables->access, sources, n), 0);
	profiles_update(h->tables->profiles, h->profile_slot, compile(h));
	epoch_reclaim(h->tables->epoch);
}

void harness_start(struct harness *h, const struct harness_options *options)
{
	static const struct tables_limits limits = { 4, 100, 100, 8, HARNESS_TRUNKS, HARNESS_ENDPOINTS };
	static const char *const caller_sources[] = { "10.1.0.0/24", "fd01::/64", NULL };
	static const struct {
		const char *name, *endpoints[3][2], *sources[2];
	} targets[] = { { "a", { { A }, { "tcp:" A }, { "tls:" A } }, { "10.2.0.0/24" } },
			{ "b", { { B }, { "tcp:" B }, { "tls:" B } }, { "10.3.0.0/24" } },
			{ "c", { { C }, { "tcp:" C }, { "tls:" C } }, { "10.4.0.0/24" } } };
	static const struct harness_options none;

	if (!options)
		options = &none;
	memset(h, 0, sizeof(*h));
	h->now_ms = 1000000007;
	h->tables = tables_new(&limits);
	assert_non_null(h->tables);
	h->knobs = profile_knobs_default();
	harness_trunk(h, "caller", NULL, caller_sources);
	for (unsigned i = 0; i < ARRAY_SIZE(targets); i++)
		harness_trunk(h, targets[i].name, targets[i].endpoints[options->tls_targets ? 2 : options->tcp_targets], targets[i].sources);
	assert_int_equal(profiles_add(h->tables->profiles, compile(h), &h->profile_slot), 0);
	assert_int_equal(numbers_set_prefix(h->tables->numbers, number_of("44"), h->profile_slot), 0);
	harness_publish(h);

	h->counters = aligned_alloc(64, sizeof(*h->counters));
	memset(h->counters, 0, sizeof(*h->counters));
	h->targets = aligned_alloc(64, TARGET_CELLS * sizeof(h->targets[0]));
	memset(h->targets, 0, TARGET_CELLS * sizeof(h->targets[0]));
	h->config = (struct proxy_config){
		.tables = h->tables,
		.counters = h->counters,
		.targets = h->targets,
		.outbox = { outbox_reserve, outbox_commit, h },
		.record_room = record_room,
		.record_written = record_written,
		.listeners = { { addr_of(US), TRANSPORT_UDP }, { addr_of(US6), TRANSPORT_UDP },
			       { addr_of(US), TRANSPORT_TCP }, { addr_of(US6), TRANSPORT_TCP },
			       { addr_of(US_TLS), TRANSPORT_TLS }, { addr_of(US6_TLS), TRANSPORT_TLS } },
		.listener_count = options->tls || options->tls_targets ? 6 : 4,
		.branch_key = { 3, 4 },
		.token_keys = { .key = { { 5, 6 } }, .present = { true } },
		.node = 7,
		.boot = 8,
		.timers = { 500, 4000, 5000 },
		.timer_c_ms = 185000,
		.ejection = { .last_resort = true },
		.max_transactions = options->max_transactions ? options->max_transactions : 1000,
		.max_in_progress = options->max_in_progress,
		.max_calls = options->max_calls ? options->max_calls : 1000,
		.message_mb = options->tiny_memory ? 0 : options->message_mb ? options->message_mb : 16,
		.max_call_age_ms = CALL_AGE_MS,
		.silent_to_unknown = options->silent_to_unknown,
		.server_name = options->server_name,
		.clock_offset_ms = 1700000000000,
	};
	h->config.call_key = token_dialog_key(&h->config.token_keys, h->config.token_keys.signing);
	h->proxy = proxy_new(&h->config, h->now_ms);
	assert_non_null(h->proxy);
}

const struct call_record *record_at(const struct harness *h, unsigned n)
{
	if (n >= h->record_count)
		fail_msg("wanted record %u, but there are %u", n, h->record_count);
	return &h->record[n % ARRAY_SIZE(h->record)];
}

void harness_end(struct harness *h)
{
	uint64_t end = h->now_ms + CALL_AGE_MS + 600000, due;
	struct proxy_gauges g;

	h->outbox_full = false;
	h->records_full = false;
	h->unreachable = NULL;
	while ((due = proxy_next_due(h->proxy)) != UINT64_MAX) {
		assert_true(due <= end);
		h->now_ms = due > h->now_ms ? due : h->now_ms + 1;
		proxy_advance(h->proxy, h->now_ms);
	}
	do {
		proxy_advance(h->proxy, ++h->now_ms); /* records that waited for room */
		proxy_gauges(h->proxy, &g);
	} while (g.records_waiting);
	assert_int_equal(h->starts, h->ends);
	assert_int_equal(g.server_transactions, 0);
	assert_int_equal(g.client_transactions, 0);
	assert_int_equal(g.live_calls, 0);
	assert_int_equal(g.message_bytes, 0);
	assert_int_equal(pool_in_use(h->proxy->contexts), 0);
	assert_int_equal(calls_open(h->proxy->calls), 0);
	for (unsigned i = 0; i < h->target_count; i++) {
		assert_int_equal(target_of(h, i, TARGET_RINGING), 0);
		assert_int_equal(target_of(h, i, TARGET_LIVE), 0);
		assert_int_equal(loads_calls(h->tables->loads, i), 0);
		assert_false(loads_repair(h->tables->loads, i));
	}
	if (!h->miscounted)
		assert_int_equal(counter_of(h, COUNTER_loads_corrected), 0);
	proxy_free(h->proxy);
	tables_free(h->tables);
	for (unsigned i = 0; i < h->sent_count; i++) {
		free(h->sent[i]->data);
		free(h->sent[i]);
	}
	free(h->sent);
	free(h->reserved);
	free(h->counters);
	free(h->targets);
}

/* ---- time */

/* As many turns as it takes: one does not do all of very much. */
static void advance_ms(struct harness *h)
{
	h->now_ms++;
	do
		proxy_advance(h->proxy, h->now_ms);
	while (proxy_next_due(h->proxy) <= h->now_ms);
}

void wait_ms(struct harness *h, uint64_t ms)
{
	while (ms--)
		advance_ms(h);
}

uint64_t wait_sent(struct harness *h)
{
	uint64_t from = h->now_ms;

	assert_int_equal(h->sent_read, h->sent_count);
	while (h->sent_read == h->sent_count) {
		if (h->now_ms - from > 240000)
			fail_msg("nothing was sent within four minutes");
		advance_ms(h);
	}
	return h->now_ms - from;
}

uint64_t counter_of(const struct harness *h, enum counter which)
{
	return counter_read(h->counters, which);
}

uint64_t target_of(const struct harness *h, unsigned i, enum target_count which)
{
	return atomic_load_explicit(&h->targets[i].count[which], memory_order_relaxed);
}

int harness_run(const char *name, const struct CMUnitTest *tests, size_t count)
{
	eal_for_test("64");
	return _cmocka_run_group_tests(name, tests, count, NULL, NULL);
}
