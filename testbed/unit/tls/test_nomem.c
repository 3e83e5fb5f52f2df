/* SPDX-License-Identifier: Apache-2.0 */
/* Every allocation of ours fails once: what was asked for is refused with a word, and nothing is lost. */
#include "bed.h"

#include "../base/nomem.h"

static struct made ca, cert;

static int set_up(void **state)
{
	bed_folder_new(state);
	made_new(&ca, "ca", &(struct wish){ .cn = "Test CA", .ca = true }, NULL);
	made_new(&cert, "server", &(struct wish){ .cn = "server", .san = "DNS:a.example,URI:sip:b.example" }, &ca);
	return 0;
}

static int tear_down(void **state)
{
	made_free(&ca);
	made_free(&cert);
	return bed_folder_free(state);
}

static uint64_t no_clock(void)
{
	return 0;
}

static const struct tls_handlers no_handlers;

static void fill(struct tls_store *store, struct tls_identity *identity)
{
	static const uint8_t keys[1][TLS_TICKET_KEY_BYTES] = { { 1 } };
	struct tls_server_source server = { .name = "x", .identities = &identity, .identity_count = 1, .client_certificates = TLS_CLIENT_REQUIRED,
					    .client_ca = ca.chain_file };
	struct tls_peer_source peer = { .name = "a.example", .ca = ca.chain_file, .verify = true, .identity = identity };
	char error[TLS_ERROR_BYTES] = "";
	int err = tls_store_set_server(store, 0, &server, error);

	assert_true(!err || (err == -ERR_NOMEM && strstr(error, "out of memory")));
	error[0] = '\0';
	err = tls_store_set_peer(store, 1, &peer, error);
	assert_true(!err || (err == -ERR_NOMEM && strstr(error, "out of memory")));
	err = tls_store_set_ticket_keys(store, keys, 1);
	assert_true(!err || err == -ERR_NOMEM);
}

static void scenario(void)
{
	struct counters counters = { 0 };
	struct tls_config c = tls_config_default();
	struct epoch *epoch = epoch_new(1);
	struct tls_identity *identity = NULL;
	char error[TLS_ERROR_BYTES] = "";
	struct tls *t = NULL;

	c.store = epoch ? tls_store_new(epoch) : NULL;
	if (!c.store) {
		epoch_free(epoch);
		return;
	}
	c.sessions = 4;
	c.handlers = &no_handlers;
	c.clock_us = no_clock;
	c.counters = &counters;
	assert_true(!tls_new(&c, &t) || !t);
	if (!tls_identity_load(cert.chain_file, cert.key_file, &identity, error))
		fill(c.store, identity);
	else
		assert_non_null(strstr(error, "out of memory"));
	tls_identity_unref(identity);
	tls_free(t);
	epoch_flush(epoch);
	tls_store_free(c.store);
	epoch_free(epoch);
}

static void test_nomem(void **state)
{
	unsigned n = nomem_run(scenario);

	print_message("%u allocations failed in turn\n", n);
	assert_true(n > 15);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_nomem) };

	return cmocka_run_group_tests_name("tls/nomem", tests, set_up, tear_down);
}
