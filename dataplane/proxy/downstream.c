/* SPDX-License-Identifier: Apache-2.0 */
/* Messages of an attempt's client transaction after the first: the request again, its ACK, its CANCEL. Each is composed anew from the kept
 * original, so that nothing but the original is stored. */
#include "proxy/state.h"
#include "sip/reply.h"

/* Edits never add more than this to a message. */
#define FORWARD_GROWTH 1024

static uint32_t room_for(uint32_t len)
{
	return len + FORWARD_GROWTH < SLAB_BYTES_MAX ? len + FORWARD_GROWTH : SLAB_BYTES_MAX;
}

int downstream_resend(struct proxy *p, struct attempt *a)
{
	return context_view(p, a->context) ? forward_send(p, a->context, a, &p->kept) : 0;
}

/* The request as it was sent, read again into p->sent. */
static bool sent_view(struct proxy *p, const struct attempt *a)
{
	int n;

	if (!context_view(p, a->context))
		return false;
	n = forward_compose(p, a->context, a, &p->kept, p->text, sizeof(p->text));
	return n > 0 && sip_parse(p->text, (uint32_t)n, &p->sent) == SIP_OK;
}

struct refused *downstream_ack(struct proxy *p, struct attempt *a)
{
	struct span response_to = sip_first(p->in, SIP_H_TO);
	uint32_t room;
	uint8_t *out;
	int n;

	if (!sent_view(p, a))
		return NULL;
	room = room_for(p->sent.body + response_to.n);
	out = send_begin(p, room, &a->txn.to);
	n = out ? reply_compose_ack(&p->sent, response_to, out, room) : 0;
	if (n > 0)
		send_end(p, (uint32_t)n, &a->txn.to);
	return refused_keep(p, a);
}

static bool send_cancel(struct proxy *p, struct attempt *a)
{
	/* RFC 3326: a branch that lost to another's answer is told so, lest it show up as a missed call. */
	struct span reason = a->context->answered ? SPAN_LIT("Reason: SIP;cause=200;text=\"Call completed elsewhere\"\r\n") :
						    span_of(a->context->reason, a->context->reason_len);
	uint32_t room;
	uint8_t *out;
	int n;

	if (!sent_view(p, a))
		return true; /* and never will be */
	room = room_for(p->sent.body + reason.n);
	out = send_begin(p, room, &a->txn.to);
	if (!out)
		return false;
	n = reply_compose_cancel(&p->sent, reason, out, room);
	if (n > 0)
		send_end(p, (uint32_t)n, &a->txn.to);
	return true;
}

void downstream_cancel(struct proxy *p, struct attempt *a)
{
	bool sent = send_cancel(p, a);

	if (!sent || a->txn.to.transport == TRANSPORT_UDP)
		wheel_arm(p->wheel, &a->ring, p->now_ms + a->cancel_interval_ms);
}
