/* SPDX-License-Identifier: Apache-2.0 */
#include "peers.h"

#include "peer_fields.h"

static const struct make callers[] = {
	{ "Asterisk PBX 18.9.0", "INVITE, ACK, CANCEL, OPTIONS, BYE, REFER, SUBSCRIBE, NOTIFY, INFO, PUBLISH", "replaces, timer", "1f0c4a6b5e", false,
	  "Front Desk", "", "Asterisk", 2,
	  { VIA, MAX_FORWARDS, ROUTE, FROM, TO, CONTACT, CALL_ID, CSEQ, AGENT, ALLOW, SUPPORTED, REASON, CONTENT } },
	{ "FreeSWITCH", "INVITE, ACK, BYE, CANCEL, OPTIONS, MESSAGE, INFO, UPDATE, REFER, NOTIFY", "timer, path, replaces", "-4c1e-b7a2", true, "Clinic",
	  "", "FreeSWITCH", 2,
	  { VIA, MAX_FORWARDS, ROUTE, FROM, TO, CALL_ID, CSEQ, CONTACT, AGENT, ALLOW, SUPPORTED, ALLOW_EVENTS, REASON, CONTENT } },
	{ "SBC-C/9.2.0", "INVITE,ACK,BYE,CANCEL,OPTIONS,UPDATE,INFO,PRACK", "100rel,timer", "00a7-SIPt01", false, NULL, "", "sbc", 3,
	  { VIA, ROUTE, FROM, TO, CALL_ID, CSEQ, MAX_FORWARDS, CONTACT, ALLOW, SUPPORTED, ASSERTED, SESSION, REASON, CONTENT } },
	{ "IMS-AS/4.1", "INVITE,ACK,CANCEL,BYE,PRACK,NOTIFY,UPDATE,OPTIONS", "timer,100rel,histinfo", "e0f3", false, NULL, ";user=phone", "-", 1,
	  { VIA, ROUTE, TO, FROM, CALL_ID, CSEQ, MAX_FORWARDS, ASSERTED, PRIVACY, CHARGING, ALLOW, SUPPORTED, CONTACT, ACCEPT, REASON, CONTENT } },
	{ "Gateway/IOS-15.4", "INVITE, OPTIONS, BYE, CANCEL, ACK, PRACK, UPDATE, REFER, NOTIFY, INFO", "100rel,timer", "-11ED9C30", true, NULL, "",
	  "SIP-Call", 1,
	  { VIA, REMOTE_PARTY, FROM, TO, DATE, CALL_ID, SUPPORTED, AGENT, ALLOW, CSEQ, ROUTE, CONTACT, MAX_FORWARDS, SESSION, REASON,
	    CONTENT } },
};

static const struct make targets[] = {
	{ "kamailio-b2b/2.1", "INVITE, ACK, BYE, CANCEL, OPTIONS, UPDATE, INFO", "timer, 100rel", NULL, false, NULL, "", "media", 3,
	  { VIA, MAX_FORWARDS, ROUTE, FROM, TO, CALL_ID, CSEQ, CONTACT, SESSION, AGENT, ALLOW, SUPPORTED, REASON, CONTENT } },
	{ "FreeSWITCH", "INVITE, ACK, BYE, CANCEL, OPTIONS, MESSAGE, INFO, UPDATE, REGISTER, REFER, NOTIFY", "timer, path, replaces", NULL, false,
	  NULL, ";transport=udp", "FreeSWITCH", 3,
	  { VIA, MAX_FORWARDS, ROUTE, FROM, TO, CALL_ID, CSEQ, CONTACT, AGENT, ALLOW, SUPPORTED, REASON, REMOTE_PARTY, CONTENT } },
	{ "Asterisk PBX 20.2.1", "OPTIONS, REGISTER, SUBSCRIBE, NOTIFY, PUBLISH, INVITE, ACK, BYE, CANCEL, UPDATE, PRACK, INFO",
	  "100rel, replaces, norefersub", NULL, false, NULL, "", "Asterisk", 4,
	  { VIA, MAX_FORWARDS, ROUTE, CALL_ID, FROM, TO, CSEQ, AGENT, CONTACT, ALLOW, SUPPORTED, REASON, CONTENT } },
};

#define MAKES(list) (sizeof(list) / sizeof((list)[0]))

/* ---- names */

