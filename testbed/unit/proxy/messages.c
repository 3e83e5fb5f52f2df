/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests say and hear: requests, answers, dialogs. */
#include "harness.h"

/* ---- messages in */

void send_bytes(struct harness *h, const char *source, const char *to, const void *data, uint32_t len)
{
	struct flow from = { .remote = addr_of(source), .local = addr_of(to), .transport = transport_of(source),
			     .connection = connection_of(source) };
	uint8_t *exact = malloc(len ? len : 1);

	memcpy(exact, data, len);
	proxy_datagram(h->proxy, exact, len, &from, h->now_ms);
	free(exact);
}

void send_text(struct harness *h, const char *source, const char *text)
{
	static const char *const us[2][2] = { { US, US6 }, { US_TLS, US6_TLS } };

	send_bytes(h, source, us[transport_of(source) == TRANSPORT_TLS][addr_of(source).ip.family == IP_V6], text, (uint32_t)strlen(text));
}

static const char *or_else(const char *text, const char *otherwise)
{
	return text ? text : otherwise;
}

static char *scratch(void)
{
	static char texts[16][70000];
	static unsigned turn;

	return texts[turn++ % ARRAY_SIZE(texts)];
}

const char *request_text(const struct request *r)
{
	char *out = scratch();
	const char *method = or_else(r->method, "INVITE"), *hops = or_else(r->hops, "70"), *body = or_else(r->body, "");
	const char *contact = or_else(r->contact, "<sip:caller@10.1.0.1:5060>");

	snprintf(out, 70000,
		 "%s %s SIP/2.0\r\nVia: %s\r\n%s%s%sFrom: %s\r\nTo: %s\r\nCall-ID: %s\r\nCSeq: %u %s\r\n%s%s%s%sContent-Length: %zu\r\n\r\n%s",
		 method, or_else(r->uri, NUMBER), or_else(r->via, VIA), hops[0] ? "Max-Forwards: " : "", hops, hops[0] ? "\r\n" : "",
		 or_else(r->from, "<sip:caller@10.1.0.1>;tag=from"), or_else(r->to, "<sip:callee@10.0.0.1>"),
		 or_else(r->call_id, "call-1"), r->cseq ? r->cseq : 1, method, contact[0] ? "Contact: " : "", contact,
		 contact[0] ? "\r\n" : "", or_else(r->headers, ""), strlen(body), body);
	return out;
}

void request_send(struct harness *h, const struct request *r)
{
	send_text(h, or_else(r->source, CALLER), request_text(r));
}

void ack_send(struct harness *h, const struct request *r, const struct sent *final)
{
	struct request ack = *r;

	ack.method = "ACK";
	ack.to = sent_header(final, "To", 0);
	ack.contact = "";
	ack.body = NULL;
	request_send(h, &ack);
}

void cancel_send(struct harness *h, const struct request *r)
{
	struct request cancel = *r;

	cancel.method = "CANCEL";
	cancel.contact = "";
	cancel.body = NULL;
	request_send(h, &cancel);
}

char *answer_text(const struct sent *request, unsigned status, const char *to_tag, const char *headers)
{
	struct sip_message *m = sent_view(request);
	char *out = scratch();
	size_t n = (size_t)sprintf(out, "SIP/2.0 %u Reason\r\n", status);
	static const uint8_t copied[] = { SIP_H_VIA, SIP_H_RECORD_ROUTE, SIP_H_FROM, SIP_H_TO, SIP_H_CALL_ID, SIP_H_CSEQ };

	assert_true(m->is_request);
	for (unsigned i = 0; i < ARRAY_SIZE(copied); i++) {
		if (copied[i] == SIP_H_RECORD_ROUTE && (status == 100 || status >= 300))
			continue;
		for (int line = m->first[copied[i]]; line >= 0; line = m->headers[line].next) {
			struct span name = sip_name(m, line), value = sip_value(m, line);

			n += (size_t)sprintf(out + n, "%.*s: %.*s%s%s\r\n", (int)name.n, (const char *)name.p, (int)value.n,
					     (const char *)value.p,
					     copied[i] == SIP_H_TO && to_tag && to_tag[0] && !m->to_tag.p ? ";tag=" : "",
					     copied[i] == SIP_H_TO && to_tag && !m->to_tag.p ? to_tag : "");
		}
	}
	sprintf(out + n, "%sContent-Length: 0\r\n\r\n", headers ? headers : "");
	return out;
}

