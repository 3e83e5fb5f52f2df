/* SPDX-License-Identifier: Apache-2.0 */
/* Header fields and bodies as callers and targets write them. */
#include "peer_fields.h"

static bool long_call_ids, streams[2], secured; /* streams: [it is the caller] */

void peers_long_call_ids(bool on)
{
	long_call_ids = on;
}

void peers_by_stream(bool callers, bool targets, bool tls)
{
	streams[true] = callers;
	streams[false] = targets;
	secured = tls;
}

const char *peer_transport(bool caller)
{
	return !streams[caller] ? "UDP" : secured ? "TLS" : "TCP";
}

static uint64_t caller_number(const struct call_name *n)
{
	return 447000000000 + scramble(n->serial ^ 0x5151) % 1000000000;
}

static void put_call_id(struct text *t, const struct call_name *n)
{
	const struct make *m = peer_caller_make(n);
	uint64_t digits = scramble(n->serial);

	if (m->dashes) {
		put_hex(t, digits >> 32, 8);
		PUT(t, "-");
		put_hex(t, digits >> 16, 4);
		PUT(t, "-");
		put_hex(t, digits, 4);
	} else {
		put_hex(t, digits, 16);
	}
	if (long_call_ids) { /* 60 in all */
		put_hex(t, scramble(digits), 16);
		put_hex(t, scramble(digits + 1), m->dashes ? 14 : 16);
		PUT(t, "@pbx.example");
		return;
	}
	put_str(t, m->call_id_tail);
	if (!m->dashes) {
		PUT(t, "@");
		put_ip(t, n->caller_ip);
	}
}

static void put_tag(struct text *t, uint64_t serial, bool caller)
{
	if (caller) {
		PUT(t, "as");
		put_hex(t, scramble(serial + 0x77), 8);
	} else {
		put_hex(t, scramble(serial ^ 0x1234567), 12);
	}
}

/* ---- fields */

static void put_side(struct text *t, const struct call_name *n, bool caller, bool tag)
{
	const struct make *m = peer_caller_make(n);

	if (caller && m->display) {
		PUT(t, "\"");
		put_str(t, m->display);
		PUT(t, "\" ");
	}
	PUT(t, "<sip:+");
	put_u(t, caller ? caller_number(n) : n->number);
	PUT(t, "@");
	if (caller)
		put_ip(t, n->caller_ip);
	else
		PUT(t, "sip.example.net");
	put_str(t, m->uri_params);
	PUT(t, ">");
	if (tag) {
		PUT(t, ";tag=");
		put_tag(t, n->serial, caller);
	}
	PUT(t, "\r\n");
}

void peer_contact_uri(struct text *t, const struct call_name *n, bool caller, uint32_t target_ip)
{
	PUT(t, "sip:+");
	put_u(t, caller ? caller_number(n) : n->number);
	PUT(t, "@");
	put_ip(t, caller ? n->caller_ip : target_ip);
	PUT(t, ":5060");
	if (streams[caller])
		put_str(t, secured ? ";transport=tls" : ";transport=tcp");
	else if (!caller)
		put_str(t, peer_target_make(target_ip)->uri_params);
}

static void put_via(struct text *t, uint32_t ip, uint64_t branch, bool caller)
{
	PUT(t, "Via: SIP/2.0/");
	put_str(t, peer_transport(caller));
	PUT(t, " ");
	put_ip(t, ip);
	PUT(t, ":5060;branch=z9hG4bK");
	put_hex(t, scramble(branch), 12);
	if (ip & 1 && !streams[caller]) /* where a stream came from is nobody's business */
		PUT(t, ";rport");
	PUT(t, "\r\n");
}

/* Record-Route lines, as the target saw them, become Route lines: for the target in that order, for the caller in the reverse (RFC 3261
 * §12.1). There is more than one where the two sides speak by different transports. */
static void put_routes(struct text *t, const struct dialog_view *d)
{
	static const char name[] = "Record-Route: ";
	const uint8_t *lines[4], *p = d->routes, *end = p + d->route_bytes;
	unsigned n = 0;

	for (; p < end && n < 4; p = (const uint8_t *)memchr(p, '\n', (size_t)(end - p)) + 1)
		lines[n++] = p;
	for (unsigned i = 0; i < n; i++) {
		const uint8_t *line = lines[d->from_caller ? n - 1 - i : i];
		const uint8_t *next = (const uint8_t *)memchr(line, '\n', (size_t)(end - line)) + 1;

		PUT(t, "Route: ");
		put(t, line + sizeof(name) - 1, (size_t)(next - line) - (sizeof(name) - 1));
	}
}

