/* SPDX-License-Identifier: Apache-2.0 */
#include "wire_messages.h"

#include <stdarg.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wire_texts.h"

#define SERIAL_BITS 40

const char *const kind_methods[KIND_COUNT] = { "INVITE", "ACK", "INFO", "UPDATE", "UPDATE", "BYE" };

struct messages {
	unsigned makes;
	char transport[8], param[16]; /* "UDP"; ";transport=tcp" */
	char caller_net[16], target_net[16], us[16];
	/* [who speaks][make] */
	struct template request[2][MAKES][KIND_COUNT];
	struct template response[2][MAKES][KIND_COUNT][ANSWER_COUNT];
	struct template call_id[MAKES]; /* the line that the caller's make writes */
};

/* ---- texts */

struct text {
	char bytes[4096];
	size_t n;
};

__attribute__((format(printf, 2, 3))) static void add(struct text *t, const char *format, ...)
{
	va_list list;

	va_start(list, format);
	t->n += (size_t)vsnprintf(t->bytes + t->n, sizeof(t->bytes) - t->n, format, list);
	va_end(list);
}

static const struct make *make_of(enum side side, unsigned make)
{
	return side == CALLER ? &makes_of_callers[make] : &makes_of_targets[make];
}

static void add_line(struct text *t, const char *line)
{
	if (line[0])
		add(t, "%s\r\n", line);
}

static void add_own_address(struct text *t, const struct messages *m, enum side side)
{
	add(t, "%s.{%s}", side == CALLER ? m->caller_net : m->target_net, side == CALLER ? "from" : "at");
}

static void add_contact(struct text *t, const struct messages *m, enum side side)
{
	add(t, "Contact: <sip:%s@", side == CALLER ? "+447700{caller}" : "+44203555{callee}");
	add_own_address(t, m, side);
	add(t, ":5060%s>\r\n", m->param);
}

/* From and To: the caller's and the called one's identity, each with its tag. */
static void add_party(struct text *t, const char *header, enum side who, const char *display, bool tag)
{
	if (who == CALLER)
		add(t, "%s: %s<sip:+447700{caller}@pbx{from}.example.org>", header, display);
	else
		add(t, "%s: %s<sip:+44203555{callee}@sip.example.net>", header, display);
	add(t, "%s\r\n", !tag ? "" : who == CALLER ? ";tag={ftag}" : ";tag={ttag}");
}

static bool has_sdp(enum kind kind)
{
	return kind == KIND_INVITE || kind == KIND_UPDATE;
}

static void add_body_lines(struct text *t, const struct make *make, enum kind kind)
{
	if (has_sdp(kind))
		add(t, "Content-Type: application/sdp\r\n");
	else if (kind == KIND_INFO)
		add(t, "Content-Type: %s\r\n", make->info_type);
	add(t, "Content-Length: {length}\r\n");
}

static void add_sdp(struct text *t, const struct messages *m, const struct make *make, enum side side)
{
	add(t, "v=0\r\no=- {session} {session} IN IP4 ");
	add_own_address(t, m, side);
	add(t, "\r\ns=-\r\nc=IN IP4 ");
	add_own_address(t, m, side);
	add(t, "\r\nt=0 0\r\n%s", make->media);
}

static void add_call_id(struct text *t, const struct make *make)
{
	add(t, "Call-ID: {id}%s\r\n", make->call_id);
}

/* A Call-ID is of its caller's make whoever speaks: a target's requests get the line with the block. */
static void add_header(struct text *t, const struct messages *m, const struct make *make, enum kind kind, enum side side,
		       char which)
{
	bool starts = kind == KIND_INVITE || kind == KIND_UPDATE || kind == KIND_REFRESH;
	enum side other = side == CALLER ? TARGET : CALLER;

	switch (which) {
	case 'V':
		add(t, "Via: SIP/2.0/%s ", m->transport);
		add_own_address(t, m, side);
		add(t, ":5060;branch=z9hG4bK{branch}%s\r\n", make->via);
		break;
	case 'R': add(t, "{block}"); break;
	case 'M': add(t, "Max-Forwards: 70\r\n"); break;
	case 'F': add_party(t, "From", side, make->display, true); break;
	case 'T': add_party(t, "To", other, "", kind != KIND_INVITE); break;
	case 'I':
		if (side == CALLER)
			add_call_id(t, make);
		break;
	case 'C': add(t, "CSeq: {cseq} %s\r\n", kind_methods[kind]); break;
	case 'K':
		if (starts)
			add_contact(t, m, side);
		break;
	case 'U': add_line(t, make->agent); break;
	case 'A':
		if (starts)
			add_line(t, make->allow);
		break;
	case 'S':
		if (starts)
			add_line(t, make->supported);
		break;
	case 'P':
		if (kind == KIND_INVITE || kind == KIND_INFO)
			add_line(t, make->asserted);
		break;
	case 'E':
		if (starts)
			add_line(t, make->session);
		break;
	case 'Y': add_body_lines(t, make, kind); break;
	}
}

