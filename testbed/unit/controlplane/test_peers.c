/* SPDX-License-Identifier: Apache-2.0 */
/* As whom endpoints are verified, and what others have shown us. */
#include "../tls/bed.h"

#include "fixture.h"

#include "alarms/alarms.h"
#include "certs/peers.h"
#include "certs/theirs.h"
#include "config_tls.h"
#include "dataplane.h"
#include "sip/via.h"

static struct epoch *epoch;
static struct tls_store *store;
static struct alarms *alarms;
static struct made ca, ours;
static struct tls_identity *identity; /* what "ours" is; NULL: there is none */
static struct config_tls config;

static struct tls_identity *find_identity(void *ctx, const char *name)
{
	return strcmp(name, "ours") == 0 ? identity : NULL;
}

static const struct peers_setup *peers_setup(void)
{
	static struct peers_setup s;

	s = (struct peers_setup){ .store = store, .config = &config, .alarms = alarms, .identity = find_identity };
	return &s;
}

static int setup(void **state)
{
	if (bed_folder_new(state))
		return -1;
	made_new(&ca, "ca", &(struct wish){ .cn = "ca", .ca = true }, NULL);
	made_new(&ours, "ours", &(struct wish){ .cn = "ours", .san = "DNS:ours.example" }, &ca);
	snprintf(config.ca, sizeof(config.ca), "%s", ca.chain_file);
	epoch = epoch_new(1);
	store = tls_store_new(epoch);
	alarms = alarms_new(16, 16);
	identity = made_identity(&ours);
	return 0;
}

static int teardown(void **state)
{
	tls_identity_unref(identity);
	tls_store_free(store);
	epoch_free(epoch);
	alarms_free(alarms);
	made_free(&ca);
	made_free(&ours);
	return bed_folder_free(state);
}

/* The id of the n-th endpoint of the first trunk. */
static uint32_t id_of(struct peers *p, const char *yaml, unsigned n)
{
	struct model *m = model_of(yaml);
	uint32_t id = peers_id(p, &m->trunks[0], &m->trunks[0].endpoints[n]);

	model_free(m);
	return id;
}

/* One endpoint that came by the trunk's first host. */
static uint32_t id_by_host(struct peers *p, const char *yaml, const char *address)
{
	struct model *m = model_of(yaml);
	struct model_endpoint e = { .addr = { ip_of(address), 5061 }, .transport = TRANSPORT_TLS, .by_host = 1 };
	uint32_t id = peers_id(p, &m->trunks[0], &e);

	model_free(m);
	return id;
}

#define T(tls) "trunks: [{name: a, endpoints: [{address: 10.0.0.1, transport: tls}, {address: 10.0.0.2, transport: tls}, {address: 10.0.0.3}]" tls "}]"
#define H(tls) "trunks: [{name: a, endpoints: [{host: sip.a.example, transport: tls}]" tls "}]"

static void ids(void **state)
{
	struct peers *p = peers_new(peers_setup(), NULL);
	uint32_t first, second, named, host;

	assert_non_null(p);
	first = id_of(p, T(""), 0);
	second = id_of(p, T(""), 1);
	assert_true(first > TLS_PEER_DEFAULT);
	assert_int_not_equal(first, second); /* each by its own address */
	assert_int_equal(id_of(p, T(""), 0), first);
	assert_int_equal(id_of(p, T(""), 2), 0); /* not by TLS */
	named = id_of(p, T(", tls: {name: sip.a.example}"), 0);
	assert_int_equal(id_of(p, T(", tls: {name: sip.a.example}"), 1), named); /* one name, wherever it is */
	assert_int_not_equal(named, first);
	host = id_by_host(p, H(""), "10.0.0.1");
	assert_int_equal(id_by_host(p, H(""), "10.0.0.9"), host); /* by the name that was configured, not by where DNS led to */
	assert_int_not_equal(id_by_host(p, H(", tls: {minimum_version: '1.3'}"), "10.0.0.1"), host);
	assert_int_not_equal(id_of(p, "trunks: [{name: b, endpoints: [{address: 10.0.0.1, transport: tls}]}]", 0), first); /* of a trunk each */
	assert_string_equal(peers_trunk(p, first), "a");
	assert_null(peers_trunk(p, 99));
	peers_free(p);
}

