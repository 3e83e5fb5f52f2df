/* SPDX-License-Identifier: Apache-2.0 */
/* What comes back: whose it is, whether it was waited for, and what it leads to. */
#include <stdio.h>
#include <string.h>

#include <rte_prefetch.h>

#include "wire_check.h"
#include "wire_port.h"
#include "wire_state.h"
#include "wire_template.h"

#define COMPLAINTS_MAX 5

static void complain(struct load *l, const struct view *v, const char *what)
{
	l->counts.wrong++;
	if (l->complaints++ < COMPLAINTS_MAX)
		fprintf(stderr, "wrong: %s\n%.*s\n", what, (int)(v->len < 1500 ? v->len : 1500), (const char *)v->data);
}

static const char *compare_request(struct load *l, const struct call *c, struct identity *who, enum side side,
				   const struct view *got)
{
	struct view sent;
	uint32_t n = message_request(l->messages, who, c->kind[side], side, c->kind[side] == KIND_INVITE ? 0 : c->target,
				     c->cseq[side], c->route, c->route_len, l->scratch);

	if (l->config.echo)
		return n == got->len && !memcmp(l->scratch, got->data, n) ? NULL : "not what was sent";
	if (!view_read(&sent, l->scratch, n, false))
		return "what was sent";
	return check_request(&sent, got);
}

static bool has_tag(const struct view *v, enum line_kind kind, uint64_t tag)
{
	const struct view_line *line = view_first(v, kind);
	uint8_t text[21] = ";tag=";

	put_hex16(text + 5, tag);
	return line && memmem(v->data + line->at, line->len, text, 21);
}

/* The block that was answered with is not kept: but it is what came now, with the proxy's Via on top. */
static const char *compare_response(struct load *l, const struct call *c, struct identity *who, enum side side,
				    enum answer answer, const struct view *got)
{
	static const char via[] = "Via: SIP/2.0/UDP 10.78.0.1:5060;branch=z9hG4bK\r\n";
	enum side by = side == CALLER ? TARGET : CALLER;
	uint8_t block[BLOCK_MAX];
	uint32_t n = sizeof(via) - 1;
	struct view sent;

	if (l->config.echo)
		return NULL;
	if (!has_tag(got, LINE_FROM, who->value[side == CALLER ? SLOT_FTAG : SLOT_TTAG]) ||
	    !has_tag(got, LINE_TO, who->value[side == CALLER ? SLOT_TTAG : SLOT_FTAG]) || view_cseq(got) != c->cseq[side])
		return "From, To or CSeq";
	memcpy(block, via, n);
	for (unsigned i = 0; i < got->lines; i++) {
		enum line_kind kind = got->line[i].kind;

		if (kind == LINE_OTHER || kind == LINE_MAX_BREADTH)
			continue;
		if (n + got->line[i].len > BLOCK_MAX)
			return "too long";
		memcpy(block + n, got->data + got->line[i].at, got->line[i].len);
		n += got->line[i].len;
	}
	n = message_response(l->messages, who, c->kind[side], answer, by, c->target, block, n, l->scratch);
	return view_read(&sent, l->scratch, n, false) ? check_response(&sent, got) : "what was sent";
}

static bool keep_route(struct call *c, const struct view *v)
{
	const struct view_line *line = view_first(v, LINE_RECORD_ROUTE);
	uint32_t n = line ? (uint32_t)(line->at + line->len - line->value) : 0;

	if (!line || n + 7 > ROUTE_BYTES)
		return false;
	memcpy(c->route, "Route: ", 7);
	memcpy(c->route + 7, v->data + line->value, n);
	c->route_len = (uint8_t)(n + 7);
	return true;
}

