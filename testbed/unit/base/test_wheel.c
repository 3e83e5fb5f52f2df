/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/siphash.h"
#include "base/wheel.h"

static uint64_t random_state;

static uint64_t random_next(void)
{
	return mix64(random_state += 0x9e3779b97f4a7c15ULL);
}

/* What fired, in order. */
struct log {
	struct wheel *wheel;
	uint64_t due[4096];
	uint32_t kind[4096];
	unsigned n;
	struct wheel_timer *rearm, *cancel;
	uint64_t rearm_due;
};

static void note(void *ctx, struct wheel_timer *t)
{
	struct log *l = ctx;

	assert_false(wheel_timer_armed(t));
	assert_true(l->n < 4096);
	l->due[l->n] = t->due_ms;
	l->kind[l->n++] = t->kind;
	if (l->cancel)
		wheel_cancel(l->cancel);
	if (l->rearm == t)
		wheel_arm(l->wheel, t, l->rearm_due);
}

/* One timer, one start time, one due time: it fires at its millisecond and no sooner, whatever levels lie between. */
static void test_single(void **state)
{
	static const struct {
		const char *what;
		uint64_t start, ahead;
	} cases[] = {
		{ "the next tick", 0, 1 },
		{ "last of the near block", 0, 255 },
		{ "first of the next block", 0, 256 },
		{ "last that the near ring holds", 0, 511 },
		{ "first of a far ring", 0, 512 },
		{ "odd start, far ring", 777, 65535 },
		{ "across the second ring's edge", 65535, 2 },
		{ "second ring, from its last slot", (1 << 16) - 1, 1 << 16 },
		{ "second ring, wrapped", (255ULL << 8) + 17, 70000 },
		{ "third ring", 123456789, 1ULL << 24 },
		{ "third ring's edge", (1ULL << 24) - 257, 600 },
		{ "fourth ring", 1, (1ULL << 32) + 12345 },
		{ "beyond the last ring", 99, (1ULL << 41) + 3 },
		{ "a clock that started long ago", 1ULL << 50, 1ULL << 33 },
	};

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t due = cases[i].start + cases[i].ahead;
		struct wheel *w = wheel_new(cases[i].start);
		struct wheel_timer t = { .kind = 7 };
		struct log l = { .wheel = w };

		wheel_arm(w, &t, due);
		assert_true(wheel_timer_armed(&t));
		assert_true(wheel_next_due(w) <= due && wheel_next_due(w) > cases[i].start);
		if (wheel_advance(w, due - 1, note, &l))
			fail_msg("%s: too soon", cases[i].what);
		assert_int_equal(wheel_next_due(w), due);
		if (wheel_advance(w, due, note, &l) != 1 || l.n != 1 || l.due[0] != due || l.kind[0] != 7)
			fail_msg("%s: not at its time", cases[i].what);
		assert_int_equal(wheel_next_due(w), UINT64_MAX);

		/* The same in one leap. */
		wheel_free(w);
		w = wheel_new(cases[i].start);
		wheel_arm(w, &t, due);
		if (wheel_advance(w, due + 100000, note, &l) != 1)
			fail_msg("%s: lost in a leap", cases[i].what);
		wheel_free(w);
	}
}

static void test_past(void **state)
{
	struct wheel *w = wheel_new(1000);
	struct wheel_timer a = { .kind = 1 }, b = { .kind = 2 };
	struct log l = { .wheel = w, .rearm = &a, .rearm_due = 5 };

	wheel_arm(w, &a, 1000);
	wheel_arm(w, &b, 0);
	assert_int_equal(wheel_next_due(w), 1000);
	/* a rearms itself for the past each time: once per advance, not for ever. */
	assert_int_equal(wheel_advance(w, 1000, note, &l), 2);
	assert_true(wheel_timer_armed(&a));
	assert_int_equal(wheel_advance(w, 1000, note, &l), 1);
	l.rearm = NULL;
	assert_int_equal(wheel_advance(w, 1001, note, &l), 1);
	assert_int_equal(wheel_advance(w, 5000, note, &l), 0);
	wheel_free(w);
}

