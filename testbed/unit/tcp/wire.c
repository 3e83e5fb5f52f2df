/* SPDX-License-Identifier: Apache-2.0 */
#include "wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "net/bytes.h"

uint8_t wire_byte(unsigned sender, uint64_t position)
{
	return (uint8_t)((position * 167) ^ (position >> 8) ^ (position >> 16) ^ (sender ? 0x5a : 0));
}

/* ---- the wire: a heap by due time */

static bool sooner(const struct wire *w, uint32_t a, uint32_t b)
{
	const struct flying *x = &w->flying[a], *y = &w->flying[b];

	return x->due_us < y->due_us || (x->due_us == y->due_us && x->order < y->order);
}

static void heap_push(struct wire *w, uint32_t slot)
{
	unsigned i = w->count++;

	while (i && sooner(w, slot, w->heap[(i - 1) / 2])) {
		w->heap[i] = w->heap[(i - 1) / 2];
		i = (i - 1) / 2;
	}
	w->heap[i] = slot;
}

static uint32_t heap_pop(struct wire *w)
{
	uint32_t first = w->heap[0], last = w->heap[--w->count];
	unsigned i = 0, child;

	while ((child = 2 * i + 1) < w->count) {
		if (child + 1 < w->count && sooner(w, w->heap[child + 1], w->heap[child]))
			child++;
		if (!sooner(w, w->heap[child], last))
			break;
		w->heap[i] = w->heap[child];
		i = child;
	}
	w->heap[i] = last;
	return first;
}

static void fly(struct wire *w, unsigned from, const uint8_t *data, uint32_t bytes, const struct ip_port *source,
		const struct ip_port *destination, uint64_t after_us)
{
	uint32_t slot;

	assert_true(w->free_count);
	slot = w->free[--w->free_count];
	w->flying[slot].due_us = w->now_us + after_us;
	w->flying[slot].order = w->order++;
	w->flying[slot].from = from;
	w->flying[slot].source = *source;
	w->flying[slot].destination = *destination;
	w->flying[slot].bytes = bytes;
	memcpy(w->flying[slot].data, data, bytes);
	heap_push(w, slot);
}

/* Half of the payload, as if it had been cut into smaller segments of which the rest was lost; without payload, half of the header. */
static uint32_t truncate_segment(uint8_t *p, uint32_t bytes, const struct ip_port *source, const struct ip_port *destination)
{
	uint32_t header = (p[12] >> 4) * 4u;
	uint16_t sum = 0;

	if (bytes == header)
		return bytes / 2;
	bytes = header + (bytes - header) / 2;
	p[13] &= (uint8_t)~(FLAG_FIN | FLAG_PSH);
	memcpy(p + 16, &sum, 2);
	sum = tcp_segment_checksum(&source->ip, &destination->ip, span_of(p, bytes));
	memcpy(p + 16, &sum, 2);
	return bytes;
}

/* ---- handlers */

static uint8_t *reserve(void *ctx, uint32_t bytes)
{
	struct host *h = ctx;

	if (h->reserve_fails) {
		h->reserve_fails--;
		return NULL;
	}
	assert_true(bytes <= SEGMENT_MAX);
	return h->room;
}

static int commit(void *ctx, uint32_t bytes, const struct ip_port *source, const struct ip_port *destination)
{
	struct host *h = ctx;
	struct wire *w = h->wire;
	enum fate fate = PASS;
	struct segment s;

	if (h->commit_error)
		return h->commit_error;
	assert_int_equal(tcp_segment_parse(span_of(h->room, bytes), &s), 0);
	assert_int_equal(tcp_segment_checksum(&source->ip, &destination->ip, span_of(h->room, bytes)), 0);
	if (w->tap)
		w->tap(w, h->number, &s);
	if (w->fate)
		fate = w->fate(w, h->number, w->segments, &s);
	w->segments++;
	w->data_segments += s.data.n > 0;
	if (fate == LOSE)
		return 0;
	if (fate == TRUNCATE)
		bytes = truncate_segment(h->room, bytes, source, destination);
	fly(w, h->number, h->room, bytes, source, destination, fate == DELAY ? w->delay_us * 5 / 2 : w->delay_us);
	if (fate == DUPLICATE)
		fly(w, h->number, h->room, bytes, source, destination, w->delay_us * 3 / 2);
	return 0;
}

static void opened(void *ctx, struct tcp_connection *c)
{
	struct host *h = ctx;

	h->c = c;
	h->opened++;
}

