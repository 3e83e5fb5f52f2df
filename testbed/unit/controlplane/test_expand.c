/* SPDX-License-Identifier: Apache-2.0 */
/* Names replaced by places: what the data plane is told when DNS changes, and what stays. */
#include "publish_fixture.h"

#include "dataplane.h"
#include "model/expand.h"
#include "model/former.h"
#include "model/model_json.h"
#include "routing.h"
#include "sip/via.h"

/* A DNS that says what a test wants. */
struct says {
	const char *name;
	struct located now[TRUNK_ENDPOINTS_MAX];
	uint16_t count;
	struct ip_port former[4];
	uint16_t former_count;
	bool unknown;
};

static struct says dns[3];

static void find(void *ctx, const struct model_host *host, struct located_list *ret)
{
	for (unsigned i = 0; i < ARRAY_SIZE(dns); i++)
		if (dns[i].name && strcmp(dns[i].name, host->name) == 0)
			*ret = (struct located_list){ dns[i].now, dns[i].count, dns[i].former, dns[i].former_count, dns[i].unknown };
}

static const struct names names = { find, NULL };

static struct ip_port at(const char *text)
{
	struct ip_port addr;

	memset(&addr, 0, sizeof(addr));
	assert_int_equal(ip_port_parse(span_str(text), 5060, &addr), 0);
	return addr;
}

static void say(unsigned i, const char *name, const char *const *places, unsigned priority, unsigned weight)
{
	memset(&dns[i], 0, sizeof(dns[i]));
	dns[i].name = name;
	for (; *places; places++)
		dns[i].now[dns[i].count++] = (struct located){ at(*places), TRANSPORT_UDP, (uint16_t)priority, (uint16_t)weight };
}

#define SAY(i, name, priority, weight, ...) say(i, name, (const char *const[]){ __VA_ARGS__, NULL }, priority, weight)

static void text_of(const struct model_trunk *t, char *out)
{
	char address[IP_PORT_TEXT_MAX];

	*out = 0;
	for (unsigned i = 0; i < t->endpoint_count; i++) {
		ip_port_format(&t->endpoints[i].addr, address);
		out += sprintf(out, "%u/%u %s by %u, ", t->endpoints[i].priority, t->endpoints[i].weight, address, t->endpoints[i].by_host);
	}
}

static void expect_expanded(const char *trunk, const char *want)
{
	char text[512], got[8192];
	uint32_t left_out;
	struct model *m, *x;

	snprintf(text, sizeof(text), "trunks: [{name: a, endpoints: [%s]}]", trunk);
	m = model_of(text);
	x = model_expand(m, &names, 100, &left_out);
	text_of(&x->trunks[0], got);
	assert_string_equal(got, want);
	assert_int_equal(left_out, 0);
	model_free(m);
	model_free(x);
}

static void expansion(void **state)
{
	SAY(0, "x", 10, 60, "10.0.0.1", "10.0.0.2:5070");
	SAY(1, "y", 0, 1, "10.0.0.2:5070", "10.0.0.3");
	expect_expanded("{host: x}", "10/60 10.0.0.1:5060 by 1, 10/60 10.0.0.2:5070 by 1, ");
	expect_expanded("{host: X., priority: 5, weight: 50}", "15/30 10.0.0.1:5060 by 1, 15/30 10.0.0.2:5070 by 1, ");
	expect_expanded("{host: y, weight: 10}", "0/1 10.0.0.2:5070 by 1, 0/1 10.0.0.3:5060 by 1, "); /* a share does not become none */
	expect_expanded("{host: x, weight: 0}", "10/0 10.0.0.1:5060 by 1, 10/0 10.0.0.2:5070 by 1, ");
	expect_expanded("{host: x, priority: 65530, weight: 65535}",
			"65535/39321 10.0.0.1:5060 by 1, 65535/39321 10.0.0.2:5070 by 1, ");
	/* an address that is there already stays as it is */
	expect_expanded("{host: y}, {address: 10.0.0.1, weight: 7}, {host: x}",
			"0/7 10.0.0.1:5060 by 0, 0/1 10.0.0.2:5070 by 1, 0/1 10.0.0.3:5060 by 1, ");
	expect_expanded("{host: unknown.name}, {address: 10.0.0.9}", "0/100 10.0.0.9:5060 by 0, ");
}

