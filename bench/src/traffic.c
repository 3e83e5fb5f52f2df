/* SPDX-License-Identifier: Apache-2.0 */
#include "traffic.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_cycles.h>
#include <rte_lcore.h>
#include <rte_mbuf.h>
#include <rte_ring.h>

#include "call.h"
#include "traffic_tcp.h"
#include "turn.h"
#include "worker_state.h"

#define BURST 32

static struct flight *spare_flights;

_Noreturn void traffic_stop(const char *why)
{
	fprintf(stderr, "bench: %s\n", why);
	exit(1);
}

struct flight *flight_new(void)
{
	struct flight *f = spare_flights;

	if (f)
		spare_flights = f->next;
	else if (!(f = malloc(sizeof(*f))))
		traffic_stop("out of memory");
	return f;
}

void traffic_reserve(uint32_t requests)
{
	struct flight *all = malloc(requests * sizeof(*all));

	if (!all)
		traffic_stop("out of memory");
	for (uint32_t i = 0; i < requests; i++) {
		memset(&all[i], 0, sizeof(all[i]));
		flight_free(&all[i]);
	}
}

void flight_free(struct flight *f)
{
	if (!f)
		return;
	f->next = spare_flights;
	spare_flights = f;
}

double traffic_ns(uint64_t cycles)
{
	return (double)cycles * 1e9 / (double)rte_get_tsc_hz();
}

struct traffic *traffic_new(struct world *w, uint32_t slots, uint32_t batch_max, enum mix mix)
{
	struct traffic *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->world = w;
	t->mix = mix;
	t->slots = slots;
	t->batch_max = batch_max;
	t->random = 42;
	t->calls = malloc(slots * sizeof(*t->calls));
	t->idle = malloc(slots * sizeof(*t->idle));
	t->live = malloc(slots * sizeof(*t->live));
	t->inputs = malloc(batch_max * sizeof(*t->inputs));
	t->frames = malloc(batch_max * sizeof(struct rte_mbuf *));
	if (!t->calls || !t->idle || !t->live || !t->inputs || !t->frames || !traffic_tcp_start(t))
		return NULL;
	/* Touched now, by what no compiler makes a calloc of: it must not count as the data plane's memory. */
	explicit_bzero(t->calls, slots * sizeof(*t->calls));
	explicit_bzero(t->idle, slots * sizeof(*t->idle));
	explicit_bzero(t->live, slots * sizeof(*t->live));
	memset(t->live, 0, slots * sizeof(*t->live));
	while (t->idle_count < slots) {
		t->idle[t->idle_count] = slots - 1 - t->idle_count;
		t->idle_count++;
	}
	return t;
}

void traffic_reset(struct traffic *t)
{
	t->in = t->out = t->in_bytes = t->out_bytes = t->cycles = t->units = 0;
}

uint64_t traffic_random(struct traffic *t)
{
	uint64_t x = t->random += 0x9e3779b97f4a7c15ULL;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ x >> 27) * 0x94d049bb133111ebULL;
	return x ^ x >> 31;
}

/* ---- calls */

struct call_name call_name_of(const struct traffic *t, uint32_t slot)
{
	uint64_t serial = (uint64_t)t->calls[slot].generation << 32 | slot, h = serial * 0x9e3779b97f4a7c15ULL;

	h ^= h >> 29;
	h *= 0xbf58476d1ce4e5b9ULL;
	h ^= h >> 32;
	return (struct call_name){ .serial = serial, .caller_ip = world_caller_ip((unsigned)(h % t->world->config.callers)),
				   .number = FIRST_NUMBER + (h >> 8) % t->world->config.numbers };
}

uint32_t traffic_fresh(struct traffic *t)
{
	uint32_t slot;

	if (!t->idle_count)
		traffic_stop("more calls than there is room for");
	slot = t->idle[--t->idle_count];
	t->calls[slot] = (struct call){ .generation = t->calls[slot].generation + 1 };
	return slot;
}

uint32_t traffic_pick(struct traffic *t)
{
	uint32_t at, slot;

	if (!t->live_count)
		traffic_stop("no call is idle");
	at = t->sequential ? t->serials++ % t->live_count : (uint32_t)(traffic_random(t) % t->live_count);
	slot = t->live[at];
	t->live[at] = t->live[--t->live_count];
	return slot;
}

