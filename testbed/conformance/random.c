/* SPDX-License-Identifier: Apache-2.0 */
/* The real proxy under random events: requests, their repetitions, CANCELs and ACKs of two callers, responses of every kind from three targets
 * at any time, ICMP errors, time. Serial and parallel profiles with random knobs. What must hold:
 *
 *	at most one final other than 2xx goes up, none after a 2xx; every call ends with one; a non-INVITE with at most one
 *	a 2xx of a branch that lives goes up at once; a final from 300 is acknowledged at once
 *	no CANCEL before a provisional, none after a final, none to a branch that never was; no new branch after a final or the caller's CANCEL
 *	a target that rings is cancelled, or answers: none is left behind
 *	afterwards no transaction, call, byte, timer or count of ringing is left, and each call was put on record from start to end
 *
 * STROWGER_RANDOM_SEQUENCES: how many sequences of some thirty events; STROWGER_RANDOM_SEED: the first one's seed. A failure prints what
 * came and went, and the two that show it again. */
#include "random_world.h"

#include "base/pool.h"

#define SEQUENCES	110000
#define BRANCH_LIFE_MS	32000 /* timers B and F, and what a cancelled branch gets (RFC 3261 §9.1) */
#define AGE_MS		120000 /* of a call whose BYE never comes: here, all of them */

static const char *const texts[] = { A, B, C };

/* ---- what comes in */

static void deliver(const struct ip_port *from, const char *text)
{
	struct flow flow = { .remote = *from, .local = world.us, .transport = TRANSPORT_UDP };

	memset(world.went_up, 0, sizeof(world.went_up));
	proxy_datagram(world.proxy, (const uint8_t *)text, (uint32_t)strlen(text), &flow, world.now_ms);
	world.events++;
}

static void caller_says(unsigned call, const char *method, const char *to)
{
	const struct caller *c = &world.caller[call];
	char text[1000];

	note("caller %u: %s", call, method);
	sprintf(text, "%s " NUMBER " SIP/2.0\r\nVia: %s\r\nMax-Forwards: 70\r\nFrom: <sip:c@x>;tag=f\r\nTo: %s\r\nCall-ID: %s\r\nCSeq: 1 %s\r\n"
		      "Contact: <sip:c@10.1.0.1>\r\n%sContent-Length: 0\r\n\r\n", method, c->via, to, c->call_id, method, c->breadth);
	deliver(&world.caller_address, text);
}

/* The transaction still waits for this branch, as far as RFC 3261 goes. Where something was not sent, it may have begun before anybody
 * saw it: then only half of its life is sure. */
static bool lives(const struct leg *l)
{
	uint64_t life_ms = world.starved ? BRANCH_LIFE_MS / 2 : BRANCH_LIFE_MS;

	if (l->final || l->refused)
		return false;
	if (l->cancelled)
		return world.now_ms < l->cancelled_ms + life_ms;
	return (l->rang && world.caller[l->call].invite) || world.now_ms < l->began_ms + life_ms;
}

static void target_says(struct leg *l, unsigned status, const char *method, const char *headers)
{
	const struct caller *c = &world.caller[l->call];
	bool alive = lives(l);
	unsigned acks = l->acks, class = status / 100;
	char text[1200];

	note("target %c: %u to %s of call %u", 'A' + l->target, status, method, l->call);
	sprintf(text, "SIP/2.0 %u X\r\nVia: SIP/2.0/UDP 10.0.0.1:5060;branch=%.*s\r\nVia: %s\r\nFrom: <sip:c@x>;tag=f\r\nTo: <sip:d@y>;tag=%s%u\r\n"
		      "Call-ID: %s\r\nCSeq: 1 %s\r\n%sContent-Length: 0\r\n\r\n", status, BRANCH_CHARS, l->branch, c->via, texts[l->target],
		below(20) ? 0 : 1, c->call_id, method, headers);
	if (!strcmp(method, "CANCEL")) {
		l->cancel_answered |= l->cancelled && status >= 200;
		deliver(&world.address[l->target], text);
		return;
	}
	if (alive) {
		l->rang |= status < 200;
		l->success |= class == 2;
	}
	l->provisional |= status < 200;
	l->final |= status >= 200;
	world.over = true; /* so that what is due at once does come */
	deliver(&world.address[l->target], text);
	world.over = false;
	if (alive && class == 2 && (c->invite || world.now_ms < c->began_ms + BRANCH_LIFE_MS)) /* RFC 4320 §4.2: later it would not be heard */
		REQUIRE(world.went_up[2] == 1 || (!c->invite && c->successes + c->failures > 0), "a 2xx that did not go up");
	if (alive && class > 2 && c->invite)
		REQUIRE(l->acks == acks + 1, "a failure that was not acknowledged");
}