static uint64_t unmix(uint64_t x)
{
	x = (x ^ x >> 31 ^ x >> 62) * 0x319642b2d24d8ec3ULL;
	x = (x ^ x >> 27 ^ x >> 54) * 0x96de1b173f119089ULL;
	return x ^ x >> 30 ^ x >> 60;
}

const struct make *peer_caller_make(const struct call_name *n)
{
	return &callers[scramble(n->caller_ip) % MAKES(callers)];
}

const struct make *peer_target_make(uint32_t ip)
{
	return &targets[scramble(ip) % MAKES(targets)];
}

uint64_t peer_serial(const uint8_t *call_id, uint32_t bytes)
{
	uint64_t v = 0;
	unsigned digits = 0;

	for (uint32_t i = 0; i < bytes && digits < 16; i++) {
		uint8_t c = call_id[i];

		if (c == '-')
			continue;
		if (!(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'f'))
			return UINT64_MAX;
		v = v << 4 | (uint8_t)(c <= '9' ? c - '0' : c - 'a' + 10);
		digits++;
	}
	return digits == 16 ? unmix(v) : UINT64_MAX;
}

/* ---- messages */

static uint32_t write(uint8_t *out, struct text *t, const struct message *m)
{
	for (const uint8_t *f = m->make->order; *f != END; f++)
		peer_field(t, (enum field)*f, m);
	return (uint32_t)(t->p - out);
}

/* dialog: NULL for an INVITE. */
static uint32_t first_request(uint8_t *out, enum mix mix, enum method method, const struct call_name *name, const struct dialog_view *d)
{
	struct message m = { .make = peer_caller_make(name), .name = name, .dialog = d, .mix = mix, .method = method, .own_ip = name->caller_ip,
			     .caller_writes = true, .branch = name->serial };
	struct text t = { out };

	put_str(&t, peer_method_names[method]);
	PUT(&t, " sip:+");
	put_u(&t, name->number);
	PUT(&t, "@" PROXY_HOST);
	put_str(&t, m.make->uri_params);
	PUT(&t, " SIP/2.0\r\n");
	return write(out, &t, &m);
}

uint32_t peer_invite(uint8_t *out, enum mix mix, const struct call_name *name)
{
	return first_request(out, mix, M_INVITE, name, NULL);
}

uint32_t peer_hop_ack(uint8_t *out, enum mix mix, const struct dialog_view *d)
{
	struct dialog_view bare = *d;

	bare.route_bytes = 0;
	return first_request(out, mix, M_ACK, d->name, &bare);
}

uint32_t peer_request(uint8_t *out, enum mix mix, enum method method, const struct dialog_view *d)
{
	struct message m = { .name = d->name, .dialog = d, .mix = mix, .method = method, .caller_writes = d->from_caller,
			     .branch = scramble(d->name->serial) + d->cseq * 8 + method + 1 };
	struct text t = { out };

	m.make = d->from_caller ? peer_caller_make(d->name) : peer_target_make(d->target_ip);
	m.own_ip = d->from_caller ? d->name->caller_ip : d->target_ip;
	put_str(&t, peer_method_names[method]);
	PUT(&t, " ");
	peer_contact_uri(&t, d->name, !d->from_caller, d->target_ip);
	PUT(&t, " SIP/2.0\r\n");
	return write(out, &t, &m);
}

static const char *reason(unsigned status)
{
	switch (status) {
	case 100: return " Trying\r\n";
	case 180: return " Ringing\r\n";
	case 486: return " Busy Here\r\n";
	case 487: return " Request Terminated\r\n";
	case 503: return " Service Unavailable\r\n";
	default: return " OK\r\n";
	}
}

uint32_t peer_response(uint8_t *out, enum mix mix, unsigned status, const struct answered_request *r, const struct dialog_view *d)
{
	struct message m = { .name = d->name, .dialog = d, .mix = mix, .method = r->method, .response = true, .status = status, .answered = r,
			     .caller_writes = d->from_caller };
	struct text t = { out };

	m.make = d->from_caller ? peer_caller_make(d->name) : peer_target_make(d->target_ip);
	m.own_ip = d->from_caller ? d->name->caller_ip : d->target_ip;
	PUT(&t, "SIP/2.0 ");
	put_u(&t, status);
	put_str(&t, reason(status));
	return write(out, &t, &m);
}
