/* SPDX-License-Identifier: Apache-2.0 */
/* Requests within a call that has a stream on one side or both (relay.c), under random events: requests of both sides, again and again, their CANCELs and
 * ACKs, answers of every kind at any time, connections that break and give back what they took, no buffers, time. What must hold:
 *
 *	an INVITE gets one final other than 2xx at most, no new one after a 2xx; in the end it has a final; anything else has one final at most
 *	no CANCEL before a provisional, and none after a final; no INVITE again behind its final
 *	afterwards no transaction, call, byte or timer is left
 *
 * STROWGER_RANDOM_SEQUENCES, STROWGER_RANDOM_SEED: as of random.c. */
#include "streams.h"

#include <stdarg.h>

#define SEQUENCES 600
#define ASKED_MAX 12
#define EVENTS	  40

/* A request within the call, as its sender sees it. */
struct asked {
	enum token_side side;
	const char *method;
	char via[96];
	unsigned cseq;
	bool invite, provisional, answered, cancelled;
	unsigned failure;	/* the final that its sender got */
	bool success;
	uint64_t began_ms, final_ms;
	const struct sent *out; /* as the other side has it */
};

static struct harness h;
static struct dialog d;
static struct asked asked[ASKED_MAX];
static unsigned asked_count;
static bool starved;
static uint64_t seed, state, events, finals;
static char lines_of[40000];
static size_t line_bytes;

static void note(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void note(const char *format, ...)
{
	va_list args;

	if (line_bytes + 200 > sizeof(lines_of))
		return;
	line_bytes += (size_t)sprintf(lines_of + line_bytes, "%9llu ", (unsigned long long)(h.now_ms % 1000000000));
	va_start(args, format);
	line_bytes += (size_t)vsnprintf(lines_of + line_bytes, 180, format, args);
	va_end(args);
	lines_of[line_bytes++] = '\n';
	lines_of[line_bytes] = 0;
}

static void require(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "%s\n%s\nSTROWGER_RANDOM_SEED=%llu STROWGER_RANDOM_SEQUENCES=1 shows it again\n", lines_of, what, (unsigned long long)seed);
	exit(1);
}

static unsigned below(unsigned n)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (unsigned)((state >> 11) % n);
}

/* ---- what the proxy sends */

static struct asked *asked_by(unsigned cseq)
{
	for (unsigned i = 0; i < asked_count; i++)
		if (asked[i].cseq == cseq)
			return &asked[i];
	return NULL;
}

static void response_out(struct asked *a, const struct sip_message *m)
{
	if (m->method == SIP_CANCEL || m->status < 200)
		return;
	finals++;
	if (!a->failure && !a->success)
		a->final_ms = h.now_ms;
	if (m->status < 300 && a->invite) {
		a->success = true; /* also behind another final: §16.7(5) */
		return;
	}
	/* But for the same again, where both crossed; or one that had found no buffer before. */
	require(!a->success || a->failure || starved, "a final after a 2xx");
	require(!a->failure || a->failure == m->status, "a second final");
	a->failure = m->status;
}

static void request_out(struct asked *a, const struct sip_message *m, const struct sent *s)
{
	if (m->method == SIP_CANCEL) {
		require(a->provisional, "a CANCEL before a provisional response");
		require(!a->answered, "a CANCEL after the final response");
	} else if (m->method != SIP_ACK) {
		require(!a->invite || !a->failure, "an INVITE that has its final");
		a->out = s;
	}
}

static void look(void)
{
	static struct sip_message m;

	for (; h.sent_read < h.sent_count; h.sent_read++) {
		const struct sent *s = h.sent[h.sent_read];
		struct asked *a;

		assert_int_equal(sip_parse(s->data, s->len, &m), SIP_OK);
		a = asked_by(m.cseq);
		note("       -> %.*s to %s", (int)strcspn((const char *)s->data, "\r"), (const char *)s->data, s->to.transport ? "a stream" : "UDP");
		if (a && m.is_request)
			request_out(a, &m, s);
		else if (a)
			response_out(a, &m);
	}
}

/* ---- what happens */

static void ask_new(void)
{
	static const char *const methods[] = { "INVITE", "INVITE", "INVITE", "INFO", "UPDATE", "MESSAGE", "BYE" };
	struct asked *a = &asked[asked_count];

	if (asked_count == ASKED_MAX)
		return;
	*a = (struct asked){ .side = below(2) ? TOKEN_FROM_CALLER : TOKEN_FROM_TARGET, .cseq = 200 + asked_count, .began_ms = h.now_ms, .method = methods[below(ARRAY_SIZE(methods))] };
	a->invite = !strcmp(a->method, "INVITE");
	snprintf(a->via, sizeof(a->via), "SIP/2.0/%s %s;rport;branch=z9hG4bKr%u",
		 is_tcp(a->side == TOKEN_FROM_CALLER ? (d.invite.source ? d.invite.source : CALLER) : d.target) ? "TCP" : "UDP",
		 a->side == TOKEN_FROM_CALLER ? "10.1.0.1:5060" : "10.2.0.1:5060", asked_count);
	asked_count++;
	note("%s %u from the %s", a->method, a->cseq, a->side == TOKEN_FROM_CALLER ? "caller" : "target");
	dialog_send(&h, &d, a->side, a->method, a->cseq, a->via);
}