static void flights_free(struct call *c)
{
	flight_free(c->flight);
	flight_free(c->rival_flight);
	c->flight = c->rival_flight = NULL;
}

void traffic_back(struct traffic *t, uint32_t slot)
{
	flights_free(&t->calls[slot]);
	t->live[t->live_count++] = slot;
}

void traffic_over(struct traffic *t, uint32_t slot)
{
	flights_free(&t->calls[slot]);
	t->idle[t->idle_count++] = slot;
}

void traffic_rival(struct traffic *t, uint32_t slot)
{
	struct call *c = &t->calls[slot];
	uint32_t ip = c->target_ip;
	struct flight *flight = c->flight;

	c->target_ip = c->rival_ip;
	c->flight = c->rival_flight;
	c->rival_ip = ip;
	c->rival_flight = flight;
}

/* ---- messages in */

/* What each step is, and what must come of it. */
static const struct {
	enum method method;
	uint16_t status; /* 0: a request */
	uint8_t expect;
} steps[STEPS] = {
	[STEP_INVITE] = { M_INVITE, 0, EXPECT_TRYING | EXPECT_INVITE },
	[STEP_TRYING] = { M_INVITE, 100, 0 },
	[STEP_RINGING] = { M_INVITE, 180, EXPECT_RESPONSE },
	[STEP_ANSWER] = { M_INVITE, 200, EXPECT_RESPONSE },
	[STEP_REFUSE] = { M_INVITE, 503, EXPECT_HOP_ACK | EXPECT_INVITE },
	[STEP_BUSY] = { M_INVITE, 486, EXPECT_HOP_ACK | EXPECT_RESPONSE },
	[STEP_BUSY_ACK] = { M_ACK, 0, 0 },
	[STEP_LOST] = { M_INVITE, 487, EXPECT_HOP_ACK },
	[STEP_ACK] = { M_ACK, 0, EXPECT_REQUEST },
	[STEP_BYE] = { M_BYE, 0, EXPECT_REQUEST },
	[STEP_INFO] = { M_INFO, 0, EXPECT_REQUEST },
	[STEP_UPDATE] = { M_UPDATE, 0, EXPECT_REQUEST },
	[STEP_REINVITE] = { M_INVITE, 0, EXPECT_REQUEST },
	[STEP_OK] = { M_INVITE, 200, EXPECT_RESPONSE },
	[STEP_REACK] = { M_ACK, 0, EXPECT_REQUEST },
};

static uint32_t write_response(const struct traffic *t, struct call *c, struct dialog_view *d, enum step step, uint8_t *out)
{
	bool founding = step != STEP_OK;
	struct answered_request r = { .vias = c->flight->vias, .via_bytes = c->flight->via_bytes,
				      .method = founding ? M_INVITE : (enum method)c->method };

	if (founding) {
		r.routes = c->routes;
		r.route_bytes = c->route_bytes;
	}
	d->from_caller = !c->from_caller;
	c->status = steps[step].status;
	return peer_response(out, t->mix, c->status, &r, d);
}

static uint32_t write_request(struct traffic *t, struct call *c, struct dialog_view *d, enum step step, uint8_t *out)
{
	if (step == STEP_INVITE) {
		c->from_caller = true;
		c->cseq = 101;
		return peer_invite(out, t->mix, d->name);
	}
	if (step == STEP_BUSY_ACK)
		return peer_hop_ack(out, t->mix, d);
	if (step == STEP_ACK)
		c->from_caller = true;
	else if (step != STEP_REACK) {
		/* By TLS the caller alone asks: the proxy opens no connection to whom it cannot verify. */
		c->from_caller = t->world->config.tls || traffic_random(t) & 1;
		c->cseq++;
	}
	c->method = (uint8_t)steps[step].method;
	d->cseq = c->cseq;
	d->from_caller = c->from_caller;
	return peer_request(out, t->mix, steps[step].method, d);
}

