/* SPDX-License-Identifier: Apache-2.0 */
#include "script.h"

#include "base/pool.h"

struct harness stage;

static struct {
	struct request asked;
	const struct sent *final;      /* for ack() */
	const struct sent *at[3];      /* the targets' last requests */
	const char *first; /* the target A, as it is reached */
	const struct sent *taken[4096]; /* what was looked at, of what was sent */
	unsigned taken_count;
} play;

static const char *const targets[] = { A, B, C };
static const char *const tags[] = { "a", "b", "c" };

static const char *first_target(void)
{
	return play.first ? play.first : A;
}

static unsigned target_index(const char *target)
{
	for (unsigned i = 0; i < ARRAY_SIZE(targets); i++)
		if (!strcmp(plain_address(target), targets[i]))
			return i;
	fail_msg("%s is no target", target);
	return 0;
}

/* ---- what was sent */

static bool was_taken(const struct sent *s)
{
	for (unsigned i = 0; i < play.taken_count; i++)
		if (play.taken[i] == s)
			return true;
	return false;
}

static void take(const struct sent *s)
{
	assert_true(play.taken_count < ARRAY_SIZE(play.taken));
	play.taken[play.taken_count++] = s;
}

/* What everything up to now was is known: the search need not look there again. */
static void settle(void)
{
	while (stage.sent_read < stage.sent_count && was_taken(stage.sent[stage.sent_read]))
		stage.sent_read++;
	if (stage.sent_read == stage.sent_count)
		play.taken_count = 0;
}

static const char *first_line(const struct sent *s)
{
	static char line[200];
	char to[IP_PORT_TEXT_MAX];
	unsigned n = 0;

	ip_port_format(&s->to.remote, to);
	while (n < s->len && n < 120 && s->data[n] != '\r')
		n++;
	snprintf(line, sizeof(line), "%.*s to %s", (int)n, (const char *)s->data, to);
	return line;
}

const struct sip_message *view_of(const struct sent *s)
{
	static struct sip_message m;

	sip_parse(s->data, s->len, &m); /* an answer to a request with faults has them too */
	return &m;
}

static const struct sent *look(const char *method, unsigned status, const char *to)
{
	for (unsigned i = stage.sent_read; i < stage.sent_count; i++) {
		const struct sent *s = stage.sent[i];
		const struct sip_message *m;

		if (was_taken(s) || !sent_to(s, to))
			continue;
		m = view_of(s);
		if (method ? m->is_request && span_eq(m->method_name, span_str(method)) : !m->is_request && m->status == status) {
			take(s);
			settle();
			return s;
		}
	}
	return NULL;
}

static const char *unread(void)
{
	for (unsigned i = stage.sent_read; i < stage.sent_count; i++)
		if (!was_taken(stage.sent[i]))
			return first_line(stage.sent[i]);
	return "nothing";
}

const struct sent *out(const char *method, const char *to)
{
	const struct sent *s = look(method, 0, to);

	if (!s)
		fail_msg("wanted %s to %s, but there is: %s", method, to, unread());
	if (!view_of(s)->to_tag.p && strcmp(method, "ACK") && strcmp(method, "CANCEL"))
		for (unsigned i = 0; i < ARRAY_SIZE(targets); i++)
			if (!strcmp(plain_address(to), targets[i]))
				play.at[i] = s;
	return s;
}

const struct sent *answer_to(unsigned status, const char *to)
{
	const struct sent *s = look(NULL, status, to);

	if (!s)
		fail_msg("wanted %u to %s, but there is: %s", status, to, unread());
	if (status >= 200)
		play.final = s;
	return s;
}

const struct sent *up(unsigned status)
{
	return answer_to(status, play.asked.source ? play.asked.source : CALLER);
}

void quiet(void)
{
	if (strcmp(unread(), "nothing"))
		fail_msg("wanted nothing, but there is: %s", unread());
}

unsigned drain_out(const char *method, const char *to)
{
	unsigned n = 0;

	while (look(method, 0, to))
		n++;
	return n;
}

unsigned drain_up(unsigned status)
{
	unsigned n = 0;

	while (look(NULL, status, play.asked.source ? play.asked.source : CALLER))
		n++;
	return n;
}

/* ---- the caller */

void ask_as(const struct request *r)
{
	play.asked = *r;
	request_send(&stage, r);
}

const struct sent *invite_as(const struct request *r)
{
	ask_as(r);
	up(100);
	return out("INVITE", first_target());
}

void again(void)
{
	request_send(&stage, &play.asked);
}

void cancel(void)
{
	cancel_send(&stage, &play.asked);
}

void ack(void)
{
	assert_non_null(play.final);
	ack_send(&stage, &play.asked, play.final);
}

void raw(const char *source, const char *text)
{
	send_text(&stage, source, text);
}

/* ---- the targets */

static const struct sent *last_at(const char *target)
{
	const struct sent *s = play.at[target_index(target)];

	if (!s)
		fail_msg("%s has no request to speak of", target);
	return s;
}

void reply_leg(const char *target, unsigned status, const char *tag, const char *headers)
{
	answer(&stage, last_at(target), status, tag, headers);
}

void reply_with(const char *target, unsigned status, const char *headers)
{
	reply_leg(target, status, status == 100 ? NULL : tags[target_index(target)], headers);
}

void reply(const char *target, unsigned status)
{
	reply_with(target, status, NULL);
}

char *reply_text(const char *target, unsigned status, const char *headers)
{
	return answer_text(last_at(target), status, tags[target_index(target)], headers);
}

void okay(const struct sent *request)
{
	answer(&stage, request, 200, "ok", NULL);
}

