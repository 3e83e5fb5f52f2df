/* SPDX-License-Identifier: Apache-2.0 */
#include "sip/reply.h"

#include "base/err.h"
#include "sip/name_addr.h"
#include "sip/via.h"
#include "sip/writer.h"

/* A line's name and value as they came. */
static struct span line_text(const struct sip_message *m, int line)
{
	const uint8_t *start = m->data + m->headers[line].start;

	return span_of(start, (uint32_t)(span_end(sip_value(m, line)) - start));
}

/* The same, then a proper line end. */
static void put_line(struct writer *w, const struct sip_message *m, int line)
{
	put(w, line_text(m, line));
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

/* What is copied from a message, of which pieces that lie behind each other go in one: Via, From, To, Call-ID and CSeq mostly do. */
struct run {
	struct writer w;
	struct span pending;
};

static inline void run_end(struct run *r)
{
	put(&r->w, r->pending);
	r->pending.n = 0;
}

static inline void run_on(struct run *r, const uint8_t *from, const uint8_t *end)
{
	if (from != r->pending.p + r->pending.n) {
		run_end(r);
		r->pending.p = from;
	}
	r->pending.n = (uint32_t)(end - r->pending.p);
}

/* Bytes of ours between those that were copied. */
static inline void run_aside(struct run *r, struct span text)
{
	run_end(r);
	put(&r->w, text);
}

/* The rest of a line from there on, then a proper line end. */
static inline void run_line_end(struct run *r, const struct sip_message *m, const struct sip_header *h, const uint8_t *from)
{
	const uint8_t *end = m->data + h->end;

	if (end[-2] == '\r' && end[-3] > ' ') {
		run_on(r, from, end);
		return;
	}
	run_on(r, from, span_end(sip_value_closely(m, (int)(h - m->headers))));
	run_aside(r, SPAN_LIT("\r\n"));
}

static inline void run_line(struct run *r, const struct sip_message *m, int line)
{
	run_line_end(r, m, &m->headers[line], m->data + m->headers[line].start);
}

/* The first Via line: rport filled in, and what the caller has to say about the top value behind that value. */
static void run_top_via(struct run *r, const struct sip_message *m, const struct reply *reply)
{
	const struct sip_header *h = &m->headers[m->first[SIP_H_VIA]];
	const uint8_t *at = m->data + h->start, *behind;
	const struct via *via = &m->top_via;

	behind = via->whole.p + via->whole.n;
	if (reply->rport_value.p && via->rport && !via->rport_value.n) {
		run_on(r, at, via->rport_whole.p);
		run_aside(r, SPAN_LIT(";rport="));
		put(&r->w, reply->rport_value);
		at = via->rport_whole.p + via->rport_whole.n;
	}
	if (reply->via_append.n) {
		run_on(r, at, behind);
		run_aside(r, reply->via_append);
		at = behind;
	}
	run_line_end(r, m, h, at);
}

static void run_to(struct run *r, const struct sip_message *m, struct span tag)
{
	const struct sip_header *h = &m->headers[m->first[SIP_H_TO]];

	if (!tag.p || m->to_tag.p) {
		run_line(r, m, m->first[SIP_H_TO]);
		return;
	}
	run_on(r, m->data + h->start, span_end(sip_value_closely(m, (int)(h - m->headers))));
	run_aside(r, SPAN_LIT(";tag="));
	put(&r->w, tag);
	PUT(&r->w, "\r\n");
}

static void put_status_line(struct writer *w, const struct reply *reply)
{
	if (reply->status == 100 && !reply->reason) {
		PUT(w, "SIP/2.0 100 Trying\r\n");
		return;
	}
	PUT(w, "SIP/2.0 ");
	put_u32(w, reply->status);
	PUT(w, " ");
	put_str(w, reply->reason ? reply->reason : sip_reason_phrase(reply->status));
	PUT(w, "\r\n");
}

int reply_compose(const struct sip_message *request, const struct reply *reply, uint8_t *out, uint32_t cap)
{
	struct run r = { .w = { .out = out, .cap = cap }, .pending = span_of(request->data, 0) };
	const struct sip_message *m = request;

	if (!sip_answerable(m))
		return -ERR_INVALID;
	put_status_line(&r.w, reply);
	run_top_via(&r, m, reply);
	for (int line = m->headers[m->first[SIP_H_VIA]].next; line >= 0; line = m->headers[line].next)
		run_line(&r, m, line);
	run_line(&r, m, m->first[SIP_H_FROM]);
	run_to(&r, m, reply->to_tag);
	run_line(&r, m, m->first[SIP_H_CALL_ID]);
	run_line(&r, m, m->first[SIP_H_CSEQ]);
	if (reply->status == 100 && m->first[SIP_H_TIMESTAMP] >= 0)
		run_line(&r, m, m->first[SIP_H_TIMESTAMP]);
	run_aside(&r, reply->headers);
	PUT(&r.w, "Content-Length: 0\r\n\r\n");
	return r.w.full ? -ERR_FULL : (int)r.w.n;
}

static void put_start(struct writer *w, const char *method, struct span uri)
{
	put_str(w, method);
	PUT(w, " ");
	put(w, uri);
	PUT(w, " SIP/2.0\r\n");
}

/* What follows the Route: hops, the dialog as m has it, and the end. */
static void put_rest(struct writer *w, const struct sip_message *m, const char *method, uint32_t max_forwards, struct span to, struct span extra)
{
	PUT(w, "Max-Forwards: ");
	put_u32(w, max_forwards == UINT32_MAX ? 70 : max_forwards);
	PUT(w, "\r\n");
	put_line(w, m, m->first[SIP_H_FROM]);
	put_field(w, "To", to);
	put_line(w, m, m->first[SIP_H_CALL_ID]);
	PUT(w, "CSeq: ");
	put_u32(w, m->cseq);
	PUT(w, " ");
	put_str(w, method);
	PUT(w, "\r\n");
	put(w, extra);
	PUT(w, "Content-Length: 0\r\n\r\n");
}

/* A request of our own beside an INVITE of ours: same transaction's Via, same dialog, same route. */
static int compose_beside(const struct sip_message *sent, const char *method, struct span to, struct span extra, uint8_t *out,
			  uint32_t cap)
{
	struct writer w = { .out = out, .cap = cap };

	if (!sip_answerable(sent))
		return -ERR_INVALID;
	put_start(&w, method, sent->request_uri);
	put_field(&w, "Via", sent->top_via.whole);
	put_lines(&w, sent, sent->first[SIP_H_ROUTE]);
	put_rest(&w, sent, method, sent->max_forwards, to, extra);
	return w.full ? -ERR_FULL : (int)w.n;
}

int reply_compose_ack(const struct sip_message *sent, struct span response_to, uint8_t *out, uint32_t cap)
{
	return compose_beside(sent, "ACK", response_to, span_of(out, 0), out, cap);
}

int reply_compose_ack_again(const struct sip_message *response, struct span uri, struct span via_line, uint32_t max_forwards, uint8_t *out,
			    uint32_t cap)
{
	struct writer w = { .out = out, .cap = cap };

	if (response->first[SIP_H_FROM] < 0 || response->first[SIP_H_TO] < 0 || response->first[SIP_H_CALL_ID] < 0)
		return -ERR_INVALID;
	put_start(&w, "ACK", uri);
	put(&w, via_line);
	put_rest(&w, response, "ACK", max_forwards, sip_first(response, SIP_H_TO), span_of(out, 0));
	return w.full ? -ERR_FULL : (int)w.n;
}

int reply_compose_cancel(const struct sip_message *sent, struct span extra_headers, uint8_t *out, uint32_t cap)
{
	return compose_beside(sent, "CANCEL", sip_first(sent, SIP_H_TO), extra_headers, out, cap);
}
