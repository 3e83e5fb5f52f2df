/* SPDX-License-Identifier: Apache-2.0 */
/* The whole request path: an input is a script of datagrams from a caller, two targets and a stranger, with the time moved between them. A
 * line that begins with %% ends a datagram and says what comes next:
 *
 *     %%C  from the caller      %%T  from the first target    %%U  from the second    %%S  from a stranger
 *     %%I  an ICMP error that quotes what was last sent to a target                    %%+N N ms later
 *     %%P  a probe of ours to the first target: the datagram is the message
 *
 * In a datagram @B stands for the branch, and @T for the Record-Route token, that were last sent to a target.
 *
 * What must hold: each request sent is itself well-formed and goes to a target or the caller; a stranger gets nothing but answers to its own
 * requests; one datagram causes a bounded number of others; each probe has one end; when all timers have run nothing is left, and each call that was put on record
 * as answered was put on record as ended. */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <rte_eal.h>

#include "base/counters.h"
#include "proxy/proxy.h"
#include "proxy/stats.h"
#include "proxy/trace.h"
#include "sip/branch.h"
#include "sip/message.h"
#include "sip/via.h"
#include "tables/access.h"
#include "tables/call_record.h"
#include "tables/domains.h"
#include "tables/endpoints.h"
#include "tables/epoch.h"
#include "tables/numbers.h"
#include "tables/probe.h"
#include "tables/profiles.h"
#include "tables/tables.h"
#include "tables/trunks.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REPLIES_MAX 32 /* messages that one datagram or one millisecond may cause, ring of all targets included */
#define TEXT_MAX    16384

static struct {
	struct tables *tables;
	struct proxy *proxy;
	struct counters counters;
	struct ip_port us, caller, target[2], stranger;
	uint64_t now_ms;
	bool stranger_spoke;
	unsigned sent, offered, starts, ends, probes, probes_done;
	struct call_record record; /* in the control thread's mailbox, the only place there */
	uint8_t out[65536];
	uint8_t quoted[512]; /* the last request to a target */
	uint32_t quoted_len;
	struct ip_port quoted_to;
	char branch[128], token[256];
	struct trace *trace;
	uint64_t committed[256]; /* digests of what was sent last, in turn */
	uint64_t commits, traced;
} w;

static struct sip_message view;

#define REQUIRE(condition)                                                                                             \
	do {                                                                                                           \
		if (!(condition)) {                                                                                    \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                                \
			abort();                                                                                       \
		}                                                                                                      \
	} while (0)

static uint8_t *reserve(void *ctx, uint32_t bytes, const struct flow *to)
{
	return bytes <= sizeof(w.out) ? w.out : NULL;
}

static void remember(uint32_t len, const struct flow *to)
{
	struct span rest = sip_first(&view, SIP_H_VIA), route = sip_first(&view, SIP_H_RECORD_ROUTE);
	const uint8_t *at;
	struct via top;

	if (via_next(&rest, &top) == 1 && top.branch.n < sizeof(w.branch))
		snprintf(w.branch, sizeof(w.branch), "%.*s", (int)top.branch.n, (const char *)top.branch.p);
	at = route.n ? memchr(route.p, '@', route.n) : NULL;
	if (at && (size_t)(at - route.p) < sizeof(w.token) && at - route.p > 5)
		snprintf(w.token, sizeof(w.token), "%.*s", (int)(at - route.p - 5), (const char *)route.p + 5);
	w.quoted_len = len < sizeof(w.quoted) ? len : sizeof(w.quoted);
	memcpy(w.quoted, w.out, w.quoted_len);
	w.quoted_to = to->remote;
}

/* The version is compared without case (RFC 3261 §7.1). */
static bool is_response(void)
{
	return strncasecmp((const char *)w.out, "SIP/2.0 ", 8) == 0;
}

/* Of as much as the trace keeps. */
static uint64_t digest(const uint8_t *message, uint32_t len)
{
	uint64_t h = len;

	for (uint32_t i = 0; i < len && i < TRACE_MESSAGE_MAX; i++)
		h = (h ^ message[i]) * 0x100000001b3;
	return h;
}

static void count_traced(void *ctx, const struct trace_entry *e, const uint8_t *message)
{
	w.traced += e->direction == TRACE_OUT;
}