static void test_inside_fire(void **state)
{
	struct wheel *w = wheel_new(0);
	struct wheel_timer t[3] = { { .kind = 0 }, { .kind = 1 }, { .kind = 2 } };
	struct log l = { .wheel = w };

	/* Two of one tick: whichever goes first cancels a third that is later. */
	wheel_arm(w, &t[0], 300);
	wheel_arm(w, &t[1], 300);
	wheel_arm(w, &t[2], 301);
	l.cancel = &t[2];
	assert_int_equal(wheel_advance(w, 10000, note, &l), 2);
	assert_false(wheel_timer_armed(&t[2]));

	/* Of the same tick: the first to fire cancels the other. */
	wheel_arm(w, &t[0], 20000);
	wheel_arm(w, &t[1], 20000);
	l.n = 0;
	l.cancel = &t[0];
	assert_in_range(wheel_advance(w, 20000, note, &l), 1, 2);
	assert_false(wheel_timer_armed(&t[0]) || wheel_timer_armed(&t[1]));
	l.n = 0;
	wheel_arm(w, &t[1], 21000);
	wheel_arm(w, &t[0], 21000);
	l.cancel = &t[1];
	assert_in_range(wheel_advance(w, 21000, note, &l), 1, 2);

	/* Armed within fire for a time that this same advance reaches. */
	l = (struct log){ .wheel = w, .rearm = &t[0], .rearm_due = 22000 };
	wheel_arm(w, &t[0], 21500);
	assert_int_equal(wheel_advance(w, 21999, note, &l), 1);
	l.rearm = NULL;
	assert_int_equal(wheel_advance(w, 22000, note, &l), 1);
	l = (struct log){ .wheel = w, .rearm = &t[0], .rearm_due = 22600 };
	wheel_arm(w, &t[0], 22500);
	wheel_arm(w, &t[1], 22550);
	l.rearm_due = 22540;
	/* 22500 -> 22540 -> (overdue, next time); 22550 in between stays in order */
	assert_int_equal(wheel_advance(w, 23000, note, &l), 3);
	assert_int_equal(l.due[0], 22500);
	assert_int_equal(l.due[1], 22540);
	assert_int_equal(l.due[2], 22550);
	wheel_free(w);
}

/* Random arming, cancelling and steps of time of every size, against a plain array. */
#define MODEL 300

struct model {
	struct wheel *wheel;
	struct wheel_timer timer[MODEL];
	uint64_t due[MODEL]; /* 0: idle */
	uint64_t last;
	uint64_t now, target;
};

static uint64_t random_ahead(void)
{
	return random_next() % (1ULL << (random_next() % 34));
}

static void model_arm(struct model *m, unsigned i, uint64_t due)
{
	wheel_arm(m->wheel, &m->timer[i], due);
	m->due[i] = due;
}

static void model_fire(void *ctx, struct wheel_timer *t)
{
	struct model *m = ctx;
	unsigned i = t->kind, other = random_next() % MODEL;

	if (&m->timer[i] != t || m->due[i] != t->due_ms)
		fail_msg("timer %u fired for %lu, expected %lu", i, t->due_ms, m->due[i]);
	if (t->due_ms > m->target || (t->due_ms > m->now && t->due_ms < m->last))
		fail_msg("out of order: %lu after %lu (target %lu)", t->due_ms, m->last, m->target);
	if (t->due_ms > m->last)
		m->last = t->due_ms;
	m->due[i] = 0;
	switch (random_next() % 8) {
	case 0:
		model_arm(m, i, m->target + 1 + random_ahead());
		break;
	case 1:
		wheel_cancel(&m->timer[other]);
		m->due[other] = 0;
		break;
	case 2:
		if (other != i && m->due[other] > m->last)
			model_arm(m, other, m->last + 1 + random_ahead());
		break;
	}
}

