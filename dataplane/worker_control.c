/* SPDX-License-Identifier: Apache-2.0 */
/* A worker as the control thread sees it: its life, and what it is asked. */
#include "worker_state.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include <rte_mbuf.h>
#include <rte_ring.h>

#include "base/err.h"
#include "base/mailbox.h"
#include "base/pages.h"
#include "net/output.h"
#include "net/reassembly.h"
#include "proxy/stats.h"
#include "proxy/trace.h"
#include "records.h"

/* ---- what it is asked */

void worker_wake(struct worker *w)
{
	uint64_t one = 1;

	atomic_thread_fence(memory_order_seq_cst);
	if (atomic_load(&w->sleeping) && write(w->event_fd, &one, sizeof(one)) < 0)
		return; /* the counter is full: it is awake enough */
}

void worker_drain(struct worker *w, bool drain)
{
	struct command c = { COMMAND_DRAIN, drain, 0, 0 };

	mailbox_post(w->commands, &c);
	worker_wake(w);
}

void worker_admit(struct worker *w, enum admission what)
{
	struct command c = { COMMAND_ADMIT, true, what, 0 };

	mailbox_post(w->commands, &c);
	worker_wake(w);
}

void worker_hang_up(struct worker *w)
{
	struct command c = { COMMAND_HANG_UP, true, 0, 0 };

	mailbox_post(w->commands, &c);
	worker_wake(w);
}

bool worker_release_endpoint(struct worker *w, uint32_t endpoint)
{
	struct command c = { COMMAND_RELEASE_ENDPOINT, true, endpoint, 0 };

	if (!mailbox_post(w->commands, &c))
		return false;
	worker_wake(w);
	return true;
}

bool worker_recount(struct worker *w)
{
	struct command c = { COMMAND_RECOUNT, true, 0, 0 };

	if (!mailbox_post(w->commands, &c))
		return false;
	worker_wake(w);
	return true;
}

struct retry_count worker_retries(const struct worker *w, uint32_t profile_slot, uint32_t profile_id)
{
	return proxy_retries(w->proxy, profile_slot, profile_id, worker_now_ms());
}

bool worker_probe(struct worker *w, const struct probe_request *request)
{
	if (!mailbox_post(w->probes, request))
		return false;
	worker_wake(w);
	return true;
}

bool worker_tls_seen(struct worker *w, struct tls_seen *ret)
{
	struct tls *tls = w->streams ? streams_tls(w->streams) : NULL;

	return tls && tls_seen_take(tls, ret);
}

bool worker_probe_result(struct worker *w, struct probe_result *ret)
{
	return mailbox_take(w->probe_results, ret);
}

/* Has a page filled, and waits for it. false: not in time. */
static bool ask_page(struct worker *w, const struct command *c, unsigned wait_ms)
{
	struct pollfd fd = { .fd = w->page_fd, .events = POLLIN };
	uint64_t told;

	if (read(w->page_fd, &told, sizeof(told)) < 0 && atomic_load(&w->page_asked))
		return false; /* it has not come back from the last time */
	atomic_store(&w->page_asked, true);
	if (!mailbox_post(w->commands, c)) {
		atomic_store(&w->page_asked, false);
		return false;
	}
	worker_wake(w);
	while (atomic_load(&w->page_asked))
		if (poll(&fd, 1, (int)wait_ms) <= 0)
			return false;
	return true;
}

const struct call_page *worker_ask_calls(struct worker *w, uint32_t *cursor, unsigned wait_ms)
{
	struct command c = { .type = COMMAND_CALLS, .value = *cursor };

	if (!ask_page(w, &c, wait_ms))
		return NULL;
	*cursor = w->page_cursor;
	return &w->page;
}

const struct connection_page *worker_ask_connections(struct worker *w, uint32_t *cursor, unsigned wait_ms)
{
	struct command c = { .type = COMMAND_CONNECTIONS, .value = *cursor };

	if (!ask_page(w, &c, wait_ms))
		return NULL;
	*cursor = w->page_cursor;
	return &w->connections;
}

const struct connection_page *worker_ask_close(struct worker *w, uint64_t connection, unsigned wait_ms)
{
	struct command c = { .type = COMMAND_CLOSE, .connection = connection };

	return ask_page(w, &c, wait_ms) ? &w->connections : NULL;
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
		.to_kernel = worker_resolve_by_kernel,
		.ctx = w,
	};
	struct proxy_config pc = config->proxy;

	pc.worker = (uint8_t)w->index;
	pc.alone = s->workers == 1;
	pc.tables = s->tables;
	pc.counters = w->counters;
	pc.targets = w->targets;
	pc.outbox = (struct outbox){ worker_outbox_reserve, worker_outbox_commit, w };
	pc.record_room = worker_outbox_record_room;
	pc.record_written = worker_outbox_record_written;
	pc.probe_done = worker_outbox_probe_done;
	w->probes = mailbox_new(PROBES_WAITING, sizeof(struct probe_request));
	w->probe_results = mailbox_new(PROBES_WAITING * 16, sizeof(struct probe_result));
	if (!w->probes || !w->probe_results)
		return false;
	w->records = records_mailbox(s->records, w->index);
	if (config->trace_mb) {
		w->trace = trace_new((size_t)config->trace_mb << 20, config->trace_s * 1000);
		if (!w->trace)
			return false;
		pc.trace = w->trace;
	}
	pc.call_key = s->call_key;
	pc.branch_key = s->branch_key;
	w->output = output_new(&oc);
	w->reassembly = reassembly_new(config->fragments, 5000);
	w->proxy = proxy_new(&pc, worker_now_ms());
	w->admits = pc.admission == ADMIT_ALL;
	if (w->admits)
		atomic_fetch_add(&s->open, 1);
	w->commands = mailbox_new(64, sizeof(struct command));
	return w->output && w->reassembly && w->proxy && w->commands && rings_new(w) && worker_streams_new(w, &config->streams) == 0;
}

struct worker *worker_new(const struct worker_config *config, char *error_text)
{
	struct worker *w = pages_new(sizeof(*w));

	if (!w)
		goto fail;
	w->shared = config->shared;
	w->index = config->index;
	w->core = config->core;
	w->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	w->page_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	w->counters = pages_new(sizeof(*w->counters));
	w->targets = zero_pages(sizeof(struct target_cell) * TARGET_CELLS);
	w->scratch = malloc(SCRATCH_BYTES);
	if (w->event_fd < 0 || w->page_fd < 0 || !w->counters || !w->targets || !w->scratch)
		goto fail;
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
	proxy_touch(w->proxy);
	if (w->streams)
		streams_touch(w->streams);
	if (pthread_create(&w->thread, NULL, worker_loop, w) != 0)
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
	mailbox_free(w->probes);
	mailbox_free(w->probe_results);
	streams_free(w->streams);
	proxy_free(w->proxy);
	reassembly_free(w->reassembly);
	output_free(w->output);
	free(w->scratch);
	if (w->targets)
		munmap(w->targets, sizeof(struct target_cell) * TARGET_CELLS);
	pages_free(w->counters, sizeof(*w->counters));
	trace_free(w->trace);
	if (w->event_fd >= 0)
		close(w->event_fd);
	if (w->page_fd >= 0)
		close(w->page_fd);
	pages_free(w, sizeof(*w));
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
