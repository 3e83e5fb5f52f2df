/* SPDX-License-Identifier: Apache-2.0 */
/* Names followed over real sockets: a name server in this process, on loopback, that answers, is silent, or fails as a test wants it. */
#include "dns_fixture.h"

#include <arpa/inet.h>
#include <event2/event.h>
#include <fcntl.h>
#include <sys/socket.h>

#include "alarms/alarms.h"
#include "resolve/follow.h"
#include "resolve/resolver.h"
#include "sip/via.h"
#include "resolve/rfc3263.h"

#define SOON_MS 8000 /* for what takes a second where nothing else runs */

static struct event_base *base;
static struct alarms *alarms;
static unsigned changes;

/* ---- the name server */

static struct {
	int fd;
	struct event *event;
	unsigned port;
	const char *zone;   /* lines "NAME TYPE TTL DATA" */
	const char *silent; /* no answer to this name; "*": to none */
	const char *failing; /* SERVFAIL */
	uint32_t soa_s;	    /* of "there is none"; 0: it is said without an SOA */
	char asked[65536];  /* "NAME/TYPE " each */
} dns;

static bool is(const char *what, const char *name)
{
	return what && (strcmp(what, "*") == 0 || strcmp(what, name) == 0);
}

static void answer(struct packet *m, const char *name, uint16_t type)
{
	char line_name[64], line_type[16], data[64], target[64];
	unsigned ttl, n = 0, a, b, c;

	begin(m, name, type, is(dns.failing, name) ? 2 : 0, 0, 0);
	for (const char *p = dns.zone; *p && !is(dns.failing, name); p = strchr(p, '\n') + 1) {
		assert_int_equal(sscanf(p, "%63s %15s %u %63[^\n]", line_name, line_type, &ttl, data), 4);
		if (strcmp(line_name, name) != 0 || strcmp(line_type, dns_type_name(type)) != 0)
			continue;
		n++;
		if (type == DNS_SRV) {
			assert_int_equal(sscanf(data, "%u %u %u %63s", &a, &b, &c, target), 4);
			put_srv(m, name, ttl, a, b, c, target);
		} else {
			put_address(m, name, ttl, data);
		}
	}
	m->p[7] = (uint8_t)n;
	if (!n && dns.soa_s) {
		m->p[9] = 1;
		put_soa(m, "test", dns.soa_s, dns.soa_s);
	}
}

static void on_question(evutil_socket_t fd, short what, void *ctx)
{
	struct packet *m = malloc(sizeof(*m));
	uint8_t question[512];
	char name[256] = "", entry[300];
	struct sockaddr_in from;
	socklen_t room = sizeof(from);
	ssize_t n = recvfrom(fd, question, sizeof(question), 0, (struct sockaddr *)&from, &room);
	size_t at = 12;
	uint16_t type;

	assert_true(n > 12);
	while (question[at]) {
		if (*name)
			strcat(name, ".");
		strncat(name, (const char *)question + at + 1, question[at]);
		at += 1u + question[at];
	}
	type = (uint16_t)(question[at + 1] << 8 | question[at + 2]);
	snprintf(entry, sizeof(entry), "%s/%s ", name, dns_type_name(type));
	strcat(dns.asked, entry);
	if (!is(dns.silent, name)) {
		answer(m, name, type);
		memcpy(m->p, question, 2);
		sendto(fd, m->p, m->n, 0, (struct sockaddr *)&from, room);
	}
	free(m);
}

static unsigned times_asked(const char *entry)
{
	unsigned n = 0;

	for (const char *p = dns.asked; (p = strstr(p, entry)) != NULL; p++)
		n++;
	return n;
}

/* ---- the loop */

static void on_tick(evutil_socket_t fd, short what, void *ctx)
{
}

