/* SPDX-License-Identifier: Apache-2.0 */
/* Handshakes take turns, within a budget; they end in time; there is a bound on how many there are. */
#include "bed.h"

static struct made ca, cert;
static struct tls_identity *identity;
static struct side client, server;

#define MANY 20

static void roomy(struct tls_config *c)
{
	c->handshake_budget_us = UINT32_MAX;
	c->tickets = 0;
}

static void tight(struct tls_config *c)
{
	c->handshake_budget_us = 1000;
	c->handshake_timeout_ms = 5000;
	c->handshakes = MANY;
	c->tickets = 0;
	c->sessions = MANY + 2;
}

static int set_up(void **state)
{
	bed_folder_new(state);
	made_new(&ca, "ca", &(struct wish){ .cn = "Test CA", .ca = true }, NULL);
	made_new(&cert, "server", &(struct wish){ .cn = "server", .san = "DNS:a.example" }, &ca);
	identity = made_identity(&cert);
	return 0;
}

static int tear_down(void **state)
{
	tls_identity_unref(identity);
	made_free(&ca);
	made_free(&cert);
	return bed_folder_free(state);
}

static int sides_up(void **state)
{
	bed_cost_us = 0;
	bed_now_us = 1000000;
	side_new(&client, NULL, roomy);
	side_new(&server, NULL, tight);
	set_server(&server, identity);
	set_server(&client, identity);
	set_peer(&client, 1, &ca, "a.example");
	set_peer(&server, 1, &ca, "a.example");
	return 0;
}

static int sides_down(void **state)
{
	bed_cost_us = 0;
	side_free(&client);
	side_free(&server);
	return 0;
}

/* Which of them had a step since the last call: an answer has come of it. */
static unsigned served(struct pair *p, bool had[MANY], unsigned *ret_first, unsigned *ret_last)
{
	unsigned n = 0;

	for (unsigned i = 0; i < MANY; i++) {
		if (had[i] || !p[i].server.out_n)
			continue;
		had[i] = true;
		*ret_first = n ? *ret_first : i;
		*ret_last = i;
		n++;
	}
	return n;
}

static void open_many(struct pair *p)
{
	for (unsigned i = 0; i < MANY; i++) {
		pair_new(&p[i], &client, &server);
		pair_open(&p[i], 1);
	}
	tls_advance(client.tls, bed_now_us);
	for (unsigned i = 0; i < MANY; i++)
		assert_true(p[i].client.out_n > 0);
}

static void test_budget(void **state)
{
	static const struct {
		const char *what;
		uint64_t cost_us;
		unsigned turn; /* steps of one */
	} cases[] = {
		{ "steps of 400 µs within 1,000: three, for the third begins in time", 400, 3 },
		{ "of 1,000: one", 1000, 1 },
		{ "of more than the budget: one all the same", 7000, 1 },
		{ "of 100: ten", 100, 10 },
		{ "that cost nothing", 0, MANY },
	};

	for (unsigned c = 0; c < ARRAY_SIZE(cases); c++) {
		bool had[MANY] = { false };
		struct tls_usage usage;
		struct pair p[MANY];
		unsigned first = 0, last = 0, next = 0, turns = 0;

		print_message("%s\n", cases[c].what);
		open_many(p);
		bed_cost_us = cases[c].cost_us;
		tls_advance(server.tls, bed_now_us);
		assert_true(cases[c].turn == MANY || tls_next_due(server.tls) > 0);
		/* They arrive all at once: what the budget allows is served, the others keep their bytes. */
		for (unsigned i = 0; i < MANY; i++)
			assert_int_equal(end_move(&p[i].client, 0), i < cases[c].turn);
		while (next < MANY) {
			unsigned n = served(p, had, &first, &last), due = MANY - next < cases[c].turn ? MANY - next : cases[c].turn;

			/* In the order of arrival, and so many a turn. */
			assert_int_equal(n, due);
			assert_int_equal(first, next);
			assert_int_equal(last, next + n - 1);
			next += n;
			tls_usage(server.tls, &usage);
			assert_int_equal(usage.waiting, MANY - next);
			if (next < MANY) {
				assert_int_equal(tls_next_due(server.tls), 0);
				tls_advance(server.tls, bed_now_us);
				turns++;
			}
		}
		assert_int_equal(turns, (MANY + cases[c].turn - 1) / cases[c].turn - 1);
		assert_int_equal(count_of(&server, COUNTER_tls_steps_waited) > 0, cases[c].turn < MANY || c > 0);
		bed_cost_us = 0;
		for (unsigned i = 0; i < MANY; i++) {
			pair_run(&p[i]);
			assert_int_equal(p[i].server.opened, 1);
			pair_free(&p[i]);
		}
	}
}

