/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include "dataplane.h"
#include "health/health.h"
#include "model/probe.h"

/* What comes back, a letter each. */
static struct probe_result result_of(char letter)
{
	switch (letter) {
	case 't': return (struct probe_result){ .timeout = true };
	case 'r': return (struct probe_result){ .refused = true };
	case 'c': return (struct probe_result){ .refused = true, .answer_len = 19, .answer = "certificate expired" };
	case '5': return (struct probe_result){ .status = 500 };
	case 'p': return (struct probe_result){ .status = 503, .retry_after = true, .retry_after_s = 5 };
	case '4': return (struct probe_result){ .status = 404 };
	default: return (struct probe_result){ .status = 200 };
	}
}

static const struct {
	uint16_t down_after, up_after;
	const char *results; /* one a second, from second 1 */
	const char *states;  /* after each: unknown, up, suspect, down */
	unsigned since_s;
	const char *reason;
} cases[] = {
	{ 2, 1, "", "", 0, "not probed yet" },
	{ 2, 1, "2", "u", 1, "OPTIONS got 200" },
	{ 2, 1, "22", "uu", 1, "OPTIONS got 200" },
	{ 2, 1, "24", "uu", 1, "OPTIONS got 200" }, /* only a change has a reason */
	{ 2, 1, "4", "u", 1, "OPTIONS got 404" },
	{ 2, 1, "t", "s", 1, "OPTIONS got no answer" },
	{ 2, 1, "tt", "sd", 2, "OPTIONS got no answer" },
	{ 2, 1, "2r5", "usd", 3, "OPTIONS got 500" },
	{ 2, 1, "2tpt", "usdd", 3, "OPTIONS got 503" }, /* it went down once */
	{ 2, 1, "2t2t2t", "ususus", 6, "OPTIONS got no answer" }, /* never two in a row */
	{ 2, 1, "ttt2", "sddu", 4, "OPTIONS got 200" },
	{ 1, 1, "2r", "ud", 2, "OPTIONS could not be delivered" },
	{ 1, 1, "r", "d", 1, "OPTIONS could not be delivered" },
	{ 2, 1, "cc", "sd", 2, "OPTIONS could not be delivered: certificate expired" },
	{ 2, 1, "ttc", "sdd", 2, "OPTIONS could not be delivered: certificate expired" },
	{ 2, 1, "tc2", "sdu", 3, "OPTIONS got 200" },
	{ 3, 2, "2", "?", 0, "not probed yet" },
	{ 3, 2, "22", "?u", 2, "OPTIONS got 200" },
	{ 3, 2, "2t22", "?ssu", 4, "OPTIONS got 200" },
	{ 3, 2, "22ttt2t22", "?ussdddd" "u", 9, "OPTIONS got 200" },
	{ 3, 2, "2222t2", "?uuuss", 5, "OPTIONS got no answer" },
};

static char letter_of(uint8_t state)
{
	return "?usd"[state];
}

static void histories(void **state)
{
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct probe_settings s = { .enabled = true, .down_after = cases[i].down_after, .up_after = cases[i].up_after };
		char got[16] = "", text[HEALTH_TEXT_MAX], was = '?';
		struct health h;

		health_start(&h, 0);
		for (unsigned k = 0; cases[i].results[k]; k++) {
			const struct probe_result r = result_of(cases[i].results[k]);
			bool changed = health_take(&h, &s, &r, 1000 * (k + 1));

			got[k] = letter_of(h.state);
			assert_int_equal(changed, got[k] != was);
			was = got[k];
		}
		health_text(&h, text);
		if (strcmp(got, cases[i].states) || strcmp(text, cases[i].reason) || h.since_ms != 1000 * cases[i].since_s)
			fail_msg("case %u, %s: %s, \"%s\" since %llu", i, cases[i].results, got, text, (unsigned long long)h.since_ms);
	}
}

static const struct {
	const char *what;
	struct probe_result result;
	uint16_t accept[2];
	bool alive;
} verdicts[] = {
	{ "nothing", { 0 }, { 0 }, false },
	{ "a provisional answer is none", { .status = 183 }, { 0 }, false },
	{ "timeout", { .timeout = true }, { 0 }, false },
	{ "refused", { .refused = true }, { 0 }, false },
	{ "200", { .status = 200 }, { 0 }, true },
	{ "302", { .status = 302 }, { 0 }, true },
	{ "401", { .status = 401 }, { 0 }, true },
	{ "405", { .status = 405 }, { 0 }, true },
	{ "407", { .status = 407 }, { 0 }, true },
	{ "408", { .status = 408 }, { 0 }, false },
	{ "483", { .status = 483 }, { 0 }, true },
	{ "499", { .status = 499 }, { 0 }, true },
	{ "500", { .status = 500 }, { 0 }, false },
	{ "503", { .status = 503 }, { 0 }, false },
	{ "503 with a pause", { .status = 503, .retry_after = true }, { 0 }, false },
	{ "599", { .status = 599 }, { 0 }, false },
	{ "603", { .status = 603 }, { 0 }, true },
	{ "listed", { .status = 404 }, { 200, 404 }, true },
	{ "not listed", { .status = 405 }, { 200, 404 }, false },
	{ "a listed 5xx", { .status = 501 }, { 200, 501 }, true },
	{ "a listed 408", { .status = 408 }, { 408 }, true },
	{ "a listed 503", { .status = 503 }, { 200, 503 }, true },
	{ "a listed 503 with a pause", { .status = 503, .retry_after = true }, { 200, 503 }, false },
	{ "timeout with a list", { .timeout = true }, { 200 }, false },
};

static void who_is_alive(void **state)
{
	for (unsigned i = 0; i < ARRAY_SIZE(verdicts); i++) {
		struct probe_settings s = probe_settings_default();

		memcpy(s.accept, verdicts[i].accept, sizeof(verdicts[i].accept));
		s.accept_count = (uint8_t)(!!verdicts[i].accept[0] + !!verdicts[i].accept[1]);
		if (health_alive(&s, &verdicts[i].result) != verdicts[i].alive)
			fail_msg("%s: should %sbe alive", verdicts[i].what, verdicts[i].alive ? "" : "not ");
	}
}

/* Counters stay where they are at their end. */
static void long_outages(void **state)
{
	const struct probe_settings s = { .down_after = 100, .up_after = 1 };
	const struct probe_result timeout = { .timeout = true }, ok = { .status = 200 };
	struct health h;

	health_start(&h, 0);
	for (unsigned i = 0; i < 200000; i++)
		health_take(&h, &s, &timeout, i);
	assert_int_equal(h.state, ENDPOINT_DOWN);
	assert_int_equal(h.since_ms, 99);
	assert_true(health_take(&h, &s, &ok, 300000));
	assert_int_equal(h.state, ENDPOINT_UP);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(histories), cmocka_unit_test(who_is_alive), cmocka_unit_test(long_outages) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
