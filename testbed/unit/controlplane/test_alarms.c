/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include "alarms/alarms.h"
#include "base/err.h"

/* What a listener saw: "+kind subject text" or "-..." a line. */
struct heard {
	char text[4096];
};

static void hear(void *ctx, const struct alarm_event *e)
{
	struct heard *h = ctx;
	size_t n = strlen(h->text);

	snprintf(h->text + n, sizeof(h->text) - n, "%llu%c%s %s %s\n", (unsigned long long)e->sequence, e->raised ? '+' : '-',
		 alarm_doc(e->alarm.kind)->word, e->alarm.subject, e->alarm.text);
}

static const struct {
	const char *what;
	const char *steps; /* a letter each: A/B raise target-down a/b, D raise all-down a; lower case clears */
	const char *heard;
	unsigned raised;
} cases[] = {
	{ "raised", "A", "1+target-down a t0\n", 1 },
	{ "raised twice is one event", "AA", "1+target-down a t0\n", 1 },
	{ "cleared", "Aa", "1+target-down a t0\n2-target-down a t1\n", 0 },
	{ "cleared twice is one event", "Aaa", "1+target-down a t0\n2-target-down a t1\n", 0 },
	{ "nothing to clear", "ab", "", 0 },
	{ "raised anew", "AaA", "1+target-down a t0\n2-target-down a t1\n3+target-down a t2\n", 1 },
	{ "subjects are apart", "ABa", "1+target-down a t0\n2+target-down b t1\n3-target-down a t2\n", 1 },
	{ "kinds are apart", "ADa", "1+target-down a t0\n2+all-down a t1\n3-target-down a t2\n", 1 },
	{ "a gap is filled", "ABDabA", "1+target-down a t0\n2+target-down b t1\n3+all-down a t2\n4-target-down a t3\n5-target-down b t4\n"
				       "6+target-down a t5\n", 2 },
	{ "who filled a gap is found there", "ABaDbd", "1+target-down a t0\n2+target-down b t1\n3-target-down a t2\n4+all-down a t3\n"
						       "5-target-down b t4\n6-all-down a t5\n", 0 },
};

static void take(struct alarms *a, char step, unsigned at)
{
	enum alarm_kind kind = step == 'D' || step == 'd' ? ALARM_ALL_DOWN : ALARM_TARGET_DOWN;
	const char *subject = step == 'B' || step == 'b' ? "b" : "a";

	if (step < 'a')
		alarm_raise(a, kind, subject, "t%u", at);
	else
		alarm_clear(a, kind, subject, "t%u", at);
}

static void events(void **state)
{
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct alarms *a = alarms_new(8, 8);
		struct heard heard = { "" };
		struct alarms_stats s;

		assert_int_equal(alarms_listen(a, hear, &heard), 0);
		for (unsigned k = 0; cases[i].steps[k]; k++)
			take(a, cases[i].steps[k], k);
		alarms_stats(a, &s);
		if (strcmp(heard.text, cases[i].heard) || s.raised != cases[i].raised)
			fail_msg("%s: %u raised, heard\n%s", cases[i].what, s.raised, heard.text);
		alarms_free(a);
	}
}

static void texts_and_times(void **state)
{
	struct alarms *a = alarms_new(8, 8);
	const struct alarm *found;
	char long_subject[400];

	alarm_raise(a, ALARM_LIMIT, "in/a", "10 of 10");
	alarm_raise(a, ALARM_LIMIT, "in/a", "10 of %d", 11);
	found = alarm_find(a, ALARM_LIMIT, "in/a");
	assert_string_equal(found->text, "10 of 11");
	assert_int_equal(found->count, 2);
	assert_true(found->raised_unix_ms > 1000000000000 && found->updated_unix_ms >= found->raised_unix_ms);
	assert_null(alarm_find(a, ALARM_LIMIT, "in/b"));
	assert_null(alarm_find(a, ALARM_OVERLOAD, "in/a"));
	/* a subject that does not fit is cut, and found again */
	memset(long_subject, 'x', sizeof(long_subject));
	long_subject[sizeof(long_subject) - 1] = 0;
	alarm_raise(a, ALARM_DNS_STALE, long_subject, "old");
	assert_int_equal(strlen(alarm_find(a, ALARM_DNS_STALE, long_subject)->subject), ALARM_SUBJECT_MAX - 1);
	alarm_clear(a, ALARM_DNS_STALE, long_subject, "new");
	assert_null(alarm_find(a, ALARM_DNS_STALE, long_subject));
	alarms_free(a);
}

