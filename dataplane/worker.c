/* SPDX-License-Identifier: Apache-2.0 */
#include "worker.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_lcore.h>
#include <rte_mbuf.h>
#include <rte_prefetch.h>
#include <rte_ring.h>

#include "base/err.h"
#include "base/mailbox.h"
#include "net/output.h"
#include "net/reassembly.h"
#include "proxy/stats.h"
#include "proxy/trace.h"
#include "records.h"
#include "sip/via.h"
#include "tables/epoch.h"

#define BURST		32
#define HANDOFF_RING	2048 /* frames between two workers */
#define INJECT_RING	1024
#define IDLE_TURNS	64 /* empty turns before a nap */
#define NAP_MAX_MS	50
#define WAIT_FDS_MAX	64
#define SCRATCH_BYTES	65536
#define EXPIRE_EVERY_MS 500

enum command_type { COMMAND_DRAIN, COMMAND_RELEASE_ENDPOINT, COMMAND_CALLS };

struct command {
	uint8_t type;
	bool on;
	uint32_t value; /* endpoint slot; cursor */
};

struct worker {
	struct worker_shared *shared;
	unsigned index;
	int core;
	pthread_t thread;
	bool started;
	struct counters *counters;
	struct target_cell *targets;
	struct proxy *proxy;
	struct output *output;
	struct reassembly *reassembly;
	struct rte_ring *from[WORKERS_MAX]; /* frames that other workers received and we own */
	struct rte_ring *inject;
	struct mailbox *commands;
	int event_fd;
	_Atomic(bool) sleeping;
	struct pollfd fds[WAIT_FDS_MAX];
	unsigned fd_count;
	bool can_sleep;
	bool control_waited_for; /* something for the control thread this turn: exceptions, records */
	bool rang[WORKERS_MAX];	 /* gave frames to that worker this turn */
	uint64_t now_ms, next_expire_ms;
	uint8_t *scratch;
	struct worker_published published;
	struct mailbox *records; /* call records to the control thread */
	struct trace *trace;
	struct call_page page;	 /* the control thread's to read while !page_asked */
	_Atomic(bool) page_asked;
	uint32_t page_cursor;
	int page_fd;
};

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t); /* the vDSO: no system call */
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* ---- to the kernel */

static void to_kernel(struct worker *w, struct rte_mbuf *m, enum exception_kind kind, uint16_t port)
{
	m->hash.usr = EXCEPTION_MARK(kind, port);
	if (rte_ring_mp_enqueue(w->shared->exceptions, m) < 0) {
		counter_add(w->counters, COUNTER_exception_dropped_full, 1);
		rte_pktmbuf_free(m);
		return;
	}
	counter_add(w->counters, COUNTER_rx_exception, 1);
	w->control_waited_for = true;
}

static void resolve_by_kernel(void *ctx, struct rte_mbuf *ip_packet, uint16_t port)
{
	struct worker *w = ctx;

	counter_add(w->counters, COUNTER_kernel_resolve, 1);
	to_kernel(w, ip_packet, EXCEPTION_IP_PACKET, port);
}

static void tell_control(struct worker *w)
{
	uint64_t one = 1;

	w->control_waited_for = false;
	if (!atomic_exchange(&w->shared->exception_told, true) && write(w->shared->exception_fd, &one, sizeof(one)) < 0)
		atomic_store(&w->shared->exception_told, false);
}

/* ---- the proxy's outbox */

static uint8_t *outbox_reserve(void *ctx, uint32_t bytes)
{
	struct worker *w = ctx;

	return output_reserve(w->output, bytes < OUTPUT_PAYLOAD_MAX ? bytes : OUTPUT_PAYLOAD_MAX);
}

static int outbox_commit(void *ctx, uint32_t len, const struct flow *to)
{
	struct worker *w = ctx;

	return output_commit(w->output, len, &to->local, &to->remote);
}

static bool outbox_record(void *ctx, const struct call_record *record)
{
	struct worker *w = ctx;

	if (!mailbox_post(w->records, record)) {
		counter_add(w->counters, COUNTER_records_waited, 1);
		return false;
	}
	w->control_waited_for = true;
	return true;
}

/* ---- frames in */

static void hand_off(struct worker *w, unsigned owner, struct rte_mbuf *m)
{
	if (rte_ring_sp_enqueue(w->shared->worker[owner]->from[w->index], m) < 0) {
		counter_add(w->counters, COUNTER_handoff_dropped_full, 1);
		rte_pktmbuf_free(m);
		return;
	}
	counter_add(w->counters, COUNTER_handoff_out, 1);
	w->rang[owner] = true;
}