void answer(struct harness *h, const struct sent *request, unsigned status, const char *to_tag, const char *headers)
{
	static const char *const prefix[] = { "", "tcp:", "tls:" };
	char source[IP_PORT_TEXT_MAX + 4];

	strcpy(source, prefix[request->to.transport]);
	ip_port_format(&request->to.remote, source + strlen(source));
	send_text(h, source, answer_text(request, status, to_tag, headers));
}

/* ---- messages out */

struct sip_message *sent_view(const struct sent *s)
{
	static struct sip_message views[8];
	static unsigned turn;
	struct sip_message *m = &views[turn++ % ARRAY_SIZE(views)];

	if (sip_parse(s->data, s->len, m) != SIP_OK)
		fail_msg("sent what cannot be read (fault %d):\n%.*s", m->fault, (int)s->len, (const char *)s->data);
	return m;
}

bool sent_to(const struct sent *s, const char *to)
{
	struct ip_port addr = addr_of(to);

	if (s->to.transport != transport_of(to))
		return false;
	return s->to.connection && s->to.connection != FLOW_THEIRS ? s->to.connection == connection_of(to) : ip_port_eq(&s->to.remote, &addr);
}

static const struct sent *expect(struct harness *h, const char *what, const char *to)
{
	const struct sent *s;
	char text[IP_PORT_TEXT_MAX];

	if (h->sent_read == h->sent_count)
		fail_msg("wanted %s to %s, but nothing was sent", what, to);
	s = h->sent[h->sent_read++];
	ip_port_format(&s->to.remote, text);
	if (!sent_to(s, to))
		fail_msg("wanted %s to %s, sent to %s:\n%.*s", what, to, text, (int)s->len, (const char *)s->data);
	return s;
}

const struct sent *expect_request(struct harness *h, const char *method, const char *to)
{
	const struct sent *s = expect(h, method, to);
	struct sip_message *m = sent_view(s);

	if (!m->is_request || !span_eq(m->method_name, span_str(method)))
		fail_msg("wanted %s to %s, sent\n%.*s", method, to, (int)s->len, (const char *)s->data);
	return s;
}

const struct sent *expect_response(struct harness *h, unsigned status, const char *to)
{
	const struct sent *s;
	char what[16];
	struct sip_message *m;

	snprintf(what, sizeof(what), "%u", status);
	s = expect(h, what, to);
	m = sent_view(s);
	if (m->is_request || m->status != status)
		fail_msg("wanted %u to %s, sent\n%.*s", status, to, (int)s->len, (const char *)s->data);
	return s;
}

void expect_nothing(struct harness *h)
{
	if (h->sent_read != h->sent_count)
		fail_msg("wanted nothing, sent\n%.*s", (int)h->sent[h->sent_read]->len, (const char *)h->sent[h->sent_read]->data);
}

bool sent_has(const struct sent *s, const char *text)
{
	return memmem(s->data, s->len, text, strlen(text)) != NULL;
}

bool sent_equal(const struct sent *a, const struct sent *b)
{
	return a->len == b->len && !memcmp(a->data, b->data, a->len) && ip_port_eq(&a->to.remote, &b->to.remote);
}

static char *copy_span(struct span s)
{
	char *out = scratch();

	memcpy(out, s.p, s.n);
	out[s.n] = 0;
	return out;
}

const char *sent_header(const struct sent *s, const char *name, unsigned n)
{
	struct sip_message *m = sent_view(s);

	for (int i = 0; i < m->header_count; i++)
		if (span_ieq_str(sip_name(m, i), name) && !n--)
			return copy_span(sip_value(m, i));
	return "";
}

unsigned sent_lines(const struct sent *s, const char *name)
{
	struct sip_message *m = sent_view(s);
	unsigned n = 0;

	for (int i = 0; i < m->header_count; i++)
		n += span_ieq_str(sip_name(m, i), name);
	return n;
}

