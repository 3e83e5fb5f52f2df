/* SPDX-License-Identifier: Apache-2.0 */
/* What leaves a worker: to the kernel, and by the proxy's outbox to the network and the control thread. */
#include "worker_state.h"

#include <stddef.h>
#include <string.h>

#include <rte_cycles.h>
#include <rte_mbuf.h>
#include <rte_ring.h>

#include "base/mailbox.h"
#include "net/output.h"
#include "sip/via.h"

void worker_to_kernel(struct worker *w, struct rte_mbuf *m, enum exception_kind kind, uint16_t port)
{
	m->hash.usr = EXCEPTION_MARK(kind, port);
	if (rte_ring_mp_enqueue(w->shared->exceptions, m) < 0) {
		counter_add(w->counters, COUNTER_exception_dropped_full, 1);
		rte_pktmbuf_free(m);
		return;
	}
	counter_add(w->counters, COUNTER_rx_exception, 1);
	w->control_due = true;
}

void worker_resolve_by_kernel(void *ctx, struct rte_mbuf *ip_packet, uint16_t port)
{
	struct worker *w = ctx;

	counter_add(w->counters, COUNTER_kernel_resolve, 1);
	worker_to_kernel(w, ip_packet, EXCEPTION_IP_PACKET, port);
}

uint8_t *worker_outbox_reserve(void *ctx, uint32_t bytes, const struct flow *to)
{
	struct worker *w = ctx;

	if (bytes > OUTPUT_PAYLOAD_MAX)
		bytes = OUTPUT_PAYLOAD_MAX;
	if (likely(to->transport == TRANSPORT_UDP))
		w->reserved = output_reserve_for(w->output, bytes, &to->local, &to->remote);
	else
		w->reserved = output_reserve(w->output, bytes);
	return (uint8_t *)w->reserved;
}

int worker_outbox_commit(void *ctx, uint32_t len, const struct flow *to)
{
	struct worker *w = ctx;

	if (unlikely(to->transport != TRANSPORT_UDP))
		return worker_stream_send(w, w->reserved, len, to);
	return output_commit(w->output, len, &to->local, &to->remote);
}

/* Of a record, what is written of one with an attempt and usual texts. */
#define RECORD_USUAL_BYTES (offsetof(struct call_record, attempts) + sizeof(struct attempt_record))

struct call_record *worker_outbox_record_room(void *ctx)
{
	struct worker *w = ctx;
	struct call_record *room = mailbox_room(w->records);

	if (!room)
		counter_add(w->counters, COUNTER_records_waited, 1);
	return room;
}

void worker_outbox_record_written(void *ctx)
{
	struct worker *w = ctx;

	mailbox_posted(w->records);
	mailbox_prefetch_room(w->records, RECORD_USUAL_BYTES); /* the ring is large, and it is not looked at again before the next call */
	w->records_untold++;
}

/* started: cycles. */
void worker_outbox_probe_done(void *ctx, const struct probe_result *result, uint64_t started)
{
	struct worker *w = ctx;
	uint32_t bytes = (uint32_t)offsetof(struct probe_result, answer) + result->answer_len;
	struct probe_result r;

	memcpy(&r, result, bytes);
	if (r.status)
		r.rtt_us = (uint32_t)((rte_rdtsc() - started) * 1000000 / rte_get_tsc_hz());
	if (mailbox_post_part(w->probe_results, &r, bytes))
		w->control_due = true;
	else
		counter_add(w->counters, COUNTER_probe_results_dropped, 1);
}