/* Who comes anew, or has another step to do, goes behind those that wait. */
static void test_fair(void **state)
{
	struct pair p[MANY];

	open_many(p);
	bed_cost_us = 1000;
	tls_advance(server.tls, bed_now_us);
	for (unsigned i = 0; i < MANY - 1; i++)
		end_move(&p[i].client, 0);
	/* The first has its second step to do at once; the last arrives only now. */
	assert_true(end_move(&p[0].server, 0));
	assert_false(end_move(&p[0].client, 0));
	assert_false(end_move(&p[MANY - 1].client, 0));
	for (unsigned i = 1; i < MANY - 1; i++) {
		assert_int_equal(p[0].server.opened, 0);
		assert_int_equal(p[i].server.out_n, 0);
		tls_advance(server.tls, bed_now_us);
		assert_true(p[i].server.out_n > 0);
	}
	tls_advance(server.tls, bed_now_us);
	assert_int_equal(p[0].server.opened, 1);
	assert_int_equal(p[MANY - 1].server.out_n, 0);
	tls_advance(server.tls, bed_now_us);
	assert_true(p[MANY - 1].server.out_n > 0);
	bed_cost_us = 0;
	for (unsigned i = 0; i < MANY; i++)
		pair_free(&p[i]);
}

/* Those that we open go before all that others open: a flood of them does not keep our calls waiting. */
static void test_ours_first(void **state)
{
	struct pair p[MANY], ours;

	open_many(p);
	bed_cost_us = 1000;
	tls_advance(server.tls, bed_now_us);
	for (unsigned i = 0; i < MANY; i++)
		end_move(&p[i].client, 0);
	pair_new(&ours, &server, &client);
	pair_open(&ours, 1);
	assert_int_equal(ours.client.out_n, 0);
	tls_advance(server.tls, bed_now_us);
	assert_true(ours.client.out_n > 0);
	assert_int_equal(p[1].server.out_n, 0);
	while (end_move(&ours.client, 0) || end_move(&ours.server, 0))
		;
	tls_advance(server.tls, bed_now_us);
	assert_int_equal(ours.client.opened, 1);
	assert_int_equal(p[1].server.out_n, 0);
	tls_advance(server.tls, bed_now_us);
	assert_true(p[1].server.out_n > 0);
	bed_cost_us = 0;
	pair_free(&ours);
	for (unsigned i = 0; i < MANY; i++)
		pair_free(&p[i]);
}

/* What waits may be freed, closed, and end meanwhile. */
static void test_leaving(void **state)
{
	struct tls_usage usage;
	struct pair p[MANY];

	open_many(p);
	bed_cost_us = 1000;
	tls_advance(server.tls, bed_now_us);
	for (unsigned i = 0; i < MANY; i++)
		end_move(&p[i].client, 0);
	tls_free_session(server.tls, p[1].server.s);
	p[1].server.s = NULL;
	tls_close(server.tls, p[2].server.s);
	tls_cut(server.tls, p[3].server.s);
	assert_int_equal(p[3].server.why, TLS_END_CUT);
	tls_usage(server.tls, &usage);
	assert_int_equal(usage.waiting, MANY - 4);
	tls_advance(server.tls, bed_now_us);
	assert_true(p[4].server.out_n > 0);
	bed_now_us += 5000000;
	tls_advance(server.tls, bed_now_us);
	tls_usage(server.tls, &usage);
	assert_int_equal(usage.waiting, 0);
	assert_int_equal(usage.handshakes, 0);
	bed_cost_us = 0;
	for (unsigned i = 0; i < MANY; i++)
		pair_free(&p[i]);
}

