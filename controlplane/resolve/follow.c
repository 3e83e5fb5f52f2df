/* SPDX-License-Identifier: Apache-2.0 */
#include "resolve/follow.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/err.h"
#include "base/random.h"
#include "base/siphash.h"
#include "resolve/query.h"
#include "wall_clock.h"

#define RETRY_FIRST_MS 1000
#define RETRY_MAX_MS   30000
#define LATE_MS	       1000 /* a first answer is used incomplete when the rest takes longer */
#define NO_SOA_S       60   /* "there is none" from a server that does not say how long that holds */
#define NEGATIVE_MAX_S 900

uint64_t follow_now_ms(void)
{
	return (uint64_t)(wall_ns(CLOCK_MONOTONIC) / 1000000);
}

static void step(struct follow *f);

static void wake_at(struct follow *f, uint64_t due_ms, uint64_t now_ms)
{
	uint64_t wait = due_ms > now_ms ? due_ms - now_ms : 0;
	const struct timeval after = { (time_t)(wait / 1000), (suseconds_t)(wait % 1000) * 1000 };

	if (!f->resting)
		event_add(f->timer, &after);
}

static void on_timer(evutil_socket_t fd, short what, void *ctx)
{
	step(ctx);
}

struct follow *follow_new(struct event_base *base, struct querier *q, const struct model_host *target, const struct follow_bounds *bounds)
{
	struct follow *f = calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	f->target = *target;
	f->querier = q;
	f->bounds = bounds;
	f->timer = evtimer_new(base, on_timer, f);
	if (f->timer)
		return f;
	free(f);
	return NULL;
}

static void release(struct follow *f)
{
	event_free(f->timer);
	lookups_done(&f->lookups);
	free(f);
}

void follow_free(struct follow *f)
{
	if (!f)
		return;
	f->dead = true;
	event_del(f->timer);
	if (!f->out)
		release(f);
}

bool follow_asking(const struct follow *f)
{
	return f->out > 0;
}

/* ---- asking */

/* A TTL within bounds; how long "there is none" holds has a bound of its own: a record that was just made must not be missed for a day. */
static uint64_t holds_ms(const struct follow *f, const struct dns_answer *a)
{
	uint32_t least = f->bounds->min_ttl_s, most = f->bounds->max_ttl_s, ttl_s = a->ttl_s;

	if (a->outcome != DNS_RECORDS) {
		ttl_s = a->has_soa ? ttl_s : NO_SOA_S;
		most = most < NEGATIVE_MAX_S ? most : NEGATIVE_MAX_S;
	}
	return 1000ull * (ttl_s < least ? least : ttl_s > most ? most : ttl_s);
}

/* A question of a follow. */
struct asked {
	struct follow *follow;
	struct lookup *lookup; /* lives on: nothing is swept while questions are out */
};

static void take_answer(struct follow *f, struct lookup *k, const uint8_t *bytes, size_t n, const char *why)
{
	struct dns_answer *a;
	uint64_t now = follow_now_ms();
	int err = -ERR_IO;

	if (bytes) {
		err = dns_answer_read(bytes, n, k->name, k->type, &a);
		why = err == -ERR_IO ? "the name servers fail" : "the answer is damaged";
	}
	k->out = false;
	k->failed = err != 0;
	if (err) {
		k->why = why;
		return;
	}
	free(k->answer);
	k->answer = a;
	k->answered_ms = now;
	f->answered = true;
	k->expires_ms = now + holds_ms(f, a);
}

static void on_answer(void *ctx, const uint8_t *bytes, size_t n, const char *why)
{
	struct asked *asked = ctx;
	struct follow *f = asked->follow;
	struct lookup *k = asked->lookup;

	free(asked);
	if (!f->dead)
		take_answer(f, k, bytes, n, why);
	f->out--;
	if (f->out)
		return;
	if (f->dead)
		release(f);
	else
		wake_at(f, 0, 0); /* not from here: whoever asked may be in the middle of it */
}

static void ask(struct follow *f, struct lookup *k)
{
	struct asked *asked = malloc(sizeof(*asked));

	if (!asked) {
		k->failed = true;
		k->why = "out of memory";
		return;
	}
	*asked = (struct asked){ f, k };
	k->out = true;
	f->out++;
	query_ask(f->querier, k->name, k->type, on_answer, asked);
}

/* Questions that were never answered, and those whose answer holds no more. A failed one has its turn again when its pause is over, or DNS
 * answers again. */