static void test_model(void **state)
{
	for (unsigned round = 0; round < 40; round++) {
		struct model *m = calloc(1, sizeof(*m));

		random_state = round;
		m->now = random_next() >> (random_next() % 60 + 2);
		m->wheel = wheel_new(m->now);
		for (unsigned i = 0; i < MODEL; i++)
			m->timer[i].kind = i;
		for (unsigned step = 0; step < 3000; step++) {
			unsigned i = random_next() % MODEL;
			uint64_t first = UINT64_MAX, told;

			if (random_next() % 4) {
				uint64_t due = m->now + random_ahead();

				model_arm(m, i, due ? due : 1);
			} else {
				wheel_cancel(&m->timer[i]);
				m->due[i] = 0;
			}
			for (i = 0; i < MODEL; i++) {
				assert_int_equal(wheel_timer_armed(&m->timer[i]), m->due[i] != 0);
				if (m->due[i] && m->due[i] < first)
					first = m->due[i];
			}
			told = wheel_next_due(m->wheel);
			if (first == UINT64_MAX ? told != UINT64_MAX : told > (first > m->now ? first : m->now))
				fail_msg("next due: told %lu, first %lu, now %lu", told, first, m->now);
			if (first > m->now && first >> 8 == m->now >> 8)
				assert_int_equal(told, first);
			if (random_next() % 3)
				continue;
			m->target = m->now + random_ahead();
			m->last = 0;
			wheel_advance(m->wheel, m->target, model_fire, m);
			m->now = m->target;
			for (i = 0; i < MODEL; i++)
				if (m->due[i] && m->due[i] < m->now)
					fail_msg("timer %u was due at %lu, now is %lu", i, m->due[i], m->now);
		}
		wheel_free(m->wheel);
		free(m);
	}
}

/* Thousands of one ms, and more of the next: a few in each advance while they are on time, ever more of them the later it is; in order. */
static void test_many(void **state)
{
	enum { MANY = 4000 };
	struct wheel_timer *t = calloc(MANY, sizeof(*t)), extra = { .kind = 1 }, past = { .kind = 2 };
	struct wheel *w = wheel_new(1000);
	struct log l = { .wheel = w };
	unsigned ms = 0, before = 0;

	for (unsigned i = 0; i < MANY; i++)
		wheel_arm(w, &t[i], i % 4 ? 1100 : 1101);
	assert_in_range(wheel_advance(w, 1100, note, &l), 1, 64);
	assert_in_range(wheel_advance(w, 1100, note, &l), 1, 64);
	assert_true(wheel_next_due(w) <= 1100);
	/* Cancelled while it waits to be fired; armed for the same ms, for one that has begun, and for the past. */
	for (unsigned i = 0; i < MANY; i += 2)
		wheel_cancel(&t[i]);
	wheel_arm(w, &extra, 1102);
	wheel_arm(w, &past, 1099);
	for (unsigned fired = 1; fired; ms++) {
		fired = wheel_advance(w, 1101 + ms, note, &l);
		assert_true(fired >= before || wheel_next_due(w) > 1101 + ms);
		before = fired;
	}
	assert_in_range(ms, 4, 14);
	assert_true(l.n > MANY / 2 && l.n < MANY / 2 + 200);
	for (unsigned i = 0; i < MANY; i++)
		assert_false(wheel_timer_armed(&t[i]));
	for (unsigned i = 1; i < l.n; i++)
		assert_true(l.due[i] >= l.due[i - 1] || l.due[i] == 1099);
	assert_int_equal(l.due[l.n - 1], 1102);
	assert_int_equal(wheel_next_due(w), UINT64_MAX);
	wheel_free(w);
	free(t);
}

/* One advance is one portion, however many ms it goes through; those armed for the past come in portions too, which grow like the others'. Those
 * of a far slot have their places long before its time. */