static uint32_t data(void *ctx, struct tcp_connection *c, struct span bytes)
{
	struct host *h = ctx;
	uint64_t room = h->take_limit > h->received ? h->take_limit - h->received : 0;
	uint32_t n = bytes.n < room ? bytes.n : (uint32_t)room;

	assert_ptr_equal(c, h->c);
	if (h->on_data) {
		h->on_data(h);
		if (!h->c)
			return 0;
	}
	for (uint32_t i = 0; i < n; i++)
		h->wrong += bytes.p[i] != wire_byte(!h->number, h->received + i);
	h->received += n;
	return n;
}

static void writable(void *ctx, struct tcp_connection *c)
{
	struct host *h = ctx;

	h->writable++;
}

static void peer_closed(void *ctx, struct tcp_connection *c)
{
	struct host *h = ctx;

	h->peer_closed++;
	if (h->close_when_closed && h->sent == h->to_send)
		tcp_close(h->tcp, c);
}

static void closed(void *ctx, struct tcp_connection *c, enum tcp_end why)
{
	struct host *h = ctx;

	assert_ptr_equal(c, h->c);
	h->closed++;
	h->why = why;
	h->c = NULL;
}

static const struct tcp_handlers handlers = {
	.reserve = reserve, .commit = commit, .opened = opened, .data = data, .writable = writable, .peer_closed = peer_closed, .closed = closed,
};

/* ---- setting up */

struct tcp_config wire_config(void)
{
	struct tcp_config c = tcp_config_default();

	c.connections = 64;
	c.half_open = 16;
	c.time_wait = 32;
	c.buffer_bytes = 4 << 20;
	c.keepalive_ms = 0;
	return c;
}

static void host_new(struct wire *w, unsigned number, const struct tcp_config *config)
{
	struct host *h = &w->host[number];
	struct tcp_config c = *config;

	h->wire = w;
	h->number = number;
	c.handlers = &handlers;
	c.ctx = h;
	c.counters = &h->counters;
	c.tuple_key = (struct hash_key){ 1, 2 + number };
	c.secret = (struct hash_key){ 3 + number, 4 };
	if (tcp_config_fault(&c))
		fail_msg("%s", tcp_config_fault(&c));
	assert_int_equal(tcp_new(&c, w->now_us, &h->tcp), 0);
}

struct wire *wire_new(const struct tcp_config *a, const struct tcp_config *b, bool v6)
{
	struct wire *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	w->now_us = 1000000000;
	w->delay_us = 5000;
	for (unsigned i = 0; i < FLIGHT_MAX; i++)
		w->free[w->free_count++] = i;
	for (unsigned i = 0; i < 2; i++) {
		if (v6)
			w->address[i] = (struct ip_port){ { { 0x20, 1, 0xd, 0xb8, [15] = (uint8_t)(i + 1) }, IP_V6 }, i ? 5060 : 0 };
		else
			w->address[i] = (struct ip_port){ { { 192, 0, 2, (uint8_t)(i + 1) }, IP_V4 }, i ? 5060 : 0 };
	}
	host_new(w, 0, a);
	host_new(w, 1, b);
	assert_int_equal(tcp_listen(w->host[1].tcp, &w->address[1]), 0);
	wire_reset(w);
	return w;
}

void wire_free(struct wire *w)
{
	tcp_free(w->host[0].tcp);
	tcp_free(w->host[1].tcp);
	free(w);
}

void wire_reset(struct wire *w)
{
	for (unsigned i = 0; i < 2; i++) {
		struct host *h = &w->host[i], keep = *h;

		memset(&h->c, 0, sizeof(*h) - offsetof(struct host, c));
		h->c = keep.c;
		h->take_limit = UINT64_MAX;
		h->close_when_closed = true;
	}
	w->segments = w->data_segments = 0;
}

void wire_connect(struct wire *w)
{
	assert_int_equal(tcp_connect(w->host[0].tcp, &w->address[0], &w->address[1], NULL, &w->host[0].c), 0);
}

/* ---- running */

static void push(struct host *h)
{
	uint8_t block[1024];

	while (h->c && h->sent < h->to_send) {
		uint64_t left = h->to_send - h->sent;
		uint32_t n = left < sizeof(block) ? (uint32_t)left : (uint32_t)sizeof(block), taken;

		for (uint32_t i = 0; i < n; i++)
			block[i] = wire_byte(h->number, h->sent + i);
		taken = tcp_send(h->tcp, h->c, span_of(block, n));
		h->sent += taken;
		if (taken < n)
			break;
	}
	if (h->c && h->opened && h->sent == h->to_send && (h->close_when_sent || (h->close_when_closed && h->peer_closed)))
		tcp_close(h->tcp, h->c);
}