static void let_go(void **state)
{
	struct peers *p = peers_new(peers_setup(), NULL);
	struct model *with = model_of(T("")), *without = model_of("trunks: [{name: a}]");
	uint32_t id = id_of(p, T(""), 0), again;

	id_of(p, T(""), 1);
	peers_sweep(p, with, 1000);
	peers_sweep(p, with, 1000000);
	assert_int_equal(peers_count(p), 2);
	peers_sweep(p, without, 1000000);
	assert_int_equal(peers_count(p), 2); /* messages may be on their way */
	assert_int_equal(id_of(p, T(""), 0), id); /* a rollback finds it */
	peers_sweep(p, with, 1010000);
	peers_sweep(p, with, 1100000);
	assert_int_equal(peers_count(p), 2);
	peers_sweep(p, without, 2000000);
	peers_sweep(p, without, 2063000);
	assert_int_equal(peers_count(p), 2);
	peers_sweep(p, without, 2065000);
	assert_int_equal(peers_count(p), 0);
	assert_null(peers_trunk(p, id));
	again = id_of(p, T(""), 0);
	assert_true(again > id); /* never the same one again */
	model_free(with);
	model_free(without);
	peers_free(p);
}

static const struct {
	const char *tls, *error; /* NULL: it may be */
} checks[] = {
	{ "", NULL },
	{ ", tls: {certificate: ours}", NULL },
	{ ", tls: {verify: false}", NULL },
	{ ", tls: {certificate: yours}", "trunk a: tls.certificate: no certificate named yours" },
	{ ", tls: {ca: /no/such/file}", "/no/such/file" },
	{ ", tls: {ca: /etc/passwd}", "/etc/passwd" },
};

static void checked_before_it_is_in_force(void **state)
{
	struct peers *p = peers_new(peers_setup(), NULL);

	for (unsigned i = 0; i < ARRAY_SIZE(checks); i++) {
		char yaml[512], error[ERROR_TEXT_MAX] = "";
		struct model *m;
		int err;

		snprintf(yaml, sizeof(yaml), T("%s"), checks[i].tls);
		m = model_of(yaml);
		err = peers_check(p, NULL, m, error);
		if ((err != 0) != (checks[i].error != NULL) || (err && (!strstr(error, checks[i].error) || strncmp(error, "trunk a: ", 9) != 0)))
			fail_msg("case %u: %d %s", i, err, error);
		/* what is as it is in force is not looked at: an operator may change something else */
		assert_int_equal(peers_check(p, m, m, error), 0);
		model_free(m);
		snprintf(yaml, sizeof(yaml), H("%s"), checks[i].tls);
		m = model_of(yaml);
		assert_int_equal(peers_check(p, NULL, m, error) != 0, checks[i].error != NULL);
		model_free(m);
	}
	assert_null(alarm_find(alarms, ALARM_CERTIFICATE_FILES, "trunk a"));
	peers_free(p);
}

/* A file that goes while the trunk is in force: the id stays, an alarm stands until it is back. */
static void broken_and_mended(void **state)
{
	struct peers *p = peers_new(peers_setup(), NULL);
	char yaml[512], command[512];
	const char *path = bed_path("carrier.pem"), *trunk, *name, *broken;
	struct model *m;
	uint32_t id;

	snprintf(yaml, sizeof(yaml), T(", tls: {ca: %s}"), path);
	m = model_of(yaml);
	id = peers_id(p, &m->trunks[0], &m->trunks[0].endpoints[0]);
	assert_true(id > TLS_PEER_DEFAULT);
	assert_non_null(alarm_find(alarms, ALARM_CERTIFICATE_FILES, "trunk a"));
	assert_true(peers_at(p, 0, &trunk, &name, &broken));
	assert_string_equal(trunk, "a");
	assert_string_equal(name, "10.0.0.1");
	assert_non_null(strstr(broken, path));
	snprintf(command, sizeof(command), "cp %s %s", ca.chain_file, path);
	assert_int_equal(system(command), 0);
	assert_int_equal(peers_reload(p, false), 0);
	assert_null(alarm_find(alarms, ALARM_CERTIFICATE_FILES, "trunk a"));
	assert_int_equal(peers_id(p, &m->trunks[0], &m->trunks[0].endpoints[0]), id);
	unlink(path);
	assert_int_equal(peers_reload(p, true), 1);
	assert_non_null(alarm_find(alarms, ALARM_CERTIFICATE_FILES, "trunk a"));
	peers_sweep(p, m, 5);
	assert_non_null(alarm_find(alarms, ALARM_CERTIFICATE_FILES, "trunk a"));
	model_free(m);
	m = model_of("trunks: [{name: a}]");
	peers_sweep(p, m, 6);
	assert_null(alarm_find(alarms, ALARM_CERTIFICATE_FILES, "trunk a"));
	model_free(m);
	peers_free(p);
}

