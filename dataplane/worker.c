/* SPDX-License-Identifier: Apache-2.0 */
#include "worker_state.h"

#include <linux/capability.h>
#include <sched.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_lcore.h>
#include <rte_mbuf.h>
#include <rte_ring.h>

#include "base/log_linear.h"
#include "base/mailbox.h"
#include "net/output.h"
#include "net/reassembly.h"
#include "tables/epoch.h"

#define IDLE_TURNS	64 /* empty turns before a nap */
#define NAP_MAX_MS	50
#define EXPIRE_EVERY_MS 500
#define RECORDS_TOLD_AT 256 /* records: the control thread is woken for so many, */
#define RECORDS_TOLD_MS 10  /* or once in so long: waking it for each would cost more than the call did */

uint64_t worker_now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t); /* the vDSO: no system call */
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

uint64_t worker_now_ms(void)
{
	return worker_now_us() / 1000;
}

static void tell_control(struct worker *w)
{
	uint64_t one = 1;

	w->control_due = false;
	if (!atomic_exchange(&w->shared->exception_told, true) && write(w->shared->exception_fd, &one, sizeof(one)) < 0)
		atomic_store(&w->shared->exception_told, false);
}

static unsigned send_probes(struct worker *w)
{
	unsigned n = 0;

	while (n < WORKER_BURST && mailbox_take(w->probes, &w->probe)) {
		proxy_probe(w->proxy, &w->probe, rte_rdtsc(), w->now_ms);
		n++;
	}
	return n;
}

static unsigned send_kernels(struct worker *w)
{
	struct rte_mbuf *frames[WORKER_BURST];
	unsigned n = rte_ring_sc_dequeue_burst(w->inject, (void **)frames, WORKER_BURST, NULL);

	for (unsigned i = 0; i < n; i++)
		output_frame(w->output, (uint16_t)frames[i]->hash.usr, frames[i]);
	counter_add(w->counters, COUNTER_tx_exception, n);
	return n;
}

/* ---- the loop */

static void page_add(void *ctx, const struct call_record *record, bool answered)
{
	struct call_page *page = ctx;

	page->answered[page->count] = answered;
	page->record[page->count++] = *record;
}

/* A page for the control thread. */
static void answer(struct worker *w, const struct command *c)
{
	uint32_t cursor = c->value;
	uint64_t one = 1;

	if (c->type == COMMAND_CONNECTIONS) {
		cursor = worker_stream_list(w, cursor);
	} else if (c->type == COMMAND_CLOSE) {
		worker_stream_end(w, c->connection);
	} else {
		w->page.count = 0;
		w->page.more = proxy_calls(w->proxy, &cursor, CALLS_PER_PAGE, page_add, &w->page) == CALLS_PER_PAGE;
	}
	w->page_cursor = cursor;
	atomic_store(&w->page_asked, false);
	if (write(w->page_fd, &one, sizeof(one)) < 0)
		return; /* the counter is full: the asker is told already */
}

static unsigned take_commands(struct worker *w)
{
	struct command c;
	unsigned n = 0;

	while (mailbox_take(w->commands, &c)) {
		n++;
		if (c.type == COMMAND_DRAIN)
			proxy_drain(w->proxy, c.on);
		else if (c.type == COMMAND_ADMIT)
			worker_stream_admit(w, (enum admission)c.value);
		else if (c.type == COMMAND_RELEASE_ENDPOINT)
			proxy_release_endpoint(w->proxy, c.value);
		else if (c.type == COMMAND_HANG_UP)
			worker_stream_hang_up(w);
		else if (c.type == COMMAND_RECOUNT)
			proxy_recount(w->proxy);
		else
			answer(w, &c);
	}
	return n;
}

static void publish(struct worker *w)
{
	struct proxy_gauges g;

	proxy_gauges(w->proxy, &g);
	atomic_store_explicit(&w->published.server_transactions, g.server_transactions, memory_order_relaxed);
	atomic_store_explicit(&w->published.client_transactions, g.client_transactions, memory_order_relaxed);
	atomic_store_explicit(&w->published.live_calls, g.live_calls, memory_order_relaxed);
	atomic_store_explicit(&w->published.records_waiting, g.records_waiting, memory_order_relaxed);
	if (w->streams)
		atomic_store_explicit(&w->published.connections, streams_connections(w->streams), memory_order_relaxed);
	atomic_store_explicit(&w->published.message_bytes, g.message_bytes, memory_order_relaxed);
}