static void ask_due(struct follow *f, uint64_t now_ms)
{
	f->out++; /* nobody is to think that the last answer came while we are asking */
	for (unsigned i = 0; i < f->lookups.count; i++) {
		struct lookup *k = f->lookups.list[i];

		if (!k->used || k->out || (k->failed && k->retry_ms > now_ms && !(f->answered && f->failures)) || (k->answer && !k->failed && k->expires_ms > now_ms))
			continue;
		/* Once in a round: it must end though answers take longer than they hold. */
		if (k->failed ? !k->retry_ms : k->answer && k->answered_ms >= f->begun_ms)
			continue;
		k->retry_ms = 0;
		k->failed = false;
		ask(f, k);
	}
	f->out--;
}

/* ---- what is found */

static bool same_places(const struct location *a, const struct location *b)
{
	if (a->count != b->count)
		return false;
	for (unsigned i = 0; i < a->count; i++) {
		const struct sip_place *x = &a->places[i], *y = &b->places[i];

		if (!ip_port_eq(&x->addr, &y->addr) || x->transport != y->transport || x->priority != y->priority ||
		    x->weight != y->weight || strcmp(x->target, y->target) != 0)
			return false;
	}
	return true;
}

static bool has_place(const struct location *l, const struct ip_port *addr)
{
	for (unsigned i = 0; i < l->count; i++)
		if (ip_port_eq(&l->places[i].addr, addr))
			return true;
	return false;
}

static void put_former(struct follow *f, const struct ip_port *addr, uint64_t now_unix_ms)
{
	unsigned keep = f->former_count < FOLLOW_FORMER_MAX ? f->former_count : FOLLOW_FORMER_MAX - 1;

	memmove(&f->former[1], &f->former[0], keep * sizeof(f->former[0]));
	memset(&f->former[0], 0, sizeof(f->former[0]));
	f->former[0].addr = *addr;
	f->former[0].left_unix_ms = now_unix_ms;
	f->former_count = (uint16_t)(keep + 1);
}

/* Places that go are remembered for as long as a dialog may live there; those that are back, or that long gone, are not. */
static void note_former(struct follow *f, const struct location *next)
{
	uint64_t now = wall_ms();
	unsigned n = 0;

	for (unsigned i = 0; i < f->former_count; i++)
		if (!has_place(next, &f->former[i].addr) && f->former[i].left_unix_ms + 1000ull * f->bounds->former_s > now)
			f->former[n++] = f->former[i];
	f->former_count = (uint16_t)n;
	for (unsigned i = 0; i < f->now.count; i++)
		if (!has_place(next, &f->now.places[i].addr))
			put_former(f, &f->now.places[i].addr, now);
}

/* What is known of targets whose addresses cannot be found out now stays in use. */
static void keep_unanswered(struct follow *f, struct location *next)
{
	for (unsigned i = 0; i < f->now.count; i++) {
		const struct sip_place *p = &f->now.places[i];
		uint16_t type = p->addr.ip.family == IP_V4 ? DNS_A : DNS_AAAA;
		const struct lookup *k = lookups_find(&f->lookups, p->target, type);

		if (k && k->used && !k->answer && k->failed && !has_place(next, &p->addr) && next->count < TRUNK_ENDPOINTS_MAX)
			next->places[next->count++] = *p;
	}
}

static bool take_location(struct follow *f, const struct location *next)
{
	bool other = !same_places(&f->now, next);

	if (other) {
		note_former(f, next);
		f->changes++;
	}
	f->now = *next;
	return other;
}

/* A failing question counts; but a server that fails on NAPTR, as some do, is as one that has none. */
static const struct lookup *failing(const struct follow *f)
{
	for (unsigned i = 0; i < f->lookups.count; i++) {
		const struct lookup *k = f->lookups.list[i];

		if (k->used && k->failed && (k->answer || k->type != DNS_NAPTR))
			return k;
	}
	return NULL;
}

static uint64_t pause_ms(const struct follow *f)
{
	uint64_t pause = f->failures >= 5 ? RETRY_MAX_MS : (uint64_t)RETRY_FIRST_MS << (f->failures ? f->failures - 1 : 0), dice;

	random_secret(&dice, sizeof(dice));
	return pause - pause / 4 + dice % (pause / 2 + 1);
}

