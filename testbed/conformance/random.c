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
 * By UDP, or with the argument from-tcp, to-tcp or tcp with streams on either side or both: what a connection could not deliver takes the place of ICMP
 * errors there.
 *
 * STROWGER_RANDOM_SEQUENCES: how many sequences of some thirty events; STROWGER_RANDOM_SEED: the first one's seed. A failure prints what
 * came and went, and the two that show it again. */
#include "../unit/proxy/harness.h"

#include "base/pool.h"

#define SEQUENCES	110000
#define CALLS		2
#define BRANCHES_MAX	64
#define BRANCH_LIFE_MS	32000 /* timers B and F, and what a cancelled branch gets (RFC 3261 §9.1) */
#define AGE_MS		120000 /* of a call whose BYE never comes: here, all of them */
#define BRANCH_CHARS	32

/* One request at one target, as the target sees it. */
struct leg {
	char branch[BRANCH_CHARS];
	unsigned call, target;
	uint64_t began_ms, cancelled_ms;
	bool provisional; /* it sent one */
	bool rang;	  /* it did while its transaction surely lived */
	bool final, success;
	bool refused;	  /* an ICMP error ended it */
	bool cancelled;
	bool cancel_answered;
	unsigned acks;
};

struct caller {
	char call_id[32], via[64], method[16], breadth[24];
	char final_to[64]; /* To of the final other than 2xx, for its ACK */
	bool invite, active;
	unsigned failures, successes; /* distinct finals that went up */
	unsigned failure_status;
	bool cancelled;		      /* its CANCEL was taken: 200 came back */
	bool acked;
	uint64_t began_ms, final_ms;
};

static struct {
	struct harness h; /* tables and configuration; the proxy is `proxy` */
	struct proxy *proxy;
	uint64_t now_ms, seed, random;
	uint64_t sequences, events, branches, successes, failures, cancels;
	struct caller caller[CALLS];
	struct leg leg[BRANCHES_MAX];
	unsigned legs;
	uint8_t out[65536];
	struct ip_port address[3], caller_address, us;
	unsigned starts, ends;
	struct call_record record; /* the one written last */
	/* of the event just now */
	unsigned went_up[7]; /* by class */
	char log[60000];
	size_t logged;
	bool caller_tcp, target_tcp;
	bool starved; /* something was not sent for want of a buffer */
	bool over;    /* nobody speaks any more; buffers are there */
} w;

static const char *const texts[] = { A, B, C };