static void hold_against(void *ctx, const struct trace_entry *e, const uint8_t *message)
{
	if (e->direction == TRACE_OUT && w.traced-- <= 256)
		REQUIRE(digest(message, e->len) == w.committed[(w.commits - w.traced - 1) % 256]);
}

/* What left stands in the trace as it was sent, however it is kept there. */
static void check_trace(void)
{
	trace_flush(w.trace, 0);
	w.traced = 0;
	trace_read(w.trace, 0, count_traced, NULL);
	REQUIRE(w.traced <= w.commits);
	trace_read(w.trace, 0, hold_against, NULL);
}

static int commit(void *ctx, uint32_t len, const struct flow *to)
{
	bool to_target = ip_eq(&to->remote.ip, &w.target[0].ip) || ip_eq(&to->remote.ip, &w.target[1].ip);

	REQUIRE(len && len <= sizeof(w.out));
	w.committed[w.commits++ % 256] = digest(w.out, len);
	REQUIRE(ip_port_eq(&to->local, &w.us));
	REQUIRE(++w.sent <= REPLIES_MAX);
	if (!is_response()) {
		/* What a probe says is the control plane's own business, here the fuzzer's. */
		if (sip_parse(w.out, len, &view) != SIP_OK) {
			REQUIRE(w.probes > 0 && to_target);
			return 0;
		}
		REQUIRE(to_target || ip_eq(&to->remote.ip, &w.caller.ip));
		if (to_target)
			remember(len, to);
	}
	if (ip_eq(&to->remote.ip, &w.stranger.ip))
		REQUIRE(w.stranger_spoke && is_response());
	return 0;
}

/* The control thread's mailbox, which has no room now and then. */
static struct call_record *record_room(void *ctx)
{
	return ++w.offered % 4 == 0 ? NULL : &w.record;
}

static void record_written(void *ctx)
{
	const struct call_record *r = &w.record;

	REQUIRE(r->attempt_count <= ATTEMPTS_MAX && r->call_id_len <= RECORD_CALL_ID_MAX);
	REQUIRE(r->kind == RECORD_START || r->ended_ms);
	w.starts += r->kind == RECORD_START;
	w.ends += r->kind == RECORD_END;
}

/* ---- the script */

static uint32_t substitute(const uint8_t *in, uint32_t n, uint8_t *out)
{
	uint32_t used = 0;

	for (uint32_t i = 0; i < n && used < TEXT_MAX - 256; i++) {
		const char *text = in[i] != '@' || i + 1 == n ? NULL : in[i + 1] == 'B' ? w.branch : in[i + 1] == 'T' ? w.token : NULL;

		if (!text) {
			out[used++] = in[i];
			continue;
		}
		memcpy(out + used, text, strlen(text));
		used += (uint32_t)strlen(text);
		i++;
	}
	return used;
}

static void datagram(char who, const uint8_t *in, uint32_t n)
{
	static uint8_t text[TEXT_MAX];
	struct flow from = { .remote = w.caller, .local = w.us, .transport = TRANSPORT_UDP };
	uint32_t len = substitute(in, n, text);
	uint8_t *exact = malloc(len ? len : 1); /* so that a read beyond the end is seen */
	struct cmac branch_mac;

	if (who == 'T' || who == 'U')
		from.remote = w.target[who == 'U'];
	if (who == 'S')
		from.remote = w.stranger;
	w.stranger_spoke = who == 'S';
	w.sent = 0;
	memcpy(exact, text, len);
	proxy_datagram(w.proxy, exact, len, &from, w.now_ms);
	branch_key(&branch_mac, &(struct hash_key){ 3, 4 });
	proxy_owner(&(struct hash_key){ 1, 2 }, &branch_mac, 2, 0, exact, len);
	free(exact);
}

static void probe_done(void *ctx, const struct probe_result *result, uint64_t started)
{
	w.probes_done++;
	REQUIRE(result->id == started);
}

static void probe(const uint8_t *in, uint32_t n)
{
	struct probe_request r = { .id = ++w.probes, .to = w.target[0], .timeout_ms = 2000 };

	r.len = (uint16_t)(n < PROBE_MESSAGE_MAX ? n : PROBE_MESSAGE_MAX);
	memcpy(r.message, in, r.len);
	w.sent = 0;
	proxy_probe(w.proxy, &r, w.probes, w.now_ms);
}