static void put_sdp(struct text *t, const struct make *m, const struct call_name *n, uint32_t ip, enum mix size)
{
	static const char *const formats[] = { " RTP/AVP 8\r\n", " RTP/AVP 8 101\r\n", " RTP/AVP 8 101 0\r\n", " RTP/AVP 8 101 0 9\r\n" };
	static const char *const maps[] = { "a=rtpmap:8 PCMA/8000\r\n", "a=rtpmap:101 telephone-event/8000\r\n", "a=rtpmap:0 PCMU/8000\r\n",
					    "a=rtpmap:9 G722/8000\r\n" };
	uint64_t session = scramble(n->serial + ip) % 390000000 + 3900000000;
	unsigned codecs = size == MIX_SMALL ? 1 : m->codecs;

	PUT(t, "v=0\r\no=- ");
	put_u(t, session);
	PUT(t, " ");
	put_u(t, session + 1);
	PUT(t, " IN IP4 ");
	put_ip(t, ip);
	PUT(t, "\r\ns=");
	put_str(t, m->session_name);
	PUT(t, "\r\nc=IN IP4 ");
	put_ip(t, ip);
	PUT(t, "\r\nt=0 0\r\nm=audio ");
	put_u(t, 16384 + 2 * (session % 8192));
	put_str(t, formats[codecs - 1]);
	for (unsigned i = 0; i < codecs; i++)
		put_str(t, maps[i]);
	if (size != MIX_SMALL && codecs > 2)
		PUT(t, "a=ptime:20\r\n");
	if (size >= MIX_LARGE) {
		PUT(t, "a=fmtp:101 0-16\r\na=fmtp:18 annexb=no\r\na=maxptime:150\r\na=rtcp-fb:* nack\r\na=sendrecv\r\n"
		       "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj\r\n");
	}
}

const char *const peer_method_names[] = { "INVITE", "ACK", "BYE", "INFO", "UPDATE" };

static bool has_sdp(const struct message *m)
{
	if (m->response)
		return m->method == M_INVITE && (m->status == 200 || m->status == 183);
	return m->method == M_INVITE;
}

static void put_content(struct text *t, const struct message *m)
{
	static const char dtmf[] = "Signal=5\r\nDuration=160\r\n";

	if (has_sdp(m)) {
		uint8_t body[1024];
		struct text b = { body };

		put_sdp(&b, m->make, m->name, m->own_ip, m->mix);
		PUT(t, "Content-Type: application/sdp\r\nContent-Length: ");
		put_u(t, (uint64_t)(b.p - body));
		PUT(t, "\r\n\r\n");
		put(t, body, (size_t)(b.p - body));
	} else if (m->method == M_INFO && !m->response) {
		PUT(t, "Content-Type: application/dtmf-relay\r\nContent-Length: ");
		put_u(t, sizeof(dtmf) - 1);
		PUT(t, "\r\n\r\n");
		PUT(t, dtmf);
	} else {
		PUT(t, "Content-Length: 0\r\n\r\n");
	}
}

static bool target_has_tag(const struct message *m)
{
	if (m->response)
		return m->status > 100;
	return m->dialog && m->dialog->target_ip;
}

static void put_session(struct text *t, const struct message *m)
{
	if (m->method != M_INVITE && m->method != M_UPDATE)
		return;
	if (m->response && m->status != 200)
		return;
	PUT(t, "Session-Expires: 1800;refresher=uac\r\n");
	if (!m->response)
		PUT(t, "Min-SE: 90\r\n");
}