/* Who speaks by a stream says nothing twice, and nobody repeats an INVITE that has its final. */
static bool may_repeat(const struct asked *a)
{
	if (strstr(a->via, "/TCP ") || (a->invite && (a->failure || a->success)))
		return false;
	return !a->failure || h.now_ms - a->final_ms < 31000; /* timer J */
}

static void say_of(struct asked *a, const char *method)
{
	note("%s %u again, or of it", method, a->cseq);
	dialog_send(&h, &d, a->side, method, a->cseq, a->via);
}

static void reply_to(struct asked *a)
{
	static const unsigned codes[] = { 100, 180, 183, 200, 200, 202, 408, 481, 486, 487, 500, 503, 603 };
	unsigned status = codes[below(ARRAY_SIZE(codes))];

	if (!a->out)
		return;
	a->provisional |= status < 200;
	a->answered |= status >= 200;
	note("%u to %s %u", status, a->method, a->cseq);
	answer(&h, a->out, status, NULL, NULL);
}

/* A connection breaks: some of what went by it lately comes back, answered or not. */
static void break_one(void)
{
	unsigned n = h.sent_count < 8 ? h.sent_count : 8;

	for (unsigned i = h.sent_count - n, end = h.sent_count; i < end; i++)
		if (h.sent[i]->to.transport != TRANSPORT_UDP && below(2)) {
			note("undelivered: %.*s", (int)strcspn((const char *)h.sent[i]->data, "\r"), (const char *)h.sent[i]->data);
			proxy_undelivered(h.proxy, h.sent[i]->data, h.sent[i]->len, &h.sent[i]->to.remote, NULL, h.now_ms);
		}
}

static void pass_time(unsigned ms)
{
	note("%u ms", ms);
	wait_ms(&h, ms);
}

static void happen(void)
{
	struct asked *a = asked_count ? &asked[below(asked_count)] : NULL;
	unsigned what = below(20);

	h.outbox_full = below(30) == 0;
	starved |= h.outbox_full;
	if (!a || what < 4)
		ask_new();
	else if (what < 6 && may_repeat(a))
		say_of(a, a->method);
	else if (what < 8 && a->invite && !a->failure && !a->success && h.now_ms - a->began_ms < 30000) {
		a->cancelled = true;
		say_of(a, "CANCEL");
	} else if (what < 9 && a->invite && a->failure)
		say_of(a, "ACK");
	else if (what < 15)
		reply_to(a);
	else if (what < 17)
		break_one();
	else
		pass_time(below(4) ? below(1200) : below(40000));
	h.outbox_full = false;
	events++;
	look();
}

static void sequence(void)
{
	static const struct {
		bool from_tcp, to_tcp;
	} ways[] = { { true, false }, { false, true }, { true, true } };
	unsigned way = below(ARRAY_SIZE(ways));

	asked_count = 0;
	starved = false;
	line_bytes = 0;
	lines_of[0] = 0;
	harness_start(&h, ways[way].to_tcp ? &to_tcp : NULL);
	dialog_open(&h, ways[way].from_tcp ? &by_tcp : NULL, ways[way].to_tcp ? TCP_A : A, NULL, &d);
	look();
	for (unsigned i = 0; i < EVENTS; i++)
		happen();
	note("nobody speaks any more");
	for (unsigned i = 0; i < 260; i++) { /* timers C and F, and what follows them */
		wait_ms(&h, 1000);
		look();
	}
	for (unsigned i = 0; i < asked_count && !starved; i++)
		require(!asked[i].invite || asked[i].failure || asked[i].success, "an INVITE without a final");
	harness_end(&h);
}

static void relayed(void **unused)
{
	const char *sequences = getenv("STROWGER_RANDOM_SEQUENCES"), *first = getenv("STROWGER_RANDOM_SEED");
	uint64_t n = sequences ? strtoull(sequences, NULL, 10) : SEQUENCES;

	seed = first ? strtoull(first, NULL, 10) : 1;
	for (; n; n--, seed++) {
		state = (seed + 1) * 0x9e3779b97f4a7c15ULL;
		sequence();
	}
	printf("%llu events, %llu finals\n", (unsigned long long)events, (unsigned long long)finals);
	assert_true(finals > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(relayed) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
