/* SPDX-License-Identifier: Apache-2.0 */
/* When the timers of transactions are due, and what happens at their bounds. */
#include "transactions_fixture.h"

/* ---- timers */

struct fired {
	struct transactions *t;
	uint64_t now, at[32];
	unsigned count;
	uint32_t kind[32];
	
};

static void note(void *ctx, struct wheel_timer *timer)
{
	struct fired *f = ctx;

	assert_true(f->count < ARRAY_SIZE(f->at));
	f->at[f->count] = f->now - START;
	f->kind[f->count++] = timer->kind;
	if (timer->kind == TXN_TIMER_KIND_CLIENT_RETRANSMIT)
		client_txn_event(f->t, (struct client_txn *)((char *)timer - offsetof(struct client_txn, retransmit)),
				 TXN_TIMER_RETRANSMIT, f->now);
	else if (timer->kind == TXN_TIMER_KIND_CLIENT_LIFETIME)
		client_txn_event(f->t, (struct client_txn *)((char *)timer - offsetof(struct client_txn, lifetime)),
				 TXN_TIMER_LIFETIME, f->now);
	else if (timer->kind == TXN_TIMER_KIND_SERVER_RETRANSMIT)
		server_txn_event(f->t, (struct server_txn *)((char *)timer - offsetof(struct server_txn, retransmit)),
				 TXN_TIMER_RETRANSMIT, f->now);
	else if (timer->kind == TXN_TIMER_KIND_SERVER_LIFETIME)
		server_txn_event(f->t, (struct server_txn *)((char *)timer - offsetof(struct server_txn, lifetime)),
				 TXN_TIMER_LIFETIME, f->now);
}

static void run(struct wheel *w, struct fired *f, uint64_t from, uint64_t to)
{
	for (f->now = START + from; f->now <= START + to; f->now++)
		wheel_advance(w, f->now, note, f);
}

#define TIMED(f, ...)                                                                                                  \
	do {                                                                                                           \
		static const uint64_t due_[] = { __VA_ARGS__ };                                                        \
		assert_int_equal((f).count, ARRAY_SIZE(due_));                                                         \
		assert_memory_equal((f).at, due_, sizeof(due_));                                                       \
	} while (0)

static void test_client_timers(void **state)
{
	struct wheel *w = wheel_new(START);
	struct transactions *t = make(w, 4, 16);
	struct client_txn *c;
	struct fired f;

	/* A doubles without a bound; B at 64*T1 */
	c = client_at(t, SIP_INVITE, &udp);
	f = (struct fired){ .t = t };
	run(w, &f, 0, 40000);
	TIMED(f, 500, 1500, 3500, 7500, 15500, 31500, 32000);
	assert_int_equal(f.kind[6], TXN_TIMER_KIND_CLIENT_LIFETIME);
	assert_int_equal(c->state, TXN_TERMINATED);
	client_txn_release(t, c);
	transactions_free(t);
	wheel_free(w);

	/* E doubles up to T2; F at 64*T1 */
	w = wheel_new(START);
	t = make(w, 4, 16);
	c = client_at(t, SIP_OPTIONS, &udp);
	f = (struct fired){ .t = t };
	run(w, &f, 0, 40000);
	TIMED(f, 500, 1500, 3500, 7500, 11500, 15500, 19500, 23500, 27500, 31500, 32000);
	assert_int_equal(c->state, TXN_TERMINATED);
	client_txn_release(t, c);
	transactions_free(t);
	wheel_free(w);

	/* after a provisional E runs at T2, F goes on; K 5 s after the answer */
	w = wheel_new(START);
	t = make(w, 4, 16);
	c = client_at(t, SIP_OPTIONS, &udp);
	f = (struct fired){ .t = t };
	run(w, &f, 0, 600);
	client_txn_event(t, c, TXN_RX_1XX, START + 600);
	run(w, &f, 601, 10000);
	TIMED(f, 500, 1500, 5500, 9500);
	client_txn_event(t, c, TXN_RX_FINAL, START + 10000);
	f.count = 0;
	run(w, &f, 10001, 60000);
	TIMED(f, 15000);
	client_txn_release(t, c);

	/* nothing is retransmitted on a reliable transport; B stands */
	f = (struct fired){ .t = t };
	c = client_txn_new(t, SIP_INVITE, &tcp, START + 60000);
	run(w, &f, 60001, 100000);
	TIMED(f, 92000);
	client_txn_release(t, c);

	/* ... also where it took to one, and back */
	f = (struct fired){ .t = t };
	c = client_txn_new(t, SIP_INVITE, &udp, START + 100000);
	client_txn_redirect(t, c, &tcp, START + 100100);
	run(w, &f, 100100, 140000);
	TIMED(f, 132000);
	client_txn_release(t, c);
	f = (struct fired){ .t = t };
	c = client_txn_new(t, SIP_INVITE, &tcp, START + 140000);
	client_txn_redirect(t, c, &udp, START + 156000);
	run(w, &f, 140001, 180000);
	TIMED(f, 156500, 157500, 159500, 163500, 171500, 172000);
	client_txn_release(t, c);
	assert_int_equal(wheel_next_due(w), UINT64_MAX);
	transactions_free(t);
	wheel_free(w);
}

