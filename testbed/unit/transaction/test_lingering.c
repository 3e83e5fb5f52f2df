/* SPDX-License-Identifier: Apache-2.0 */
/* What is left of transactions that only wait for what may come again: that it is found, and for how long. */
#include "base/slab.h"
#include "transactions_fixture.h"

/* What is left of an answered INVITE stands where its two transactions stood, for as long as L and M, counts as both, and frees both. */
static void test_lingering(void **state)
{
	struct wheel *w = wheel_new(START);
	struct transactions *t = make(w, 3, 3);
	struct lingering *l[3], *found;
	enum server_lingering how;
	uint32_t slots[3];

	for (unsigned i = 0; i < 3; i++) {
		struct txn_key key = { 64 * i, i }; /* in one bucket */
		struct server_txn *s = server_txn_new(t, &key, true, &udp);
		struct client_txn *c = client_at(t, SIP_INVITE, &tcp);

		client_txn_event(t, c, TXN_RX_2XX, START + i);
		server_txn_event(t, s, TXN_TX_2XX, START + i);
		slots[i] = c->slot;
		l[i] = transactions_linger(t, s, c);
		assert_non_null(l[i]);
		assert_int_equal((uintptr_t)l[i] % 64, 0);
	}
	assert_int_equal(transactions_servers(t), 3);
	assert_int_equal(transactions_clients(t), 3);
	assert_false(transactions_client_room(t));
	assert_null(client_txn_new(t, SIP_INVITE, &udp, START));
	assert_null(server_txn_new(t, &(struct txn_key){ 7, 7 }, true, &udp));
	for (unsigned i = 0; i < 3; i++) {
		struct txn_key key = { 64 * i, i };

		assert_null(server_txn_find(t, &key, &how));
		assert_int_equal(how, LINGERS_ACCEPTED);
		assert_null(client_txn_at(t, slots[i], 0, &found));
		assert_ptr_equal(found, l[i]);
		assert_null(client_txn_at(t, slots[i], 1, &found));
		assert_null(found);
	}
	assert_int_equal(wheel_next_due(w), UINT64_MAX); /* the transactions' own timers are gone */
	for (unsigned i = 0; i < 3; i++) {
		struct txn_key key = { 64 * i, i };
		uint32_t slot = slots[i];

		assert_int_equal(transactions_next_end(t), START + 32000 + i);
		assert_int_equal(transactions_end(t, START + 31999 + i), 0);
		assert_int_equal(transactions_end(t, START + 32000 + i), 1);
		assert_null(server_txn_find(t, &key, &how));
		assert_int_equal(how, LINGERS_NOT);
		assert_null(client_txn_at(t, slot, 0, &found));
		assert_null(found);
		assert_int_equal(transactions_servers(t), 2 - i);
		assert_int_equal(transactions_clients(t), 2 - i);
	}
	assert_int_equal(transactions_next_end(t), UINT64_MAX);
	assert_non_null(client_txn_new(t, SIP_INVITE, &udp, START));
	transactions_free(t);
	wheel_free(w);
}

static struct flow flow_of(unsigned which)
{
	return (struct flow){
		.remote = { .ip = { .bytes = { 1, [15] = (uint8_t)which }, .family = which % 2 ? IP_V6 : IP_V4 }, .port = (uint16_t)(1000 + which) },
		.local = { .ip = { .bytes = { 2, [15] = (uint8_t)which }, .family = which % 2 ? IP_V6 : IP_V4 }, .port = (uint16_t)(2000 + which) },
		.transport = (uint8_t)(which % 3 ? TRANSPORT_UDP : TRANSPORT_TLS),
		.tls_peer = 0x80000000 + which,
		.connection = FLOW_THEIRS - which,
	};
}

/* Where further 2xx go is all there, by whatever it is; of more local addresses than there are listeners nothing lingers apart. */
static void test_reply_to(void **state)
{
	enum { LOCALS = 128, MANY = 4 * LOCALS };
	struct wheel *w = wheel_new(START);
	struct transactions *t = make(w, MANY + 1, MANY + 1);
	struct lingering *l[MANY];
	struct server_txn *s;
	struct client_txn *c;
	struct flow strange = flow_of(LOCALS);
	enum server_lingering how;

	for (unsigned i = 0; i < MANY; i++) {
		struct flow f = flow_of(i / 2 % LOCALS);

		s = server_txn_new(t, &(struct txn_key){ i, i }, true, &f);
		c = client_at(t, SIP_INVITE, &udp);
		l[i] = transactions_linger(t, s, c);
		assert_non_null(l[i]);
	}
	for (unsigned i = 0; i < MANY; i++) {
		struct flow is = lingering_reply_to(t, l[i]), should = flow_of(i / 2 % LOCALS);

		assert_true(ip_port_eq(&is.remote, &should.remote));
		assert_true(ip_port_eq(&is.local, &should.local));
		assert_int_equal(is.transport, should.transport);
		assert_int_equal(is.tls_peer, should.tls_peer);
		assert_true(is.connection == should.connection);
	}
	s = server_txn_new(t, &(struct txn_key){ MANY, MANY }, true, &strange);
	c = client_at(t, SIP_INVITE, &udp);
	assert_null(transactions_linger(t, s, c));
	assert_ptr_equal(server_txn_find(t, &(struct txn_key){ MANY, MANY }, &how), s); /* it stays as it is */
	server_txn_release(t, s);
	client_txn_release(t, c);
	assert_int_equal(transactions_servers(t), MANY);
	transactions_free(t);
	wheel_free(w);
}