static bool make_request(struct messages *m, enum side side, unsigned index, enum kind kind)
{
	const struct make *make = make_of(side, index);
	struct text t = { .n = 0 };

	if (kind == KIND_INVITE)
		add(&t, "INVITE sip:+44203555{callee}@sip.example.net SIP/2.0\r\n");
	else if (side == CALLER)
		add(&t, "%s sip:+44203555{callee}@%s.{at}:5060%s SIP/2.0\r\n", kind_methods[kind], m->target_net, m->param);
	else
		add(&t, "%s sip:+447700{caller}@%s.{from}:5060%s SIP/2.0\r\n", kind_methods[kind], m->caller_net, m->param);
	for (const char *which = make->order; *which; which++)
		add_header(&t, m, make, kind, side, *which);
	add(&t, "\r\n");
	if (has_sdp(kind))
		add_sdp(&t, m, make, side);
	else if (kind == KIND_INFO)
		add(&t, "%s", make->info_body);
	return template_init(&m->request[side][index][kind], t.bytes, make->cseq_digits);
}

static bool make_call_id(struct messages *m, unsigned index)
{
	struct text t = { .n = 0 };

	add_call_id(&t, make_of(CALLER, index));
	return template_init(&m->call_id[index], t.bytes, 1);
}

/* Via, Record-Route, From, To, Call-ID and CSeq come with the block. */
static bool make_response(struct messages *m, enum side side, unsigned index, enum kind kind, enum answer answer)
{
	const struct make *make = make_of(side, index);
	bool sdp = has_sdp(kind) && answer == ANSWER_OK;
	struct text t = { .n = 0 };

	add(&t, "SIP/2.0 %s\r\n{block}", answer == ANSWER_OK ? "200 OK" : "180 Ringing");
	for (const char *which = make->order; *which; which++)
		if (strchr("KUS", *which) || (strchr("AE", *which) && answer == ANSWER_OK))
			add_header(&t, m, make, kind, side, *which);
	if (sdp)
		add(&t, "Content-Type: application/sdp\r\n");
	add(&t, "Content-Length: {length}\r\n\r\n");
	if (sdp)
		add_sdp(&t, m, make, side);
	return template_init(&m->response[side][index][kind][answer], t.bytes, make->cseq_digits);
}

struct messages *messages_new(const char *caller_net, const char *target_net, const char *us, unsigned makes, const char *transport)
{
	struct messages *m = calloc(1, sizeof(*m));
	bool ok = m != NULL;

	if (!m)
		return NULL;
	for (unsigned i = 0; transport[i] && i + 1 < sizeof(m->transport); i++)
		m->transport[i] = (char)toupper(transport[i]);
	if (strcmp(transport, "udp"))
		snprintf(m->param, sizeof(m->param), ";transport=%.3s", transport);
	m->makes = makes < 1 ? 1 : makes > MAKES ? MAKES : makes;
	snprintf(m->caller_net, sizeof(m->caller_net), "%s", caller_net);
	snprintf(m->target_net, sizeof(m->target_net), "%s", target_net);
	snprintf(m->us, sizeof(m->us), "%s", us);
	for (unsigned i = 0; i < m->makes; i++)
		ok = ok && make_call_id(m, i);
	for (enum side side = CALLER; side <= TARGET; side++)
		for (unsigned i = 0; i < m->makes; i++)
			for (enum kind kind = 0; kind < KIND_COUNT; kind++) {
				ok = ok && make_request(m, side, i, kind);
				for (enum answer answer = 0; answer < ANSWER_COUNT; answer++)
					ok = ok && make_response(m, side, i, kind, answer);
			}
	if (!ok) {
		messages_free(m);
		return NULL;
	}
	return m;
}

