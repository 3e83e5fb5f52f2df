/* SPDX-License-Identifier: Apache-2.0 */
/* What a call costs while it is up, with everything that its record will say. */
#include "harness.h"

#include "base/directory.h"
#include "base/slab.h"
#include "proxy/calls.h"

#define CALLS 200
/* With its share of the lines that it is found by. */
#define CALL_BYTES (sizeof(struct live_call) + sizeof(struct directory_line) / DIRECTORY_LOAD)

/* The call with this Call-ID is offered to A and B, which refuse it, and is answered by C. */
static void rescued_call(struct harness *h, const char *call_id, const char *via)
{
	unsigned first = h->sent_count;

	request_send(h, &(struct request){ .call_id = call_id, .via = via });
	answer(h, h->sent[first + 1], 503, "t", NULL);
	answer(h, h->sent[first + 3], 503, "t", NULL);
	answer(h, h->sent[first + 5], 200, "t", "Contact: <sip:t@10.4.0.1>\r\n");
	h->sent_read = h->sent_count;
}

static void test_live_call(void **state)
{
	static const struct {
		const char *call_id; /* %06u */
		uint32_t most;	     /* bytes in all */
	} cases[] = {
		{ "%06u-5f2b-4b8e-9d35-c3a1f0e2b9d7-0123456789@pbx7.example.com", 512 }, /* 60 bytes */
		{ "%06u@10.0.0.1", 448 },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct proxy_gauges g;
		struct harness h;

		harness_start(&h, NULL);
		for (unsigned k = 0; k < CALLS; k++) {
			char call_id[100], via[64];

			snprintf(call_id, sizeof(call_id), cases[i].call_id, k);
			snprintf(via, sizeof(via), VIA "m%u", k);
			rescued_call(&h, call_id, via);
			assert_int_equal(record_at(&h, k)->attempt_count, 3);
			assert_int_equal(record_at(&h, k)->call_id_len, strlen(call_id));
		}
		wait_ms(&h, 40000); /* the transactions are over */
		proxy_gauges(h.proxy, &g);
		assert_int_equal(g.live_calls, CALLS);
		assert_int_equal(g.server_transactions + g.client_transactions, 0);
		assert_true(g.message_bytes / CALLS + CALL_BYTES <= cases[i].most);
		harness_end(&h);
	}
}

/* A record grows as its call is offered to more and more endpoints, and says the same of the first ones. */
static void test_growth(void **state)
{
	static const char *const sources[] = { "10.5.0.0/24", NULL };
	const char *endpoints[ATTEMPTS_MAX + 1] = { 0 };
	char text[ATTEMPTS_MAX][IP_PORT_TEXT_MAX], call_id[200];
	const struct call_record *r;
	struct harness h;

	harness_start(&h, NULL);
	for (unsigned i = 0; i < ATTEMPTS_MAX; i++) {
		snprintf(text[i], sizeof(text[i]), "10.5.0.%u:5060", i + 1);
		endpoints[i] = text[i];
	}
	h.target_trunk[0] = harness_trunk(&h, "many", endpoints, sources);
	h.target_count = 1;
	h.knobs.max_attempts = ATTEMPTS_MAX;
	h.knobs.setup_budget_ms = 0;
	harness_publish(&h);
	memset(call_id, 'c', sizeof(call_id));
	call_id[RECORD_CALL_ID_MAX + 20] = '\0';
	request_send(&h, &(struct request){ .call_id = call_id });
	for (unsigned i = 0; i < ATTEMPTS_MAX; i++) {
		wait_ms(&h, 5);
		answer(&h, h.sent[1 + 2 * i], i + 1 < ATTEMPTS_MAX ? 503 : 486, "t", NULL);
	}
	assert_int_equal(h.record_count, 1);
	r = record_at(&h, 0);
	assert_int_equal(r->attempt_count, ATTEMPTS_MAX);
	assert_int_equal(r->call_id_len, RECORD_CALL_ID_MAX);
	assert_memory_equal(r->call_id, call_id, RECORD_CALL_ID_MAX);
	assert_memory_equal(r->to, "+442035550100", r->to_len);
	assert_string_equal(r->profile, profiles_get(h.tables->profiles, h.profile_slot)->name);
	for (unsigned i = 0; i < ATTEMPTS_MAX; i++) {
		unsigned seen = r->attempts[i].endpoint.ip.bytes[3];

		assert_in_range(seen, 1, ATTEMPTS_MAX);
		for (unsigned k = 0; k < i; k++)
			assert_int_not_equal(r->attempts[k].endpoint.ip.bytes[3], seen);
		assert_int_equal(r->attempts[i].started_ms, 5 * i);
		assert_int_equal(r->attempts[i].duration_ms, 5);
		assert_int_equal(r->attempts[i].code, i + 1 < ATTEMPTS_MAX ? 503 : 486);
	}
	harness_end(&h);
}

HARNESS_MAIN(cmocka_unit_test(test_live_call), cmocka_unit_test(test_growth))