static void icmp(struct leg *l)
{
	char text[200];

	note("target %c: port unreachable", 'A' + l->target);
	sprintf(text, "INVITE sip:x SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.1:5060;branch=%.*s\r\n", BRANCH_CHARS, l->branch);
	if (!l->final)
		l->refused = true;
	proxy_icmp_error(world.proxy, (const uint8_t *)text, (uint32_t)strlen(text), &world.address[l->target], world.now_ms);
	world.events++;
}

/* Every timer fires at its own time. */
static void until(uint64_t end)
{
	while (world.now_ms < end) {
		uint64_t due = proxy_next_due(world.proxy);

		world.now_ms = due <= world.now_ms ? world.now_ms + 1 : due < end ? due : end;
		proxy_advance(world.proxy, world.now_ms);
	}
}

/* ---- a sequence */

static void speak(void)
{
	static const unsigned provisionals[] = { 100, 180, 183 };
	static const unsigned finals[] = { 200, 200, 202, 302, 401, 404, 407, 408, 480, 486, 487, 500, 503, 504, 600, 603 };
	static const char *const headers[] = { "", "", "Retry-After: 5\r\n", "Contact: <sip:x@10.3.0.1>, <sip:x@10.4.0.1>;q=0.5\r\n",
					       "WWW-Authenticate: Digest realm=\"x\"\r\n" };
	struct leg *l = &world.leg[below(world.legs)];
	const char *method = world.caller[l->call].method;

	switch (below(8)) {
	case 0: case 1: case 2:
		target_says(l, provisionals[below(3)], method, "");
		break;
	case 3: case 4:
		target_says(l, finals[below(ARRAY_SIZE(finals))], method, headers[below(ARRAY_SIZE(headers))]);
		break;
	case 5:
		target_says(l, l->final ? 200 : below(2) ? 486 : 180, method, "");
		break;
	case 6: /* what a cancelled phone does, or one that answers just then */
		if (l->cancelled) {
			if (below(4))
				target_says(l, below(8) ? 200 : 481, "CANCEL", "");
			target_says(l, below(4) ? 487 : 200, method, "");
		}
		break;
	case 7:
		if (!below(4))
			icmp(l);
		break;
	}
}

/* Would a repetition still belong to its transaction? Later it would be a new call. */
static bool may_repeat(const struct caller *c)
{
	if (c->failures || c->successes)
		return !c->acked && !world.starved && world.now_ms < c->final_ms + BRANCH_LIFE_MS;
	return c->invite || world.now_ms < c->began_ms + BRANCH_LIFE_MS;
}

static void ask_again(unsigned call)
{
	struct caller *c = &world.caller[call];

	if (below(3) || !c->invite) {
		if (may_repeat(c))
			caller_says(call, c->method, "<sip:d@y>");
	} else if (c->failures) {
		c->acked = true;
		caller_says(call, "ACK", c->final_to);
	} else
		caller_says(call, "CANCEL", "<sip:d@y>");
}

static void begin_call(unsigned call)
{
	static const char *const others[] = { "OPTIONS", "MESSAGE", "SUBSCRIBE", "FOO" };
	struct caller *c = &world.caller[call];

	c->invite = below(8) != 0;
	c->active = true;
	c->began_ms = world.now_ms;
	snprintf(c->method, sizeof(c->method), "%s", c->invite ? "INVITE" : others[below(4)]);
	if (!below(4))
		snprintf(c->breadth, sizeof(c->breadth), "Max-Breadth: %u\r\n", 1 + below(3));
	snprintf(c->call_id, sizeof(c->call_id), "%llx-%u", (unsigned long long)world.seed, call);
	snprintf(c->via, sizeof(c->via), "SIP/2.0/UDP 10.1.0.1:5060;branch=z9hG4bK%llx-%u", (unsigned long long)world.seed, call);
	caller_says(call, c->method, "<sip:d@y>");
}