static void bounds(void **state)
{
	struct model *m = model_of("trunks: [{name: a, endpoints: [{host: x}, {address: 10.1.0.1}]}, {name: b, endpoints: [{host: x}]}]"), *x;
	uint32_t left_out;

	memset(dns, 0, sizeof(dns));
	dns[0].name = "x";
	for (unsigned i = 0; i < TRUNK_ENDPOINTS_MAX; i++) {
		dns[0].now[i].addr = at("10.0.0.1");
		dns[0].now[i].addr.port = (uint16_t)(1000 + i);
	}
	dns[0].count = TRUNK_ENDPOINTS_MAX;
	x = model_expand(m, &names, 1000, &left_out);
	assert_int_equal(x->trunks[0].endpoint_count, TRUNK_ENDPOINTS_MAX);
	assert_int_equal(x->trunks[1].endpoint_count, TRUNK_ENDPOINTS_MAX);
	assert_int_equal(left_out, 1);
	model_free(x);
	x = model_expand(m, &names, 70, &left_out); /* limits.endpoints; the configured ones come first */
	assert_int_equal(x->trunks[0].endpoint_count, TRUNK_ENDPOINTS_MAX);
	assert_int_equal(x->trunks[1].endpoint_count, 70 - TRUNK_ENDPOINTS_MAX);
	assert_int_equal(left_out, 1 + 128 - 70);
	model_free(x);
	model_free(m);
}

#define NAMED                                                                                                                                 \
	"trunks:\n"                                                                                                                           \
	"  - {name: a, endpoints: [{host: x, priority: 1}, {address: 10.0.9.9}], sources: [10.0.0.0/24]}\n"                                  \
	"  - {name: b, endpoints: [{host: y, port: 5070}, {host: y}]}\n"                                                                      \
	"profiles: [{name: in, targets: [{trunk: a}, {trunk: b}]}, {name: out, targets: [{trunk: b}]}]\n"                                    \
	"numbers: [{number: '441', profile: in}, {number: '442', profile: out}]\n"

static struct stage s;
static struct routing r;

static void start(void)
{
	char error[ERROR_TEXT_MAX];
	struct model *m = model_of(NAMED);
	bool from_state;

	set_up(&s);
	assert_int_equal(routing_init(&r, s.publisher, NULL, &plenty, error), 0);
	s.publisher = NULL;
	routing_resolve_by(&r, &names);
	assert_int_equal(routing_begin(&r, m, &from_state, error), 0);
	model_free(m);
}

static void stop(void)
{
	routing_done(&r);
	tear_down(&s);
}

static bool refresh(void)
{
	char error[ERROR_TEXT_MAX] = "";
	bool changed;

	if (routing_refresh(&r, &changed, error))
		fail_msg("%s", error);
	epoch_reclaim(s.tables->epoch);
	return changed;
}

static uint32_t slot_of(const char *trunk, const char *address)
{
	uint32_t id = trunk_id(span_str(trunk));
	struct ip_port addr = at(address);

	return publish_endpoint_slot(r.publisher, id, endpoint_id(id, &addr, TRANSPORT_UDP));
}