static void udp_in(struct worker *w, const struct packet *packet)
{
	struct flow from = { .remote = packet->source, .local = packet->destination, .transport = TRANSPORT_UDP };

	proxy_datagram(w->proxy, packet->payload, packet->payload_len, &from, w->now_ms);
}

static void frame_in(struct worker *w, struct rte_mbuf *m, uint16_t port, bool ours)
{
	struct worker_shared *s = w->shared;
	enum counter drop;
	struct packet packet;
	unsigned owner = w->index;
	uint32_t dropped = 0;

	packet_parse(m, &s->listeners, ours || port_rx_checksum(s->ports[port]), w->scratch, &packet, &drop);
	switch (packet.kind) {
	case PACKET_DROP:
		counter_add(w->counters, drop, 1);
		break;
	case PACKET_KERNEL:
		to_kernel(w, m, EXCEPTION_FRAME, port);
		return;
	case PACKET_FRAGMENT:
		counter_add(w->counters, COUNTER_fragments_in, 1);
		m = reassembly_add(w->reassembly, m, packet.l2_len, w->now_ms, &dropped);
		counter_add(w->counters, COUNTER_drop_fragment, dropped);
		if (!m)
			return;
		counter_add(w->counters, COUNTER_reassembled, 1);
		m->hash.usr = port;
		frame_in(w, m, port, false);
		return;
	case PACKET_UDP:
		if (!ours && s->workers > 1)
			owner = proxy_owner(&s->call_key, &s->branch_key, s->workers, w->index, packet.payload, packet.payload_len);
		if (owner != w->index) {
			hand_off(w, owner, m);
			return;
		}
		udp_in(w, &packet);
		break;
	case PACKET_ICMP_ERROR:
		if (!ours && s->workers > 1)
			owner = proxy_owner_quoted(&s->branch_key, s->workers, w->index, packet.payload, packet.payload_len);
		if (owner != w->index) {
			hand_off(w, owner, m);
			return;
		}
		counter_add(w->counters, COUNTER_icmp_errors, 1);
		if (packet.icmp_hard)
			proxy_icmp_error(w->proxy, packet.payload, packet.payload_len, &packet.destination, w->now_ms);
		to_kernel(w, m, EXCEPTION_FRAME, port);
		return;
	}
	rte_pktmbuf_free(m);
}

static unsigned frames_in(struct worker *w, struct rte_mbuf **frames, unsigned n, bool ours)
{
	for (unsigned i = 0; i < n && i < 4; i++)
		rte_prefetch0(rte_pktmbuf_mtod(frames[i], void *));
	for (unsigned i = 0; i < n; i++) {
		if (i + 4 < n)
			rte_prefetch0(rte_pktmbuf_mtod(frames[i + 4], void *));
		frame_in(w, frames[i], (uint16_t)frames[i]->hash.usr, ours);
	}
	return n;
}

static unsigned receive(struct worker *w)
{
	struct rte_mbuf *frames[BURST];
	unsigned work = 0;

	for (unsigned p = 0; p < w->shared->port_count; p++) {
		uint32_t own = 0;
		unsigned n = port_rx(w->shared->ports[p], w->index, frames, BURST, &own);

		counter_add(w->counters, COUNTER_drop_own_source, own);
		counter_add(w->counters, COUNTER_rx_packets, n);
		for (unsigned i = 0; i < n; i++)
			frames[i]->hash.usr = p;
		work += frames_in(w, frames, n, false) + own;
	}
	for (unsigned i = 0; i < w->shared->workers; i++) {
		unsigned n;

		if (i == w->index)
			continue;
		n = rte_ring_sc_dequeue_burst(w->from[i], (void **)frames, BURST, NULL);
		counter_add(w->counters, COUNTER_handoff_in, n);
		work += frames_in(w, frames, n, true);
	}
	return work;
}

