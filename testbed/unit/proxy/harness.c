/* SPDX-License-Identifier: Apache-2.0 */
#include "harness.h"

#include "base/pool.h"
#include "tables/access.h"
#include "tables/endpoints.h"
#include "tables/epoch.h"
#include "tables/numbers.h"

#define CALL_AGE_MS (12ull * 3600 * 1000)

struct ip_port addr_of(const char *text)
{
	struct ip_port a;

	if (ip_port_parse(span_str(text), 5060, &a))
		fail_msg("%s is no address", text);
	return a;
}

/* ---- the outbox */

static uint8_t *outbox_reserve(void *ctx, uint32_t bytes)
{
	struct harness *h = ctx;

	free(h->reserved);
	h->reserved = NULL;
	if (h->outbox_full)
		return NULL;
	assert_true(bytes > 0 && bytes <= SLAB_BYTES_MAX);
	h->reserved = malloc(bytes);
	h->reserved_bytes = bytes;
	return h->reserved;
}

static int outbox_commit(void *ctx, uint32_t len, const struct flow *to)
{
	struct harness *h = ctx;
	struct ip_port nowhere;
	struct sent *s;

	assert_non_null(h->reserved);
	assert_true(len <= h->reserved_bytes);
	if (h->unreachable) {
		nowhere = addr_of(h->unreachable);
		if (ip_port_eq(&to->remote, &nowhere))
			return -ERR_UNREACHABLE;
	}
	/* It leaves by one of our own addresses, of the family it goes to. */
	assert_true(listener_at(h->proxy, &to->local) >= 0);
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
		struct endpoint_config e = { .addr = addr_of(*endpoints), .priority = t->endpoint_count, .weight = 1,
					     .trunk_slot = h->trunk_slot[i] };

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
					 .target_count = (uint16_t)h->target_count, .targets = targets };
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
			.enabled = true,
			.endpoint_count = t->endpoint_count,
			.endpoints = t->endpoints,
			.priorities = priorities,
			.weights = weights,
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
	static const struct tables_limits limits = { 1, 100, 100, 8, HARNESS_TRUNKS, HARNESS_ENDPOINTS };
	static const char *const caller_sources[] = { "10.1.0.0/24", "fd01::/64", NULL };
	static const struct {
		const char *name, *endpoints[2], *sources[2];
	} targets[] = { { "a", { A }, { "10.2.0.0/24" } }, { "b", { B }, { "10.3.0.0/24" } }, { "c", { C }, { "10.4.0.0/24" } } };
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
		harness_trunk(h, targets[i].name, targets[i].endpoints, targets[i].sources);
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
		.listeners = { { addr_of(US), TRANSPORT_UDP }, { addr_of(US6), TRANSPORT_UDP } },
		.listener_count = 2,
		.call_key = { 1, 2 },
		.branch_key = { 3, 4 },
		.token_keys = { .key = { { 5, 6 } }, .present = { true } },
		.node = 7,
		.boot = 8,
		.timers = { 500, 4000, 5000 },
		.timer_c_ms = 185000,
		.max_transactions = options->max_transactions ? options->max_transactions : 1000,
		.max_calls = options->max_calls ? options->max_calls : 1000,
		.message_mb = options->tiny_memory ? 0 : options->message_mb ? options->message_mb : 16,
		.max_call_age_ms = CALL_AGE_MS,
		.silent_to_unknown = options->silent_to_unknown,
		.server_name = options->server_name,
		.clock_offset_s = 1700000000,
	};
	h->proxy = proxy_new(&h->config, h->now_ms);
	assert_non_null(h->proxy);
}