void unreachable(const char *target)
{
	const struct sent *s = last_at(target);

	proxy_icmp_error(stage.proxy, s->data, s->len < 500 ? s->len : 500, &s->to.remote, stage.now_ms);
}

void undelivered(const struct sent *s)
{
	proxy_undelivered(stage.proxy, s->data, s->len, &s->to.remote, NULL, stage.now_ms);
}

/* ---- time */

void later(uint64_t ms)
{
	wait_ms(&stage, ms);
}

void times_of(const char *method, const char *to, unsigned n, uint64_t *ret_ms)
{
	uint64_t from = stage.now_ms;

	for (unsigned i = 0; i < n; i++) {
		const struct sent *s;

		while (!(s = look(method, 0, to))) {
			if (stage.now_ms - from > 300000)
				fail_msg("%s number %u never came to %s", method, i + 1, to);
			wait_ms(&stage, 1);
		}
		ret_ms[i] = s->at_ms - from;
	}
}

/* ---- the stage */

void publish(void)
{
	harness_publish(&stage);
}

void ring_all(void)
{
	stage.strategy = STRATEGY_SIMULTANEOUS_RING;
	publish();
}

void invite_all(void)
{
	ask(0);
	up(100);
	for (unsigned i = 0; i < ARRAY_SIZE(targets); i++)
		out("INVITE", targets[i]);
	quiet();
}

void clocks_off(void)
{
	stage.knobs.response_timeout_ms = stage.knobs.progress_timeout_ms = 0;
	stage.knobs.ring_timeout_ms = stage.knobs.setup_budget_ms = 0;
	publish();
}

void only_a(void)
{
	stage.target_weight[1] = stage.target_weight[2] = 0;
	publish();
}

void stage_again(const struct harness_options *options)
{
	harness_end(&stage);
	memset(&play, 0, sizeof(play));
	if (options)
		play.first = options->tls_targets ? TLS_A : options->tcp_targets ? TCP_A : A;
	harness_start(&stage, options);
}

void all_gone(void)
{
	struct proxy_gauges g;

	proxy_gauges(stage.proxy, &g);
	if (g.server_transactions || g.client_transactions || (g.message_bytes && !g.live_calls)) /* a live call has its record */
		fail_msg("left: %u server and %u client transactions, %llu bytes", g.server_transactions, g.client_transactions,
			 (unsigned long long)g.message_bytes);
	assert_int_equal(pool_in_use(stage.proxy->contexts), 0);
}

/* ---- asserting */

void is_nth(const struct sent *s, const char *header, unsigned n, const char *value)
{
	const char *got = sent_header(s, header, n);

	if (strcmp(got, value))
		fail_msg("%s of \"%s\" is \"%s\", not \"%s\"", header, first_line(s), got, value);
}

void is(const struct sent *s, const char *header, const char *value)
{
	is_nth(s, header, 0, value);
}

void lines(const struct sent *s, const char *header, unsigned count)
{
	unsigned n = sent_lines(s, header);

	if (n != count)
		fail_msg("%s has %u lines of %s, not %u", first_line(s), n, header, count);
}

void has(const struct sent *s, const char *text)
{
	if (!sent_has(s, text))
		fail_msg("\"%s\" is not in %s", text, first_line(s));
}

void hasnt(const struct sent *s, const char *text)
{
	if (sent_has(s, text))
		fail_msg("\"%s\" is in %s", text, first_line(s));
}

void counted(enum counter which, uint64_t n)
{
	if (counter_of(&stage, which) != n)
		fail_msg("%s is %llu, not %llu", counter_name(which), (unsigned long long)counter_of(&stage, which),
			 (unsigned long long)n);
}

void expect_true(bool holds, const char *what)
{
	if (!holds)
		fail_msg("not so: %s", what);
}

const char *branch_of(const struct sent *s, unsigned n)
{
	static char texts[8][300];
	static unsigned turn;
	char *text = texts[turn++ % ARRAY_SIZE(texts)], *at;

	snprintf(text, sizeof(texts[0]), "%s", sent_header(s, "Via", n));
	at = strstr(text, "branch=");
	if (!at)
		fail_msg("no branch in Via %u of %s", n, first_line(s));
	at += strlen("branch=");
	at[strcspn(at, ";, ")] = 0;
	return at;
}

/* ---- text */

static char *replaced(const char *text, const char *what, const char *with, bool all)
{
	static char texts[4][200000];
	static unsigned turn;
	char *to = texts[turn++ % ARRAY_SIZE(texts)], *at = to;
	const char *found = strstr(text, what);

	if (!found)
		fail_msg("\"%s\" is not in \"%.300s\"", what, text);
	do {
		at += sprintf(at, "%.*s%s", (int)(found - text), text, with);
		text = found + strlen(what);
	} while (all && (found = strstr(text, what)));
	strcpy(at, text);
	return to;
}

char *edited(const char *text, const char *what, const char *with)
{
	return replaced(text, what, with, false);
}

char *edited_all(const char *text, const char *what, const char *with)
{
	return replaced(text, what, with, true);
}

void bent(const char *what, const char *with)
{
	play.asked = (struct request){ 0 };
	raw(CALLER, edited(request_text(&play.asked), what, with));
}

/* ---- dialogs */

void call_up(struct dialog *d)
{
	quiet();
	dialog_open(&stage, NULL, first_target(), NULL, d);
	out("ACK", first_target());
}

void say(const struct dialog *d, enum token_side side, const char *method)
{
	dialog_send(&stage, d, side, method, 0, NULL);
}

void bend_token(char *routes, unsigned n)
{
	char *at = strstr(routes, "<sip:");

	assert_non_null(at);
	at += strlen("<sip:") + n;
	*at = *at == 'a' ? 'b' : 'a';
}