#define UNTIL(condition)                                                                                                                      \
	do {                                                                                                                                  \
		uint64_t by_ms = follow_now_ms() + SOON_MS;                                                                                   \
                                                                                                                                              \
		while (!(condition)) {                                                                                                        \
			if (follow_now_ms() > by_ms)                                                                                          \
				fail_msg("%s:%d: %s did not come true", __FILE__, __LINE__, #condition);                                      \
			event_base_loop(base, EVLOOP_ONCE);                                                                                   \
		}                                                                                                                             \
	} while (0)

static struct event *tick;

static int set_up(void **state)
{
	const struct timeval every = { 0, 10000 };
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t room = sizeof(addr);

	memset(&dns, 0, sizeof(dns));
	dns.soa_s = 1;
	changes = 0;
	base = event_base_new();
	alarms = alarms_new(16, 64);
	dns.fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (bind(dns.fd, (struct sockaddr *)&addr, sizeof(addr)) || getsockname(dns.fd, (struct sockaddr *)&addr, &room))
		return -1;
	dns.port = ntohs(addr.sin_port);
	dns.event = event_new(base, dns.fd, EV_READ | EV_PERSIST, on_question, NULL);
	event_add(dns.event, NULL);
	tick = event_new(base, -1, EV_PERSIST, on_tick, NULL);
	event_add(tick, &every);
	return 0;
}

static int tear_down(void **state)
{
	event_free(tick);
	event_free(dns.event);
	close(dns.fd);
	alarms_free(alarms);
	event_base_free(base);
	return 0;
}

static void on_changed(void *ctx)
{
	changes++;
}

static unsigned listeners = LISTENS(TRANSPORT_UDP, IP_V4);

static struct resolver *start(const char *kept_path)
{
	static struct resolver_config config;
	char error[ERROR_TEXT_MAX];
	struct resolver *r;

	config = resolver_config_default();
	config.min_ttl_s = 1;
	config.query.timeout_ms = 100;
	config.query.tries = 1;
	config.query.server_count = 1;
	snprintf(config.query.servers[0], sizeof(config.query.servers[0]), "127.0.0.1:%u", dns.port);

	const struct resolver_setup setup = { .base = base, .config = &config, .listeners = listeners, .call_age_s = 3600, .kept_path = kept_path,
					      .alarms = alarms, .changed = on_changed };
	r = resolver_new(&setup, error);
	if (!r)
		fail_msg("%s", error);
	return r;
}

static void name(struct resolver *r, const char *endpoints)
{
	char text[512];
	struct model *m;

	snprintf(text, sizeof(text), "trunks: [{name: a, endpoints: [%s]}]", endpoints);
	m = model_of(text);
	resolver_follow(r, m);
	model_free(m);
}

static const struct follow *only(const struct resolver *r)
{
	const struct follow *f = resolver_next(r, NULL);

	assert_non_null(f);
	assert_null(resolver_next(r, f));
	return f;
}

static bool places_are(const struct resolver *r, const char *want)
{
	const struct follow *f = only(r);
	char got[1024] = "", address[IP_PORT_TEXT_MAX];

	for (unsigned i = 0; i < f->now.count; i++) {
		ip_port_format(&f->now.places[i].addr, address);
		strcat(strcat(got, address), " ");
	}
	return strcmp(got, want) == 0;
}

#define SRV_OF_TWO "_sip._udp.x SRV 1 1 1 5060 a\n_sip._udp.x SRV 1 2 1 5060 b\n"

/* ---- tests */

static void ttls(void **state)
{
	struct resolver *r = start(NULL);

	dns.zone = "_sip._udp.x SRV 1 1 1 5060 a\na A 60 10.0.0.1\n";
	name(r, "{host: x, transport: udp}");
	assert_false(resolver_settled(r));
	UNTIL(resolver_settled(r));
	assert_true(places_are(r, "10.0.0.1:5060 "));
	assert_int_equal(only(r)->state, FOLLOW_OK);
	assert_int_equal(changes, 1);
	dns.zone = "_sip._udp.x SRV 1 1 1 5070 a\na A 60 10.0.0.1\n";
	UNTIL(places_are(r, "10.0.0.1:5070 "));
	assert_int_equal(changes, 2);
	assert_int_equal(times_asked("a/A "), 1); /* its TTL is not over */
	UNTIL(times_asked("_sip._udp.x/SRV ") >= 3);
	assert_int_equal(changes, 2); /* the same answer again is no change */
	resolver_free(r);
}

/* How long an answer holds: its TTL, within bounds; "there is none" never for long, or a record that was just made would be missed for a day. */
static void bounds(void **state)
{
	static const struct {
		const char *what, *zone;
		uint32_t soa_s, holds_s;
	} cases[] = {
		{ "no TTL is asked for each second", "x A 0 10.0.0.1\n", 0, 1 },
		{ "a TTL", "x A 30 10.0.0.1\n", 0, 30 },
		{ "the least of several", "x A 30 10.0.0.1\nx A 20 10.0.0.2\n", 0, 20 },
		{ "a day is too long", "x A 86400 10.0.0.1\n", 0, 3600 },
		{ "none, as its SOA says", "", 40, 40 },
		{ "none, for a day", "", 86400, 900 },
		{ "none, without an SOA", "", 0, 60 },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct resolver *r = start(NULL);
		const struct lookup *k;

		dns.zone = cases[i].zone;
		dns.soa_s = cases[i].soa_s;
		name(r, "{host: x, port: 5060}");
		UNTIL(resolver_settled(r));
		k = lookups_find(&only(r)->lookups, "x", DNS_A);
		if (k->expires_ms - k->answered_ms != 1000 * cases[i].holds_s)
			fail_msg("%s: %u ms", cases[i].what, (unsigned)(k->expires_ms - k->answered_ms));
		resolver_free(r);
	}
}

static void fails_and_recovers(void **state)
{
	struct resolver *r = start(NULL);

	dns.zone = SRV_OF_TWO "a A 1 10.0.0.1\nb A 1 10.0.0.2\n";
	name(r, "{host: x, transport: udp}");
	UNTIL(places_are(r, "10.0.0.1:5060 10.0.0.2:5060 "));
	dns.silent = "*";
	UNTIL(only(r)->state == FOLLOW_STALE);
	assert_true(places_are(r, "10.0.0.1:5060 10.0.0.2:5060 "));
	assert_string_equal(strrchr(only(r)->why, ':'), ": no answer in time");
	assert_non_null(alarm_find(alarms, ALARM_DNS_STALE, "x"));
	assert_int_equal(changes, 1);
	dns.silent = NULL;
	dns.failing = "*";
	UNTIL(only(r)->failures == 2); /* asked again by itself, after a second */
	UNTIL(strcmp(strrchr(only(r)->why, ':'), ": the name servers fail or cannot be reached") == 0); /* not late, as on a busy machine */
	dns.failing = NULL;
	dns.zone = SRV_OF_TWO "a A 1 10.0.0.1\nb A 1 10.0.0.3\n";
	resolver_ask_now(r, NULL);
	for (unsigned i = 0; i < only(r)->lookups.count; i++) /* for people: what is left of its time is no less than what is past */
		assert_true(only(r)->lookups.list[i]->expires_ms + 60000 > follow_now_ms());
	UNTIL(only(r)->state == FOLLOW_OK);
	assert_true(places_are(r, "10.0.0.1:5060 10.0.0.3:5060 "));
	assert_null(alarm_find(alarms, ALARM_DNS_STALE, "x"));
	assert_int_equal(only(r)->failures, 0);
	resolver_free(r);
}

/* One target cannot be found: the others are used; one that was found before stays. */
static void fails_in_part(void **state)
{
	struct resolver *r = start(NULL);

	dns.zone = SRV_OF_TWO "a A 1 10.0.0.1\nb A 1 10.0.0.2\n";
	dns.failing = "b";
	name(r, "{host: x, transport: udp}");
	UNTIL(resolver_settled(r));
	assert_int_equal(only(r)->state, FOLLOW_STALE);
	assert_true(places_are(r, "10.0.0.1:5060 "));
	dns.failing = NULL;
	UNTIL(places_are(r, "10.0.0.1:5060 10.0.0.2:5060 "));
	dns.failing = "a";
	UNTIL(only(r)->state == FOLLOW_STALE);
	assert_true(places_are(r, "10.0.0.1:5060 10.0.0.2:5060 "));
	resolver_free(r);
}

/* A server that fails on NAPTR is as one that has none, and is not asked for it each time that something else is due. */
static void fails_on_naptr(void **state)
{
	struct resolver *r = start(NULL);
	unsigned asked;

	dns.zone = "_sip._udp.x SRV 1 1 1 5060 a\na A 60 10.0.0.1\n";
	dns.failing = "x";
	name(r, "{host: x}");
	UNTIL(resolver_settled(r));
	assert_int_equal(only(r)->state, FOLLOW_OK);
	assert_null(alarm_find(alarms, ALARM_DNS_STALE, "x"));
	assert_true(places_are(r, "10.0.0.1:5060 "));
	asked = times_asked("x/NAPTR ");
	UNTIL(times_asked("_sip._udp.x/SRV ") == 3);
	assert_int_equal(times_asked("x/NAPTR "), asked);
	resolver_free(r);
}

static void late_answers(void **state)
{
	struct resolver *r = start(NULL);
	uint64_t begun = follow_now_ms();

	/* Silence of this length is a failure only after the timeout; the first answers are used before. */
	dns.zone = SRV_OF_TWO "a A 60 10.0.0.1\nb A 60 10.0.0.2\n";
	dns.silent = "b";
	name(r, "{host: x, transport: udp}");
	UNTIL(resolver_settled(r));
	assert_true(follow_now_ms() - begun < SOON_MS);
	assert_true(places_are(r, "10.0.0.1:5060 "));
	dns.silent = NULL;
	UNTIL(places_are(r, "10.0.0.1:5060 10.0.0.2:5060 "));
	resolver_free(r);
}

static void nothing_there(void **state)
{
	struct resolver *r = start(NULL);

	dns.zone = "x A 1 10.0.0.1\n";
	name(r, "{host: x}");
	UNTIL(places_are(r, "10.0.0.1:5060 "));
	dns.zone = "";
	UNTIL(only(r)->state == FOLLOW_NONE);
	assert_true(places_are(r, ""));
	assert_non_null(alarm_find(alarms, ALARM_DNS_EMPTY, "x"));
	assert_int_equal(only(r)->former_count, 1);
	dns.zone = "x A 1 10.0.0.1\n"; /* back where it was: no former place any more */
	UNTIL(only(r)->state == FOLLOW_OK);
	assert_int_equal(only(r)->former_count, 0);
	assert_null(alarm_find(alarms, ALARM_DNS_EMPTY, "x"));
	name(r, "{address: 10.0.0.9}");
	assert_null(resolver_next(r, NULL));
	resolver_free(r);
}

/* A name that is dropped while it is asked, and all of it ended while it is asked. */
static void dropped(void **state)
{
	struct resolver *r = start(NULL);

	dns.zone = "";
	dns.silent = "*";
	name(r, "{host: x}, {host: x, port: 5070}, {host: y}");
	UNTIL(times_asked("x/NAPTR ") && times_asked("x/A ") && times_asked("y/NAPTR "));
	name(r, "{host: y}");
	assert_string_equal(only(r)->target.name, "y");
	UNTIL(resolver_settled(r)); /* the answers that the dropped ones waited for are gone by now */
	assert_int_equal(only(r)->state, FOLLOW_FAILED);
	assert_non_null(alarm_find(alarms, ALARM_DNS_EMPTY, "y"));
	assert_int_equal(resolver_ask_now(r, "y"), 1);
	assert_int_equal(resolver_ask_now(r, "x"), 0);
	UNTIL(follow_asking(only(r)));
	resolver_free(r);
}

/* A rollback brings a name back: what was known of it is there at once, though DNS is dead by now. While nobody uses it nothing is asked. */
static void rests(void **state)
{
	struct resolver *r = start(NULL);

	dns.zone = "x A 1 10.0.0.1\ny A 1 10.0.0.2\n";
	name(r, "{host: x, port: 5060}");
	UNTIL(resolver_settled(r));
	name(r, "{host: y, port: 5060}");
	UNTIL(resolver_settled(r));
	assert_string_equal(only(r)->target.name, "y");
	unsigned asked = times_asked("x/A ");
	UNTIL(times_asked("y/A ") >= 3); /* over a second, each TTL one */
	assert_int_equal(times_asked("x/A "), asked);
	dns.failing = "x";
	name(r, "{host: x, port: 5060}");
	assert_true(places_are(r, "10.0.0.1:5060 "));
	UNTIL(only(r)->state == FOLLOW_STALE);
	assert_true(places_are(r, "10.0.0.1:5060 "));
	assert_non_null(alarm_find(alarms, ALARM_DNS_STALE, "x"));
	for (unsigned i = 0; i < 300; i++) { /* no more of them than there is room for */
		char text[64];

		snprintf(text, sizeof(text), "{host: h%u, port: 5060}", i);
		name(r, text);
	}
	name(r, "{host: x, port: 5060}");
	assert_true(places_are(r, ""));
	resolver_free(r);
}

/* Whoever waits for the first answer hears of it, also where it says that there is nothing. */
static void unknown_until_the_first_answer(void **state)
{
	struct model *m = model_of("trunks: [{name: a, endpoints: [{host: x}]}]");
	struct resolver *r = start(NULL);
	struct names names = resolver_names(r);
	struct located_list list = { .count = 0 };

	dns.zone = "";
	dns.failing = "x";
	changes = 0;
	resolver_follow(r, m);
	names.find(names.ctx, &m->trunks[0].hosts[0], &list);
	assert_true(list.unknown);
	UNTIL(only(r)->state == FOLLOW_FAILED);
	names.find(names.ctx, &m->trunks[0].hosts[0], &list);
	assert_true(list.unknown);
	assert_int_equal(changes, 0);
	dns.failing = NULL;
	resolver_ask_now(r, NULL);
	UNTIL(changes);
	assert_int_equal(only(r)->state, FOLLOW_NONE);
	names.find(names.ctx, &m->trunks[0].hosts[0], &list);
	assert_false(list.unknown);
	assert_int_equal(list.count, 0);
	assert_int_equal(changes, 1);
	resolver_free(r);
	model_free(m);
}

static void shared_by_trunks(void **state)
{
	struct model *m = model_of("trunks: [{name: a, endpoints: [{host: x, weight: 1}]}, {name: b, endpoints: [{host: X., priority: 2}]}]");
	struct resolver *r = start(NULL);
	struct names names = resolver_names(r);
	struct located_list list = { .count = 0 };
	struct ip_port addr;

	dns.zone = "x A 60 10.0.0.1\n";
	resolver_follow(r, m);
	UNTIL(resolver_settled(r));
	assert_int_equal(times_asked("x/A "), 1);
	names.find(names.ctx, &m->trunks[1].hosts[0], &list);
	assert_int_equal(list.count, 1);
	addr = list.now[0].addr;
	assert_string_equal(resolver_target(r, &m->trunks[0].hosts[0], &addr), "x");
	addr.port = 1;
	assert_null(resolver_target(r, &m->trunks[0].hosts[0], &addr));
	resolver_free(r);
	model_free(m);
}

static void tls_kept_over_a_restart(void **state)
{
	char directory[64], path[96];
	struct resolver *r;

	listeners |= LISTENS(TRANSPORT_TLS, IP_V4);
	make_directory(directory);
	snprintf(path, sizeof(path), "%s/names", directory);
	r = start(path);
	dns.zone = "_sips._tcp.x SRV 1 1 1 5061 a\na A 1 10.0.0.1\n";
	name(r, "{host: x, transport: tls}");
	UNTIL(places_are(r, "10.0.0.1:5061 "));
	resolver_free(r);
	dns.silent = "*";
	r = start(path);
	name(r, "{host: x, transport: tls}");
	assert_true(resolver_settled(r));
	assert_true(places_are(r, "10.0.0.1:5061 "));
	assert_int_equal(only(r)->now.places[0].transport, TRANSPORT_TLS);
	dns.silent = NULL;
	resolver_free(r);
	remove_directory(directory);
	listeners = LISTENS(TRANSPORT_UDP, IP_V4);
}

static void kept_over_a_restart(void **state)
{
	char directory[64], path[96];
	struct resolver *r;
	uint64_t good;

	make_directory(directory);
	snprintf(path, sizeof(path), "%s/names", directory);
	r = start(path);
	dns.zone = SRV_OF_TWO "a A 1 10.0.0.1\nb A 1 10.0.0.2\n";
	name(r, "{host: x, transport: udp}");
	UNTIL(resolver_settled(r));
	dns.zone = SRV_OF_TWO "a A 1 10.0.0.1\nb A 1 10.0.0.3\n";
	UNTIL(places_are(r, "10.0.0.1:5060 10.0.0.3:5060 "));
	good = only(r)->good_unix_ms;
	resolver_free(r); /* writes what waits to be written */

	dns.silent = "*";
	r = start(path);
	name(r, "{host: x, transport: udp}");
	assert_true(resolver_settled(r)); /* nobody waits for it */
	assert_true(places_are(r, "10.0.0.1:5060 10.0.0.3:5060 "));
	assert_int_equal(only(r)->now.places[1].priority, 2);
	assert_string_equal(only(r)->now.places[1].target, "b");
	assert_int_equal(only(r)->good_unix_ms, good);
	assert_int_equal(only(r)->former_count, 1);
	assert_int_equal(only(r)->state, FOLLOW_STALE);
	UNTIL(only(r)->failures == 1);
	assert_true(places_are(r, "10.0.0.1:5060 10.0.0.3:5060 "));
	dns.silent = NULL;
	dns.failing = "b"; /* the records that lead to it are there again, its address is not: it stays where it was */
	UNTIL(only(r)->failures == 2);
	assert_int_equal(only(r)->state, FOLLOW_STALE);
	assert_true(places_are(r, "10.0.0.1:5060 10.0.0.3:5060 "));
	dns.failing = NULL;
	UNTIL(only(r)->state == FOLLOW_OK);
	resolver_free(r);

	r = start(path); /* a name with a port is another one */
	dns.silent = "*";
	name(r, "{host: x, transport: udp, port: 5060}");
	assert_false(resolver_settled(r));
	resolver_free(r);
	remove_directory(directory);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(ttls), TEST(bounds), TEST(fails_and_recovers), TEST(fails_in_part), TEST(fails_on_naptr), TEST(late_answers),
		TEST(nothing_there), TEST(dropped), TEST(rests), TEST(unknown_until_the_first_answer), TEST(shared_by_trunks),
		TEST(kept_over_a_restart),
		TEST(tls_kept_over_a_restart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