static void set_due(struct follow *f, uint64_t now_ms)
{
	uint64_t due = now_ms + 1000ull * f->bounds->max_ttl_s, retry = now_ms + (f->failures ? pause_ms(f) : 1000ull * NO_SOA_S);

	for (unsigned i = 0; i < f->lookups.count; i++) {
		struct lookup *k = f->lookups.list[i];

		if (!k->used)
			continue;
		if (k->failed && !k->retry_ms)
			k->retry_ms = retry;
		if ((k->failed ? k->retry_ms : k->expires_ms) < due)
			due = k->failed ? k->retry_ms : k->expires_ms;
	}
	f->due_ms = due;
	wake_at(f, due, now_ms);
}

static void fail(struct follow *f, const struct lookup *k, const struct location *next)
{
	querier_refresh(f->querier);
	f->failures++;
	f->state = f->now.count ? FOLLOW_STALE : FOLLOW_FAILED;
	if (k)
		snprintf(f->why, sizeof(f->why), "%s %.150s: %s", dns_type_name(k->type), k->name, k->why);
	else
		snprintf(f->why, sizeof(f->why), "%s", next->why);
}

/* Every question is answered, or failed. */
static void end_round(struct follow *f, struct location *next, uint64_t now_ms)
{
	const struct lookup *k = failing(f);
	bool other = false;

	if (next->state == LOCATION_FOUND || next->state == LOCATION_NONE) {
		if (k)
			keep_unanswered(f, next);
		other = take_location(f, next);
	}
	if (k || (next->state != LOCATION_FOUND && next->state != LOCATION_NONE)) {
		fail(f, k, next);
	} else {
		f->failures = 0;
		f->good_unix_ms = wall_ms();
		f->state = next->state == LOCATION_FOUND ? FOLLOW_OK : FOLLOW_NONE;
		snprintf(f->why, sizeof(f->why), "%s", next->why);
	}
	f->partial = false;
	f->settled = true;
	lookups_sweep(&f->lookups);
	set_due(f, now_ms);
	f->changed(f->ctx, f, other);
}

/* Some answers are late, and nothing is in use yet: what there is, is better than nothing. */
static void use_partial(struct follow *f, const struct location *next, uint64_t now_ms)
{
	if (now_ms < f->begun_ms + LATE_MS) {
		wake_at(f, f->begun_ms + LATE_MS, now_ms);
		return;
	}
	if (next->state != LOCATION_FOUND || (f->now.count && !f->partial))
		return;
	f->partial = true;
	f->settled = true;
	f->changed(f->ctx, f, take_location(f, next));
}

static void step(struct follow *f)
{
	struct location *next = malloc(sizeof(*next));
	uint64_t now = follow_now_ms();

	if (!next) {
		wake_at(f, now + RETRY_FIRST_MS, now);
		return;
	}
	rfc3263_locate(&f->target, f->bounds->listeners, &f->lookups, next);
	if (!f->out) {
		if (!f->begun_ms) {
			f->begun_ms = now;
			f->answered = false;
		}
		ask_due(f, now);
	}
	if (f->out) {
		use_partial(f, next, now);
	} else {
		f->begun_ms = 0;
		end_round(f, next, now);
	}
	free(next);
}

void follow_start(struct follow *f)
{
	f->resting = false;
	wake_at(f, 0, 0);
}

void follow_rest(struct follow *f)
{
	f->resting = true;
	event_del(f->timer);
}

void follow_remember(struct follow *f, const struct sip_place *places, unsigned count, const struct former_place *former, unsigned former_count,
		     uint64_t good_unix_ms)
{
	memset(&f->now, 0, sizeof(f->now));
	f->now.state = LOCATION_FOUND;
	f->now.count = (uint16_t)count;
	memcpy(f->now.places, places, count * sizeof(*places));
	f->former_count = (uint16_t)former_count;
	memcpy(f->former, former, former_count * sizeof(*former));
	f->good_unix_ms = good_unix_ms;
	f->state = FOLLOW_STALE;
	f->settled = true;
	snprintf(f->why, sizeof(f->why), "known from before the start");
}

void follow_ask_now(struct follow *f)
{
	uint64_t now = follow_now_ms();

	for (unsigned i = 0; i < f->lookups.count; i++) {
		struct lookup *k = f->lookups.list[i];

		if (k->expires_ms > now)
			k->expires_ms = now;
		if (k->failed)
			k->retry_ms = 1;
	}
	wake_at(f, 0, 0);
}

const char *follow_state_name(enum follow_state state)
{
	switch (state) {
	case FOLLOW_ASKING: return "asking";
	case FOLLOW_OK: return "ok";
	case FOLLOW_NONE: return "none";
	case FOLLOW_STALE: return "stale";
	case FOLLOW_FAILED: return "failed";
	case FOLLOW_STATES: break;
	}
	return "?";
}