void messages_free(struct messages *m)
{
	if (!m)
		return;
	for (unsigned i = 0; i < MAKES; i++)
		template_done(&m->call_id[i]);
	for (enum side side = CALLER; side <= TARGET; side++)
		for (unsigned i = 0; i < MAKES; i++)
			for (enum kind kind = 0; kind < KIND_COUNT; kind++) {
				template_done(&m->request[side][i][kind]);
				for (enum answer answer = 0; answer < ANSWER_COUNT; answer++)
					template_done(&m->response[side][i][kind][answer]);
			}
	free(m);
}

/* ---- identities */

/* A bijection (splitmix64's finalizer), so that a Call-ID says which call it is and still looks like any other. */
static uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ x >> 27) * 0x94d049bb133111ebull;
	return x ^ x >> 31;
}

static uint64_t unmix(uint64_t x)
{
	x = (x ^ x >> 31 ^ x >> 62) * 0x319642b2d24d8ec3ull;
	x = (x ^ x >> 27 ^ x >> 54) * 0x96de1b173f119089ull;
	return x ^ x >> 30 ^ x >> 60;
}

void identity_make(const struct messages *m, uint64_t salt, uint64_t serial, struct identity *ret)
{
	uint64_t id = mix(salt << SERIAL_BITS | serial), more = mix(id);

	ret->id = id;
	ret->caller = (unsigned)((uint32_t)more % m->makes);
	ret->value[SLOT_ID] = id;
	ret->value[SLOT_ID8] = (uint32_t)(more >> 32);
	ret->value[SLOT_FTAG] = mix(id + 1);
	ret->value[SLOT_TTAG] = mix(id + 2);
	ret->value[SLOT_CALLER] = (uint32_t)(more >> 8) % 1000000;
	ret->value[SLOT_CALLEE] = (uint32_t)(more >> 40) % 10000;
	ret->value[SLOT_FROM] = CALLERS_FIRST + ret->caller;
	ret->value[SLOT_SESSION] = (uint32_t)(more >> 20) % 100000000;
}

bool identity_serial(uint64_t salt, uint64_t id, uint64_t *ret_serial)
{
	uint64_t serial = unmix(id);

	*ret_serial = serial & ((1ull << SERIAL_BITS) - 1);
	return serial >> SERIAL_BITS == (salt & 0xffffff);
}

uint64_t message_branch(const struct identity *who, enum kind kind, enum side side, uint32_t cseq)
{
	return mix(who->id ^ ((uint64_t)cseq << 8 | (uint64_t)kind << 1 | side));
}

uint32_t message_first_cseq(enum side side, unsigned make)
{
	static const uint32_t first[] = { 0, 1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000 };

	return first[make_of(side, make)->cseq_digits];
}

/* ---- messages */

uint32_t message_request(const struct messages *m, struct identity *who, enum kind kind, enum side from, unsigned target,
			 uint32_t cseq, const void *route, uint32_t route_len, uint8_t *out)
{
	uint8_t block[BLOCK_MAX];

	who->value[SLOT_AT] = CALLERS_FIRST + target;
	who->value[SLOT_CSEQ] = cseq;
	who->value[SLOT_BRANCH] = message_branch(who, kind, from, cseq);
	if (from == CALLER)
		return template_write(&m->request[CALLER][who->caller][kind], who->value, route, route_len, out);
	memcpy(block, route, route_len);
	route_len += template_write(&m->call_id[who->caller], who->value, NULL, 0, block + route_len);
	return template_write(&m->request[TARGET][target][kind], who->value, block, route_len, out);
}

uint32_t message_response(const struct messages *m, struct identity *who, enum kind kind, enum answer answer, enum side from,
			  unsigned target, const void *block, uint32_t block_len, uint8_t *out)
{
	who->value[SLOT_AT] = CALLERS_FIRST + target;
	return template_write(&m->response[from][from == CALLER ? who->caller : target][kind][answer], who->value, block,
			      block_len, out);
}