void harness_end(struct harness *h)
{
	uint64_t end = h->now_ms + CALL_AGE_MS + 600000, due;
	struct proxy_gauges g;

	h->outbox_full = false;
	h->unreachable = NULL;
	while ((due = proxy_next_due(h->proxy)) != UINT64_MAX) {
		assert_true(due <= end);
		h->now_ms = due > h->now_ms ? due : h->now_ms + 1;
		proxy_advance(h->proxy, h->now_ms);
	}
	proxy_gauges(h->proxy, &g);
	assert_int_equal(g.server_transactions, 0);
	assert_int_equal(g.client_transactions, 0);
	assert_int_equal(g.live_calls, 0);
	assert_int_equal(g.message_bytes, 0);
	assert_int_equal(pool_in_use(h->proxy->contexts), 0);
	assert_int_equal(calls_open(h->proxy->calls), 0);
	for (unsigned i = 0; i < h->target_count; i++) {
		assert_int_equal(target_of(h, i, TARGET_RINGING), 0);
		assert_int_equal(target_of(h, i, TARGET_LIVE), 0);
	}
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

void wait_ms(struct harness *h, uint64_t ms)
{
	while (ms--)
		proxy_advance(h->proxy, ++h->now_ms);
}

uint64_t wait_sent(struct harness *h)
{
	uint64_t from = h->now_ms;

	assert_int_equal(h->sent_read, h->sent_count);
	while (h->sent_read == h->sent_count) {
		if (h->now_ms - from > 240000)
			fail_msg("nothing was sent within four minutes");
		proxy_advance(h->proxy, ++h->now_ms);
	}
	return h->now_ms - from;
}

/* ---- messages in */

void send_bytes(struct harness *h, const char *source, const char *to, const void *data, uint32_t len)
{
	struct flow from = { .remote = addr_of(source), .local = addr_of(to), .transport = TRANSPORT_UDP };
	uint8_t *exact = malloc(len ? len : 1);

	memcpy(exact, data, len);
	proxy_datagram(h->proxy, exact, len, &from, h->now_ms);
	free(exact);
}

void send_text(struct harness *h, const char *source, const char *text)
{
	send_bytes(h, source, source[0] == '[' ? US6 : US, text, (uint32_t)strlen(text));
}

static const char *or_else(const char *text, const char *otherwise)
{
	return text ? text : otherwise;
}

static char *scratch(void)
{
	static char texts[16][70000];
	static unsigned turn;

	return texts[turn++ % ARRAY_SIZE(texts)];
}

const char *request_text(const struct request *r)
{
	char *out = scratch();
	const char *method = or_else(r->method, "INVITE"), *hops = or_else(r->hops, "70"), *body = or_else(r->body, "");
	const char *contact = or_else(r->contact, "<sip:caller@10.1.0.1:5060>");

	snprintf(out, 70000,
		 "%s %s SIP/2.0\r\nVia: %s\r\n%s%s%sFrom: %s\r\nTo: %s\r\nCall-ID: %s\r\nCSeq: %u %s\r\n%s%s%s%sContent-Length: %zu\r\n\r\n%s",
		 method, or_else(r->uri, NUMBER), or_else(r->via, VIA), hops[0] ? "Max-Forwards: " : "", hops, hops[0] ? "\r\n" : "",
		 or_else(r->from, "<sip:caller@10.1.0.1>;tag=from"), or_else(r->to, "<sip:callee@10.0.0.1>"),
		 or_else(r->call_id, "call-1"), r->cseq ? r->cseq : 1, method, contact[0] ? "Contact: " : "", contact,
		 contact[0] ? "\r\n" : "", or_else(r->headers, ""), strlen(body), body);
	return out;
}

void request_send(struct harness *h, const struct request *r)
{
	send_text(h, or_else(r->source, CALLER), request_text(r));
}

void ack_send(struct harness *h, const struct request *r, const struct sent *final)
{
	struct request ack = *r;

	ack.method = "ACK";
	ack.to = sent_header(final, "To", 0);
	ack.contact = "";
	ack.body = NULL;
	request_send(h, &ack);
}

void cancel_send(struct harness *h, const struct request *r)
{
	struct request cancel = *r;

	cancel.method = "CANCEL";
	cancel.contact = "";
	cancel.body = NULL;
	request_send(h, &cancel);
}

char *answer_text(const struct sent *request, unsigned status, const char *to_tag, const char *headers)
{
	struct sip_message *m = sent_view(request);
	char *out = scratch();
	size_t n = (size_t)sprintf(out, "SIP/2.0 %u Reason\r\n", status);
	static const uint8_t copied[] = { SIP_H_VIA, SIP_H_RECORD_ROUTE, SIP_H_FROM, SIP_H_TO, SIP_H_CALL_ID, SIP_H_CSEQ };

	assert_true(m->is_request);
	for (unsigned i = 0; i < ARRAY_SIZE(copied); i++) {
		if (copied[i] == SIP_H_RECORD_ROUTE && (status == 100 || status >= 300))
			continue;
		for (int line = m->first[copied[i]]; line >= 0; line = m->headers[line].next) {
			struct span name = sip_name(m, line), value = sip_value(m, line);

			n += (size_t)sprintf(out + n, "%.*s: %.*s%s%s\r\n", (int)name.n, (const char *)name.p, (int)value.n,
					     (const char *)value.p,
					     copied[i] == SIP_H_TO && to_tag && to_tag[0] && !m->to_tag.p ? ";tag=" : "",
					     copied[i] == SIP_H_TO && to_tag && !m->to_tag.p ? to_tag : "");
		}
	}
	sprintf(out + n, "%sContent-Length: 0\r\n\r\n", headers ? headers : "");
	return out;
}

void answer(struct harness *h, const struct sent *request, unsigned status, const char *to_tag, const char *headers)
{
	char source[IP_PORT_TEXT_MAX];

	ip_port_format(&request->to.remote, source);
	send_text(h, source, answer_text(request, status, to_tag, headers));
}

/* ---- messages out */

struct sip_message *sent_view(const struct sent *s)
{
	static struct sip_message views[8];
	static unsigned turn;
	struct sip_message *m = &views[turn++ % ARRAY_SIZE(views)];

	if (sip_parse(s->data, s->len, m) != SIP_OK)
		fail_msg("sent what cannot be read (fault %d):\n%.*s", m->fault, (int)s->len, (const char *)s->data);
	return m;
}

static const struct sent *expect(struct harness *h, const char *what, const char *to)
{
	struct ip_port addr = addr_of(to);
	const struct sent *s;
	char text[IP_PORT_TEXT_MAX];

	if (h->sent_read == h->sent_count)
		fail_msg("wanted %s to %s, but nothing was sent", what, to);
	s = h->sent[h->sent_read++];
	ip_port_format(&s->to.remote, text);
	if (!ip_port_eq(&s->to.remote, &addr))
		fail_msg("wanted %s to %s, sent to %s:\n%.*s", what, to, text, (int)s->len, (const char *)s->data);
	return s;
}

const struct sent *expect_request(struct harness *h, const char *method, const char *to)
{
	const struct sent *s = expect(h, method, to);
	struct sip_message *m = sent_view(s);

	if (!m->is_request || !span_eq(m->method_name, span_str(method)))
		fail_msg("wanted %s to %s, sent\n%.*s", method, to, (int)s->len, (const char *)s->data);
	return s;
}

const struct sent *expect_response(struct harness *h, unsigned status, const char *to)
{
	const struct sent *s;
	char what[16];
	struct sip_message *m;

	snprintf(what, sizeof(what), "%u", status);
	s = expect(h, what, to);
	m = sent_view(s);
	if (m->is_request || m->status != status)
		fail_msg("wanted %u to %s, sent\n%.*s", status, to, (int)s->len, (const char *)s->data);
	return s;
}

void expect_nothing(struct harness *h)
{
	if (h->sent_read != h->sent_count)
		fail_msg("wanted nothing, sent\n%.*s", (int)h->sent[h->sent_read]->len, (const char *)h->sent[h->sent_read]->data);
}

bool sent_has(const struct sent *s, const char *text)
{
	return memmem(s->data, s->len, text, strlen(text)) != NULL;
}

bool sent_equal(const struct sent *a, const struct sent *b)
{
	return a->len == b->len && !memcmp(a->data, b->data, a->len) && ip_port_eq(&a->to.remote, &b->to.remote);
}

static char *copy_span(struct span s)
{
	char *out = scratch();

	memcpy(out, s.p, s.n);
	out[s.n] = 0;
	return out;
}

const char *sent_header(const struct sent *s, const char *name, unsigned n)
{
	struct sip_message *m = sent_view(s);

	for (int i = 0; i < m->header_count; i++)
		if (span_ieq_str(sip_name(m, i), name) && !n--)
			return copy_span(sip_value(m, i));
	return "";
}

unsigned sent_lines(const struct sent *s, const char *name)
{
	struct sip_message *m = sent_view(s);
	unsigned n = 0;

	for (int i = 0; i < m->header_count; i++)
		n += span_ieq_str(sip_name(m, i), name);
	return n;
}

const char *sent_uri(const struct sent *s)
{
	return copy_span(sent_view(s)->request_uri);
}

/* ---- dialogs */

/* The Record-Routes of a message as Route lines, forwards for the UAS, backwards for the UAC (RFC 3261 §12.1). */
static void routes_of(const struct sent *s, bool backwards, char *out)
{
	unsigned n = sent_lines(s, "Record-Route");

	*out = 0;
	for (unsigned i = 0; i < n; i++)
		out += sprintf(out, "Route: %s\r\n", sent_header(s, "Record-Route", backwards ? n - 1 - i : i));
}

void dialog_open(struct harness *h, const struct request *r, const char *target, const char *target_contact, struct dialog *d)
{
	const char *source = r && r->source ? r->source : CALLER;
	const struct sent *invite, *ok;
	char headers[512];

	memset(d, 0, sizeof(*d));
	if (r)
		d->invite = *r;
	d->target = target;
	if (target_contact)
		snprintf(d->target_contact, sizeof(d->target_contact), "%s", target_contact);
	else
		snprintf(d->target_contact, sizeof(d->target_contact), "<sip:target@%s>", target);
	snprintf(d->caller_contact, sizeof(d->caller_contact), "%s", or_else(d->invite.contact, "<sip:caller@10.1.0.1:5060>"));
	snprintf(headers, sizeof(headers), "Contact: %s\r\n", d->target_contact);
	request_send(h, &d->invite);
	expect_response(h, 100, source);
	invite = expect_request(h, "INVITE", target);
	answer(h, invite, 180, "to", headers);
	expect_response(h, 180, source);
	answer(h, invite, 200, "to", headers);
	ok = expect_response(h, 200, source);
	routes_of(invite, false, d->target_routes);
	routes_of(ok, true, d->caller_routes);
	snprintf(d->caller_from, sizeof(d->caller_from), "%s", sent_header(ok, "From", 0));
	snprintf(d->caller_to, sizeof(d->caller_to), "%s", sent_header(ok, "To", 0));
	dialog_send(h, d, TOKEN_FROM_CALLER, "ACK", d->invite.cseq ? d->invite.cseq : 1, NULL);
}

static char *uri_in(const char *contact)
{
	char *out = scratch();

	snprintf(out, 512, "%s", contact[0] == '<' ? contact + 1 : contact);
	out[strcspn(out, ">")] = 0;
	return out;
}

void dialog_send(struct harness *h, const struct dialog *d, enum token_side side, const char *method, unsigned cseq, const char *via)
{
	static unsigned fresh = 100;
	bool caller = side == TOKEN_FROM_CALLER;
	const char *source = caller ? or_else(d->invite.source, CALLER) : d->target;
	char own_via[128];
	struct request r = {
		.method = method,
		.uri = uri_in(caller ? d->target_contact : d->caller_contact),
		.via = via ? via : own_via,
		.from = caller ? d->caller_from : d->caller_to,
		.to = caller ? d->caller_to : d->caller_from,
		.call_id = d->invite.call_id,
		.cseq = cseq ? cseq : ++fresh,
		.headers = caller ? d->caller_routes : d->target_routes,
		.contact = "",
		.source = source,
	};

	snprintf(own_via, sizeof(own_via), "SIP/2.0/UDP %s;rport;branch=z9hG4bKd%u", source, ++fresh);
	request_send(h, &r);
}

void dialog_close(struct harness *h, const struct dialog *d)
{
	const struct sent *bye;

	dialog_send(h, d, TOKEN_FROM_CALLER, "BYE", 0, NULL);
	bye = expect_request(h, "BYE", d->target);
	answer(h, bye, 200, NULL, NULL);
	expect_response(h, 200, or_else(d->invite.source, CALLER));
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