static void random_profile(void)
{
	struct profile_knobs *k = &world.h.knobs;

	world.h.strategy = below(2) ? STRATEGY_SIMULTANEOUS_RING : below(2) ? STRATEGY_FAILOVER : below(2) ? STRATEGY_ROUND_ROBIN : STRATEGY_WEIGHTED;
	*k = profile_knobs_default();
	k->response_timeout_ms = below(3) ? 4000 : below(2) ? 300 : 0;
	k->progress_timeout_ms = below(3) ? 8000 : 0;
	k->ring_timeout_ms = below(3) ? 25000 : below(2) ? 3000 : 0;
	k->setup_budget_ms = below(3) ? 15000 : 0;
	k->max_retries = (uint8_t)below(3);
	k->max_attempts = (uint8_t)(1 + below(6));
	k->retry_after_progress = !below(3);
	k->decline_ends_target = !below(3);
	k->follow_redirects = !below(3);
	code_set_put(&k->retry_codes, 480, !below(3));
	harness_publish(&world.h);
}

static void check_legs(void)
{
	for (unsigned i = 0; i < world.legs; i++) {
		const struct leg *l = &world.leg[i];

		if (world.caller[l->call].invite && l->rang && !l->final && !l->refused)
			REQUIRE(l->cancelled, "a ringing target was left behind");
	}
}

static void check_callers(void)
{
	for (unsigned i = 0; i < CALLS; i++) {
		const struct caller *c = &world.caller[i];

		if (c->active && c->invite)
			REQUIRE(c->failures || c->successes, "a call without a final response");
		world.successes += c->successes > 0;
		world.failures += c->failures > 0;
	}
}

static void check_nothing_left(void)
{
	struct proxy_gauges g;

	proxy_gauges(world.proxy, &g);
	REQUIRE(!g.server_transactions && !g.client_transactions, "transactions are left");
	REQUIRE(!g.live_calls && !calls_open(world.proxy->calls), "calls are left");
	REQUIRE(!g.message_bytes, "kept messages are left");
	REQUIRE(!pool_in_use(world.proxy->contexts), "response contexts are left");
	REQUIRE(world.starts == world.ends, "a call was put on record without its end");
	for (unsigned i = 0; i < 3; i++) {
		REQUIRE(target_of(&world.h, i, TARGET_RINGING) == 0, "a target is left counted as ringing");
		REQUIRE(target_of(&world.h, i, TARGET_LIVE) == 0, "a target is left with a live call");
	}
}

static void sequence(void)
{
	unsigned events = 4 + below(50);

	world.random = world.seed * 0x9e3779b97f4a7c15ULL | 1;
	world.over = world.starved = false;
	world.legs = 0;
	world.logged = 0;
	memset(world.caller, 0, sizeof(world.caller));
	for (unsigned i = 0; i < 8; i++)
		below(2);
	random_profile();
	begin_call(0);
	while (events--) {
		unsigned what = below(16);

		if (what == 0)
			until(world.now_ms + 1000 + below(40000));
		else if (what < 4)
			until(world.now_ms + below(700));
		else if (what == 4 && !world.caller[1].active)
			begin_call(1);
		else if (what < 7)
			ask_again(world.caller[1].active ? below(2) : 0);
		else if (world.legs)
			speak();
	}
	note("the end");
	world.over = true;
	for (uint64_t due; (due = proxy_next_due(world.proxy)) != UINT64_MAX;)
		until(due > world.now_ms ? due : world.now_ms + 1);
	check_legs();
	check_callers();
	check_nothing_left();
	world.now_ms += 120000; /* ejections and challenges are over */
	world.sequences++;
}

static uint64_t setting(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text && *text ? strtoull(text, NULL, 10) : otherwise;
}

int main(void)
{
	uint64_t seed = setting("STROWGER_RANDOM_SEED", 1), n = setting("STROWGER_RANDOM_SEQUENCES", SEQUENCES);

	eal_for_test("64");
	harness_start(&world.h, NULL);
	proxy_free(world.h.proxy);
	world.h.config.outbox = (struct outbox){ world_reserve, world_commit, NULL };
	world.h.config.record = world_record;
	world.h.config.max_call_age_ms = AGE_MS;
	world.now_ms = world.h.now_ms;
	world.h.proxy = world.proxy = proxy_new(&world.h.config, world.now_ms);
	REQUIRE(world.proxy, "no memory");
	world.caller_address = addr_of(CALLER);
	world.us = addr_of(US);
	for (unsigned i = 0; i < 3; i++)
		world.address[i] = addr_of(texts[i]);
	for (uint64_t i = 0; i < n; i++) {
		world.seed = seed + i;
		sequence();
	}
	printf("%llu sequences, %llu events, %llu branches, %llu calls answered, %llu failed, %llu branches cancelled\n",
	       (unsigned long long)world.sequences, (unsigned long long)world.events, (unsigned long long)world.branches,
	       (unsigned long long)world.successes, (unsigned long long)world.failures, (unsigned long long)world.cancels);
	proxy_free(world.proxy);
	return 0;
}
