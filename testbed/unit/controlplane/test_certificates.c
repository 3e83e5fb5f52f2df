/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates as a whole: what a start needs, what a reload changes, who is told. The handshakes that show them are the engine's tests. */
#include "../tls/bed.h"

#include "fixture.h"

#include <event2/event.h>
#include <sys/stat.h>

#include "alarms/alarms.h"
#include "certs/days.h"
#include "certs/certificates.h"
#include "certs/peers.h"
#include "config_tls.h"

static struct event_base *base;
static struct epoch *epoch;
static struct tls_store *store;
static struct alarms *alarms;
static struct made ca, a, renewed, b, ends;
static char certs[64];
static struct config_tls config;

static int setup(void **state)
{
	if (bed_folder_new(state))
		return -1;
	made_new(&ca, "ca", &(struct wish){ .cn = "ca", .ca = true }, NULL);
	made_new(&a, "a", &(struct wish){ .cn = "a", .san = "DNS:a.example", .days = 60 }, &ca);
	made_new(&renewed, "renewed", &(struct wish){ .cn = "a", .san = "DNS:a.example", .days = 90 }, &ca);
	made_new(&b, "b", &(struct wish){ .cn = "b", .san = "DNS:b.example", .days = 60 }, &ca);
	made_new(&ends, "ends", &(struct wish){ .cn = "a", .san = "DNS:a.example", .days = 1 }, &ca);
	snprintf(certs, sizeof(certs), "%s", bed_path("certs"));
	base = event_base_new();
	return 0;
}

static int teardown(void **state)
{
	struct made *all[] = { &ca, &a, &renewed, &b, &ends };

	for (unsigned i = 0; i < ARRAY_SIZE(all); i++)
		made_free(all[i]);
	event_base_free(base);
	return bed_folder_free(state);
}

static int begin(void **state)
{
	epoch = epoch_new(1);
	store = tls_store_new(epoch);
	alarms = alarms_new(16, 64);
	assert_int_equal(mkdir(certs, 0700), 0);
	memset(&config, 0, sizeof(config));
	config = (struct config_tls){ .listens = true, .warning_days = 30, .major_days = 7, .critical_days = 1, .server_count = 1, .ticket_keep = 2 };
	strcpy(config.servers[0].name, "default");
	strcpy(config.certificates, certs);
	strcpy(config.ca, ca.chain_file);
	return 0;
}

static int end(void **state)
{
	remove_directory(certs);
	alarms_free(alarms);
	tls_store_free(store);
	epoch_free(epoch);
	return 0;
}

static void put(const struct made *m, const char *name)
{
	char command[2048];

	snprintf(command, sizeof(command), "cp %s %s/%s.crt.t && cp %s %s/%s.key && mv %s/%s.crt.t %s/%s.crt", m->chain_file, certs, name, m->key_file, certs,
		 name, certs, name, certs, name);
	assert_int_equal(system(command), 0);
}

static struct certificates *start(char *error)
{
	const struct certificates_setup s = { .base = base, .config = &config, .store = store, .alarms = alarms };

	return certificates_new(&s, error);
}

static const char *news_of(const json_t *news, const char *name)
{
	const json_t *x;
	size_t i;

	json_array_foreach(news, i, x)
		if (strcmp(json_string_value(json_object_get(x, "name")), name) == 0)
			return json_string_value(json_object_get(x, "news"));
	return "";
}

static char warned[1024];
static const char *routing = "trunks: []";

static void hear(const char *text)
{
	snprintf(warned + strlen(warned), sizeof(warned) - strlen(warned), "%s\n", text);
}

static int check(char *error)
{
	struct model *m = model_of(routing);
	int err;

	warned[0] = 0;
	err = certificates_check(&config, m, hear, error);
	model_free(m);
	return err;
}

static void expect_no_start(const char *want)
{
	char error[ERROR_TEXT_MAX] = "";
	struct certificates *c = start(error);

	if (c || !strstr(error, want))
		fail_msg("%s, wanted %s", c ? "started" : error, want);
	assert_true(check(error) < 0);
	assert_non_null(strstr(error, want));
}