/* A request came out at the end of the other side. */
static void request_acts(struct load *l, struct call *c, struct identity *who, enum side side, const struct view *v, uint64_t now)
{
	switch ((enum kind)c->kind[side]) {
	case KIND_INVITE:
		if (l->config.mode != LOAD_STATEFUL && !l->config.echo && !keep_route(c, v)) {
			complain(l, v, "no Record-Route, or a long one");
			return;
		}
		c->cseq[TARGET] = message_first_cseq(TARGET, c->target);
		if (l->config.mode == LOAD_CALLS)
			call_send_response(l, c, who, v, side, ANSWER_RINGING, now);
		call_send_response(l, c, who, v, side, ANSWER_OK, now);
		return;
	case KIND_ACK:
		c->up = true;
		l->up++;
		if (l->config.mode == LOAD_CALLS)
			call_hold(l, c, now);
		return;
	default:
		if (l->config.mode != LOAD_IN_DIALOG || l->config.responses)
			call_send_response(l, c, who, v, side, ANSWER_OK, now);
		else
			l->counts.done++;
	}
}

static bool at_its_place(struct load *l, struct call *c, enum side side, const struct arrival *a)
{
	uint32_t to = a->way.to_ip;

	if (l->config.echo)
		return to == l->config.us;
	if (a->way.from_ip != l->config.us || a->way.to_port != SIP_PORT)
		return false;
	if (c->kind[side] == KIND_INVITE && to - l->config.targets - CALLERS_FIRST < l->config.makes)
		c->target = (uint8_t)(to - l->config.targets - CALLERS_FIRST);
	return to == call_address(l, side == CALLER ? TARGET : CALLER, c);
}

static bool find_side(const struct call *c, const struct identity *who, uint64_t branch, enum side *ret_side)
{
	for (enum side side = CALLER; side <= TARGET; side++)
		if (branch == message_branch(who, c->kind[side], side, c->cseq[side])) {
			*ret_side = side;
			return true;
		}
	return false;
}

/* As a target would when its answer was lost: a device that is not answered goes on asking for 32 s, and has no core left for others. */
static void answer_again(struct load *l, struct call c, struct identity *who, const struct view *v, enum side side, uint64_t now)
{
	call_send_response(l, &c, who, v, side, ANSWER_OK, now);
	l->counts.responses_sent--;
	l->outstanding--;
}

/* A retransmission for a call that was given up. It is answered too; nobody waits for that. */
static void late_in(struct load *l, struct identity *who, const struct view *v, const struct arrival *a, uint64_t now)
{
	uint32_t target = a->way.to_ip - l->config.targets - CALLERS_FIRST;
	struct call c = { .caller = (uint8_t)who->caller, .target = (uint8_t)target, .kind = { KIND_INVITE } };

	l->counts.late++;
	if (v->status || v->data[0] != 'I' || v->data[2] != 'V' || target >= l->config.makes)
		return;
	answer_again(l, c, who, v, CALLER, now);
}

static void request_in(struct load *l, struct call *c, struct identity *who, const struct view *v, const struct arrival *a,
		       bool check, uint64_t now)
{
	const char *method, *wrong = NULL;
	enum side side;
	uint64_t branch;

	if (!view_branch(v, v->vias - 1u, &branch)) {
		complain(l, v, "not our branch");
		return;
	}
	if (!find_side(c, who, branch, &side)) {
		late_in(l, who, v, a, now);
		return;
	}
	if (c->state[side] != SENT) {
		l->counts.repeated++;
		if (c->state[side] == ANSWERED && c->kind[side] == KIND_INVITE)
			answer_again(l, *c, who, v, side, now);
		return;
	}
	method = kind_methods[c->kind[side]];
	if (!at_its_place(l, c, side, a))
		wrong = "it went to the wrong place";
	else if (strncmp((const char *)v->data, method, strlen(method)))
		wrong = "the method";
	else if (v->vias != (l->config.echo ? 1 : 2))
		wrong = "the number of Vias";
	else if (check)
		wrong = wire_port_intact(a) ? compare_request(l, c, who, side, v) : "the checksum";
	if (wrong) {
		complain(l, v, wrong);
		return;
	}
	l->counts.requests++;
	l->counts.checked += check;
	l->outstanding--;
	c->state[side] = IDLE;
	histogram_add(&l->delay[0], now - c->sent[side]);
	request_acts(l, c, who, side, v, now);
}