/* Names come to stand for something, for more, for something else: others keep their slots, and with them health and ejections. */
static void changes(void **state)
{
	uint32_t kept, configured;
	const struct trunk *trunk;

	memset(dns, 0, sizeof(dns));
	start();
	expect_route(&s, "441", NULL, "in>10.0.9.9:5060 ");
	expect_route(&s, "442", NULL, "out>");
	expect_route(&s, NULL, "example.com", "-");
	assert_false(refresh());

	SAY(0, "x", 0, 10, "10.0.0.1", "10.0.0.2");
	assert_true(refresh());
	assert_false(refresh());
	configured = slot_of("a", "10.0.9.9");
	kept = slot_of("a", "10.0.0.1");
	assert_int_not_equal(kept, UINT32_MAX);
	assert_string_equal(endpoints_get(s.tables->endpoints, kept)->host, "x");
	assert_string_equal(endpoints_get(s.tables->endpoints, configured)->host, "");
	atomic_store(&endpoints_live(s.tables->endpoints, kept)->health, ENDPOINT_SUSPECT);
	atomic_store(&endpoints_live(s.tables->endpoints, configured)->health, ENDPOINT_UP);

	SAY(0, "x", 0, 20, "10.0.0.1", "10.0.0.3"); /* one goes, one comes, one is weighted anew */
	dns[0].former[0] = at("10.0.0.2");
	dns[0].former_count = 1;
	SAY(1, "y", 5, 0, "10.0.1.1:5080");
	assert_true(refresh());
	assert_int_equal(slot_of("a", "10.0.0.1"), kept);
	assert_int_equal(endpoints_get(s.tables->endpoints, kept)->weight, 20);
	assert_int_equal(endpoints_live(s.tables->endpoints, kept)->health, ENDPOINT_SUSPECT);
	assert_int_equal(slot_of("a", "10.0.9.9"), configured);
	assert_int_equal(endpoints_live(s.tables->endpoints, configured)->health, ENDPOINT_UP);
	assert_int_equal(slot_of("a", "10.0.0.2"), UINT32_MAX);
	expect_route(&s, "442", NULL, "out>10.0.1.1:5080 ");
	assert_string_equal(endpoints_get(s.tables->endpoints, slot_of("b", "10.0.1.1:5080"))->host, "y:5070");
	assert_int_equal(s.resets, 3); /* no target's statistics began anew */

	/* dialogs may live where it was, but who may call is unchanged */
	trunk = trunks_get(s.tables->trunks, publish_trunk_slot(r.publisher, trunk_id(SPAN_LIT("a"))));
	assert_int_equal(trunk->former_count, 1);
	assert_memory_equal(trunk->former[0].addr.ip.bytes, "\x0a\x00\x00\x02", 4);
	assert_string_equal(owner(&s, "10.0.0.2"), "a"); /* by its sources */
	assert_string_equal(owner(&s, "10.0.1.1"), "-");
	stop();
}

/* DNS takes an ejected endpoint away and brings it back: it is out for as long as it was to be, and then forgotten. */
static void ejected_and_back(void **state)
{
	const struct ejection x = { .now_ms = dataplane_now_ms(), .until_ms = dataplane_now_ms() + 60000, .reason = EJECT_FAILURES, .status = 503, .count = 5 };
	const struct endpoint_live *live;

	memset(dns, 0, sizeof(dns));
	SAY(0, "x", 0, 10, "10.0.0.1", "10.0.0.2");
	start();
	endpoint_eject(s.tables->endpoints, slot_of("a", "10.0.0.1"), &x);
	SAY(0, "x", 0, 10, "10.0.0.2");
	assert_true(refresh());
	assert_int_equal(slot_of("a", "10.0.0.1"), UINT32_MAX);
	SAY(0, "x", 0, 10, "10.0.0.1", "10.0.0.2", "10.0.0.3");
	assert_true(refresh());
	live = endpoints_live(s.tables->endpoints, slot_of("a", "10.0.0.1"));
	assert_int_equal(live->ejected_until_ms, x.until_ms);
	assert_int_equal(live->ejected_ms, x.now_ms);
	assert_int_equal(live->eject_reason, EJECT_FAILURES);
	assert_int_equal(live->eject_status, 503);
	assert_int_equal(live->eject_count, 5);
	assert_int_equal(endpoints_live(s.tables->endpoints, slot_of("a", "10.0.0.2"))->ejected_until_ms, 0);
	assert_int_equal(endpoints_live(s.tables->endpoints, slot_of("a", "10.0.0.3"))->ejected_until_ms, 0);
	assert_int_equal(slot_of("b", "10.0.0.1"), UINT32_MAX);
	stop();
}