static void put_extras(struct text *t, enum field field, const struct message *m)
{
	bool first = !m->dialog;

	switch (field) {
	case DATE:
		if (first)
			PUT(t, "Date: Fri, 20 Nov 2026 10:21:07 GMT\r\n");
		break;
	case ASSERTED:
		if (m->method == M_INVITE || m->method == M_UPDATE) {
			PUT(t, "P-Asserted-Identity: <sip:+");
			put_u(t, caller_number(m->name));
			PUT(t, "@carrier.example.org;user=phone>\r\n");
		}
		break;
	case REMOTE_PARTY:
		if (m->method == M_INVITE) {
			PUT(t, "Remote-Party-ID: <sip:+");
			put_u(t, caller_number(m->name));
			PUT(t, "@");
			put_ip(t, m->own_ip);
			PUT(t, ">;party=calling;screen=yes;privacy=off\r\n");
		}
		break;
	case PRIVACY:
		if (first)
			PUT(t, "Privacy: none\r\n");
		break;
	case CHARGING:
		PUT(t, "P-Charging-Vector: icid-value=");
		put_hex(t, scramble(m->name->serial + 5), 16);
		PUT(t, ";orig-ioi=carrier.example.org\r\n");
		break;
	case ALLOW_EVENTS:
		if (first)
			PUT(t, "Allow-Events: talk, hold, conference, refer\r\n");
		break;
	case ACCEPT:
		if (m->method != M_ACK)
			PUT(t, "Accept: application/sdp\r\n");
		break;
	case REASON:
		if (m->method == M_BYE && !m->response)
			PUT(t, "Reason: Q.850;cause=16;text=\"Normal call clearing\"\r\n");
		break;
	default:
		break;
	}
}

static void put_larger(struct text *t, const struct message *m)
{
	if (m->mix < MIX_LARGE)
		return;
	PUT(t, "Session-ID: ");
	put_hex(t, scramble(m->name->serial), 16);
	put_hex(t, scramble(m->name->serial + 9), 16);
	PUT(t, ";remote=00000000000000000000000000000000\r\nP-Access-Network-Info: IEEE-802.3ah;network-provided\r\n");
	if (m->mix < MIX_LARGEST)
		return;
	PUT(t, "History-Info: <sip:+442079460000@sip.example.net?Reason=SIP%3Bcause%3D302>;index=1\r\n");
}

static bool long_form(const struct message *m)
{
	return m->mix != MIX_SMALL && m->method != M_ACK && !(m->response && m->status == 100);
}

/* What a box says about itself. */
static void put_about(struct text *t, enum field field, const struct message *m)
{
	switch (field) {
	case CONTACT:
		if ((m->response && m->status == 100) || m->method == M_BYE)
			break;
		PUT(t, "Contact: <");
		peer_contact_uri(t, m->name, m->caller_writes, m->own_ip);
		PUT(t, ">\r\n");
		break;
	case AGENT:
		put_str(t, m->response ? "Server: " : "User-Agent: ");
		put_str(t, m->make->agent);
		PUT(t, "\r\n");
		break;
	case ALLOW:
		if (long_form(m)) {
			PUT(t, "Allow: ");
			put_str(t, m->make->allow);
			PUT(t, "\r\n");
		}
		break;
	case SUPPORTED:
		if (long_form(m)) {
			PUT(t, "Supported: ");
			put_str(t, m->make->supported);
			PUT(t, "\r\n");
		}
		break;
	case SESSION:
		put_session(t, m);
		break;
	default:
		if (long_form(m))
			put_extras(t, field, m);
	}
}

void peer_field(struct text *t, enum field field, const struct message *m)
{
	switch (field) {
	case VIA:
		if (m->response)
			put(t, m->answered->vias, m->answered->via_bytes);
		else
			put_via(t, m->own_ip, m->branch, m->caller_writes);
		break;
	case MAX_FORWARDS:
		if (!m->response)
			PUT(t, "Max-Forwards: 70\r\n");
		break;
	case ROUTE:
		if (m->response && m->status > 100 && m->answered->route_bytes)
			put(t, m->answered->routes, m->answered->route_bytes);
		else if (!m->response && m->dialog)
			put_routes(t, m->dialog);
		break;
	case FROM:
	case TO: {
		/* Who is in From is who sent the request: in a response the other side than who writes. */
		bool caller_is_from = m->caller_writes != m->response, caller = (field == FROM) == caller_is_from;

		put_str(t, field == FROM ? "From: " : "To: ");
		put_side(t, m->name, caller, caller || target_has_tag(m));
		break;
	}
	case CALL_ID:
		PUT(t, "Call-ID: ");
		put_call_id(t, m->name);
		PUT(t, "\r\n");
		break;
	case CSEQ:
		PUT(t, "CSeq: ");
		put_u(t, m->dialog ? m->dialog->cseq : 101);
		PUT(t, " ");
		put_str(t, peer_method_names[m->method]);
		PUT(t, "\r\n");
		break;
	case CONTENT:
		put_larger(t, m);
		put_content(t, m);
		break;
	default:
		put_about(t, field, m);
	}
}