static void response_acts(struct load *l, struct call *c, struct identity *who, enum side side, uint64_t now)
{
	switch ((enum kind)c->kind[side]) {
	case KIND_INVITE:
		if (l->config.mode != LOAD_STATEFUL) {
			call_send_request(l, c, who, KIND_ACK, CALLER, now);
			return;
		}
		break;
	case KIND_BYE:
		c->up = false;
		l->up--;
		break;
	default: break;
	}
	c->open = c->up;
	l->counts.done++;
}

static void response_in(struct load *l, struct call *c, struct identity *who, const struct view *v, const struct arrival *a,
			bool check, uint64_t now)
{
	const char *wrong = NULL;
	enum side side;
	uint64_t branch;

	if (!view_branch(v, l->config.echo ? 1 : 0, &branch)) {
		complain(l, v, "not our branch");
		return;
	}
	if (!find_side(c, who, branch, &side)) {
		l->counts.late++;
		return;
	}
	if (v->status == 100 && c->kind[side] == KIND_INVITE) {
		l->counts.trying++;
		return;
	}
	if (c->state[side] != ANSWERED) {
		l->counts.statuses_bad += v->status >= 300;
		if (v->status >= 300)
			complain(l, v, "nobody answered that");
		else
			l->counts.repeated++;
		return;
	}
	if (v->status != 200 && (v->status != 180 || l->config.mode != LOAD_CALLS))
		wrong = "the status";
	else if (v->vias != (l->config.echo ? 2 : 1))
		wrong = "Vias";
	else if (!l->config.echo && (a->way.to_ip != call_address(l, side, c) || a->way.to_port != SIP_PORT))
		wrong = "it went to the wrong place";
	else if (check)
		wrong = wire_port_intact(a) ? compare_response(l, c, who, side, v->status == 200 ? ANSWER_OK : ANSWER_RINGING, v)
					    : "the checksum";
	if (wrong) {
		l->counts.statuses_bad += v->status >= 300;
		complain(l, v, wrong);
		return;
	}
	l->counts.responses++;
	l->counts.checked += check;
	l->outstanding--;
	histogram_add(&l->delay[1], now - c->sent[side]);
	if (v->status != 200)
		return;
	c->state[side] = IDLE;
	response_acts(l, c, who, side, now);
}

void load_arrivals(struct load *l, const struct arrival *arrivals, unsigned n, uint64_t now)
{
	struct identity who[BURST];
	uint64_t serial[BURST];
	bool check[BURST];

	/* All are read first, and their calls fetched meanwhile. */
	for (unsigned i = 0; i < n; i++) {
		const struct arrival *a = &arrivals[i];
		struct view *v = &l->view[i];
		uint64_t id;

		serial[i] = UINT64_MAX;
		check[i] = ++l->seen % l->config.check_every == 0;
		if (!view_read(v, a->payload, a->len, !check[i]) || !view_id(v, &id) ||
		    !identity_serial(l->config.salt, id, &serial[i])) {
			serial[i] = UINT64_MAX;
			complain(l, v, "unreadable, or a stranger's");
			continue;
		}
		rte_prefetch0(&l->calls[serial[i] & l->mask]);
		identity_make(l->messages, l->config.salt, serial[i], &who[i]);
	}
	for (unsigned i = 0; i < n; i++) {
		struct call *c = &l->calls[serial[i] & l->mask];

		if (serial[i] == UINT64_MAX)
			continue;
		if (c->serial != serial[i])
			late_in(l, &who[i], &l->view[i], &arrivals[i], now);
		else if (l->view[i].status)
			response_in(l, c, &who[i], &l->view[i], &arrivals[i], check[i], now);
		else
			request_in(l, c, &who[i], &l->view[i], &arrivals[i], check[i], now);
	}
}