const char *sent_uri(const struct sent *s)
{
	return copy_span(sent_view(s)->request_uri);
}

/* ---- dialogs */

/* The Record-Routes of a message as Route lines, forwards for the UAS, backwards for the UAC (RFC 3261 §12.1). */
static void routes_of(const struct sent *s, bool backwards, char *out)
{
	unsigned n = sent_lines(s, "Record-Route");

	*out = 0;
	for (unsigned i = 0; i < n; i++)
		out += sprintf(out, "Route: %s\r\n", sent_header(s, "Record-Route", backwards ? n - 1 - i : i));
}

void dialog_open(struct harness *h, const struct request *r, const char *target, const char *target_contact, struct dialog *d)
{
	const char *source = r && r->source ? r->source : CALLER;
	static const char *const uri_params[] = { "", ";transport=tcp", ";transport=tls" };
	const struct sent *invite, *ok;
	char headers[512];

	memset(d, 0, sizeof(*d));
	if (r)
		d->invite = *r;
	d->target = target;
	if (target_contact)
		snprintf(d->target_contact, sizeof(d->target_contact), "%s", target_contact);
	else
		snprintf(d->target_contact, sizeof(d->target_contact), "<sip:target@%s%s>", plain_address(target),
			 uri_params[transport_of(target)]);
	snprintf(d->caller_contact, sizeof(d->caller_contact), "%s", or_else(d->invite.contact, "<sip:caller@10.1.0.1:5060>"));
	snprintf(headers, sizeof(headers), "Contact: %s\r\n", d->target_contact);
	request_send(h, &d->invite);
	expect_response(h, 100, source);
	invite = expect_request(h, "INVITE", target);
	answer(h, invite, 180, "to", headers);
	expect_response(h, 180, source);
	answer(h, invite, 200, "to", headers);
	ok = expect_response(h, 200, source);
	routes_of(invite, false, d->target_routes);
	routes_of(ok, true, d->caller_routes);
	snprintf(d->caller_from, sizeof(d->caller_from), "%s", sent_header(ok, "From", 0));
	snprintf(d->caller_to, sizeof(d->caller_to), "%s", sent_header(ok, "To", 0));
	dialog_send(h, d, TOKEN_FROM_CALLER, "ACK", d->invite.cseq ? d->invite.cseq : 1, NULL);
}

static char *uri_in(const char *contact)
{
	char *out = scratch();

	snprintf(out, 512, "%s", contact[0] == '<' ? contact + 1 : contact);
	out[strcspn(out, ">")] = 0;
	return out;
}

void dialog_send(struct harness *h, const struct dialog *d, enum token_side side, const char *method, unsigned cseq, const char *via)
{
	static const char *const names[] = { "UDP", "TCP", "TLS" };
	static unsigned fresh = 100;
	bool caller = side == TOKEN_FROM_CALLER;
	const char *source = caller ? or_else(d->invite.source, CALLER) : d->target;
	char own_via[128];
	struct request r = {
		.method = method,
		.uri = uri_in(caller ? d->target_contact : d->caller_contact),
		.via = via ? via : own_via,
		.from = caller ? d->caller_from : d->caller_to,
		.to = caller ? d->caller_to : d->caller_from,
		.call_id = d->invite.call_id,
		.cseq = cseq ? cseq : ++fresh,
		.headers = caller ? d->caller_routes : d->target_routes,
		.contact = "",
		.source = source,
	};

	snprintf(own_via, sizeof(own_via), "SIP/2.0/%s %s;rport;branch=z9hG4bKd%u", names[transport_of(source)],
		 plain_address(source), ++fresh);
	request_send(h, &r);
}

void dialog_close(struct harness *h, const struct dialog *d)
{
	const struct sent *bye;

	dialog_send(h, d, TOKEN_FROM_CALLER, "BYE", 0, NULL);
	bye = expect_request(h, "BYE", d->target);
	answer(h, bye, 200, NULL, NULL);
	expect_response(h, 200, or_else(d->invite.source, CALLER));
}
