/* SPDX-License-Identifier: Apache-2.0 */
#include "wire_load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <rte_cycles.h>
#include <rte_prefetch.h>

#include "wire_messages.h"
#include "wire_port.h"
#include "wire_state.h"
#include "wire_template.h"

#define HUGE_BYTES ((size_t)2 << 20)

/* ---- life */

static size_t whole_pages(size_t bytes)
{
	return (bytes + HUGE_BYTES - 1) & ~(HUGE_BYTES - 1);
}

/* Calls are met in random order: a page table of small pages would not be in the caches either. */
static void *pages(size_t bytes)
{
	size_t whole = whole_pages(bytes);
	void *p = mmap(NULL, whole, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);

	if (p == MAP_FAILED) {
		p = mmap(NULL, whole, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (p == MAP_FAILED)
			return NULL;
		madvise(p, whole, MADV_HUGEPAGE);
	}
	memset(p, 0, whole); /* touched now, not while it is measured */
	return p;
}

struct load *load_new(const struct load_config *config, const struct messages *messages, struct wire_port *port)
{
	struct load *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	l->config = *config;
	l->messages = messages;
	l->port = port;
	l->mask = config->slots - 1;
	l->random = config->salt * 2 + 1;
	l->hold = config->hold_ms * rte_get_tsc_hz() / 1000;
	l->calls = pages(config->slots * sizeof(struct call));
	l->held = config->mode == LOAD_CALLS ? pages(config->slots * sizeof(l->held[0])) : NULL;
	if (!l->calls || (config->mode == LOAD_CALLS && !l->held)) {
		load_free(l);
		return NULL;
	}
	for (uint32_t i = 0; i < config->slots; i++)
		l->calls[i].serial = UINT64_MAX;
	return l;
}

void load_free(struct load *l)
{
	if (!l)
		return;
	if (l->calls)
		munmap(l->calls, whole_pages(l->config.slots * sizeof(struct call)));
	if (l->held)
		munmap(l->held, whole_pages(l->config.slots * sizeof(l->held[0])));
	free(l);
}

unsigned load_messages_per_start(const struct load *l)
{
	switch (l->config.mode) {
	case LOAD_IN_DIALOG: return l->config.responses ? 2 : 1;
	case LOAD_CALLS: return 6;
	default: return 2;
	}
}

uint32_t load_hold_ms(const struct load *l)
{
	return l->config.mode == LOAD_CALLS ? l->config.hold_ms : 0;
}

/* ---- sending */

static uint8_t *reserve(struct load *l)
{
	uint8_t *out;

	/* Both devices go on reading whatever we do, so this ends. */
	while (!(out = wire_port_reserve(l->port)))
		wire_port_flush(l->port);
	return out;
}

uint32_t call_address(const struct load *l, enum side side, const struct call *c)
{
	return side == CALLER ? l->config.callers + CALLERS_FIRST + c->caller : l->config.targets + CALLERS_FIRST + c->target;
}

static void commit(struct load *l, enum side side, const struct call *c, uint32_t len)
{
	struct datagram_way way = { call_address(l, side, c), l->config.us, SIP_PORT, SIP_PORT };

	wire_port_commit(l->port, len, &way);
}

void call_send_request(struct load *l, struct call *c, struct identity *who, enum kind kind, enum side side, uint64_t now)
{
	uint8_t *out = reserve(l);

	c->kind[side] = (uint8_t)kind;
	c->state[side] = SENT;
	c->sent[side] = now;
	commit(l, side, c, message_request(l->messages, who, kind, side, c->target, c->cseq[side], c->route, c->route_len, out));
	l->counts.requests_sent++;
	l->outstanding++;
}

/* The lines of a request that its responses repeat (RFC 3261 §8.2.6.2), with our tag in To. */
static uint32_t make_block(const struct load *l, const struct view *v, const struct identity *who, uint8_t *out)
{
	static const char via[] = "Via: SIP/2.0/UDP 10.78.0.1:5060;branch=z9hG4bKmirrormirrormirrormirrorm\r\n";
	const struct view_line *to = view_first(v, LINE_TO);
	bool invite = v->data[0] == 'I' && v->data[2] == 'V';
	uint32_t n = 0;

	if (l->config.echo) { /* a proxy would have put its own there: messages are as long as they would be */
		memcpy(out, via, sizeof(via) - 1);
		n = sizeof(via) - 1;
	}
	for (unsigned i = 0; i < v->lines; i++) {
		const struct view_line *line = &v->line[i];
		enum line_kind kind = line->kind;

		if (kind != LINE_VIA && kind != LINE_FROM && kind != LINE_TO && kind != LINE_CALL_ID && kind != LINE_CSEQ &&
		    (kind != LINE_RECORD_ROUTE || !invite))
			continue;
		if (n + line->len + 32 > BLOCK_MAX)
			return 0;
		memcpy(out + n, v->data + line->at, line->len);
		n += line->len;
		if (invite && line == to) {
			memcpy(out + n - 2, ";tag=", 5);
			put_hex16(out + n + 3, who->value[SLOT_TTAG]);
			memcpy(out + n + 19, "\r\n", 2);
			n += 21;
		}
	}
	return n;
}

void call_send_response(struct load *l, struct call *c, struct identity *who, const struct view *request, enum side asked_by,
			enum answer answer, uint64_t now)
{
	enum side side = asked_by == CALLER ? TARGET : CALLER;
	uint8_t block[BLOCK_MAX];
	uint32_t n = make_block(l, request, who, block);
	uint8_t *out = reserve(l);

	c->state[asked_by] = ANSWERED;
	c->sent[asked_by] = now;
	commit(l, side, c, message_response(l->messages, who, c->kind[asked_by], answer, side, c->target, block, n, out));
	l->counts.responses_sent++;
	l->outstanding++;
}

/* ---- starting */

static void forget(struct load *l, struct call *c)
{
	for (unsigned side = 0; side < 2; side++) {
		l->lost += c->state[side] != IDLE;
		l->outstanding -= c->state[side] != IDLE;
		c->state[side] = IDLE;
	}
	if (c->up)
		l->up--;
	c->up = c->open = false;
}

static void call_new(struct load *l, uint64_t serial, uint64_t now)
{
	struct call *c = &l->calls[serial & l->mask];
	struct identity who;

	identity_make(l->messages, l->config.salt, serial, &who);
	forget(l, c); /* it was never answered */
	c->serial = serial;
	c->caller = (uint8_t)who.caller;
	c->target = 0;
	c->route_len = 0;
	c->open = true;
	c->cseq[CALLER] = message_first_cseq(CALLER, who.caller);
	call_send_request(l, c, &who, KIND_INVITE, CALLER, now);
	l->counts.started++;
}

static uint64_t dice(struct load *l)
{
	l->random ^= l->random << 13;
	l->random ^= l->random >> 7;
	l->random ^= l->random << 17;
	return l->random * 0x2545f4914f6cdd1dull;
}

static bool start_in_dialog(struct load *l, uint64_t now)
{
	static const uint8_t kinds[] = { KIND_INFO, KIND_INFO, KIND_UPDATE, KIND_REFRESH };
	unsigned tries = 8;

	while (tries--) {
		uint64_t roll = dice(l);
		struct call *c = &l->calls[l->ahead[l->ahead_at]];
		enum side side = roll >> 60 & 1 ? TARGET : CALLER;
		struct identity who;

		l->ahead[l->ahead_at] = (uint32_t)roll & l->mask;
		rte_prefetch0(&l->calls[l->ahead[l->ahead_at]]);
		rte_prefetch0((uint8_t *)&l->calls[l->ahead[l->ahead_at]] + 64);
		rte_prefetch0((uint8_t *)&l->calls[l->ahead[l->ahead_at]] + 128);
		l->ahead_at = (l->ahead_at + 1) % AHEAD;
		if (c->state[side] != IDLE)
			side = side == CALLER ? TARGET : CALLER;
		if (!c->up || c->state[side] != IDLE)
			continue;
		identity_make(l->messages, l->config.salt, c->serial, &who);
		c->cseq[side]++;
		call_send_request(l, c, &who, kinds[roll >> 58 & 3], side, now);
		l->counts.started++;
		return true;
	}
	l->counts.blocked++;
	return false;
}

bool load_start(struct load *l, uint64_t now)
{
	if (l->config.mode == LOAD_IN_DIALOG)
		return start_in_dialog(l, now);
	if (l->config.mode == LOAD_CALLS && l->calls[l->next & l->mask].open) {
		l->counts.blocked++;
		return false;
	}
	call_new(l, l->next++, now);
	return true;
}

/* The mirror sets up no calls: they are up because we say so, with a route as long as a real one. */
static void pretend(struct load *l, uint32_t slot)
{
	static const char route[] = "Route: <sip:aqaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa@10.78.0.1;lr>\r\n";
	struct call *c = &l->calls[slot];
	struct identity who;

	identity_make(l->messages, l->config.salt, slot, &who);
	c->serial = slot;
	c->caller = (uint8_t)who.caller;
	c->target = (uint8_t)(slot % l->config.makes);
	c->cseq[CALLER] = message_first_cseq(CALLER, who.caller);
	c->cseq[TARGET] = message_first_cseq(TARGET, c->target);
	c->route_len = sizeof(route) - 1;
	memcpy(c->route, route, sizeof(route) - 1);
	c->up = c->open = true;
	l->up++;
}

bool load_set_up(struct load *l, uint64_t now)
{
	while (l->setting_up < l->config.slots) {
		uint32_t slot = l->setting_up++;
		struct call *c = &l->calls[slot];

		if (c->up)
			continue;
		if (l->config.echo)
			pretend(l, slot);
		else /* one that was tried in vain is called anew, with another Call-ID */
			call_new(l, c->serial == UINT64_MAX ? slot : c->serial + l->config.slots, now);
		return true;
	}
	l->setting_up = 0;
	return false;
}

uint32_t load_up(const struct load *l)
{
	return l->up;
}

/* ---- calls that are up */

void call_hold(struct load *l, struct call *c, uint64_t now)
{
	l->held[l->held_next & l->mask].due = now + l->hold;
	l->held[l->held_next++ & l->mask].slot = (uint32_t)(c - l->calls);
}

unsigned load_hang_up(struct load *l, uint64_t now)
{
	unsigned n = 0;

	while (n < BURST / 2 && l->held_first < l->held_next && l->held[l->held_first & l->mask].due <= now) {
		struct call *c = &l->calls[l->held[l->held_first++ & l->mask].slot];
		enum side side = dice(l) >> 60 & 1 ? TARGET : CALLER;
		struct identity who;

		if (!c->up)
			continue;
		identity_make(l->messages, l->config.salt, c->serial, &who);
		c->cseq[side]++;
		call_send_request(l, c, &who, KIND_BYE, side, now);
		n++;
	}
	return n;
}

/* ---- counts */

uint64_t load_outstanding(const struct load *l)
{
	return l->outstanding;
}

uint64_t load_write_off(struct load *l)
{
	uint64_t lost;

	for (uint32_t i = 0; l->outstanding && i < l->config.slots; i++) {
		struct call *c = &l->calls[i];

		for (unsigned side = 0; side < 2; side++) {
			if (c->state[side] == IDLE)
				continue;
			l->lost++;
			l->outstanding--;
			c->state[side] = IDLE;
			c->cseq[side]++; /* what comes yet is no longer waited for */
		}
		c->open = c->up;
	}
	/* What a call has on its way beside that, ringing for one. */
	l->lost += l->outstanding;
	l->outstanding = 0;
	lost = l->lost;
	l->lost = 0;
	return lost;
}

void load_clear(struct load *l)
{
	memset(&l->counts, 0, sizeof(l->counts));
	histogram_clear(&l->delay[0]);
	histogram_clear(&l->delay[1]);
}

const struct load_counts *load_counts(const struct load *l)
{
	return &l->counts;
}

const struct histogram *load_delay(const struct load *l, bool responses)
{
	return &l->delay[responses];
}