static void test_timeout(void **state)
{
	struct pair early, late, open;

	pair_new(&open, &client, &server);
	pair_open(&open, 1);
	pair_run(&open);
	assert_true(tls_next_due(server.tls) == UINT64_MAX);
	pair_new(&early, &client, &server);
	pair_open(&early, 1);
	tls_advance(client.tls, bed_now_us);
	end_move(&early.client, 0);
	assert_true(tls_next_due(server.tls) == bed_now_us + 5000000);
	bed_now_us += 2000000;
	tls_advance(server.tls, bed_now_us);
	pair_new(&late, &client, &server);
	pair_open(&late, 1);
	bed_now_us += 2999999;
	tls_advance(server.tls, bed_now_us);
	assert_int_equal(early.server.closed, 0);
	bed_now_us++;
	tls_advance(server.tls, bed_now_us);
	assert_int_equal(early.server.closed, 1);
	assert_int_equal(early.server.why, TLS_END_TIMEOUT);
	assert_int_equal(late.server.closed, 0);
	assert_true(tls_next_due(server.tls) == bed_now_us + 2000000);
	bed_now_us += 2000000;
	tls_advance(server.tls, bed_now_us);
	assert_int_equal(late.server.why, TLS_END_TIMEOUT);
	assert_int_equal(count_of(&server, COUNTER_tls_timed_out), 2);
	/* One that stands has no such bound. */
	bed_now_us += 1000000000;
	tls_advance(server.tls, bed_now_us);
	assert_int_equal(open.server.closed, 0);
	pair_free(&early);
	pair_free(&late);
	pair_free(&open);
}

static void test_bounds(void **state)
{
	const struct ip_port remote = { { { 192, 0, 2, 1 }, IP_V4 }, 1 };
	struct tls_session *s, *more[2];
	struct pair p[MANY];

	open_many(p);
	assert_int_equal(tls_accept(server.tls, 0, &remote, NULL, &s), -ERR_FULL);
	assert_int_equal(count_of(&server, COUNTER_tls_refused_full), 1);
	/* Ours are not bound by it, but by the number of sessions. */
	assert_int_equal(tls_connect(server.tls, 1, &remote, &p[0].server, &more[0]), 0);
	assert_int_equal(tls_connect(server.tls, 1, &remote, &p[0].server, &more[1]), 0);
	assert_int_equal(tls_connect(server.tls, 1, &remote, &p[0].server, &s), -ERR_FULL);
	assert_int_equal(count_of(&server, COUNTER_tls_refused_full), 2);
	tls_free_session(server.tls, more[0]);
	/* One that is open makes room for another handshake. */
	pair_run(&p[3]);
	assert_int_equal(p[3].server.opened, 1);
	assert_int_equal(tls_accept(server.tls, 0, &remote, NULL, &s), 0);
	tls_free_session(server.tls, s);
	tls_free_session(server.tls, more[1]);
	for (unsigned i = 0; i < MANY; i++)
		pair_free(&p[i]);
}

static void test_config(void **state)
{
	static const struct {
		const char *what;
		size_t field;
		uint32_t value;
	} cases[] = {
		{ "no sessions", offsetof(struct tls_config, sessions), 0 },
		{ "too many", offsetof(struct tls_config, sessions), 4000001 },
		{ "no handshakes", offsetof(struct tls_config, handshakes), 0 },
		{ "nothing seen", offsetof(struct tls_config, seen), 0 },
		{ "no time", offsetof(struct tls_config, handshake_timeout_ms), 0 },
	};
	struct tls_config c;
	struct tls *t;

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		c = tls_config_default();
		c.store = server.store;
		c.counters = &server.counters;
		c.clock_us = (uint64_t (*)(void))(uintptr_t)1;
		c.handlers = (const struct tls_handlers *)(uintptr_t)1;
		*(uint32_t *)((uint8_t *)&c + cases[i].field) = cases[i].value;
		print_message("%s\n", cases[i].what);
		assert_int_equal(tls_new(&c, &t), -ERR_INVALID);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_budget, sides_up, sides_down),
		cmocka_unit_test_setup_teardown(test_fair, sides_up, sides_down),
		cmocka_unit_test_setup_teardown(test_ours_first, sides_up, sides_down),
		cmocka_unit_test_setup_teardown(test_leaving, sides_up, sides_down),
		cmocka_unit_test_setup_teardown(test_timeout, sides_up, sides_down),
		cmocka_unit_test_setup_teardown(test_bounds, sides_up, sides_down),
		cmocka_unit_test_setup_teardown(test_config, sides_up, sides_down),
	};

	return cmocka_run_group_tests_name("tls/turns", tests, set_up, tear_down);
}