static void note(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void note(const char *format, ...)
{
	va_list args;

	if (w.logged + 200 > sizeof(w.log))
		return;
	w.logged += (size_t)sprintf(w.log + w.logged, "%8llu ", (unsigned long long)(w.now_ms % 100000000));
	va_start(args, format);
	w.logged += (size_t)vsnprintf(w.log + w.logged, 180, format, args);
	va_end(args);
	w.log[w.logged++] = '\n';
	w.log[w.logged] = 0;
}

#define REQUIRE(condition, what)                                                                                       \
	do {                                                                                                           \
		if (!(condition))                                                                                      \
			broken(what, __LINE__);                                                                        \
	} while (0)

static void broken(const char *what, int line)
{
	fprintf(stderr, "%s\nrandom.c:%d: %s\nSTROWGER_RANDOM_SEED=%llu STROWGER_RANDOM_SEQUENCES=%llu shows it again\n", w.log, line, what,
		(unsigned long long)(w.seed - w.sequences), (unsigned long long)(w.sequences + 1));
	exit(1);
}

static uint32_t below(uint32_t n)
{
	w.random ^= w.random << 13;
	w.random ^= w.random >> 7;
	w.random ^= w.random << 17;
	return (uint32_t)((w.random >> 11) % n);
}

/* ---- what the proxy sends */

static struct leg *leg_of(const char *branch)
{
	for (unsigned i = 0; i < w.legs; i++)
		if (!memcmp(w.leg[i].branch, branch, BRANCH_CHARS))
			return &w.leg[i];
	return NULL;
}

static const char *field(const char *name, uint32_t len)
{
	const char *at = memmem(w.out, len, name, strlen(name));

	return at ? at + strlen(name) : NULL;
}

static unsigned call_in(uint32_t len)
{
	const char *id = field("\r\nCall-ID: ", len);

	for (unsigned i = 0; i < CALLS; i++)
		if (id && !strncmp(id, w.caller[i].call_id, strlen(w.caller[i].call_id)))
			return i;
	broken("a message of no call", __LINE__);
	return 0;
}

static void new_leg(const char *branch, unsigned call, const struct flow *to)
{
	const struct caller *c = &w.caller[call];
	struct leg *l = &w.leg[w.legs];

	REQUIRE(w.legs < BRANCHES_MAX, "too many branches");
	REQUIRE(!c->failures && !c->successes, "a new branch after a final response");
	REQUIRE(!c->cancelled, "a new branch after the caller's CANCEL");
	*l = (struct leg){ .call = call, .began_ms = w.now_ms };
	memcpy(l->branch, branch, BRANCH_CHARS);
	for (l->target = 0; l->target < 3 && !ip_port_eq(&to->remote, &w.address[l->target]); l->target++)
		;
	REQUIRE(l->target < 3, "a request to nobody's address");
	w.legs++;
	w.branches++;
	note("       -> %c %s of call %u", 'A' + l->target, c->method, call);
}

static void request_out(uint32_t len, const struct flow *to)
{
	const char *branch = field(";branch=", len);
	unsigned call = call_in(len);
	struct leg *l = branch ? leg_of(branch) : NULL;

	if (!strncmp((char *)w.out, "CANCEL ", 7)) {
		REQUIRE(l, "a CANCEL of no branch");
		REQUIRE(l->provisional, "a CANCEL before a provisional response");
		REQUIRE(!l->final, "a CANCEL after the final response");
		REQUIRE(!l->cancel_answered, "a CANCEL again after it was answered");
		if (!l->cancelled)
			l->cancelled_ms = w.now_ms, w.cancels++;
		l->cancelled = true;
		note("       -> %c CANCEL of call %u", 'A' + l->target, call);
	} else if (!strncmp((char *)w.out, "ACK ", 4)) {
		REQUIRE(l && l->final && !l->success, "an ACK for what was no failure");
		l->acks++;
	} else if (!l) {
		new_leg(branch, call, to);
	} else {
		REQUIRE(!l->rang || !w.caller[call].invite, "an INVITE again after a provisional response");
		REQUIRE(!l->final, "a request again after its final response");
	}
}

static void response_out(uint32_t len)
{
	unsigned status = (unsigned)atoi((char *)w.out + 8), call = call_in(len);
	struct caller *c = &w.caller[call];
	const char *cseq = field("\r\nCSeq: ", len), *to = field("\r\nTo: ", len);

	REQUIRE(cseq && to, "a response without CSeq and To");
	note("       <- %u of call %u (%.8s)", status, call, cseq);
	if (!strncmp(cseq, "1 CANCEL", 8)) {
		if (status == 200 && !c->failures && !c->successes)
			c->cancelled = true;
		return;
	}
	w.went_up[status / 100]++;
	if (status < 200) {
		REQUIRE(status == 100 || c->invite, "a provisional other than 100 to a non-INVITE");
		REQUIRE(!c->failures && !c->successes, "a provisional after a final");
	} else if (status < 300) {
		REQUIRE(c->invite || !c->failures, "a second final to a non-INVITE");
		if (!c->successes++ && !c->failures)
			c->final_ms = w.now_ms;
	} else {
		REQUIRE(c->invite || status != 408, "a 408 to a non-INVITE");
		REQUIRE(!c->successes || c->failures || w.starved, "a failure after a 2xx");
		REQUIRE(!c->failures || c->failure_status == status, "another final after the first");
		if (!c->failures++)
			c->final_ms = w.now_ms;
		c->failure_status = status;
		snprintf(c->final_to, sizeof(c->final_to), "%.*s", (int)strcspn(to, "\r"), to);
	}
}

static uint8_t *reserve(void *ctx, uint32_t bytes, const struct flow *to)
{
	if (!w.over && !below(200)) { /* now and then there is no buffer */
		w.starved = true;
		return NULL;
	}
	return bytes <= sizeof(w.out) ? w.out : NULL;
}

static int commit(void *ctx, uint32_t len, const struct flow *to)
{
	if (!memcmp(w.out, "SIP/2.0 ", 8))
		response_out(len);
	else
		request_out(len, to);
	return 0;
}

static struct call_record *record_room(void *ctx)
{
	return &w.record;
}

static void record_written(void *ctx)
{
	w.starts += w.record.kind == RECORD_START;
	w.ends += w.record.kind == RECORD_END;
}

/* ---- what comes in */

static void deliver(const struct ip_port *from, const char *text)
{
	bool tcp = from == &w.caller_address ? w.caller_tcp : w.target_tcp;
	struct flow flow = { .remote = *from, .local = w.us, .transport = tcp ? TRANSPORT_TCP : TRANSPORT_UDP, .connection = tcp };

	memset(w.went_up, 0, sizeof(w.went_up));
	proxy_datagram(w.proxy, (const uint8_t *)text, (uint32_t)strlen(text), &flow, w.now_ms);
	w.events++;
}

static void caller_says(unsigned call, const char *method, const char *to)
{
	const struct caller *c = &w.caller[call];
	char text[1000];

	note("caller %u: %s", call, method);
	sprintf(text, "%s " NUMBER " SIP/2.0\r\nVia: %s\r\nMax-Forwards: 70\r\nFrom: <sip:c@x>;tag=f\r\nTo: %s\r\nCall-ID: %s\r\nCSeq: 1 %s\r\n"
		      "Contact: <sip:c@10.1.0.1>\r\n%sContent-Length: 0\r\n\r\n", method, c->via, to, c->call_id, method, c->breadth);
	deliver(&w.caller_address, text);
}

/* The transaction still waits for this branch, as far as RFC 3261 goes. Where something was not sent, it may have begun before anybody
 * saw it: then only half of its life is sure. */
static bool lives(const struct leg *l)
{
	uint64_t life_ms = w.starved ? BRANCH_LIFE_MS / 2 : BRANCH_LIFE_MS;

	if (l->final || l->refused)
		return false;
	if (l->cancelled)
		return w.now_ms < l->cancelled_ms + life_ms;
	return (l->rang && w.caller[l->call].invite) || w.now_ms < l->began_ms + life_ms;
}

static void target_says(struct leg *l, unsigned status, const char *method, const char *headers)
{
	const struct caller *c = &w.caller[l->call];
	bool alive = lives(l);
	unsigned acks = l->acks, class = status / 100;
	char text[1200];

	note("target %c: %u to %s of call %u", 'A' + l->target, status, method, l->call);
	sprintf(text, "SIP/2.0 %u X\r\nVia: SIP/2.0/UDP 10.0.0.1:5060;branch=%.*s\r\nVia: %s\r\nFrom: <sip:c@x>;tag=f\r\nTo: <sip:d@y>;tag=%s%u\r\n"
		      "Call-ID: %s\r\nCSeq: 1 %s\r\n%sContent-Length: 0\r\n\r\n", status, BRANCH_CHARS, l->branch, c->via, texts[l->target],
		below(20) ? 0 : 1, c->call_id, method, headers);
	if (!strcmp(method, "CANCEL")) {
		l->cancel_answered |= l->cancelled && status >= 200;
		deliver(&w.address[l->target], text);
		return;
	}
	if (alive) {
		l->rang |= status < 200;
		l->success |= class == 2;
	}
	l->provisional |= status < 200;
	l->final |= status >= 200;
	w.over = true; /* so that what is due at once does come */
	deliver(&w.address[l->target], text);
	w.over = false;
	if (alive && class == 2 && (c->invite || w.now_ms < c->began_ms + BRANCH_LIFE_MS)) /* RFC 4320 §4.2: later it would not be heard */
		REQUIRE(w.went_up[2] == 1 || (!c->invite && c->successes + c->failures > 0), "a 2xx that did not go up");
	if (alive && class > 2 && c->invite)
		REQUIRE(l->acks == acks + 1, "a failure that was not acknowledged");
}

static void icmp(struct leg *l)
{
	char text[200];

	note("target %c: port unreachable", 'A' + l->target);
	sprintf(text, "INVITE sip:x SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.1:5060;branch=%.*s\r\n", BRANCH_CHARS, l->branch);
	if (!l->final && !(w.target_tcp && l->provisional)) /* who rings may answer by another connection */
		l->refused = true;
	if (w.target_tcp)
		proxy_undelivered(w.proxy, (const uint8_t *)text, (uint32_t)strlen(text), &w.address[l->target], NULL, w.now_ms);
	else
		proxy_icmp_error(w.proxy, (const uint8_t *)text, (uint32_t)strlen(text), &w.address[l->target], w.now_ms);
	w.events++;
}

/* Every timer fires at its own time. */
static void until(uint64_t end)
{
	while (w.now_ms < end) {
		uint64_t due = proxy_next_due(w.proxy);

		w.now_ms = due <= w.now_ms ? w.now_ms + 1 : due < end ? due : end;
		proxy_advance(w.proxy, w.now_ms);
	}
}

/* ---- a sequence */

static void speak(void)
{
	static const unsigned provisionals[] = { 100, 180, 183 };
	static const unsigned finals[] = { 200, 200, 202, 302, 401, 404, 407, 408, 480, 486, 487, 500, 503, 504, 600, 603 };
	static const char *const headers[] = { "", "", "Retry-After: 5\r\n", "Contact: <sip:x@10.3.0.1>, <sip:x@10.4.0.1>;q=0.5\r\n",
					       "WWW-Authenticate: Digest realm=\"x\"\r\n" };
	struct leg *l = &w.leg[below(w.legs)];
	const char *method = w.caller[l->call].method;

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
		return (c->invite || !w.caller_tcp) && !c->acked && !w.starved && w.now_ms < c->final_ms + BRANCH_LIFE_MS;
	return c->invite || w.now_ms < c->began_ms + BRANCH_LIFE_MS;
}

static void ask_again(unsigned call)
{
	struct caller *c = &w.caller[call];

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
	struct caller *c = &w.caller[call];

	c->invite = below(8) != 0;
	c->active = true;
	c->began_ms = w.now_ms;
	snprintf(c->method, sizeof(c->method), "%s", c->invite ? "INVITE" : others[below(4)]);
	if (!below(4))
		snprintf(c->breadth, sizeof(c->breadth), "Max-Breadth: %u\r\n", 1 + below(3));
	snprintf(c->call_id, sizeof(c->call_id), "%llx-%u", (unsigned long long)w.seed, call);
	snprintf(c->via, sizeof(c->via), "SIP/2.0/%s 10.1.0.1:5060;branch=z9hG4bK%llx-%u", w.caller_tcp ? "TCP" : "UDP", (unsigned long long)w.seed,
		 call);
	caller_says(call, c->method, "<sip:d@y>");
}

static void random_profile(void)
{
	struct profile_knobs *k = &w.h.knobs;

	w.h.strategy = below(2) ? STRATEGY_SIMULTANEOUS_RING : below(2) ? STRATEGY_FAILOVER : below(2) ? STRATEGY_ROUND_ROBIN : STRATEGY_WEIGHTED;
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
	harness_publish(&w.h);
}

static void check_legs(void)
{
	for (unsigned i = 0; i < w.legs; i++) {
		const struct leg *l = &w.leg[i];

		if (w.caller[l->call].invite && l->rang && !l->final && !l->refused)
			REQUIRE(l->cancelled, "a ringing target was left behind");
	}
}

static void check_callers(void)
{
	for (unsigned i = 0; i < CALLS; i++) {
		const struct caller *c = &w.caller[i];

		if (c->active && c->invite)
			REQUIRE(c->failures || c->successes, "a call without a final response");
		w.successes += c->successes > 0;
		w.failures += c->failures > 0;
	}
}

static void check_nothing_left(void)
{
	struct proxy_gauges g;

	proxy_gauges(w.proxy, &g);
	REQUIRE(!g.server_transactions && !g.client_transactions, "transactions are left");
	REQUIRE(!g.live_calls && !calls_open(w.proxy->calls), "calls are left");
	REQUIRE(!g.message_bytes, "kept messages are left");
	REQUIRE(!pool_in_use(w.proxy->contexts), "response contexts are left");
	REQUIRE(w.starts == w.ends, "a call was put on record without its end");
	for (unsigned i = 0; i < 3; i++) {
		REQUIRE(target_of(&w.h, i, TARGET_RINGING) == 0, "a target is left counted as ringing");
		REQUIRE(target_of(&w.h, i, TARGET_LIVE) == 0, "a target is left with a live call");
	}
}

static void sequence(void)
{
	unsigned events = 4 + below(50);

	w.random = w.seed * 0x9e3779b97f4a7c15ULL | 1;
	w.over = w.starved = false;
	w.legs = 0;
	w.logged = 0;
	memset(w.caller, 0, sizeof(w.caller));
	for (unsigned i = 0; i < 8; i++)
		below(2);
	random_profile();
	begin_call(0);
	while (events--) {
		unsigned what = below(16);

		if (what == 0)
			until(w.now_ms + 1000 + below(40000));
		else if (what < 4)
			until(w.now_ms + below(700));
		else if (what == 4 && !w.caller[1].active)
			begin_call(1);
		else if (what < 7)
			ask_again(w.caller[1].active ? below(2) : 0);
		else if (w.legs)
			speak();
	}
	note("the end");
	w.over = true;
	for (uint64_t due; (due = proxy_next_due(w.proxy)) != UINT64_MAX;)
		until(due > w.now_ms ? due : w.now_ms + 1);
	check_legs();
	check_callers();
	check_nothing_left();
	w.now_ms += 120000; /* ejections and challenges are over */
	w.sequences++;
}

static uint64_t setting(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text && *text ? strtoull(text, NULL, 10) : otherwise;
}

static bool has_word(int argc, char **argv, const char *word)
{
	return argc > 1 && (!strcmp(argv[1], "tcp") || !strcmp(argv[1], word));
}

int main(int argc, char **argv)
{
	uint64_t seed = setting("STROWGER_RANDOM_SEED", 1), n = setting("STROWGER_RANDOM_SEQUENCES", SEQUENCES);

	eal_for_test("64");
	w.caller_tcp = has_word(argc, argv, "from-tcp");
	w.target_tcp = has_word(argc, argv, "to-tcp");
	harness_start(&w.h, &(struct harness_options){ .tcp_targets = w.target_tcp });
	proxy_free(w.h.proxy);
	w.h.config.outbox = (struct outbox){ reserve, commit, NULL };
	w.h.config.record_room = record_room;
	w.h.config.record_written = record_written;
	w.h.config.max_call_age_ms = AGE_MS;
	w.now_ms = w.h.now_ms;
	w.h.proxy = w.proxy = proxy_new(&w.h.config, w.now_ms);
	REQUIRE(w.proxy, "no memory");
	w.caller_address = addr_of(CALLER);
	w.us = addr_of(US);
	for (unsigned i = 0; i < 3; i++)
		w.address[i] = addr_of(texts[i]);
	for (uint64_t i = 0; i < n; i++) {
		w.seed = seed + i;
		sequence();
	}
	printf("%llu sequences, %llu events, %llu branches, %llu calls answered, %llu failed, %llu branches cancelled\n",
	       (unsigned long long)w.sequences, (unsigned long long)w.events, (unsigned long long)w.branches, (unsigned long long)w.successes,
	       (unsigned long long)w.failures, (unsigned long long)w.cancels);
	proxy_free(w.proxy);
	return 0;
}