static void what_a_start_needs(void **state)
{
	char error[ERROR_TEXT_MAX] = "";
	struct certificates *c;

	expect_no_start("server default: no certificate in ");
	strcpy(config.servers[0].pair, "b");
	put(&a, "a");
	expect_no_start("server default: no certificate named b in ");
	bed_write(bed_path("certs/b.crt"), "nonsense\n");
	expect_no_start("server default: certificate b: ");
	put(&b, "b");
	config.servers[0].clients = TLS_CLIENT_REQUIRED;
	strcpy(config.servers[0].client_ca, "/no/such/file");
	assert_null(start(error));
	assert_non_null(strstr(error, "server default: "));
	assert_non_null(strstr(error, "/no/such/file"));
	strcpy(config.servers[0].client_ca, ca.chain_file);
	strcpy(config.servers[0].ciphers, "NO-SUCH-CIPHER");
	assert_null(start(error));
	assert_non_null(strstr(error, "server default: "));
	config.servers[0].ciphers[0] = 0;
	strcpy(config.ticket_keys, "/no/such/folder/keys");
	assert_null(start(error));
	assert_non_null(strstr(error, "tls.ticket_keys: /no/such/folder/keys"));
	config.ticket_keys[0] = 0;
	c = start(error);
	assert_non_null(c);
	assert_int_equal(check(error), 0);
	assert_string_equal(warned, "");
	certificates_free(c);
	strcpy(config.certificates, "/no/such/folder");
	expect_no_start("tls.certificates: /no/such/folder: No such file or directory");
}

static void another_pair_that_is_broken(void **state)
{
	char error[ERROR_TEXT_MAX] = "";
	struct certificates *c;

	put(&a, "a");
	bed_write(bed_path("certs/b.crt"), "nonsense\n");
	c = start(error); /* holds up nobody */
	assert_non_null(c);
	assert_non_null(alarm_find(alarms, ALARM_CERTIFICATE_FILES, "b"));
	assert_int_equal(check(error), 0); /* but who asks is told */
	assert_true(strncmp(warned, "certificate b: ", 15) == 0);
	routing = "trunks: [{name: t, endpoints: [{address: 10.0.0.1, transport: tls}], tls: {ca: /no/such/file}}]";
	assert_int_equal(check(error), 0);
	assert_non_null(strstr(warned, "trunk t: "));
	assert_non_null(strstr(warned, "/no/such/file"));
	routing = "trunks: []";
	certificates_free(c);
}

static void reloaded(void **state)
{
	char error[ERROR_TEXT_MAX] = "";
	const char *name, *chosen;
	struct certificates *c;
	json_t *news;

	put(&a, "a");
	c = start(error);
	assert_int_equal(certificates_reload(c, &news), 0);
	assert_int_equal(json_array_size(news), 0);
	json_decref(news);
	put(&renewed, "a");
	put(&b, "b");
	assert_int_equal(certificates_reload(c, &news), 0);
	assert_string_equal(news_of(news, "a"), "renewed");
	assert_string_equal(news_of(news, "b"), "new");
	json_decref(news);
	assert_true(certificates_server(c, 0, &name, &chosen));
	assert_string_equal(chosen, "a"); /* the first by name, where nobody says which */
	assert_false(certificates_server(c, 1, &name, &chosen));
	bed_write(bed_path("certs/a.key"), "nonsense\n");
	assert_int_equal(certificates_reload(c, &news), 1);
	assert_string_equal(news_of(news, "a"), "broken");
	json_decref(news);
	assert_non_null(alarm_find(alarms, ALARM_CERTIFICATE_FILES, "a"));
	assert_non_null(pairs_find(certificates_ours(c), "a")->identity);
	put(&renewed, "a");
	assert_int_equal(certificates_reload(c, NULL), 0);
	assert_null(alarm_find(alarms, ALARM_CERTIFICATE_FILES, "a"));
	certificates_free(c);
}

/* The one in force is the one that is near its end, until it is renewed. */
static void near_the_end(void **state)
{
	char error[ERROR_TEXT_MAX] = "";
	struct certificates *c;
	const struct alarm *raised;

	put(&ends, "a");
	c = start(error);
	raised = alarm_find(alarms, ALARM_CERTIFICATE, "a");
	assert_non_null(raised);
	assert_int_equal(raised->severity, ALARM_CRITICAL);
	assert_non_null(strstr(raised->text, "a.example"));
	put(&renewed, "a");
	certificates_reload(c, NULL);
	assert_null(alarm_find(alarms, ALARM_CERTIFICATE, "a"));
	certificates_free(c);
}

static void on_late(evutil_socket_t fd, short what, void *ctx)
{
	*(bool *)ctx = true;
}

static bool wait_for(struct certificates *c, bool (*there)(struct certificates *c))
{
	static const struct timeval most = { 10, 0 };
	bool late = false;
	struct event *bound = evtimer_new(base, on_late, &late);

	event_add(bound, &most);
	while (!late && !there(c))
		event_base_loop(base, EVLOOP_ONCE);
	event_free(bound);
	return !late;
}