void traffic_put(struct traffic *t, uint32_t slot, enum step step)
{
	struct call *c = &t->calls[slot];
	struct call_name name = call_name_of(t, slot);
	struct dialog_view d = { .name = &name, .target_ip = c->target_ip, .routes = c->routes, .route_bytes = c->route_bytes, .cseq = c->cseq };
	struct input *in = &t->inputs[t->batch];
	uint32_t from;

	if (t->batch == t->batch_max)
		traffic_stop("a batch is too large");
	c->input = t->batch;
	if (steps[step].status)
		in->len = write_response(t, c, &d, step, in->text);
	else
		in->len = write_request(t, c, &d, step, in->text);
	c->step = (uint8_t)step;
	if (step == STEP_REFUSE || step == STEP_BUSY || step == STEP_LOST)
		c->refused_ip = c->target_ip;
	c->expect = steps[step].expect;
	if (t->world->config.forked && step == STEP_INVITE)
		c->expect |= EXPECT_RIVAL;
	if (t->world->config.forked && step == STEP_ANSWER)
		c->expect |= EXPECT_CANCEL;
	t->missing += (uint32_t)__builtin_popcount(c->expect);
	from = (steps[step].status ? !c->from_caller : c->from_caller) ? name.caller_ip : c->target_ip;
	if (!traffic_tcp_put(t, from, name.serial, in) && !(t->frames[t->frame_count++] = world_frame(t->world, in->text, in->len, from)))
		traffic_stop("no mbuf left");
	t->batch++;
	t->in++;
	t->in_bytes += in->len;
}

/* ---- running */

static uint64_t run_one(struct traffic *t, uint64_t advance_ns, unsigned (*turn)(struct worker *w))
{
	struct world *w = t->world;
	uint64_t now = turn_clock(), turns = (t->batch + BURST - 1) / BURST, step = turns ? advance_ns / turns : advance_ns, begin, cycles;

	begin = rte_rdtsc_precise();
	do {
		turn_clock_set(now += step);
		turn(w->worker[0]);
	} while (!rte_ring_empty(w->wire_in[0]));
	cycles = rte_rdtsc_precise() - begin;
	turn_clock_set(now);
	return cycles;
}

/* Each worker turns until nothing more can reach it. */
struct pair {
	struct world *world;
	_Atomic(unsigned) ready;
	_Atomic(bool) go;
	_Atomic(bool) received[WORLD_WORKERS_MAX]; /* its part of the wire is empty: it hands nothing over any more */
	uint64_t end[WORLD_WORKERS_MAX];
};

struct half {
	struct pair *pair;
	unsigned index;
};

static void *run_half(void *arg)
{
	struct half *h = arg;
	struct pair *p = h->pair;
	unsigned me = h->index, other = !me;
	struct worker *w = p->world->worker[me];
	cpu_set_t set;

	if (me) {
		CPU_ZERO(&set);
		CPU_SET(1, &set);
		pthread_setaffinity_np(pthread_self(), sizeof(set), &set);
		rte_thread_register();
	}
	atomic_fetch_add(&p->ready, 1);
	while (!atomic_load(&p->go))
		;
	while (!rte_ring_empty(p->world->wire_in[me]))
		turn_run(w);
	atomic_store(&p->received[me], true);
	while (!atomic_load(&p->received[other]) || !rte_ring_empty(w->from[other]))
		turn_run(w);
	p->end[me] = rte_rdtsc_precise();
	if (me)
		rte_thread_unregister();
	return NULL;
}

static uint64_t run_two(struct traffic *t, uint64_t advance_ns)
{
	struct pair p = { .world = t->world };
	struct half halves[2] = { { &p, 0 }, { &p, 1 } };
	pthread_t thread;
	uint64_t begin;

	turn_clock_set(turn_clock() + advance_ns);
	if (pthread_create(&thread, NULL, run_half, &halves[1]))
		traffic_stop("no thread");
	while (!atomic_load(&p.ready))
		;
	begin = rte_rdtsc_precise();
	atomic_store(&p.go, true);
	run_half(&halves[0]);
	pthread_join(thread, NULL);
	return (p.end[0] > p.end[1] ? p.end[0] : p.end[1]) - begin;
}

uint64_t traffic_turns(struct traffic *t, uint64_t advance_ns, bool timed)
{
	return t->world->config.workers == 1 ? run_one(t, advance_ns, timed ? turn_measured : turn_run) : run_two(t, advance_ns);
}

