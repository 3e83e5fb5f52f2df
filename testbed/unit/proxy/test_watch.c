/* SPDX-License-Identifier: Apache-2.0 */
/* Live traffic as a probe: who stays silent is left alone for a while, longer each time; never more than a share of a profile. */
#include "harness.h"

static void start(struct harness *h, uint32_t after, uint32_t share_percent)
{
	harness_start(h, NULL);
	proxy_free(h->proxy);
	h->config.ejection = (struct ejection_config){ after, 10000, 35000, share_percent };
	h->proxy = proxy_new(&h->config, h->now_ms);
	h->knobs.response_timeout_ms = 1000;
	harness_publish(h);
}

/* One call, to whom its first INVITE goes; nobody answers it there, the next one is busy. */
static const char *call(struct harness *h, bool silent)
{
	static const char *const at[] = { A, B, C };
	static unsigned n;
	char via[64], call_id[32];
	const struct sent *s;
	unsigned i;

	snprintf(via, sizeof(via), VIA "w%u", ++n);
	snprintf(call_id, sizeof(call_id), "watch-%u", n);
	h->sent_read = h->sent_count;
	request_send(h, &(struct request){ .via = via, .call_id = call_id });
	s = h->sent[h->sent_count - 1];
	for (i = 0; i < 2; i++) {
		struct ip_port addr = addr_of(at[i]);

		if (ip_port_eq(&addr, &s->to.remote))
			break;
	}
	if (silent) {
		wait_ms(h, 1000);
		s = h->sent[h->sent_count - 1];
	}
	answer(h, s, 486, "busy", NULL);
	return at[i];
}

static void test_ejected_and_back(void **state)
{
	static const uint64_t out_ms[] = { 10000, 20000, 35000, 35000 }; /* doubled, up to the cap */
	struct harness h;

	start(&h, 3, 50);
	for (unsigned i = 0; i < 2; i++)
		assert_string_equal(call(&h, true), A);
	assert_string_equal(call(&h, false), A); /* it answers: what was before is forgotten */
	for (unsigned i = 0; i < 3; i++)
		assert_string_equal(call(&h, true), A);
	for (unsigned round = 0; round < ARRAY_SIZE(out_ms); round++) {
		assert_int_equal(counter_of(&h, COUNTER_ejections), round + 1);
		assert_string_equal(call(&h, false), B);
		wait_ms(&h, out_ms[round] - 1);
		assert_string_equal(call(&h, false), B);
		wait_ms(&h, 1);
		assert_string_equal(call(&h, true), A); /* back, still silent: once is enough now */
	}
	wait_ms(&h, 35000);
	assert_string_equal(call(&h, false), A); /* and forgiven */
	for (unsigned i = 0; i < 3; i++)
		assert_string_equal(call(&h, true), A);
	assert_string_equal(call(&h, false), B);
	wait_ms(&h, 10000);
	assert_string_equal(call(&h, false), A);
	harness_end(&h);
}

/* Three endpoints: a share of 33% lets none go, 34% one, 100% all of them; and where all are out, they are tried all the same. */
static void test_share(void **state)
{
	static const struct {
		uint32_t after, share;
		unsigned ejected;
	} cases[] = { { 1, 33, 0 }, { 1, 34, 1 }, { 1, 67, 2 }, { 1, 100, 3 }, { 0, 100, 0 } };

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct harness h;

		start(&h, cases[i].after, cases[i].share);
		request_send(&h, &(struct request){ 0 });
		wait_ms(&h, 3000); /* A, B and C, each silent */
		h.sent_read = h.sent_count;
		assert_int_equal(counter_of(&h, COUNTER_ejections), cases[i].ejected);
		assert_int_equal(counter_of(&h, COUNTER_ejections_refused), cases[i].after ? 3 - cases[i].ejected : 0);
		if (cases[i].ejected == 3)
			assert_string_equal(call(&h, false), A);
		harness_end(&h);
	}
}

HARNESS_MAIN(cmocka_unit_test(test_ejected_and_back), cmocka_unit_test(test_share))