static bool has_b(struct certificates *c)
{
	return pairs_find(certificates_ours(c), "b") && pairs_find(certificates_ours(c), "b")->identity;
}

static bool is_renewed(struct certificates *c)
{
	const struct key_pair *p = pairs_find(certificates_ours(c), "b");
	char day[16], want[16];

	day_text(tls_identity_certificate(p->identity)->not_after_s, day);
	day_text((int64_t)time(NULL) + 90 * 86400, want);
	return strcmp(day, want) == 0;
}

/* What inotify tells: a new pair; and a link that leads elsewhere, as certbot renews. */
static void watched(void **state)
{
	char error[ERROR_TEXT_MAX] = "", command[2048];
	struct certificates *c;

	put(&a, "a");
	c = start(error);
	snprintf(command, sizeof(command),
		 "mkdir %s/b %s.archive && cd %s.archive && cp %s f1.pem && cp %s p1.pem && ln -s %s.archive/f1.pem %s/b/fullchain.pem && "
		 "ln -s %s.archive/p1.pem %s/b/privkey.pem",
		 certs, certs, certs, b.chain_file, b.key_file, certs, certs, certs, certs);
	assert_int_equal(system(command), 0);
	assert_true(wait_for(c, has_b));
	snprintf(command, sizeof(command),
		 "cd %s.archive && cp %s f2.pem && cp %s p2.pem && ln -s %s.archive/p2.pem t && mv -T t %s/b/privkey.pem && ln -s %s.archive/f2.pem t && "
		 "mv -T t %s/b/fullchain.pem",
		 certs, renewed.chain_file, renewed.key_file, certs, certs, certs, certs);
	assert_int_equal(system(command), 0);
	assert_true(wait_for(c, is_renewed));
	assert_null(alarm_find(alarms, ALARM_CERTIFICATE_FILES, "b"));
	certificates_free(c);
}

static void seen(void **state)
{
	char error[ERROR_TEXT_MAX] = "";
	struct model *m = model_of("trunks: [{name: carrier, endpoints: [{address: 10.0.0.1, transport: tls}]}]"), *none = model_of("trunks: []");
	struct tls_seen s = { .refused = true, .why = TLS_END_EXPIRED, .remote = { ip_of("10.0.0.1"), 5061 }, .text = "certificate expired 2026-11-20",
			      .certificate = { .not_after_s = 1795132800, .subject = "CN=c", .names = "c.example" } };
	struct certificates *c;

	put(&a, "a");
	c = start(error);
	s.peer = peers_id(certificates_peers(c), &m->trunks[0], &m->trunks[0].endpoints[0]);
	certificates_seen(c, &s);
	assert_string_equal(alarm_find(alarms, ALARM_PEER_CERTIFICATE, "carrier/10.0.0.1:5061")->text, s.text);
	assert_string_equal(theirs_at(certificates_theirs(c), 0)->who, "carrier/10.0.0.1:5061");
	s.refused = false;
	s.verified = true;
	s.certificate.not_after_s = (int64_t)time(NULL) + 90 * 86400;
	certificates_seen(c, &s);
	assert_null(alarm_find(alarms, ALARM_PEER_CERTIFICATE, "carrier/10.0.0.1:5061"));
	s.certificate.not_after_s = (int64_t)time(NULL) + 3 * 86400;
	certificates_seen(c, &s);
	assert_int_equal(alarm_find(alarms, ALARM_PEER_CERTIFICATE, "carrier/10.0.0.1:5061")->severity, ALARM_MAJOR);
	/* The trunk goes: what was said of it too, in the end. */
	peers_sweep(certificates_peers(c), none, 1000);
	peers_sweep(certificates_peers(c), none, 100000);
	certificates_reload(c, NULL);
	assert_null(alarm_find(alarms, ALARM_PEER_CERTIFICATE, "carrier/10.0.0.1:5061"));
	assert_null(theirs_at(certificates_theirs(c), 0));
	certificates_free(c);
	model_free(m);
	model_free(none);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_a_start_needs, begin, end), cmocka_unit_test_setup_teardown(another_pair_that_is_broken, begin, end),
		cmocka_unit_test_setup_teardown(reloaded, begin, end),		 cmocka_unit_test_setup_teardown(near_the_end, begin, end),
		cmocka_unit_test_setup_teardown(watched, begin, end),		 cmocka_unit_test_setup_teardown(seen, begin, end),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
