/* SPDX-License-Identifier: Apache-2.0 */
#include "wire_trial.h"

#include <string.h>

#include <rte_cycles.h>

#include "wire_histogram.h"
#include "wire_load.h"
#include "wire_pace.h"
#include "wire_port.h"

#define BURST	       PACE_BURST
#define CATCH_UP_US    500 /* a loop that was stopped makes up for so much, and skips the rest */
#define DRAIN_MS       250 /* what comes later than this after the last request is lost; */
#define DRAIN_TCP_MS   2000 /* where what was lost on the way is sent again, later */
#define SET_UP_AT_ONCE 256
#define SET_UP_STALLS  10
#define SET_UP_ROUNDS  3

static unsigned patience_ms(const struct wire_port *port)
{
	return wire_port_by_tcp(port) ? DRAIN_TCP_MS : DRAIN_MS;
}

static unsigned take(struct load *l, struct wire_port *port, uint64_t now)
{
	struct arrival arrivals[64];
	unsigned n = wire_port_receive(port, arrivals);

	if (n)
		load_arrivals(l, arrivals, n, now);
	wire_port_release(arrivals, n);
	return n;
}

static unsigned begin(struct load *l, struct wire_port *port, struct pace *p, uint64_t elapsed, uint64_t now)
{
	unsigned n = pace_owed(p, elapsed), done = 0;

	while (done < n && wire_port_room(port) && load_start(l, now))
		done++;
	p->made += done;
	return done;
}

void trial_run(struct load *l, struct wire_port *port, const struct trial *t, struct trial_result *ret)
{
	const double hz = (double)rte_get_tsc_hz();
	const uint64_t length = (uint64_t)(t->seconds * hz), drain = rte_get_tsc_hz() * (patience_ms(port) + load_hold_ms(l)) / 1000;
	struct pace pace = { .interval = hz * load_messages_per_start(l) / t->rate };
	struct wire_port_stats before = *wire_port_stats(port);
	const struct wire_port_stats *after = wire_port_stats(port);
	uint64_t start, now, last, busy = 0, gap = 0, came = 0, ended = 0;
	const struct load_counts *counts = load_counts(l);

	memset(ret, 0, sizeof(*ret));
	pace.gather = t->gather_us * hz / 1e6;
	pace.most = hz * CATCH_UP_US / 1e6 / pace.interval;
	pace.most = pace.most < 1 ? 1 : pace.most;
	load_clear(l);
	start = last = came = rte_rdtsc();
	for (;;) {
		unsigned work;

		now = rte_rdtsc();
		gap = now - last > gap ? now - last : gap;
		last = now;
		work = take(l, port, now);
		came = work ? now : came;
		if (now - start < length)
			work += begin(l, port, &pace, now - start, now);
		else if (!ended)
			ended = now;
		work += load_hang_up(l, now);
		work += wire_port_flush(port);
		pace.full = wire_port_waiting(port);
		if (ended &&
		    ((!load_outstanding(l) && counts->done >= counts->started) || now - (came > ended ? came : ended) > drain))
			break;
		if (work)
			busy += rte_rdtsc() - now;
	}
	ret->seconds = (double)(ended - start) / hz;
	/* What was still on its way at the end counts with the time that it took. */
	ret->rate = (double)(counts->requests + counts->responses) /
		    ((came > ended && !load_hold_ms(l) ? (double)(came - start) : (double)(ended - start)) / hz);
	ret->lost = load_write_off(l);
	ret->skipped = pace.skipped;
	ret->held_back = pace.held_back;
	ret->full = after->full - before.full;
	ret->busy = (double)busy / (double)(now - start);
	ret->longest_gap_us = (double)gap / hz * 1e6;
	ret->bytes = after->sent > before.sent
			     ? (double)(after->bytes_sent - before.bytes_sent) / (double)(after->sent - before.sent)
			     : 0;
	ret->drained_us = came > ended ? (uint64_t)((double)(came - ended) / hz * 1e6) : 0;
}

/* One round over all calls. false: a few hundred went unanswered again and again. */
static bool set_up_round(struct load *l, struct wire_port *port, uint64_t drain)
{
	uint64_t last = rte_rdtsc(), now;
	unsigned stalls = 0;
	bool more = true;

	while (more || load_outstanding(l)) {
		now = rte_rdtsc();
		last = take(l, port, now) ? now : last;
		for (unsigned i = 0; more && i < BURST && load_outstanding(l) < SET_UP_AT_ONCE && wire_port_room(port); i++)
			more = load_set_up(l, now);
		wire_port_flush(port);
		if (now - last > drain) {
			load_write_off(l);
			last = now;
			if (++stalls == SET_UP_STALLS)
				return false;
		}
	}
	return true;
}

double trial_set_up(struct load *l, struct wire_port *port)
{
	uint64_t start = rte_rdtsc(), drain = rte_get_tsc_hz() * patience_ms(port) / 1000;

	for (unsigned round = 0; round < SET_UP_ROUNDS; round++)
		if (!set_up_round(l, port, drain))
			break;
	return (double)(rte_rdtsc() - start) / (double)rte_get_tsc_hz();
}

void trial_gaps(double seconds, struct histogram *ret)
{
	const uint64_t tick = rte_get_tsc_hz() / 1000000;
	uint64_t start = rte_rdtsc(), end = start + (uint64_t)(seconds * (double)rte_get_tsc_hz()), due = start, now;

	histogram_clear(ret);
	while ((now = rte_rdtsc()) < end)
		for (; due <= now; due += tick)
			histogram_add(ret, now - due);
}