/* What is in progress has memory for fewer than may linger: as many servers as are said and twice as many clients, again and again. */
static void test_in_progress(void **state)
{
	struct wheel *w = wheel_new(START);
	struct transactions_config config = { .max_server = 6, .max_client = 12, .max_in_progress = 2, .client_bytes = sizeof(struct client_txn),
					      .timers = timers, .wheel = w };
	struct transactions *t = transactions_new(&config);
	struct client_txn *c[4];
	struct server_txn *s[2];

	for (uint32_t round = 0; round < 3; round++) {
		for (uint32_t i = 0; i < 4; i++) {
			assert_true(transactions_client_room(t));
			c[i] = client_at(t, SIP_INVITE, &udp);
		}
		assert_false(transactions_client_room(t));
		assert_null(client_txn_new(t, SIP_INVITE, &udp, START));
		for (uint32_t i = 0; i < 2; i++)
			assert_non_null(s[i] = server_txn_new(t, &(struct txn_key){ round, i }, true, &udp));
		assert_null(server_txn_new(t, &(struct txn_key){ round, 2 }, true, &udp));
		for (uint32_t i = 0; i < 2; i++) {
			client_txn_event(t, c[i], TXN_RX_2XX, START);
			server_txn_event(t, s[i], TXN_TX_2XX, START);
			assert_non_null(transactions_linger(t, s[i], c[i]));
			client_txn_release(t, c[2 + i]);
		}
	}
	assert_int_equal(transactions_servers(t), 6);
	assert_int_equal(transactions_clients(t), 6);
	assert_null(server_txn_new(t, &(struct txn_key){ 3, 0 }, true, &udp)); /* six linger */
	transactions_free(t);
	wheel_free(w);
}

/* Thousands that end in one ms: a few at a time while they are on time, ever more of them the later it is; none is lost. */
static void test_lingering_many(void **state)
{
	enum { MANY = 5000 };
	struct wheel *w = wheel_new(START);
	struct transactions *t = make(w, MANY, MANY);
	uint64_t due = START + 32000;
	unsigned ended, sum = 0, ms = 0, longest = 0;

	for (unsigned i = 0; i < MANY; i++) {
		struct server_txn *s = server_txn_new(t, &(struct txn_key){ i * 7919, i }, true, &udp);
		struct client_txn *c = client_at(t, SIP_INVITE, &udp);

		client_txn_event(t, c, TXN_RX_2XX, START);
		server_txn_event(t, s, TXN_TX_2XX, START);
		assert_non_null(transactions_linger(t, s, c));
	}
	assert_int_equal(transactions_end(t, due - 1), 0);
	assert_in_range(transactions_end(t, due), 1, 32);
	assert_in_range(transactions_end(t, due), 1, 32);
	sum = MANY - transactions_servers(t);
	for (; sum < MANY; ms++) {
		assert_int_equal(transactions_next_end(t), due);
		ended = transactions_end(t, due + ms);
		assert_true(ended >= longest || sum + ended == MANY);
		longest = ended;
		sum += ended;
		assert_int_equal(transactions_servers(t), MANY - sum);
	}
	assert_in_range(ms, 5, 16); /* a turn each ms: one that is as slow as that is let off nothing */
	assert_int_equal(transactions_end(t, due + 100), 0);
	assert_int_equal(transactions_clients(t), 0);
	transactions_free(t);
	wheel_free(w);
}

