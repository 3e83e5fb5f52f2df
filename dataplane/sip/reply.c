/* SPDX-License-Identifier: Apache-2.0 */
#include "sip/reply.h"

#include "base/err.h"
#include "sip/name_addr.h"
#include "sip/via.h"
#include "sip/writer.h"

/* Name and value as they came, then a proper line end. */
static void put_line(struct writer *w, const struct sip_message *m, int line)
{
	const struct sip_header *h = &m->headers[line];

	put(w, span_of(m->data + h->start, h->value + h->value_len - h->start));
	PUT(w, "\r\n");
}

static void put_lines(struct writer *w, const struct sip_message *m, int line)
{
	for (; line >= 0; line = m->headers[line].next)
		put_line(w, m, line);
}

static void put_field(struct writer *w, const char *name, struct span value)
{
	put_str(w, name);
	PUT(w, ": ");
	put(w, value);
	PUT(w, "\r\n");
}

/* The first Via line: rport filled in, and what the caller has to say about the top value behind that value. */
static void put_top_via(struct writer *w, const struct sip_message *m, const struct reply *reply)
{
	const struct sip_header *h = &m->headers[m->first[SIP_H_VIA]];
	const uint8_t *at = m->data + h->start, *end = m->data + h->value + h->value_len, *behind;
	const struct via *via = &m->top_via;

	behind = via->whole.p + via->whole.n;
	if (reply->rport_value.p && via->rport && !via->rport_value.n) {
		put(w, span_of(at, (uint32_t)(via->rport_whole.p - at)));
		PUT(w, ";rport=");
		put(w, reply->rport_value);
		at = via->rport_whole.p + via->rport_whole.n;
	}
	put(w, span_of(at, (uint32_t)(behind - at)));
	put(w, reply->via_append);
	put(w, span_of(behind, (uint32_t)(end - behind)));
	PUT(w, "\r\n");
}

static void put_to(struct writer *w, const struct sip_message *m, struct span tag)
{
	const struct sip_header *h = &m->headers[m->first[SIP_H_TO]];

	put(w, span_of(m->data + h->start, h->value + h->value_len - h->start));
	if (tag.p && !m->to_tag.p) {
		PUT(w, ";tag=");
		put(w, tag);
	}
	PUT(w, "\r\n");
}

int reply_compose(const struct sip_message *request, const struct reply *reply, uint8_t *out, uint32_t cap)
{
	struct writer w = { .out = out, .cap = cap };
	const struct sip_message *m = request;
	int top = m->first[SIP_H_VIA];

	if (!sip_answerable(m))
		return -ERR_INVALID;
	PUT(&w, "SIP/2.0 ");
	put_u32(&w, reply->status);
	PUT(&w, " ");
	put_str(&w, reply->reason ? reply->reason : sip_reason_phrase(reply->status));
	PUT(&w, "\r\n");
	put_top_via(&w, m, reply);
	put_lines(&w, m, m->headers[top].next);
	put_line(&w, m, m->first[SIP_H_FROM]);
	put_to(&w, m, reply->to_tag);
	put_line(&w, m, m->first[SIP_H_CALL_ID]);
	put_line(&w, m, m->first[SIP_H_CSEQ]);
	if (reply->status == 100 && m->first[SIP_H_TIMESTAMP] >= 0)
		put_line(&w, m, m->first[SIP_H_TIMESTAMP]);
	put(&w, reply->headers);
	PUT(&w, "Content-Length: 0\r\n\r\n");
	return w.full ? -ERR_FULL : (int)w.n;
}

/* A request of our own beside an INVITE of ours: same transaction's Via, same dialog, same route. */
static int compose_beside(const struct sip_message *sent, const char *method, struct span to, struct span extra, uint8_t *out,
			  uint32_t cap)
{
	struct writer w = { .out = out, .cap = cap };

	if (!sip_answerable(sent))
		return -ERR_INVALID;
	put_str(&w, method);
	PUT(&w, " ");
	put(&w, sent->request_uri);
	PUT(&w, " SIP/2.0\r\n");
	put_field(&w, "Via", sent->top_via.whole);
	put_lines(&w, sent, sent->first[SIP_H_ROUTE]);
	PUT(&w, "Max-Forwards: ");
	put_u32(&w, sent->max_forwards == UINT32_MAX ? 70 : sent->max_forwards);
	PUT(&w, "\r\n");
	put_line(&w, sent, sent->first[SIP_H_FROM]);
	put_field(&w, "To", to);
	put_line(&w, sent, sent->first[SIP_H_CALL_ID]);
	PUT(&w, "CSeq: ");
	put_u32(&w, sent->cseq);
	PUT(&w, " ");
	put_str(&w, method);
	PUT(&w, "\r\n");
	put(&w, extra);
	PUT(&w, "Content-Length: 0\r\n\r\n");
	return w.full ? -ERR_FULL : (int)w.n;
}

int reply_compose_ack(const struct sip_message *sent, struct span response_to, uint8_t *out, uint32_t cap)
{
	return compose_beside(sent, "ACK", response_to, span_of(out, 0), out, cap);
}

int reply_compose_cancel(const struct sip_message *sent, struct span extra_headers, uint8_t *out, uint32_t cap)
{
	return compose_beside(sent, "CANCEL", sip_first(sent, SIP_H_TO), extra_headers, out, cap);
}
