/* SPDX-License-Identifier: Apache-2.0 */
#include "sip/via.h"

#include "base/err.h"
#include "sip/host.h"
#include "sip/level.h"
#include "sip/lex.h"

bool via_branch_is_3261(struct span branch)
{
	return branch.n > 7 && lex_ieq(branch.p, "z9hg4bk", 7);
}

/* "SIP/2.0/" with white space wherever the grammar has it: where the transport begins, or NULL. Another version is let through,
 * so that a request of that version can be told so (505). */
static const uint8_t *read_protocol(const uint8_t *p, const uint8_t *end)
{

	const uint8_t *from;

	if (end - p > 8 && memcmp(p, "SIP/2.0/", 8) == 0 && !lex_is(p[8], LEX_SPACE))
		return p + 8;
	if (end - p < 3 || !lex_ieq(p, "sip", 3))
		return NULL;
	p = lex_space(p + 3, end);
	if (p == end || *p++ != '/')
		return NULL;
	from = p = lex_space(p, end);
	p = lex_run(p, end, LEX_TOKEN);
	if (p == from)
		return NULL;
	p = lex_space(p, end);
	if (p == end || *p++ != '/')
		return NULL;
	return lex_space(p, end);
}

static enum sip_transport transport_of(struct span name)
{
	if (name.n != 3)
		return TRANSPORT_OTHER;
	if (lex_ieq(name.p, "udp", 3))
		return TRANSPORT_UDP;
	if (lex_ieq(name.p, "tcp", 3))
		return TRANSPORT_TCP;
	return lex_ieq(name.p, "tls", 3) ? TRANSPORT_TLS : TRANSPORT_OTHER;
}

static const uint8_t *read_sent_by(const uint8_t *p, const uint8_t *end, struct via *v)
{
	const uint8_t *from = p, *last, *colon;

	p = host_read(p, end, &v->host_kind, &v->ip);
	if (!p)
		return NULL;
	v->host = lex_span(from, p);
	last = p;
	colon = lex_space(p, end);
	if (colon < end && *colon == ':') {
		last = port_read(lex_space(colon + 1, end), end, &v->port);
		if (!last)
			return NULL;
		colon = lex_space(last, end);
	}
	v->sent_by = lex_span(from, last);
	return colon;
}

/* The first of each name counts. */
static void take_param(struct via *v, const struct lex_param *param)
{
	switch (param->name.n) {
	case 5:
		if (!v->rport && LEX_IS(param->name, "rport")) {
			v->rport = true;
			v->rport_value = param->value;
			v->rport_whole = param->whole;
		} else if (!v->maddr.p && LEX_IS(param->name, "maddr")) {
			v->maddr = param->value;
		}
		break;
	case 6:
		if (!v->branch.p && LEX_IS(param->name, "branch"))
			v->branch = param->value;
		break;
	case 8:
		if (!v->received_whole.p && LEX_IS(param->name, "received")) {
			v->received = param->value;
			v->received_whole = param->whole;
		}
		break;
	}
}

/* p behind the sent-by. Where the value ends, or NULL. */
static const uint8_t *read_params(const uint8_t *p, const uint8_t *end, struct via *v)
{
	const uint8_t *last = v->sent_by.p + v->sent_by.n;
	struct lex_param param;

	v->params = p < end && *p == ';' ? span_of(p, 0) : span_of(last, 0);
	while (p < end && *p == ';') {
		p = lex_param(p, end, &param);
		if (!p)
			return NULL;
		take_param(v, &param);
		last = param.whole.p + param.whole.n;
	}
	v->params.n = (uint32_t)(last - v->params.p);
	return p;
}

int via_next_careful(struct span *rest, struct via *ret_via)
{
	const uint8_t *p = rest->p, *end = span_end(*rest);
	struct via *v = ret_via;

	if (!rest->n || (p = lex_space(p, end)) == end)
		return 0;
	memset(v, 0, sizeof(*v));
	v->whole.p = p;
	p = read_protocol(p, end);
	if (!p)
		return -ERR_INVALID;
	v->transport_name.p = p;
	p = lex_run(p, end, LEX_TOKEN);
	v->transport_name.n = (uint32_t)(p - v->transport_name.p);
	if (!v->transport_name.n || p == end || !lex_is(*p, LEX_SPACE))
		return -ERR_INVALID;
	v->transport = transport_of(v->transport_name);
	p = read_sent_by(lex_space(p, end), end, v);
	if (!p)
		return -ERR_INVALID;
	p = read_params(p, end, v);
	if (!p || (p < end && *p != ','))
		return -ERR_INVALID;
	v->whole.n = (uint32_t)(v->params.p + v->params.n - v->whole.p);
	*rest = p < end ? lex_span(p + 1, end) : span_of(end, 0);
	return 1;
}

int via_next(struct span *rest, struct via *ret_via)
{
	return sip_level()->via_next(rest, ret_via);
}

int via_response_addr(const struct via *v, struct ip_port *ret_addr)
{
	struct ip_port addr = { .port = v->port ? v->port : v->transport == TRANSPORT_TLS ? 5061 : 5060 };
	uint64_t rport;

	if (v->maddr.p) {
		if (ip_parse(v->maddr, &addr.ip))
			return -ERR_NOT_FOUND;
	} else if (v->received.p) {
		if (ip_parse(v->received, &addr.ip))
			return -ERR_NOT_FOUND;
		if (v->rport_value.p && span_to_u64(v->rport_value, 65535, &rport) && rport)
			addr.port = (uint16_t)rport;
	} else if (v->host_kind != HOST_NAME) {
		addr.ip = v->ip;
	} else {
		return -ERR_NOT_FOUND;
	}
	*ret_addr = addr;
	return 0;
}