/* Beyond the bound an endpoint has an id that stays nobody's, also once there is room again. */
static void no_room(void **state)
{
	struct peers_setup setup = *peers_setup();
	struct model *without = model_of("trunks: [{name: a}]");
	struct peers *p;
	uint32_t refused;

	setup.most = 1;
	p = peers_new(&setup, NULL);
	assert_non_null(peers_trunk(p, id_of(p, T(""), 0)));
	refused = id_of(p, T(""), 1);
	assert_int_not_equal(refused, 0);
	assert_null(peers_trunk(p, refused));
	assert_int_equal(peers_count(p), 1);
	assert_non_null(alarm_find(alarms, ALARM_CERTIFICATE_FILES, "trunk a"));
	peers_sweep(p, without, 1000);
	peers_sweep(p, without, 100000);
	assert_int_equal(peers_count(p), 0);
	assert_int_not_equal(id_of(p, T(""), 1), refused);
	assert_null(peers_trunk(p, refused));
	assert_int_equal(peers_reload(p, true), 0);
	assert_null(alarm_find(alarms, ALARM_CERTIFICATE_FILES, "trunk a"));
	model_free(without);
	peers_free(p);
}

/* ---- theirs */

static struct tls_seen shown(bool accepted, const char *address, unsigned what, bool verified)
{
	struct tls_seen s = { .accepted = accepted, .verified = verified, .refused = !verified, .peer = 7, .remote = { ip_of(address), 5061 },
			      .certificate = { .not_after_s = 1000000 }, .text = "because" };

	snprintf(s.certificate.subject, sizeof(s.certificate.subject), "CN=%u", what);
	memcpy(s.certificate.fingerprint, &what, sizeof(what));
	return s;
}

static void noted(void **state)
{
	struct theirs *t = theirs_new();
	struct tls_seen a = shown(false, "10.0.0.1", 1, true), b = shown(true, "10.0.0.2", 2, true);
	const struct their *x;

	x = theirs_note(t, &a, "carrier", NULL, 100);
	assert_string_equal(x->who, "carrier/10.0.0.1:5061");
	a = shown(false, "10.0.0.1", 3, false); /* it has another one now */
	x = theirs_note(t, &a, "carrier", NULL, 200);
	assert_int_equal(x->times, 2);
	assert_int_equal(x->first_s, 100);
	assert_int_equal(x->last_s, 200);
	assert_false(x->verified);
	assert_string_equal(x->text, "because");
	assert_string_equal(x->certificate.subject, "CN=3");
	x = theirs_note(t, &b, NULL, "default", 300);
	assert_string_equal(x->who, "client CN=2");
	assert_string_equal(x->server, "default");
	b.remote.port = 9; /* a client comes from any port */
	assert_int_equal(theirs_note(t, &b, NULL, "default", 400)->times, 2);
	assert_non_null(theirs_at(t, 1));
	assert_null(theirs_at(t, 2));
	theirs_forget(t, 0);
	assert_string_equal(theirs_at(t, 0)->who, "client CN=2");
	assert_int_equal(theirs_note(t, &b, NULL, "default", 500)->times, 3);
	theirs_free(t);
}

static unsigned count_of_verified(const struct theirs *t, unsigned *ret_all)
{
	unsigned n = 0;
	const struct their *x;

	for (*ret_all = 0; (x = theirs_at(t, *ret_all)) != NULL; ++*ret_all)
		n += x->verified;
	return n;
}

/* Strangers push out strangers only; beyond the table's bound whoever was seen least lately goes. */
static void bounded(void **state)
{
	struct theirs *t = theirs_new();
	struct tls_seen s;
	unsigned all;

	for (unsigned i = 0; i < 100; i++) {
		s = shown(true, "10.0.0.1", i, true);
		theirs_note(t, &s, NULL, "default", i);
	}
	for (unsigned i = 0; i < 3 * THEIRS_STRANGERS_MAX; i++) {
		s = shown(true, "10.0.0.2", 100000 + i, false);
		assert_non_null(theirs_note(t, &s, NULL, "default", 1000 + i));
	}
	assert_int_equal(count_of_verified(t, &all), 100);
	assert_int_equal(all, 100 + THEIRS_STRANGERS_MAX);
	assert_int_equal(theirs_forgotten(t), 2 * THEIRS_STRANGERS_MAX);
	for (unsigned i = 0; i < THEIRS_MAX; i++) {
		s = shown(true, "10.0.0.1", 500000 + i, true);
		assert_non_null(theirs_note(t, &s, NULL, "default", 5000 + i));
	}
	count_of_verified(t, &all);
	assert_int_equal(all, THEIRS_MAX);
	for (unsigned i = 0; i < all; i++) /* every entry is found under what it is */
		assert_true(theirs_at(t, i)->last_s >= 5000);
	for (unsigned i = 0; i < THEIRS_MAX; i++) {
		s = shown(true, "10.0.0.1", 500000 + i, true);
		assert_int_equal(theirs_note(t, &s, NULL, "default", 20000)->times, 2);
	}
	theirs_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ids), cmocka_unit_test(let_go), cmocka_unit_test(checked_before_it_is_in_force), cmocka_unit_test(broken_and_mended),
		cmocka_unit_test(no_room),
		cmocka_unit_test(noted), cmocka_unit_test(bounded),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