static void test_portions(void **state)
{
	enum { MANY = 4000 };
	struct wheel_timer *t = calloc(MANY, sizeof(*t));
	struct wheel *w = wheel_new(1000);
	const uint64_t block = 100 * 256;
	struct log l = { .wheel = w };

	for (unsigned i = 0; i < 1000; i++)
		wheel_arm(w, &t[i], 1100 + i % 5);
	assert_in_range(wheel_advance(w, 1104, note, &l), 200, 300);
	while (wheel_next_due(w) <= 1104)
		wheel_advance(w, 1104, note, &l);
	assert_int_equal(l.n, 1000);
	for (unsigned i = 0; i < 1000; i++)
		wheel_arm(w, &t[i], 900);
	l.n = 0;
	assert_in_range(wheel_advance(w, 1104, note, &l), 1, 64);
	assert_in_range(wheel_advance(w, 1110, note, &l), 500, 1000);

	for (unsigned i = 0; i < MANY; i++)
		wheel_arm(w, &t[i], block + 5 + i % 250);
	wheel_advance(w, block - 257, note, &l);
	for (uint64_t at = block - 256; at < block - 128; at++)
		wheel_advance(w, at, note, &l);
	assert_int_equal(wheel_next_due(w), block + 5); /* the block's beginning while some wait for their place */
	wheel_free(w);
	free(t);
}

/* A far slot with more in it than one advance spreads: until they have their places next_due is the block's beginning, and all fire at their
 * time, whether the block's time is gone through by the ms, in two leaps, or in one. */
static void test_spread(void **state)
{
	enum { MANY = 4000 };
	static const struct {
		const char *what;
		unsigned count;
		uint64_t steps[5]; /* ms within the block before, and after */
	} cases[] = {
		{ "one advance, then a leap to the end", 2, { 0, 511 } },
		{ "several in one ms", 5, { 0, 0, 0, 0, 511 } },
		{ "to the block's last ms and the next one's first", 4, { 0, 255, 256, 511 } },
		{ "some, and into the middle of the block", 4, { 0, 1, 300, 511 } },
		{ "begun late", 4, { 100, 101, 300, 511 } },
	};

	for (unsigned c = 0; c < sizeof(cases) / sizeof(cases[0]); c++) {
		struct wheel_timer *t = calloc(MANY, sizeof(*t)), other = { .kind = 1 };
		struct wheel *w = wheel_new(0);
		const uint64_t block = 100 * 256;
		struct log l = { .wheel = w };
		uint64_t at = 0;

		for (unsigned i = 0; i < MANY; i++)
			wheel_arm(w, &t[i], block + 5 + i % 250);
		wheel_advance(w, block - 257, note, &l);
		for (unsigned k = 0; k < cases[c].count; k++) {
			uint64_t last = 0;

			at = block - 256 + cases[c].steps[k];
			l.n = 0;
			do
				wheel_advance(w, at, note, &l);
			while (wheel_next_due(w) <= at);
			for (unsigned i = 0; i < l.n; last = l.due[i++])
				if (l.due[i] > at || l.due[i] < last)
					fail_msg("%s: due at %lu, fired at %lu after %lu", cases[c].what, l.due[i], at, last);
			for (unsigned i = 0; i < MANY; i++)
				if (t[i].due_ms <= at && wheel_timer_armed(&t[i]))
					fail_msg("%s: due at %lu, not fired at %lu", cases[c].what, t[i].due_ms, at);
			if (k)
				continue;
			if (!cases[c].steps[0])
				assert_int_equal(wheel_next_due(w), block);
			wheel_cancel(&t[MANY - 1]); /* and some that wait for their place */
			wheel_cancel(&t[0]);
			wheel_arm(w, &t[1], block + 270);
			wheel_arm(w, &other, block + 1);
			assert_true(wheel_next_due(w) <= block + 1);
		}
		assert_false(wheel_timer_armed(&other));
		assert_true(wheel_timer_armed(&t[1]));
		wheel_cancel(&t[1]);
		assert_int_equal(wheel_next_due(w), UINT64_MAX);
		wheel_free(w);
		free(t);
	}
}

