/* SPDX-License-Identifier: Apache-2.0 */
/* The prober with ten thousand endpoints: how evenly it asks, and what that costs. */
#include "operations_fixture.h"

#include <time.h>

#include "health/prober.h"
#include "model/probe.h"

#define MANY_TRUNKS    157
#define MANY_ENDPOINTS (MANY_TRUNKS * 64)
#define MANY_SECONDS   10

static struct model *many_model(void)
{
	static const struct model_limits roomy = { .numbers = 10, .prefixes = 10, .profiles = 10, .trunks = MANY_TRUNKS, .endpoints = MANY_ENDPOINTS };
	char error[ERROR_TEXT_MAX] = "", *text = malloc(MANY_ENDPOINTS * 32), *at = text;
	struct model *m;

	at += sprintf(at, "trunks:\n");
	for (unsigned i = 0; i < MANY_TRUNKS; i++) {
		at += sprintf(at, "  - {name: t%u, endpoints: [", i);
		for (unsigned k = 0; k < 64; k++)
			at += sprintf(at, "%s{address: 10.0.%u.%u}", k ? ", " : "", i, k + 1);
		at += sprintf(at, "]}\n");
	}
	m = model_try(text, &roomy, error);
	if (!m)
		fail_msg("%s", error);
	free(text);
	return m;
}

static double cpu_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Ten thousand endpoints, each once a second: spread evenly, and cheap. */
static void ten_thousand(void **state)
{
	static const struct tables_limits room = { .workers = 1, .numbers = 64, .prefixes = 8, .profiles = 8, .trunks = 512,
						   .endpoints = 2 * MANY_ENDPOINTS };
	static struct probe_request sent[1024];
	static struct probe_result results[1024];
	struct dataplane *d = fake_dataplane_new(&room);
	struct fake_dataplane *fake = fake_dataplane(d);
	const struct publish_hooks hooks = { target_idle, target_reset, NULL, 64 };
	const struct number_plan plan = { .country_code = "44" };
	struct probe_settings otherwise = probe_settings_default();
	struct model *m = many_model();
	char error[ERROR_TEXT_MAX] = "";
	unsigned total = 0, most = 0, slot = 0, fullest = 0;
	struct prober *p;
	struct routing r;
	bool from_state;
	double begun;

	otherwise.interval_ms = 1000;
	fake->probes = sent;
	fake->probe_room = 1024;
	fake->results = results;
	fake_set_now(FAKE_NOW_MS);
	routing_init(&r, publisher_new(fake->tables, &hooks, &plan), NULL, &plenty, error);
	if (routing_begin(&r, m, &from_state, error))
		fail_msg("%s", error);
	p = prober_new(NULL, d, &otherwise);
	prober_follow(p, &r);
	begun = cpu_s();
	for (uint64_t now = FAKE_NOW_MS + 1; now <= FAKE_NOW_MS + 1000 * MANY_SECONDS; now++) {
		fake->probe_count = fake->result_first = fake->result_count = 0;
		fake_set_now(now);
		prober_advance(p, now);
		total += fake->probe_count;
		most = fake->probe_count > most ? fake->probe_count : most;
		slot += fake->probe_count;
		if (now % 10 == 0) {
			fullest = slot > fullest ? slot : fullest;
			slot = 0;
		}
		for (; fake->result_count < fake->probe_count; fake->result_count++)
			results[fake->result_count] = (struct probe_result){ .id = sent[fake->result_count].id, .status = 200, .rtt_us = 500 };
		prober_take(p, now);
	}
	print_message("%u probes of %u endpoints: %.2f us each, at most %u in one ms, %u in ten\n", total, MANY_ENDPOINTS,
		      (cpu_s() - begun) * 1e6 / total, most, fullest);
	assert_in_range(total, MANY_ENDPOINTS * (MANY_SECONDS - 1), MANY_ENDPOINTS * (MANY_SECONDS + 1));
	assert_in_range(most, 10, 60);	    /* 10 on average */
	assert_in_range(fullest, 100, 155); /* 100 on average, as independent ones would fall */
	prober_free(p);
	routing_done(&r);
	fake_dataplane_free(d);
	model_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(ten_thousand) };

	eal_for_test("128");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