static unsigned send_kernels(struct worker *w)
{
	struct rte_mbuf *frames[BURST];
	unsigned n = rte_ring_sc_dequeue_burst(w->inject, (void **)frames, BURST, NULL);

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

static void answer_calls(struct worker *w, uint32_t cursor)
{
	uint64_t one = 1;

	w->page.count = 0;
	w->page.more = proxy_calls(w->proxy, &cursor, CALLS_PER_PAGE, page_add, &w->page) == CALLS_PER_PAGE;
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
		else if (c.type == COMMAND_RELEASE_ENDPOINT)
			proxy_release_endpoint(w->proxy, c.value);
		else
			answer_calls(w, c.value);
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
	atomic_store_explicit(&w->published.message_bytes, g.message_bytes, memory_order_relaxed);
}

static unsigned turn(struct worker *w)
{
	unsigned work;

	w->now_ms = now_ms();
	work = receive(w);
	work += proxy_advance(w->proxy, w->now_ms);
	work += send_kernels(w);
	work += take_commands(w);
	if (w->now_ms >= w->next_expire_ms) {
		counter_add(w->counters, COUNTER_drop_fragment, reassembly_expire(w->reassembly, w->now_ms));
		w->next_expire_ms = w->now_ms + EXPIRE_EVERY_MS;
	}
	output_flush(w->output);
	if (w->control_waited_for)
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
	return rte_ring_empty(w->inject) && !mailbox_pending(w->commands) &&
	       !atomic_load_explicit(&w->shared->stop, memory_order_relaxed);
}

/* Sleeps until a frame, a ring or a timer: QSBR goes offline first, and the rings are looked at again after the flag is set, so that
 * no ringer is missed. */
static void nap(struct worker *w)
{
	uint64_t due = proxy_next_due(w->proxy), now = now_ms(), drained;
	int wait = due <= now ? 0 : due - now < NAP_MAX_MS ? (int)(due - now) : NAP_MAX_MS;
	struct timespec t = { .tv_nsec = (long)wait * 1000000 };

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

static void *loop(void *arg)
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
	if (rte_thread_register() < 0)
		fprintf(stderr, "worker %u: no lcore id left; mempool caches are off\n", w->index);
	epoch_online(w->shared->tables->epoch, w->index);
	before = rte_rdtsc();
	while (!atomic_load_explicit(&w->shared->stop, memory_order_relaxed)) {
		unsigned work = turn(w);

		after = rte_rdtsc();
		busy += work ? after - before : 0;
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

void worker_wake(struct worker *w)
{
	uint64_t one = 1;

	atomic_thread_fence(memory_order_seq_cst);
	if (atomic_load(&w->sleeping) && write(w->event_fd, &one, sizeof(one)) < 0)
		return; /* the counter is full: it is awake enough */
}

void worker_drain(struct worker *w, bool drain)
{
	struct command c = { COMMAND_DRAIN, drain, 0 };

	mailbox_post(w->commands, &c);
	worker_wake(w);
}

bool worker_release_endpoint(struct worker *w, uint32_t endpoint)
{
	struct command c = { COMMAND_RELEASE_ENDPOINT, true, endpoint };

	if (!mailbox_post(w->commands, &c))
		return false;
	worker_wake(w);
	return true;
}

const struct call_page *worker_ask_calls(struct worker *w, uint32_t *cursor, unsigned wait_ms)
{
	struct command c = { COMMAND_CALLS, true, *cursor };
	struct pollfd fd = { .fd = w->page_fd, .events = POLLIN };
	uint64_t told;

	if (read(w->page_fd, &told, sizeof(told)) < 0 && atomic_load(&w->page_asked))
		return NULL; /* it has not come back from the last time */
	atomic_store(&w->page_asked, true);
	if (!mailbox_post(w->commands, &c)) {
		atomic_store(&w->page_asked, false);
		return NULL;
	}
	worker_wake(w);
	while (atomic_load(&w->page_asked))
		if (poll(&fd, 1, (int)wait_ms) <= 0)
			return NULL;
	*cursor = w->page_cursor;
	return &w->page;
}

bool worker_inject(struct worker *w, struct rte_mbuf *frame)
{
	if (rte_ring_sp_enqueue(w->inject, frame) < 0)
		return false;
	worker_wake(w);
	return true;
}

/* ---- life */

static void collect_fds(struct worker *w)
{
	w->fds[0] = (struct pollfd){ .fd = w->event_fd, .events = POLLIN };
	w->fd_count = 1;
	w->can_sleep = w->shared->idle_sleep;
	for (unsigned p = 0; p < w->shared->port_count && w->can_sleep; p++) {
		int fds[16];
		int n = port_wait_fds(w->shared->ports[p], w->index, fds, 16);

		if (n < 0) /* a driver that cannot be slept on: keep polling */
			w->can_sleep = false;
		for (int i = 0; i < n && w->fd_count < WAIT_FDS_MAX; i++)
			w->fds[w->fd_count++] = (struct pollfd){ .fd = fds[i], .events = POLLIN };
	}
}

static struct rte_ring *ring(const char *what, unsigned a, unsigned b, unsigned size)
{
	char name[32];

	snprintf(name, sizeof(name), "%s_%u_%u", what, a, b);
	return rte_ring_create(name, size, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);
}

static bool rings_new(struct worker *w)
{
	for (unsigned i = 0; i < w->shared->workers; i++) {
		if (i == w->index)
			continue;
		w->from[i] = ring("hand", w->index, i, HANDOFF_RING);
		if (!w->from[i])
			return false;
	}
	w->inject = ring("inject", w->index, 0, INJECT_RING);
	return w->inject != NULL;
}

static void *zero_pages(size_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

static bool parts_new(struct worker *w, const struct worker_config *config)
{
	struct worker_shared *s = w->shared;
	struct output_config oc = {
		.ports = s->ports,
		.port_count = s->port_count,
		.queue = w->index,
		.pool = s->pool,
		.routes = s->tables->routes,
		.counters = w->counters,
		.to_kernel = resolve_by_kernel,
		.ctx = w,
	};
	struct proxy_config pc = config->proxy;

	pc.worker = (uint8_t)w->index;
	pc.tables = s->tables;
	pc.counters = w->counters;
	pc.targets = w->targets;
	pc.outbox = (struct outbox){ outbox_reserve, outbox_commit, w };
	pc.record = outbox_record;
	w->records = records_mailbox(s->records, w->index);
	if (config->trace_mb) {
		w->trace = trace_new((size_t)config->trace_mb << 20);
		if (!w->trace)
			return false;
		pc.trace = w->trace;
	}
	pc.call_key = s->call_key;
	pc.branch_key = s->branch_key;
	w->output = output_new(&oc);
	w->reassembly = reassembly_new(config->fragments, 5000);
	w->proxy = proxy_new(&pc, now_ms());
	w->commands = mailbox_new(64, sizeof(struct command));
	return w->output && w->reassembly && w->proxy && w->commands && rings_new(w);
}

struct worker *worker_new(const struct worker_config *config, char *error_text)
{
	struct worker *w = calloc(1, sizeof(*w));

	if (!w)
		goto fail;
	w->shared = config->shared;
	w->index = config->index;
	w->core = config->core;
	w->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	w->page_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	w->counters = aligned_alloc(64, sizeof(*w->counters));
	w->targets = zero_pages(sizeof(struct target_cell) * TARGET_CELLS);
	w->scratch = malloc(SCRATCH_BYTES);
	if (w->event_fd < 0 || w->page_fd < 0 || !w->counters || !w->targets || !w->scratch)
		goto fail;
	memset(w->counters, 0, sizeof(*w->counters));
	if (!parts_new(w, config))
		goto fail;
	collect_fds(w);
	return w;
fail:
	snprintf(error_text, 256, "worker %u: not enough memory; lower limits: in the configuration", config->index);
	worker_free(w);
	return NULL;
}

int worker_start(struct worker *w)
{
	if (pthread_create(&w->thread, NULL, loop, w) != 0)
		return -ERR_IO;
	w->started = true;
	return 0;
}

void worker_join(struct worker *w)
{
	if (!w || !w->started)
		return;
	pthread_join(w->thread, NULL);
	w->started = false;
}

static void ring_free(struct rte_ring *r)
{
	void *m;

	if (!r)
		return;
	while (rte_ring_dequeue(r, &m) == 0)
		rte_pktmbuf_free(m);
	rte_ring_free(r);
}

void worker_free(struct worker *w)
{
	if (!w)
		return;
	for (unsigned i = 0; i < WORKERS_MAX; i++)
		ring_free(w->from[i]);
	ring_free(w->inject);
	mailbox_free(w->commands);
	proxy_free(w->proxy);
	reassembly_free(w->reassembly);
	output_free(w->output);
	free(w->scratch);
	if (w->targets)
		munmap(w->targets, sizeof(struct target_cell) * TARGET_CELLS);
	free(w->counters);
	trace_free(w->trace);
	if (w->event_fd >= 0)
		close(w->event_fd);
	if (w->page_fd >= 0)
		close(w->page_fd);
	free(w);
}

const struct trace *worker_trace(const struct worker *w)
{
	return w->trace;
}

const struct counters *worker_counters(const struct worker *w)
{
	return w->counters;
}

const struct target_cell *worker_targets(const struct worker *w)
{
	return w->targets;
}

const struct worker_published *worker_published(const struct worker *w)
{
	return &w->published;
}
