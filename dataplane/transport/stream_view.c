/* SPDX-License-Identifier: Apache-2.0 */
/* Connections, for people to look at. */
#include "base/err.h"
#include "base/pool.h"
#include "transport/stream_state.h"

static void view(const struct streams *st, const struct stream *s, struct stream_view *ret)
{
	struct tcp_info info = { 0 };

	*ret = (struct stream_view){
		.name = s->name,
		.local = s->c ? *tcp_local(s->c) : s->local, /* its own port, where we opened it */
		.remote = s->remote,
		.transport = s->transport,
		.ours = s->ours,
		.state = tcp_state_name(s->c ? tcp_state(s->c) : TCP_STATE_CLOSED),
		.cipher = s->cipher,
		.tls_version = s->tls_version,
		.tls_resumed = s->tls_resumed,
		.age_ms = st->now_ms - s->opened_ms,
		.idle_ms = st->now_ms - s->active_ms,
		.bytes_in = s->bytes_in,
		.bytes_out = s->bytes_out,
		.messages_in = s->messages_in,
		.messages_out = s->messages_out,
		.queued = s->queue_bytes,
	};
	if (!s->c)
		return;
	tcp_info(s->c, &info);
	ret->queued += tcp_send_pending(s->c);
	ret->retransmitted = info.retransmitted;
	ret->srtt_us = info.srtt_us;
}

unsigned streams_list(const struct streams *st, uint32_t *cursor, unsigned max, struct stream_view *ret)
{
	unsigned n = 0;

	for (; *cursor < pool_capacity(st->pool) && n < max; ++*cursor)
		if (st->generations[*cursor] & 1)
			view(st, pool_at(st->pool, *cursor), &ret[n++]);
	return n;
}

int streams_end(struct streams *st, uint64_t name, struct stream_view *ret)
{
	struct stream *s = stream_find(st, name);

	if (!s)
		return -ERR_NOT_FOUND;
	view(st, s, ret);
	stream_close(st, s);
	return 0;
}