/* After the event at 100 ms: when the machine next moves by itself. */
static void test_client_lingers(void **state)
{
	static const struct {
		const char *timer;
		enum sip_method method;
		enum txn_event events[2];
		uint64_t due; /* 0: never */
	} cases[] = {
		{ "none in Proceeding", SIP_INVITE, { TXN_RX_1XX, TXN_RX_1XX }, 0 },
		{ "D", SIP_INVITE, { TXN_RX_FINAL, TXN_RX_FINAL }, 32100 },
		{ "D after a provisional", SIP_INVITE, { TXN_RX_1XX, TXN_RX_FINAL }, 32100 },
		{ "M", SIP_INVITE, { TXN_RX_2XX, TXN_RX_2XX }, 32100 },
		{ "K", SIP_BYE, { TXN_RX_2XX, TXN_RX_2XX }, 5100 },
		{ "abandoned, B stands", SIP_INVITE, { TXN_ABANDON, TXN_ABANDON }, 32000 },
		{ "abandoned, F stands", SIP_INFO, { TXN_ABANDON, TXN_ABANDON }, 32000 },
		{ "transport error", SIP_INVITE, { TXN_TRANSPORT_ERROR, TXN_TRANSPORT_ERROR }, 0 },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct wheel *w = wheel_new(START);
		struct transactions *t = make(w, 4, 16);
		struct client_txn *c = client_at(t, cases[i].method, &udp);
		struct fired f = { .t = t };

		client_txn_event(t, c, cases[i].events[0], START + 100);
		client_txn_event(t, c, cases[i].events[1], START + 100);
		run(w, &f, 101, 100000);
		if (f.count != (cases[i].due != 0) || (f.count && f.at[0] != cases[i].due))
			fail_msg("%s: %u timers, the first at %lu", cases[i].timer, f.count, (unsigned long)f.at[0]);
		client_txn_release(t, c);
		assert_int_equal(wheel_next_due(w), UINT64_MAX);
		transactions_free(t);
		wheel_free(w);
	}
}

static void test_server_timers(void **state)
{
	static const struct {
		const char *timer;
		bool invite, reliable;
		enum txn_event event;
		uint64_t ack; /* when one comes */
		unsigned count;
		uint64_t at[16];
	} cases[] = {
		{ "G to T2, H", true, false, TXN_TX_FINAL, 0, 11, { 500, 1500, 3500, 7500, 11500, 15500, 19500, 23500, 27500, 31500, 32000 } },
		{ "ACK stops G, I", true, false, TXN_TX_FINAL, 2000, 3, { 500, 1500, 7000 } },
		{ "no G on TCP, H", true, true, TXN_TX_FINAL, 0, 1, { 32000 } },
		{ "L", true, false, TXN_TX_2XX, 0, 1, { 32000 } },
		{ "ACK does not end L", true, false, TXN_TX_2XX, 100, 1, { 32000 } },
		{ "J", false, false, TXN_TX_FINAL, 0, 1, { 32000 } },
		{ "J for 2xx", false, false, TXN_TX_2XX, 0, 1, { 32000 } },
		{ "none while Proceeding", true, false, TXN_TX_1XX, 0, 0, { 0 } },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct wheel *w = wheel_new(START);
		struct transactions *t = make(w, 4, 16);
		struct txn_key key = { 1, 2 };
		struct server_txn *s = server_txn_new(t, &key, cases[i].invite, cases[i].reliable ? &tcp : &udp);
		struct fired f = { .t = t };

		assert_non_null(s);
		assert_int_equal(wheel_next_due(w), UINT64_MAX);
		server_txn_event(t, s, cases[i].event, START);
		run(w, &f, 0, cases[i].ack);
		if (cases[i].ack)
			server_txn_event(t, s, TXN_RX_ACK, START + cases[i].ack);
		run(w, &f, cases[i].ack + 1, 100000);
		if (f.count != cases[i].count || memcmp(f.at, cases[i].at, f.count * sizeof(f.at[0])))
			fail_msg("%s: %u timers, the first at %lu", cases[i].timer, f.count, (unsigned long)f.at[0]);
		server_txn_release(t, s);
		assert_int_equal(wheel_next_due(w), UINT64_MAX);
		transactions_free(t);
		wheel_free(w);
	}
}