static void bounds(void **state)
{
	struct alarms *a = alarms_new(4, 4);
	struct alarms_stats s;
	uint64_t after = 0;
	char subject[16];

	for (unsigned i = 0; i < 7; i++) {
		snprintf(subject, sizeof(subject), "s%u", i);
		alarm_raise(a, ALARM_EJECTED, subject, "x");
	}
	alarms_stats(a, &s);
	assert_int_equal(s.raised, 4);
	assert_int_equal(s.forgotten, 3);
	assert_int_equal(s.events, 4);
	assert_null(alarm_find(a, ALARM_EJECTED, "s4"));
	for (unsigned i = 0; i < 3; i++) { /* events 5 ... 10 */
		alarm_clear(a, ALARM_EJECTED, "s0", "x");
		alarm_raise(a, ALARM_EJECTED, "s0", "x");
	}
	/* the ring holds the last four: a reader who fell behind goes on with the oldest of them */
	for (uint64_t expected = 7; expected <= 10; expected++) {
		const struct alarm_event *e = alarms_event(a, after);

		assert_non_null(e);
		assert_int_equal(e->sequence, expected);
		after = e->sequence;
	}
	assert_null(alarms_event(a, after));
	assert_null(alarms_event(a, 99));
	for (unsigned i = 0; i < ALARM_LISTENERS_MAX; i++)
		assert_int_equal(alarms_listen(a, hear, NULL), 0);
	assert_int_equal(alarms_listen(a, hear, NULL), -ERR_FULL);
	alarms_free(a);
}

/* One alarm whose severity follows: a change of it is an event, the same once more is none. */
static void severities(void **state)
{
	static const struct {
		enum alarm_severity severity;
		unsigned events;
	} steps[] = { { ALARM_WARNING, 1 }, { ALARM_WARNING, 1 }, { ALARM_MAJOR, 2 }, { ALARM_CRITICAL, 3 }, { ALARM_CRITICAL, 3 }, { ALARM_WARNING, 4 } };
	struct alarms *a = alarms_new(8, 8);
	struct alarms_stats s;

	for (unsigned i = 0; i < ARRAY_SIZE(steps); i++) {
		alarm_raise_as(a, ALARM_CERTIFICATE, steps[i].severity, "x", "%u", i);
		alarms_stats(a, &s);
		assert_int_equal(s.raised, 1);
		assert_int_equal(s.events, steps[i].events);
		assert_int_equal(alarm_find(a, ALARM_CERTIFICATE, "x")->severity, steps[i].severity);
		assert_int_equal(alarms_event(a, s.events - 1)->alarm.severity, steps[i].severity);
	}
	alarm_raise(a, ALARM_ALL_DOWN, "x", "kind's own");
	assert_int_equal(alarm_find(a, ALARM_ALL_DOWN, "x")->severity, ALARM_CRITICAL);
	alarms_free(a);
}

static void nobody(void **state)
{
	struct alarms_stats s;

	alarm_raise(NULL, ALARM_LIMIT, "x", "y");
	alarm_clear(NULL, ALARM_LIMIT, "x", "y");
	alarms_stats(NULL, &s);
	assert_int_equal(s.raised, 0);
	assert_null(alarm_find(NULL, ALARM_LIMIT, "x"));
	assert_null(alarms_raised(NULL, 0));
	assert_null(alarms_event(NULL, 0));
}

/* A row that was forgotten would crash whoever prints it. */
static void every_kind_is_described(void **state)
{
	for (int kind = 0; kind < ALARM_KINDS; kind++) {
		const struct alarm_doc *doc = alarm_doc((enum alarm_kind)kind);

		assert_non_null(doc->word);
		assert_true(strlen(doc->what_to_do) > 20);
		assert_non_null(alarm_severity_name(doc->severity));
		for (int other = 0; other < kind; other++)
			assert_string_not_equal(doc->word, alarm_doc((enum alarm_kind)other)->word);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(events), cmocka_unit_test(texts_and_times),	     cmocka_unit_test(bounds),
		cmocka_unit_test(nobody), cmocka_unit_test(severities), cmocka_unit_test(every_kind_is_described),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