static unsigned turn(struct worker *w)
{
	unsigned work;

	w->now_us = worker_now_us();
	w->now_ms = w->now_us / 1000;
	work = worker_receive(w);
	work += proxy_advance(w->proxy, w->now_ms);
	work += send_kernels(w);
	work += take_commands(w);
	work += send_probes(w);
	if (w->streams)
		work += worker_stream_turn(w);
	if (w->now_ms >= w->next_expire_ms) {
		counter_add(w->counters, COUNTER_drop_fragment, reassembly_expire(w->reassembly, w->now_ms));
		w->next_expire_ms = w->now_ms + EXPIRE_EVERY_MS;
	}
	output_flush(w->output);
	if (w->records_untold && (w->records_untold >= RECORDS_TOLD_AT || w->now_ms >= w->records_told_ms + RECORDS_TOLD_MS)) {
		w->control_due = true;
		w->records_untold = 0;
		w->records_told_ms = w->now_ms;
	}
	if (w->control_due)
		tell_control(w);
	for (unsigned i = 0; i < w->shared->workers; i++) {
		if (w->rang[i])
			worker_wake(w->shared->worker[i]);
		w->rang[i] = false;
	}
	if (work)
		publish(w);
	epoch_quiescent(w->shared->tables->epoch, w->index);
	counter_add(w->counters, COUNTER_loop_turns, 1);
	return work;
}

static bool rings_empty(const struct worker *w)
{
	for (unsigned i = 0; i < w->shared->workers; i++)
		if (i != w->index && !rte_ring_empty(w->from[i]))
			return false;
	return rte_ring_empty(w->inject) && !mailbox_pending(w->commands) && !mailbox_pending(w->probes) &&
	       !atomic_load_explicit(&w->shared->stop, memory_order_relaxed);
}

/* Sleeps until a frame, a ring or a timer: QSBR goes offline first, and the rings are looked at again after the flag is set, so that
 * no ringer is missed. */
static void nap(struct worker *w)
{
	uint64_t due = proxy_next_due(w->proxy), now_us = worker_now_us(), now = now_us / 1000, drained;
	int longest = w->records_untold ? RECORDS_TOLD_MS : NAP_MAX_MS;
	int wait = due <= now ? 0 : due - now < (unsigned)longest ? (int)(due - now) : longest;
	struct timespec t = { .tv_nsec = (long)wait * 1000000 };

	if (w->streams) {
		uint64_t next_us = streams_next_due(w->streams);
		uint64_t left_us = next_us > now_us ? next_us - now_us : 0;

		if (left_us < (uint64_t)wait * 1000) {
			wait = (int)((left_us + 999) / 1000);
			t.tv_nsec = (long)left_us * 1000;
		}
	}
	if (!wait)
		return;
	epoch_offline(w->shared->tables->epoch, w->index);
	atomic_store(&w->sleeping, true);
	if (rings_empty(w)) {
		counter_add(w->counters, COUNTER_naps, 1);
		if (ppoll(w->fds, w->fd_count, &t, NULL) > 0)
			counter_add(w->counters, COUNTER_wakes, 1);
	}
	atomic_store(&w->sleeping, false);
	if (w->fds[0].revents & POLLIN && read(w->event_fd, &drained, sizeof(drained)) < 0)
		w->fds[0].revents = 0;
	epoch_online(w->shared->tables->epoch, w->index);
}

/* This thread reads what strangers send: from here on it may no more than any user. Capabilities are per thread, and ports are open. */
static void drop_capabilities(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = { { 0 } };

	if (syscall(SYS_capset, &header, none) < 0)
		fprintf(stderr, "a worker keeps its capabilities: capset was refused\n");
}

static void count_turn(struct worker_published *p, uint64_t cycles)
{
	unsigned bucket = log_linear_bucket(cycles, LOOP_BITS);
	_Atomic(uint64_t) *count = &p->turns[bucket < LOOP_BUCKETS ? bucket : LOOP_BUCKETS - 1];

	atomic_store_explicit(count, atomic_load_explicit(count, memory_order_relaxed) + 1, memory_order_relaxed);
	if (cycles > atomic_load_explicit(&p->longest_turn, memory_order_relaxed))
		atomic_store_explicit(&p->longest_turn, cycles, memory_order_relaxed);
}

void *worker_loop(void *arg)
{
	struct worker *w = arg;
	unsigned idle = 0;
	uint64_t before, after, total = 0, busy = 0;

	if (w->core >= 0) {
		cpu_set_t set;

		CPU_ZERO(&set);
		CPU_SET(w->core, &set);
		pthread_setaffinity_np(pthread_self(), sizeof(set), &set);
	}
	drop_capabilities();
	if (rte_thread_register() < 0)
		fprintf(stderr, "worker %u: no lcore id left; mempool caches are off\n", w->index);
	epoch_online(w->shared->tables->epoch, w->index);
	before = rte_rdtsc();
	while (!atomic_load_explicit(&w->shared->stop, memory_order_relaxed)) {
		unsigned work = turn(w);

		after = rte_rdtsc();
		if (work) {
			busy += after - before;
			count_turn(&w->published, after - before);
		}
		idle = work ? 0 : idle + 1;
		if (idle >= IDLE_TURNS && w->can_sleep)
			nap(w);
		total += rte_rdtsc() - before;
		before = rte_rdtsc();
		atomic_store_explicit(&w->published.busy_cycles, busy, memory_order_relaxed);
		atomic_store_explicit(&w->published.total_cycles, total, memory_order_relaxed);
	}
	epoch_offline(w->shared->tables->epoch, w->index);
	rte_thread_unregister();
	return NULL;
}