/* Transactions whose user settles what becomes of them: no timer of theirs once they are Accepted, until it did, and then as of when they were. */
static void test_settled_by_user(void **state)
{
	for (unsigned forked = 0; forked < 2; forked++) {
		struct wheel *w = wheel_new(START);
		struct transactions *t = make(w, 4, 16);
		struct txn_key key = { 1, 2 };
		struct server_txn *s = server_txn_new(t, &key, true, &udp);
		struct client_txn *c = client_at(t, SIP_INVITE, &udp), *other = client_at(t, SIP_INVITE, &udp);
		struct fired f = { .t = t };

		s->settled_by_user = c->settled_by_user = other->settled_by_user = true;
		client_txn_event(t, other, TXN_RX_1XX, START);
		client_txn_event(t, c, TXN_RX_2XX, START + 100);
		server_txn_event(t, s, TXN_TX_2XX, START + 100);
		assert_int_equal(wheel_next_due(w), UINT64_MAX);
		if (forked) {
			transactions_settle(t, s, c);
			transactions_settle(t, s, other); /* which is not Accepted, and has no timer */
			run(w, &f, 0, 1000);
			transactions_settle(t, s, c);
			run(w, &f, 1001, 40000);
			TIMED(f, 32100, 32100);
			assert_int_equal(s->state, TXN_TERMINATED);
			assert_int_equal(c->state, TXN_TERMINATED);
			server_txn_release(t, s);
			client_txn_release(t, c);
		} else {
			assert_non_null(transactions_linger(t, s, c));
			run(w, &f, 0, 40000);
			assert_int_equal(f.count, 0);
		}
		assert_int_equal(wheel_next_due(w), UINT64_MAX);
		client_txn_release(t, other);
		transactions_free(t);
		wheel_free(w);
	}
}

/* ---- bounds */

static void test_server_bound(void **state)
{
	enum server_lingering lingering;
	struct wheel *w = wheel_new(START);
	struct transactions *t = make(w, 100, 1);
	struct server_txn *s[100];
	struct txn_key key;

	for (unsigned round = 0; round < 3; round++) {
		for (unsigned i = 0; i < 100; i++) {
			key = (struct txn_key){ i * 64 + round, i }; /* many share a bucket */
			s[i] = server_txn_new(t, &key, i % 2, &udp);
			assert_non_null(s[i]);
			assert_int_equal(s[i]->state, i % 2 ? TXN_PROCEEDING : TXN_TRYING);
		}
		key = (struct txn_key){ 1 << 20, 0 };
		assert_null(server_txn_new(t, &key, true, &udp));
		assert_int_equal(transactions_servers(t), 100);
		for (unsigned i = 0; i < 100; i++) {
			key = (struct txn_key){ i * 64 + round, i };
			assert_ptr_equal(server_txn_find(t, &key, &lingering), s[i]);
			key.b++;
			assert_null(server_txn_find(t, &key, &lingering));
			key.b--;
			server_txn_event(t, s[i], TXN_TX_FINAL, START);
			server_txn_release(t, s[i]);
			assert_null(server_txn_find(t, &key, &lingering));
		}
		assert_int_equal(transactions_servers(t), 0);
		assert_int_equal(wheel_next_due(w), UINT64_MAX);
	}
	transactions_free(t);
	wheel_free(w);
}

static void test_client_bound(void **state)
{
	struct lingering *lingering;
	struct wheel *w = wheel_new(START);
	struct transactions *t = make(w, 1, 3);
	struct client_txn *c[3];

	for (unsigned i = 0; i < 3; i++)
		c[i] = client_at(t, SIP_INVITE, &udp);
	assert_null(client_txn_new(t, SIP_INVITE, &udp, START));
	assert_int_equal(transactions_clients(t), 3);
	for (unsigned i = 0; i < 3; i++)
		assert_ptr_equal(client_txn_at(t, c[i]->slot, c[i]->generation, &lingering), c[i]);
	assert_null(client_txn_at(t, 3, 0, &lingering));
	assert_null(client_txn_at(t, 0xffffff, 0, &lingering));
	for (unsigned i = 0; i < 3; i++)
		client_txn_release(t, c[i]);
	assert_int_equal(transactions_clients(t), 0);
	assert_int_equal(wheel_next_due(w), UINT64_MAX);
	transactions_free(t);
	wheel_free(w);
}

/* A slot's next holder is not found under the old generation, even round the 65,536th. */
static void test_generations(void **state)
{
	struct lingering *lingering;
	struct wheel *w = wheel_new(START);
	struct transactions *t = make(w, 1, 1);
	uint16_t last = 0;

	for (unsigned i = 0; i < 65536 + 3; i++) {
		struct client_txn *c = client_at(t, SIP_INVITE, &udp);
		uint32_t slot = c->slot;
		uint8_t *behind = (uint8_t *)(c + 1);

		for (unsigned k = 0; k < 40; k++)
			assert_int_equal(behind[k], 0); /* nothing of its predecessor */
		memset(behind, 0xff, 40);
		if (i) {
			assert_int_equal(c->generation, (uint16_t)(last + 1));
			assert_null(client_txn_at(t, slot, last, &lingering));
		}
		last = c->generation;
		assert_ptr_equal(client_txn_at(t, slot, last, &lingering), c);
		client_txn_release(t, c);
		assert_null(client_txn_at(t, slot, last, &lingering));
		assert_null(client_txn_at(t, slot, (uint16_t)(last + 1), &lingering)); /* free, whatever the generation */
	}
	transactions_free(t);
	wheel_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_client_timers), cmocka_unit_test(test_client_lingers), cmocka_unit_test(test_server_timers),
		cmocka_unit_test(test_settled_by_user), cmocka_unit_test(test_server_bound), cmocka_unit_test(test_client_bound),
		cmocka_unit_test(test_generations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