/* What the operator sees and what is kept on disk are his names; his changes go on top of what DNS says. */
static void operator_keeps_names(void **state)
{
	char error[ERROR_TEXT_MAX] = "";
	struct model *other;
	json_t *json;
	char *text;

	SAY(0, "x", 0, 10, "10.0.0.1");
	SAY(1, "y", 0, 10, "10.0.1.1");
	start();
	json = model_trunk_json(&r.model->trunks[1]);
	text = json_dumps(json_object_get(json, "endpoints"), JSON_COMPACT);
	assert_string_equal(text, "[{\"host\":\"y\",\"priority\":0,\"weight\":100,\"port\":5070},{\"host\":\"y\",\"priority\":0,\"weight\":100}]");
	free(text);
	json_decref(json);
	other = model_of("trunks: [{name: b, endpoints: [{host: y, priority: 3}, {address: 10.0.7.7}]}]\n"
			 "profiles: [{name: out, targets: [{trunk: b}]}]\nnumbers: [{number: '442', profile: out}]\n");
	assert_int_equal(routing_commit(&r, other, error), 0);
	expect_route(&s, "442", NULL, "out>10.0.7.7:5060 10.0.1.1:5060 ");
	expect_route(&s, "441", NULL, "-");
	stop();
}

/* The table has no room: what is in force stays, and the next try succeeds. */
static void no_room(void **state)
{
	char error[ERROR_TEXT_MAX] = "";
	bool changed;

	SAY(0, "x", 0, 10, "10.0.0.1");
	SAY(1, "y", 0, 10, "10.0.1.1");
	start();
	SAY(1, "y", 0, 10, "10.0.1.2", "10.0.1.3", "10.0.1.4", "10.0.1.5", "10.0.1.6", "10.0.1.7", "10.0.1.8", "10.0.1.9", "10.0.1.10", "10.0.1.11");
	assert_int_equal(routing_refresh(&r, &changed, error), -ERR_FULL);
	assert_false(changed);
	assert_string_equal(error, "endpoint of trunk b: the table is full (raise limits, or try again: removed entries are released late)");
	epoch_reclaim(s.tables->epoch);
	expect_route(&s, "441", NULL, "in>10.0.9.9:5060 10.0.0.1:5060 10.0.1.1:5060 ");
	SAY(1, "y", 0, 10, "10.0.1.2");
	assert_true(refresh());
	expect_route(&s, "442", NULL, "out>10.0.1.2:5060 ");
	stop();
}

static const struct {
	const char *endpoints, *error;
} refusals[] = {
	{ "{port: 5060}", "routing:1: trunks[0].endpoints[0]: needs either address or host" },
	{ "{address: 10.0.0.1, host: x}", "routing:1: trunks[0].endpoints[0]: needs either address or host" },
	{ "{host: 10.0.0.1}", "routing:1: trunks[0].endpoints[0].host: '10.0.0.1' is an address: write it as `address`" },
	{ "{host: 'a b'}", "routing:1: trunks[0].endpoints[0].host: 'a b' is not a host name" },
	{ "{host: 'a..b'}", "routing:1: trunks[0].endpoints[0].host: 'a..b' is not a host name" },
	{ "{host: ''}", "routing:1: trunks[0].endpoints[0].host: '' is not a host name" },
	{ "{host: x, port: 0}", "routing:1: trunks[0].endpoints[0].port: 0 is not in 1..65535" },
	{ "{host: x, transport: sctp}", "routing:1: trunks[0].endpoints[0].transport: 'sctp' is none of udp, tcp, tls" },
	{ "{host: x, weight: 65536}", "routing:1: trunks[0].endpoints[0].weight: 65536 is not in 0..65535" },
	{ "{host: x}, {host: X.}", "routing:1: trunks[0].endpoints[1].host: x is listed twice" },
	{ "{host: a}, {host: b}, {host: c}, {host: d}, {host: e}, {host: f}, {host: g}, {host: h}, {host: i}",
	  "routing:1: trunks[0].endpoints[8].host: a trunk has at most 8 host names" },
};