void wire_push(struct wire *w)
{
	push(&w->host[0]);
	push(&w->host[1]);
}

static void deliver(struct wire *w, uint32_t slot)
{
	struct flying *f = &w->flying[slot];
	struct host *to = &w->host[!f->from];
	struct tcp_packet p = { .source = f->source.ip, .destination = f->destination.ip };
	uint8_t *exact = malloc(f->bytes ? f->bytes : 1);

	assert_non_null(exact);
	memcpy(exact, f->data, f->bytes);
	p.segment = span_of(exact, f->bytes);
	p.hash = tcp_packet_hash(&to->tcp->config.tuple_key, &p);
	w->free[w->free_count++] = slot;
	tcp_input(to->tcp, &p, w->now_us);
	free(exact);
}

/* To the next thing that happens. false: nothing does before `end`. */
static bool step(struct wire *w, uint64_t end)
{
	uint64_t next = w->count ? w->flying[w->heap[0]].due_us : UINT64_MAX, due;

	wire_push(w);
	for (unsigned i = 0; i < 2; i++)
		tcp_flush(w->host[i].tcp, w->now_us);
	if (w->count && w->flying[w->heap[0]].due_us < next)
		next = w->flying[w->heap[0]].due_us;
	for (unsigned i = 0; i < 2; i++) {
		due = tcp_next_due(w->host[i].tcp);
		if (due != UINT64_MAX && due <= w->now_us)
			due = w->now_us + 1000;
		if (due < next)
			next = due;
	}
	if (next > end)
		return false;
	if (next > w->now_us)
		w->now_us = next;
	for (unsigned i = 0; i < 2; i++)
		tcp_advance(w->host[i].tcp, w->now_us);
	while (w->count && w->flying[w->heap[0]].due_us <= w->now_us)
		deliver(w, heap_pop(w));
	for (unsigned i = 0; i < 2; i++)
		if (w->host[i].c && !tcp_sound(w->host[i].tcp, w->host[i].c))
			fail_msg("host %u: what its connection holds is not consistent (%s)", i, tcp_state_name(tcp_state(w->host[i].c)));
	return true;
}

bool wire_until(struct wire *w, uint64_t for_us, bool (*done)(const struct wire *w))
{
	uint64_t end = w->now_us + for_us;

	while (!done(w))
		if (!step(w, end))
			return false;
	return true;
}

uint64_t wire_run(struct wire *w, uint64_t for_us)
{
	uint64_t end = w->now_us + for_us, steps = 0;

	while (step(w, end))
		steps++;
	w->now_us = end;
	for (unsigned i = 0; i < 2; i++)
		tcp_advance(w->host[i].tcp, w->now_us);
	return steps;
}

void wire_inject(struct wire *w, unsigned to, const struct segment *s)
{
	const struct tcp_connection *c = w->host[to].c;
	struct tcp_packet p = { .source = c ? c->remote.ip : w->address[!to].ip, .destination = w->address[to].ip };
	uint8_t buffer[SEGMENT_MAX];
	struct segment h = *s;
	uint32_t n;
	uint16_t sum;

	if (!h.source_port)
		h.source_port = c ? c->remote.port : 40000;
	if (!h.destination_port)
		h.destination_port = c ? c->local.port : w->address[to].port;
	n = tcp_segment_write(&h, buffer);
	if (s->data.n)
		memcpy(buffer + n, s->data.p, s->data.n);
	sum = tcp_segment_checksum(&p.source, &p.destination, span_of(buffer, n + s->data.n));
	memcpy(buffer + 16, &sum, 2);
	p.segment = span_of(buffer, n + s->data.n);
	p.hash = tcp_packet_hash(&w->host[to].tcp->config.tuple_key, &p);
	tcp_input(w->host[to].tcp, &p, w->now_us);
}

uint64_t wire_counter(const struct wire *w, unsigned host, enum counter which)
{
	return counter_read(&w->host[host].counters, which);
}

void wire_assert_empty(struct wire *w)
{
	for (unsigned i = 0; i < 2; i++) {
		struct tcp_usage usage;

		tcp_usage(w->host[i].tcp, &usage);
		assert_int_equal(usage.connections, 0);
		assert_int_equal(usage.half_open, 0);
		assert_int_equal(usage.time_wait, 0);
		assert_int_equal(usage.sources, 0);
		assert_int_equal(usage.buffer_bytes, 0);
		assert_true(tcp_next_due(w->host[i].tcp) == UINT64_MAX);
	}
}