/* Many at once, small and large steps, what is armed and cancelled while others wait: each fires once, at its ms where time goes by the ms. */
#define CROWD 3000

struct crowd {
	struct wheel *wheel;
	struct wheel_timer timer[CROWD];
	bool armed[CROWD];
	uint64_t from, now; /* of this step */
};

static void crowd_fire(void *ctx, struct wheel_timer *t)
{
	struct crowd *c = ctx;
	unsigned i = t->kind, other = random_next() % CROWD;

	if (!c->armed[i] || t->due_ms > c->now || t->due_ms < c->from)
		fail_msg("timer %u, due at %lu, fired from %lu to %lu", i, t->due_ms, c->from, c->now);
	c->armed[i] = random_next() % 4;
	if (c->armed[i])
		wheel_arm(c->wheel, t, c->now + 1 + random_next() % 1500);
	if (random_next() % 8 == 0) {
		wheel_cancel(&c->timer[other]);
		c->armed[other] = false;
	}
}

static void test_crowd(void **state)
{
	struct crowd *c = calloc(1, sizeof(*c));

	random_state = 77;
	c->now = 1ULL << 33;
	c->wheel = wheel_new(c->now);
	for (unsigned step = 0; step < 6000; step++) {
		c->from = c->now + 1;
		c->now += random_next() % 64 ? 1 : random_next() % 700;
		for (unsigned k = 0; k < 8; k++) { /* all of them to a few ms */
			unsigned i = random_next() % CROWD;

			c->timer[i].kind = i;
			c->armed[i] = true;
			wheel_arm(c->wheel, &c->timer[i], c->now + 300 + random_next() % 600 / 200 * 100);
		}
		if (c->from > c->now)
			c->from = c->now;
		do
			wheel_advance(c->wheel, c->now, crowd_fire, c);
		while (wheel_next_due(c->wheel) <= c->now);
		for (unsigned i = 0; i < CROWD; i++)
			if (wheel_timer_armed(&c->timer[i]) != c->armed[i] || (c->armed[i] && c->timer[i].due_ms <= c->now))
				fail_msg("timer %u, due at %lu, at %lu", i, c->timer[i].due_ms, c->now);
	}
	wheel_free(c->wheel);
	free(c);
}

static void count(void *ctx, struct wheel_timer *t)
{
	++*(unsigned *)ctx;
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* A million timers over half a minute, each rearmed once, half of them cancelled: nothing is lost, and the time is printed. */
static void test_million(void **state)
{
	enum { N = 1000000 };
	struct wheel_timer *t = calloc(N, sizeof(*t));
	struct wheel *w = wheel_new(5);
	unsigned fired = 0;
	uint64_t a, b, c, d;

	random_state = 1;
	a = now_ns();
	for (unsigned i = 0; i < N; i++)
		wheel_arm(w, &t[i], 6 + random_next() % 32000);
	for (unsigned i = 0; i < N; i++)
		wheel_arm(w, &t[i], 6 + random_next() % 32000);
	b = now_ns();
	for (unsigned i = 0; i < N; i += 2)
		wheel_cancel(&t[i]);
	c = now_ns();
	for (uint64_t now = 5; now <= 32010; now += 3)
		wheel_advance(w, now, count, &fired);
	d = now_ns();
	assert_int_equal(fired, N / 2);
	print_message("wheel, 1 M timers: arm %.1f ns, cancel %.1f ns, expire %.1f ns\n", (double)(b - a) / (2.0 * N),
		      (double)(c - b) / (N / 2), (double)(d - c) / (N / 2));
	wheel_free(w);
	free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_single),	cmocka_unit_test(test_past),	cmocka_unit_test(test_inside_fire),
		cmocka_unit_test(test_model),	cmocka_unit_test(test_many),
		cmocka_unit_test(test_portions), cmocka_unit_test(test_spread),	cmocka_unit_test(test_crowd),	cmocka_unit_test(test_million),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