static void refused(void **state)
{
	for (unsigned i = 0; i < ARRAY_SIZE(refusals); i++) {
		char text[512], error[ERROR_TEXT_MAX] = "";

		snprintf(text, sizeof(text), "trunks: [{name: a, endpoints: [%s]}]", refusals[i].endpoints);
		assert_null(model_try(text, &plenty, error));
		assert_string_equal(error, refusals[i].error);
	}
}

/* What a trunk remembers, the latest first: "10.0.0.2:5060 ". */
static void expect_former(const char *trunk, const char *want)
{
	const struct trunk *t = trunks_get(s.tables->trunks, publish_trunk_slot(r.publisher, trunk_id(span_str(trunk))));
	char address[IP_PORT_TEXT_MAX], text[512] = "";
	unsigned n = 0;

	for (unsigned i = 0; i < t->former_count; i++) {
		ip_port_format(&t->former[i].addr, address);
		assert_int_equal(t->former[i].id, endpoint_id(t->id, &t->former[i].addr, TRANSPORT_UDP));
		n += (unsigned)sprintf(text + n, "%s ", address);
	}
	assert_string_equal(text, want);
}

static void commit(const char *trunks)
{
	char text[1024], error[ERROR_TEXT_MAX] = "";
	struct model *next;

	snprintf(text, sizeof(text),
		 "trunks: [%s, {name: c}]\n"
		 "profiles: [{name: in, targets: [{trunk: %s}, {trunk: b}]}]\n"
		 "numbers: [{number: '441', profile: in}]\n",
		 trunks, strstr(trunks, "{name: a") ? "a" : "c");
	next = model_try(text, &plenty, error);
	assert_non_null(next);
	if (routing_commit(&r, next, error))
		fail_msg("%s", error);
	epoch_reclaim(s.tables->epoch);
}

/* A change of the routing takes endpoints away: new calls do not go there, what is up there may end. */
static void taken_away(void **state)
{
	static const struct {
		const char *trunks, *former;
	} steps[] = {
		{ "{name: a, endpoints: [{address: 10.0.0.1}, {address: 10.0.0.2}]}, {name: b}", "" },
		{ "{name: a, endpoints: [{address: 10.0.0.2}]}, {name: b}", "10.0.0.1:5060 " },
		{ "{name: a, endpoints: [{address: 10.0.0.3}]}, {name: b}", "10.0.0.2:5060 10.0.0.1:5060 " },
		{ "{name: a, endpoints: [{address: 10.0.0.3}], request_uri: keep}, {name: b}", "10.0.0.2:5060 10.0.0.1:5060 " },
		{ "{name: a, endpoints: [{address: 10.0.0.1}]}, {name: b}", "10.0.0.3:5060 10.0.0.2:5060 " },
		{ "{name: a, endpoints: [{address: 10.0.0.1, port: 5070}]}, {name: b}", "10.0.0.1:5060 10.0.0.3:5060 10.0.0.2:5060 " },
		/* a name in its place, which remembers something itself; then another name */
		{ "{name: a, endpoints: [{host: x}]}, {name: b}", "10.0.4.1:5060 10.0.0.1:5070 10.0.0.1:5060 10.0.0.3:5060 10.0.0.2:5060 " },
		{ "{name: a, endpoints: [{host: y}]}, {name: b}", "10.0.4.4:5060 10.0.4.1:5060 10.0.0.1:5070 10.0.0.1:5060 10.0.0.3:5060 10.0.0.2:5060 " },
	};
	char error[ERROR_TEXT_MAX];

	memset(dns, 0, sizeof(dns));
	SAY(0, "x", 0, 10, "10.0.4.4");
	dns[0].former[0] = at("10.0.4.1");
	dns[0].former_count = 1;
	SAY(1, "y", 0, 10, "10.0.5.5");
	start();
	commit("{name: b}");
	assert_int_equal(routing_remember(&r, 3600, error), 0);
	for (unsigned i = 0; i < ARRAY_SIZE(steps); i++) {
		commit(steps[i].trunks);
		expect_former("a", steps[i].former);
	}
	/* a trunk that goes, and is brought back by a rollback */
	commit("{name: b}");
	commit("{name: a, endpoints: [{address: 10.0.0.1}]}, {name: b}");
	expect_former("a", "10.0.5.5:5060 10.0.4.4:5060 10.0.4.1:5060 10.0.0.1:5070 10.0.0.3:5060 10.0.0.2:5060 ");
	stop();
}