/* The two sides of a refused INVITE linger apart, each as long as its own timer, and make room at their end. */
static void test_refused(void **state)
{
	enum { MANY = 40 }; /* more than one portion */
	struct wheel *w = wheel_new(START);
	struct slab *slab = slab_new(1 << 20);
	struct transactions *t = make_with(w, slab, MANY, MANY);
	struct lingering *none;
	enum server_lingering how;
	uint32_t slot[MANY];
	void *left[MANY];

	for (unsigned i = 0; i < MANY; i++) {
		struct txn_key key = { 64 * i, i }; /* in few buckets */
		struct server_txn *s = server_txn_new(t, &key, true, &udp);
		struct client_txn *c = client_at(t, SIP_INVITE, &udp);

		client_txn_event(t, c, TXN_RX_FINAL, START + i);
		server_txn_event(t, s, TXN_TX_FINAL, START + i);
		server_txn_event(t, s, TXN_RX_ACK, START + i);
		slot[i] = c->slot;
		left[i] = slab_get(slab, 100);
		client_txn_linger(t, c, left[i]);
		assert_true(server_txn_linger(t, s));
	}
	assert_int_equal(transactions_servers(t), MANY);
	assert_int_equal(transactions_clients(t), MANY);
	assert_null(client_txn_new(t, SIP_INVITE, &udp, START));
	assert_null(server_txn_new(t, &(struct txn_key){ 7, 7 }, true, &udp));
	for (unsigned i = 0; i < MANY; i++) {
		assert_null(server_txn_find(t, &(struct txn_key){ 64 * i, i }, &how));
		assert_int_equal(how, LINGERS_CONFIRMED);
		assert_null(client_txn_at(t, slot[i], 0, &none));
		assert_null(none);
		assert_ptr_equal(client_txn_left(t, slot[i], 0), left[i]);
		assert_null(client_txn_left(t, slot[i], 1));
		assert_null(transactions_slot_object(t, slot[i], 0));
	}
	assert_null(client_txn_left(t, MANY, 0));
	assert_int_equal(wheel_next_due(w), UINT64_MAX); /* the transactions' own timers are gone */
	for (unsigned i = 0; i < MANY; i++) { /* timer I */
		assert_int_equal(transactions_next_end(t), START + 5000 + i);
		assert_int_equal(transactions_end(t, START + 4999 + i), 0);
		assert_int_equal(transactions_end(t, START + 5000 + i), 1);
		assert_null(server_txn_find(t, &(struct txn_key){ 64 * i, i }, &how));
		assert_int_equal(how, LINGERS_NOT);
		assert_int_equal(transactions_servers(t), MANY - 1 - i);
	}
	for (unsigned i = 0; i < MANY; i++) { /* timer D */
		assert_int_equal(transactions_next_end(t), START + 32000 + i);
		assert_int_equal(transactions_end(t, START + 31999 + i), 0);
		assert_int_equal(transactions_end(t, START + 32000 + i), 1);
		assert_null(client_txn_left(t, slot[i], 0));
		assert_int_equal(transactions_clients(t), MANY - 1 - i);
	}
	assert_int_equal(slab_bytes_in_use(slab), 0);
	assert_int_equal(transactions_next_end(t), UINT64_MAX);
	assert_non_null(client_txn_new(t, SIP_INVITE, &udp, START));
	assert_non_null(server_txn_new(t, &(struct txn_key){ 7, 7 }, true, &udp));
	transactions_free(t);
	slab_free(slab);
	wheel_free(w);
}

/* Hundreds of each in one ms: all go within a few. */
static void test_refused_many(void **state)
{
	enum { MANY = 500 };
	struct wheel *w = wheel_new(START);
	struct slab *slab = slab_new(1 << 20);
	struct transactions *t = make_with(w, slab, MANY, MANY);

	for (unsigned i = 0; i < MANY; i++) {
		struct server_txn *s = server_txn_new(t, &(struct txn_key){ i * 7919, i }, true, &udp);
		struct client_txn *c = client_at(t, SIP_INVITE, &udp);

		client_txn_event(t, c, TXN_RX_FINAL, START);
		server_txn_event(t, s, TXN_TX_FINAL, START);
		server_txn_event(t, s, TXN_RX_ACK, START);
		client_txn_linger(t, c, slab_get(slab, 64));
		server_txn_linger(t, s);
	}
	assert_in_range(transactions_end(t, START + 5000), 1, 32);
	for (uint64_t ms = 0; ms < 10; ms++)
		transactions_end(t, START + 5000 + ms);
	assert_int_equal(transactions_servers(t), 0);
	assert_int_equal(transactions_clients(t), MANY);
	for (uint64_t ms = 0; ms < 10; ms++)
		transactions_end(t, START + 32000 + ms);
	assert_int_equal(transactions_clients(t), 0);
	assert_int_equal(slab_bytes_in_use(slab), 0);
	transactions_free(t);
	slab_free(slab);
	wheel_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lingering), cmocka_unit_test(test_lingering_many), cmocka_unit_test(test_refused),
		cmocka_unit_test(test_refused_many), cmocka_unit_test(test_reply_to), cmocka_unit_test(test_in_progress),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
