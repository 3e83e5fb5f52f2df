/* SPDX-License-Identifier: Apache-2.0 */
/* The one way out: a buffer of the outbox, what is written into it, and its trace. */
#include "base/err.h"
#include "proxy/state.h"

int send_unsent(const struct flow *to)
{
	return to->transport == TRANSPORT_UDP ? 0 : -ERR_FULL;
}

uint8_t *send_begin(struct proxy *p, uint32_t room, const struct flow *to)
{
	p->out = p->config.outbox.reserve(p->config.outbox.ctx, room, to);
	return p->out;
}

int send_end(struct proxy *p, uint32_t len, const struct flow *to)
{
	if (trace_keeps(p->config.trace, p->call_hash))
		trace_put(p->config.trace, TRACE_OUT, p->now_ms, p->call_hash, to, p->out, len);
	return p->config.outbox.commit(p->config.outbox.ctx, len, to);
}

int send_end_edited(struct proxy *p, const struct sip_message *m, uint32_t len, const struct flow *to)
{
	if (trace_keeps(p->config.trace, p->call_hash))
		trace_put_edited(p->config.trace, m->data, p->now_ms, p->call_hash, to, &p->edits, p->out, len);
	return p->config.outbox.commit(p->config.outbox.ctx, len, to);
}