/* The data plane's trunk of this name; NULL: none. */
static const struct trunk *published(const char *name)
{
	uint32_t slot = trunks_find(s.tables->trunks, trunk_id(span_str(name)));

	return slot == TRUNK_NONE ? NULL : trunks_get(s.tables->trunks, slot);
}

static uint32_t source_of(const char *address)
{
	struct ip_port source = at(address);

	return access_lookup(s.tables->access, &source.ip);
}

/* A trunk that is taken away whole: none of its calls begins, what is up there may end; until it is back, or forgotten. */
static void gone_whole(void **state)
{
	static const char with[] = "{name: a, endpoints: [{address: 10.0.0.1}, {address: 10.0.0.2}], sources: [10.0.7.0/24], profile: in}, {name: b}";
	const struct trunk *t;
	char error[ERROR_TEXT_MAX];

	start();
	commit("{name: b}");
	assert_int_equal(routing_remember(&r, 3600, error), 0);
	commit(with);
	assert_int_not_equal(source_of("10.0.7.1"), TRUNK_NONE);
	for (unsigned round = 0; round < 2; round++) {
		commit("{name: b}");
		for (unsigned i = 0; i < 3; i++) {
			t = published("a");
			assert_non_null(t);
			assert_int_equal(t->endpoint_count, 0);
			assert_int_equal(t->profile_slot, PROFILE_NONE);
			assert_int_equal(t->prefix_count, 1);
			assert_int_equal(t->prefixes[0].length, 24);
			expect_former("a", "10.0.0.1:5060 10.0.0.2:5060 ");
			assert_int_equal(source_of("10.0.7.1"), TRUNK_NONE);
			assert_null(model_trunk(r.model, "a")); /* to operators it is gone */
			assert_false(refresh());
			commit(i ? "{name: b}" : "{name: b, endpoints: [{address: 10.0.9.9}]}"); /* other changes leave it as it is */
		}
		commit(with);
		t = published("a");
		assert_int_equal(t->endpoint_count, 2);
		assert_int_equal(t->former_count, 0);
		assert_int_equal(source_of("10.0.7.1"), publish_trunk_slot(r.publisher, t->id));
	}
	stop();
}