static void later(uint64_t ms)
{
	uint64_t end = w.now_ms + ms;

	while (w.now_ms < end) {
		uint64_t due = proxy_next_due(w.proxy);

		w.now_ms = due <= w.now_ms ? w.now_ms + 1 : due < end ? due : end;
		w.sent = 0;
		proxy_advance(w.proxy, w.now_ms);
	}
}

static void step(const char *what, const uint8_t *in, uint32_t n)
{
	if (what[0] == '+') {
		unsigned ms = (unsigned)strtoul(what + 1, NULL, 10);

		later(ms % 100000);
	} else if (what[0] == 'I') {
		w.sent = 0;
		proxy_icmp_error(w.proxy, w.quoted, w.quoted_len, &w.quoted_to, w.now_ms);
	} else if (what[0] == 'P') {
		probe(in, n);
	} else {
		datagram(what[0], in, n);
	}
}

/* All timers run out; then every transaction, call and kept message must be gone. */
static void settle(void)
{
	struct proxy_gauges g;

	for (unsigned i = 0; i < 1000000 && proxy_next_due(w.proxy) != UINT64_MAX; i++) {
		uint64_t due = proxy_next_due(w.proxy);

		w.now_ms = due > w.now_ms ? due : w.now_ms + 1;
		w.sent = 0;
		proxy_advance(w.proxy, w.now_ms);
	}
	while (proxy_gauges(w.proxy, &g), g.records_waiting)
		proxy_advance(w.proxy, ++w.now_ms);
	REQUIRE(w.starts == w.ends && w.probes == w.probes_done);
	REQUIRE(!g.server_transactions && !g.client_transactions && !g.live_calls && !g.message_bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *at = data, *end = data + size;
	char what[8] = "C";

	w.quoted_len = 0; /* nothing of one input may help another */
	snprintf(w.branch, sizeof(w.branch), "z9hG4bK0");
	snprintf(w.token, sizeof(w.token), "0");
	while (at < end) {
		const uint8_t *mark = memmem(at, (size_t)(end - at), "\n%%", 3), *stop = mark ? mark + 1 : end;

		if (at == data && size > 2 && !memcmp(at, "%%", 2))
			stop = at;
		else
			step(what, at, (uint32_t)(stop - at));
		if (stop == end)
			break;
		at = memchr(stop, '\n', (size_t)(end - stop));
		at = at ? at + 1 : end;
		snprintf(what, sizeof(what), "%.*s", (int)(at - stop - 2 < 7 ? at - stop - 2 : 7), (const char *)stop + 2);
		if (at == end)
			step(what, at, 0);
	}
	settle();
	check_trace();
	return 0;
}

/* ---- the world */

static struct ip_port addr(const char *text)
{
	struct ip_port a;

	REQUIRE(ip_port_parse(span_str(text), 5060, &a) == 0);
	return a;
}

static uint32_t add_trunk(const char *name, const struct ip_port *end, const char *source)
{
	struct trunk t = { .profile_slot = PROFILE_NONE, .plan = { "44", "00", "0" }, .endpoint_count = 1, .prefix_count = 1 };
	struct endpoint_config e = { .addr = *end, .weight = 1 };
	uint32_t slot;

	snprintf(t.name, sizeof(t.name), "%s", name);
	t.id = trunk_id(span_str(name));
	REQUIRE(ip_prefix_parse(span_str(source), &t.prefixes[0]) == 0);
	e.id = endpoint_id(t.id, end, TRANSPORT_UDP);
	REQUIRE(endpoints_add(w.tables->endpoints, &e, &t.endpoints[0]) == 0);
	REQUIRE(trunks_add(w.tables->trunks, &t, &slot) == 0);
	e.trunk_slot = slot;
	REQUIRE(endpoints_update(w.tables->endpoints, t.endpoints[0], &e) == 0);
	return slot;
}

static uint32_t add_profile(const char *name, enum strategy strategy, const uint32_t *trunks)
{
	static const uint16_t priority, weight = 1;
	struct profile_target_source targets[2];
	struct profile_source source = {
		.name = name, .strategy = strategy, .knobs = profile_knobs_default(), .target_count = 2, .targets = targets
	};
	uint32_t slot;

	source.knobs.follow_redirects = true;
	source.knobs.decline_ends_target = strategy == STRATEGY_SIMULTANEOUS_RING;
	for (unsigned i = 0; i < 2; i++)
		targets[i] = (struct profile_target_source){
			trunks[i], i, i + 1, (uint16_t)i, 100, true, 1, trunks_get(w.tables->trunks, trunks[i])->endpoints, &priority, &weight
		};
	REQUIRE(profiles_add(w.tables->profiles, profile_compile(&source), &slot) == 0);
	return slot;
}

static void routing(void)
{
	struct range_entry sources[3];
	struct domain_entry domain = { .name = "ring.example.com" };
	uint32_t trunks[3];
	e164 number;

	trunks[0] = add_trunk("one", &w.target[0], "10.0.0.21");
	trunks[1] = add_trunk("two", &w.target[1], "10.0.0.22");
	trunks[2] = add_trunk("caller", &w.caller, "10.0.0.10");
	for (unsigned i = 0; i < 3; i++)
		sources[i] = (struct range_entry){ trunks_get(w.tables->trunks, trunks[i])->prefixes[0], trunks[i] };
	REQUIRE(access_publish(w.tables->access, sources, 3) == 0);
	REQUIRE(e164_parse(SPAN_LIT("+44"), &number) == 0);
	REQUIRE(numbers_set_prefix(w.tables->numbers, number, add_profile("failover", STRATEGY_FAILOVER, trunks)) == 0);
	domain.profile_slot = add_profile("ring", STRATEGY_SIMULTANEOUS_RING, trunks);
	domain_table_publish(w.tables->domains, domains_build(&domain, 1));
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	char *eal[] = { "fuzz", "--no-huge", "--no-shconf", "--no-pci", "--no-telemetry", "--log-level=error", "--iova-mode=va",
			"--lcores=0", "-m", "64", NULL };
	struct tables_limits limits = { 1, 1000, 100, 10, 10, 10 };
	struct proxy_config pc = {
		.outbox = { reserve, commit, NULL },
		.record_room = record_room,
		.record_written = record_written,
		.probe_done = probe_done,
		.ejection = { .after = 2, .after_failures = 3, .numbers = 1, .window_ms = 1000, .window_percent = 30, .window_calls = 4,
			      .first_ms = 1000, .max_ms = 8000, .share_percent = 50, .ramp_ms = 2000, .last_resort = true },
		.clock_offset_ms = 1700000000000,
		.branch_key = { 3, 4 },
		.token_keys = { .key = { { 5, 6 } }, .present = { true } },
		.node = 1,
		.boot = 1,
		.timers = { 500, 4000, 5000 },
		.timer_c_ms = 185000,
		.max_transactions = 64,
		.max_calls = 64,
		.message_mb = 8,
		.max_call_age_ms = 60000,
		.server_name = "Strowger",
	};
	cpu_set_t cores;

	REQUIRE(sched_getaffinity(0, sizeof(cores), &cores) == 0);
	REQUIRE(rte_eal_init((int)(sizeof(eal) / sizeof(eal[0])) - 1, eal) >= 0);
	REQUIRE(sched_setaffinity(0, sizeof(cores), &cores) == 0);
	w.us = addr("10.0.0.1");
	w.caller = addr("10.0.0.10");
	w.target[0] = addr("10.0.0.21");
	w.target[1] = addr("10.0.0.22");
	w.stranger = addr("10.0.0.66");
	w.now_ms = 1000000;
	w.tables = tables_new(&limits);
	REQUIRE(w.tables);
	routing();
	pc.tables = w.tables;
	pc.counters = &w.counters;
	pc.targets = calloc(TARGET_CELLS, sizeof(struct target_cell));
	pc.listeners[0].addr = w.us;
	pc.listener_count = 1;
	pc.trace = w.trace = trace_new(65536, 0);
	REQUIRE(w.trace);
	pc.call_key = token_dialog_key(&pc.token_keys, 0);
	w.proxy = pc.targets ? proxy_new(&pc, w.now_ms) : NULL;
	REQUIRE(w.proxy);
	return 0;
}
