/* SPDX-License-Identifier: Apache-2.0 */
/* Two workers shake hands while the control thread swaps everything that they present, ask for and check. */
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "bed.h"

#define WORKERS	    2
#define SWAPS	    400
#define AT_LEAST    40 /* sessions of each worker, before it ends */
#define NAMES	    2

static struct made ca, certs[NAMES];
static struct tls_identity *identities[NAMES];
static struct epoch *epoch;
static struct tls_store *store;
static _Atomic(bool) stop;

struct worker {
	unsigned index;
	pthread_t thread;
	struct side side;
	_Atomic(unsigned) opened;
	unsigned resumed, refused, wrong;
};

static int set_up(void **state)
{
	bed_folder_new(state);
	made_new(&ca, "ca", &(struct wish){ .cn = "Test CA", .ca = true }, NULL);
	for (unsigned i = 0; i < NAMES; i++) {
		made_new(&certs[i], i ? "b" : "a", &(struct wish){ .cn = "server", .san = i ? "DNS:b.example" : "DNS:a.example" }, &ca);
		identities[i] = made_identity(&certs[i]);
	}
	epoch = epoch_new(WORKERS);
	store = tls_store_new(epoch);
	return store ? 0 : -1;
}

static int tear_down(void **state)
{
	epoch_flush(epoch);
	tls_store_free(store);
	epoch_free(epoch);
	for (unsigned i = 0; i < NAMES; i++) {
		tls_identity_unref(identities[i]);
		made_free(&certs[i]);
	}
	made_free(&ca);
	return bed_folder_free(state);
}

static void swap(unsigned i)
{
	struct tls_server_source server = { .name = "default", .identities = identities, .identity_count = NAMES, .default_identity = i % NAMES,
					    .client_certificates = i % 3 ? TLS_CLIENT_REQUESTED : TLS_CLIENT_IGNORED, .client_ca = ca.chain_file };
	uint8_t keys[2][TLS_TICKET_KEY_BYTES] = { { (uint8_t)(i / 8), 1 }, { (uint8_t)(i / 8 - 1), 1 } };
	char error[TLS_ERROR_BYTES] = "";

	assert_int_equal(tls_store_set_server(store, 0, &server, error), 0);
	for (uint32_t id = 1; id <= NAMES; id++) {
		/* Another of the same bucket comes and goes, so that chains change under who reads them. */
		struct tls_peer_source peer = { .ca = ca.chain_file, .name = id == 1 ? "a.example" : "b.example", .verify = true, .identity = identities[i % NAMES] };

		if (i % 5 == id)
			tls_store_remove_peer(store, id);
		assert_int_equal(tls_store_set_peer(store, id + 1024, &peer, error), 0);
		assert_int_equal(tls_store_set_peer(store, id, &peer, error), 0);
		if (i % 3 == id)
			tls_store_remove_peer(store, id + 1024);
	}
	assert_int_equal(tls_store_set_ticket_keys(store, (const uint8_t (*)[TLS_TICKET_KEY_BYTES])keys, 2), 0);
	epoch_reclaim(epoch);
}

static void *work(void *arg)
{
	struct worker *w = arg;
	const struct ip_port a = { { { 192, 0, 2, 1 }, IP_V4 }, 40000 }, b = { { { 192, 0, 2, 2 }, IP_V4 }, 5061 };

	epoch_online(epoch, w->index);
	for (unsigned i = 0; !atomic_load(&stop) || w->opened < AT_LEAST; i++) {
		uint32_t id = 1 + i % NAMES;
		struct tls_seen seen;
		struct pair p;

		pair_new(&p, &w->side, &w->side);
		if (!tls_accept(w->side.tls, 0, &a, &p.server, &p.server.s) && !tls_connect(w->side.tls, id, &b, &p.client, &p.client.s))
			for (unsigned turn = 0; turn < 6; turn++) {
				tls_advance(w->side.tls, 1000000);
				epoch_quiescent(epoch, w->index); /* between two steps everything may change */
				end_move(&p.client, 0);
				epoch_quiescent(epoch, w->index);
				end_move(&p.server, 0);
			}
		if (p.client.opened && p.server.opened && p.client.what.resumed == p.server.what.resumed) {
			w->opened++;
			w->resumed += p.client.what.resumed;
			/* Whoever was met is who was wanted. */
			w->wrong += !p.client.what.resumed && strcmp(p.client.names, id == 1 ? "a.example" : "b.example");
		} else {
			w->refused++; /* the peer was away for a moment */
		}
		pair_free(&p);
		while (tls_seen_take(w->side.tls, &seen))
			;
		epoch_quiescent(epoch, w->index);
	}
	epoch_offline(epoch, w->index);
	return NULL;
}

static void roomy(struct tls_config *c)
{
	c->handshake_budget_us = UINT32_MAX;
}

static void test_swaps(void **state)
{
	struct worker workers[WORKERS];

	swap(0);
	memset(workers, 0, sizeof(workers));
	for (unsigned i = 0; i < WORKERS; i++) {
		workers[i].index = i;
		side_new(&workers[i].side, store, roomy);
		assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
	}
	for (unsigned i = 1; i <= SWAPS; i++)
		swap(i);
	atomic_store(&stop, true);
	for (unsigned i = 0; i < WORKERS; i++) {
		struct worker *w = &workers[i];

		pthread_join(w->thread, NULL);
		print_message("worker %u: %u sessions, %u of them resumed; %u refused\n", i, w->opened, w->resumed, w->refused);
		assert_true(w->opened >= AT_LEAST);
		assert_int_equal(w->wrong, 0);
		assert_int_equal(count_of(&w->side, COUNTER_tls_failed_verification), 0);
		side_free(&w->side);
	}
	assert_int_equal(epoch_reclaim(epoch), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_swaps) };

	return cmocka_run_group_tests_name("tls/threads", tests, set_up, tear_down);
}