/* As many as there is room for, the latest, and no longer than a dialog may live. */
static void gone_bounds(void **state)
{
	struct formers *f = formers_new(100);
	struct model *none = model_new();
	char text[64];

	assert_non_null(f);
	for (unsigned i = 0; i < TRUNKS_GONE_MAX + 10; i++) {
		struct model *one;

		snprintf(text, sizeof(text), "trunks: [{name: t%u, sources: [10.0.0.0/8]}]", i);
		one = model_of(text);
		formers_note(f, one, none, 1000 + i);
		model_free(one);
	}
	assert_int_equal(formers_lay_over(f, none, 1000 + TRUNKS_GONE_MAX + 9), 0);
	assert_int_equal(none->trunk_count, TRUNKS_GONE_MAX);
	assert_string_equal(none->trunks[0].name, "t73");
	assert_string_equal(none->trunks[TRUNKS_GONE_MAX - 1].name, "t10");
	assert_true(none->trunks[0].gone);
	model_free(none);
	none = model_new();
	assert_int_equal(formers_lay_over(f, none, 1100 + TRUNKS_GONE_MAX + 8), 0);
	assert_int_equal(none->trunk_count, 1); /* the last one */
	/* what is gone already goes not once more when something else changes */
	for (unsigned i = 0; i < 3; i++) {
		struct model *next = model_new();

		formers_note(f, none, next, 1100 + TRUNKS_GONE_MAX + 8);
		assert_int_equal(formers_lay_over(f, next, 1100 + TRUNKS_GONE_MAX + 9), 0);
		assert_int_equal(next->trunk_count, 0);
		model_free(next);
	}
	model_free(none);
	formers_free(f);
}

/* No longer than a dialog may live, and no more than there is room for. */
static void forgotten(void **state)
{
	struct formers *f = formers_new(100);
	struct model *now = model_of("trunks: [{name: a, endpoints: [{address: 10.0.0.1}]}]"), *next = model_of("trunks: [{name: a}]");

	assert_non_null(f);
	formers_note(f, now, next, 1000);
	formers_lay_over(f, next, 1099);
	assert_int_equal(next->trunks[0].former_count, 1);
	next->trunks[0].former_count = 0;
	formers_lay_over(f, next, 1100);
	assert_int_equal(next->trunks[0].former_count, 0);
	for (unsigned i = 0; i < FORMERS_MAX + 10; i++) {
		now->trunks[0].endpoints[0].addr.port = (uint16_t)(1 + i);
		formers_note(f, now, next, 2000 + i / 1000);
	}
	formers_lay_over(f, next, 2005);
	assert_int_equal(next->trunks[0].former_count, TRUNK_FORMER_MAX);
	assert_int_equal(next->trunks[0].former[0].addr.port, FORMERS_MAX + 10);
	formers_free(f);
	model_free(now);
	model_free(next);
}

/* Until it is known where a new name is, calls go where they went; the first answer, also that there is nothing, ends that. */
static void held(void **state)
{
	for (unsigned found = 0; found < 2; found++) {
		memset(dns, 0, sizeof(dns));
		SAY(0, "x", 0, 10, "10.0.0.1");
		start();
		dns[1] = (struct says){ .name = "y", .unknown = true };
		commit("{name: a, endpoints: [{host: y}]}, {name: b, endpoints: [{host: y}, {address: 10.0.1.1, priority: 9}]}");
		expect_route(&s, "441", NULL, "in>10.0.9.9:5060 10.0.0.1:5060 10.0.1.1:5060 ");
		assert_string_equal(endpoints_get(s.tables->endpoints, slot_of("a", "10.0.0.1"))->host, "y");
		assert_false(refresh());
		if (found)
			SAY(1, "y", 0, 10, "10.0.0.7");
		else
			dns[1].unknown = false;
		assert_true(refresh());
		expect_route(&s, "441", NULL, found ? "in>10.0.0.7:5060 10.0.0.7:5060 10.0.1.1:5060 " : "in>10.0.1.1:5060 ");
		stop();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(expansion), cmocka_unit_test(bounds), cmocka_unit_test(changes), cmocka_unit_test(operator_keeps_names),
		cmocka_unit_test(no_room), cmocka_unit_test(refused),
		cmocka_unit_test(taken_away), cmocka_unit_test(gone_whole), cmocka_unit_test(gone_bounds), cmocka_unit_test(ejected_and_back), cmocka_unit_test(forgotten), cmocka_unit_test(held),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
