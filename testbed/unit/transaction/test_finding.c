/* SPDX-License-Identifier: Apache-2.0 */
/* Server transactions come, linger in either way, end and come again, against a plain list; many have as good as the same key. */
#include "base/siphash.h"
#include "transactions_fixture.h"

enum { SERVERS = 120, KEYS = 400 };

struct known {
	bool there;
	enum server_lingering how;
	struct server_txn *s; /* how: LINGERS_NOT */
	uint64_t ends_ms;
};

/* Few lines, few signatures; several keys have all of one half. */
static struct txn_key key_of(unsigned i)
{
	return (struct txn_key){ (mix64(i / 40) & ~0xffffULL) | i % 40 / 4, i % 4 };
}

static void check(const struct transactions *t, const struct known *known, uint64_t now_ms)
{
	unsigned servers = 0;

	for (unsigned i = 0; i < KEYS; i++) {
		struct txn_key key = key_of(i);
		enum server_lingering how;
		struct server_txn *s = server_txn_find(t, &key, &how);
		const struct known *k = &known[i];
		bool ended = k->there && k->how != LINGERS_NOT && k->ends_ms <= now_ms;

		servers += k->there && !ended;
		if (!k->there || ended)
			assert_true(!s && how == LINGERS_NOT);
		else
			assert_true(how == k->how && s == (k->how == LINGERS_NOT ? k->s : NULL));
	}
	assert_int_equal(transactions_servers(t), servers);
}

static void begin(struct transactions *t, struct known *k, unsigned i)
{
	struct txn_key key = key_of(i);
	struct server_txn *s = server_txn_new(t, &key, true, &udp);

	if (transactions_servers(t) < SERVERS || s)
		assert_non_null(s);
	if (s)
		*k = (struct known){ .there = true, .s = s };
}

static void proceed(struct transactions *t, struct known *k, uint64_t how, uint64_t now_ms)
{
	struct client_txn *c;

	switch (how) {
	case 0:
		server_txn_release(t, k->s);
		k->there = false;
		break;
	case 1:
		c = client_txn_new(t, SIP_INVITE, &udp, now_ms);
		assert_non_null(c);
		client_txn_event(t, c, TXN_RX_2XX, now_ms);
		server_txn_event(t, k->s, TXN_TX_2XX, now_ms);
		assert_non_null(transactions_linger(t, k->s, c));
		*k = (struct known){ .there = true, .how = LINGERS_ACCEPTED, .ends_ms = now_ms + 32000 };
		break;
	default:
		server_txn_event(t, k->s, TXN_TX_FINAL, now_ms);
		server_txn_event(t, k->s, TXN_RX_ACK, now_ms);
		assert_true(server_txn_linger(t, k->s));
		*k = (struct known){ .there = true, .how = LINGERS_CONFIRMED, .ends_ms = now_ms + 5000 };
	}
}

static void test_model(void **state)
{
	static struct known known[KEYS];
	struct wheel *w = wheel_new(START);
	struct transactions *t = make(w, SERVERS, SERVERS);
	uint64_t dice = 1, now_ms = START;
	unsigned full = 0;

	for (unsigned step = 0; step < 60000; step++) {
		unsigned i = (unsigned)(mix64(dice++) % KEYS);
		struct known *k = &known[i];

		now_ms += step / 2000 % 2 ? mix64(dice++) % 400 : mix64(dice++) % 20; /* crowded, and not */
		while (transactions_end(t, now_ms))
			;
		for (unsigned x = 0; x < KEYS; x++)
			if (known[x].there && known[x].how != LINGERS_NOT && known[x].ends_ms <= now_ms)
				known[x].there = false;
		if (!k->there)
			begin(t, k, i);
		else if (k->how == LINGERS_NOT)
			proceed(t, k, mix64(dice++) % 3, now_ms);
		full += transactions_servers(t) == SERVERS;
		if (step % 20 == 0)
			check(t, known, now_ms);
	}
	assert_true(full > 1000);
	transactions_free(t);
	wheel_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_model) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