static void shuffle(struct traffic *t)
{
	for (uint32_t i = t->frame_count; !t->sequential && i > 1; i--) {
		uint32_t k = (uint32_t)(traffic_random(t) % i);
		struct rte_mbuf *m = t->frames[k];

		t->frames[k] = t->frames[i - 1];
		t->frames[i - 1] = m;
	}
}

static void onto_the_wire(struct traffic *t)
{
	unsigned workers = t->world->config.workers;
	uint32_t begin = 0;

	for (unsigned i = 0; i < workers; i++) {
		uint32_t end = t->frame_count * (i + 1) / workers;

		if (rte_ring_enqueue_bulk(t->world->wire_in[i], (void **)t->frames + begin, end - begin, NULL) != end - begin)
			traffic_stop("the wire is too short for the batch");
		begin = end;
	}
}

void traffic_off_the_wire(struct traffic *t, bool check)
{
	struct rte_mbuf *m;

	for (unsigned i = 0; i < t->world->config.workers; i++)
		while (rte_ring_dequeue(t->world->wire_out[i], (void **)&m) == 0) {
			const uint8_t *text;
			uint32_t len, to;

			if (check && !traffic_tcp_take(t, m)) {
				if (world_read(t->world, m, &text, &len, &to) < 0)
					exit(1);
				check_output(t, text, len, to);
				t->out++;
				t->out_bytes += len;
			}
			rte_pktmbuf_free(m);
		}
}

/* The first few calls for which something did not come. */
static _Noreturn void say_missing(const struct traffic *t)
{
	unsigned shown = 0;

	for (uint32_t i = 0; i < t->slots && shown < 3; i++) {
		const struct call *c = &t->calls[i];

		if (!c->expect)
			continue;
		shown++;
		fprintf(stderr, "bench: call %u waits for %#x after step %u:\n%.*s\n", i, c->expect, c->step, (int)t->inputs[c->input].len,
			(const char *)t->inputs[c->input].text);
	}
	fprintf(stderr, "bench: %u of a batch of %u did not come out\n", t->missing, t->batch);
	exit(1);
}

uint64_t traffic_go(struct traffic *t, uint64_t advance_ns, bool timed)
{
	uint64_t cycles;

	shuffle(t);
	onto_the_wire(t);
	if (t->runner)
		cycles = t->runner(t);
	else if (t->ends)
		cycles = traffic_tcp_run(t, advance_ns, timed);
	else
		cycles = traffic_turns(t, advance_ns, timed);
	traffic_off_the_wire(t, !t->runner);
	if (t->missing && !t->runner)
		say_missing(t);
	t->batch = t->frame_count = 0;
	if (timed)
		t->cycles += cycles;
	world_control(t->world);
	return cycles;
}

void traffic_wait(struct traffic *t, uint64_t ms, uint64_t step_ms, bool timed)
{
	for (uint64_t i = 0; i < ms; i += step_ms) {
		if (t->ends) { /* their acknowledgements go on */
			traffic_tcp_run(t, step_ms * 1000000, timed);
			world_control(t->world);
			continue;
		}
		turn_clock_set(turn_clock() + step_ms * 1000000);
		for (unsigned k = 0; k < t->world->config.workers; k++)
			(timed ? turn_measured : turn_run)(t->world->worker[k]);
		world_control(t->world);
	}
}

void traffic_populate(struct traffic *t, uint32_t count, uint32_t per_second)
{
	uint32_t slots[512], n, most = per_second / 4 + 1; /* answered before T1 has passed */

	most = RTE_MIN(most, t->batch_max);
	most = RTE_MIN(most, 512u);
	for (uint32_t done = 0; done < count; done += n) {
		n = RTE_MIN(count - done, most);
		for (uint32_t i = 0; i < n; i++)
			traffic_put(t, slots[i] = traffic_fresh(t), STEP_INVITE);
		traffic_go(t, n * 1000000000ull / per_second, false);
		for (uint32_t i = 0; i < n; i++)
			traffic_put(t, slots[i], STEP_ANSWER);
		traffic_go(t, 0, false);
		for (uint32_t i = 0; i < n; i++)
			traffic_put(t, slots[i], STEP_ACK);
		traffic_go(t, 0, false);
		for (uint32_t i = 0; i < n; i++)
			traffic_back(t, slots[i]);
	}
}
