/* SPDX-License-Identifier: Apache-2.0 */
/* What workers wrote of endpoints becomes alarms, and ends as such. */
#include "fixture.h"

#include "alarms/alarms.h"
#include "fake_dataplane.h"
#include "health/ejections.h"
#include "tables/endpoints.h"
#include "tables/epoch.h"
#include "tables/tables.h"
#include "tables/trunks.h"

struct scene {
	struct dataplane *dataplane;
	struct tables *tables;
	struct alarms *alarms;
	struct ejections *ejections;
	uint32_t trunk, slot[3];
};

static int set_up(void **state)
{
	static const struct tables_limits room = { .workers = 1, .numbers = 8, .prefixes = 1, .profiles = 1, .trunks = 2, .endpoints = 4 };
	struct scene *s = calloc(1, sizeof(*s));
	struct trunk trunk = { .id = 7, .name = "carrier" };

	s->dataplane = fake_dataplane_new(&room);
	s->tables = dataplane_tables(s->dataplane);
	s->alarms = alarms_new(2, 16);
	s->ejections = ejections_new(NULL, s->dataplane, s->alarms);
	assert_non_null(s->ejections);
	assert_int_equal(trunks_add(s->tables->trunks, &trunk, &s->trunk), 0);
	for (unsigned i = 0; i < 3; i++) {
		struct endpoint_config c = { .trunk_slot = s->trunk, .id = 10 + i };

		ip_port_parse(SPAN_LIT("192.0.2.1:5060"), 0, &c.addr);
		c.addr.port = (uint16_t)(c.addr.port + i);
		assert_int_equal(endpoints_add(s->tables->endpoints, &c, &s->slot[i]), 0);
	}
	*state = s;
	return 0;
}

static int tear_down(void **state)
{
	struct scene *s = *state;

	ejections_free(s->ejections);
	alarms_free(s->alarms);
	fake_dataplane_free(s->dataplane);
	free(s);
	return 0;
}

static const char *text_of(const struct scene *s, const char *subject)
{
	const struct alarm *a = alarm_find(s->alarms, ALARM_EJECTED, subject);

	return a ? a->text : NULL;
}

static void test_texts(void **state)
{
	static const struct {
		struct ejection x;
		const char *text;
	} cases[] = {
		{ { 1000, 3000, EJECT_REFUSED, 0, 1 }, "a call could not be delivered; no new calls for 2.0 s" },
		{ { 1000, 4000, EJECT_RETRY_AFTER, 503, 3 }, "a 503 asked for 3 s; no new calls for 3.0 s" },
		{ { 1000, 11000, EJECT_SILENT, 0, 3 }, "3 calls in a row got no answer; no new calls for 10.0 s" },
		{ { 1000, 21000, EJECT_FAILURES, 503, 5 }, "5 calls in a row failed, the last with 503; no new calls for 20.0 s" },
		{ { 1000, 31000, EJECT_FAILURES, 0, 5 }, "5 calls in a row failed; no new calls for 30.0 s" },
		{ { 1000, 41000, EJECT_SHARE, 500, 61 }, "61 % of its calls failed, the last with 500; no new calls for 40.0 s" },
	};
	struct scene *s = *state;

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		endpoint_eject(s->tables->endpoints, s->slot[1], &cases[i].x);
		ejections_look(s->ejections, 1000);
		assert_string_equal(text_of(s, "carrier/192.0.2.1:5061"), cases[i].text);
	}
}

static void test_out_and_back(void **state)
{
	struct scene *s = *state;
	struct alarms_stats stats;

	ejections_look(s->ejections, 1000);
	endpoint_eject(s->tables->endpoints, s->slot[0], &(struct ejection){ 1000, 3000, EJECT_REFUSED, 0, 1 });
	endpoint_eject(s->tables->endpoints, s->slot[2], &(struct ejection){ 1000, 11000, EJECT_SILENT, 0, 3 });
	ejections_look(s->ejections, 1050);
	assert_non_null(text_of(s, "carrier/192.0.2.1:5060"));
	assert_non_null(text_of(s, "carrier/192.0.2.1:5062"));
	ejections_look(s->ejections, 4000); /* the first is back, and refuses again: no new event */
	endpoint_eject(s->tables->endpoints, s->slot[0], &(struct ejection){ 4000, 6000, EJECT_REFUSED, 0, 1 });
	ejections_look(s->ejections, 4100);
	alarms_stats(s->alarms, &stats);
	assert_int_equal(stats.events, 2);
	ejections_look(s->ejections, 6000 + EJECTION_QUIET_MS - 1);
	assert_non_null(text_of(s, "carrier/192.0.2.1:5060"));
	ejections_look(s->ejections, 6000 + EJECTION_QUIET_MS);
	assert_null(text_of(s, "carrier/192.0.2.1:5060"));
	assert_non_null(text_of(s, "carrier/192.0.2.1:5062"));
	/* It is taken away, and its place given to another. */
	endpoints_remove(s->tables->endpoints, s->slot[2]);
	ejections_look(s->ejections, 11100);
	assert_null(text_of(s, "carrier/192.0.2.1:5062"));
	alarms_stats(s->alarms, &stats);
	assert_int_equal(stats.events, 4);
	assert_int_equal(stats.raised, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test_setup_teardown(test_texts, set_up, tear_down),
					    cmocka_unit_test_setup_teardown(test_out_and_back, set_up, tear_down) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
