/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mailbox.h"

static void test_bounds(void **state)
{
	static const struct {
		uint32_t asked, room;
	} cases[] = { { 1, 1 }, { 2, 2 }, { 3, 4 }, { 8, 8 }, { 1000, 1024 } };

	for (unsigned k = 0; k < sizeof(cases) / sizeof(cases[0]); k++) {
		struct mailbox *m = mailbox_new(cases[k].asked, sizeof(uint32_t));
		uint32_t out = 0, value = 0, expected = 0;

		for (unsigned round = 0; round < 3; round++) {
			while (mailbox_post(m, &value))
				value++;
			assert_int_equal(value - expected, cases[k].room);
			assert_int_equal(mailbox_pending(m), cases[k].room);
			while (mailbox_take(m, &out))
				assert_int_equal(out, expected++);
			assert_int_equal(value, expected);
			assert_int_equal(mailbox_pending(m), 0);
		}
		mailbox_free(m);
	}
	assert_null(mailbox_new(0, 8));
	assert_null(mailbox_new(8, 0));
	mailbox_free(NULL);
}

/* The front of a message: no byte behind it is touched. */
static void test_part(void **state)
{
	static const uint32_t lengths[] = { 0, 1, 7, 20, 40, 1000 };
	struct mailbox *m = mailbox_new(1, 40);
	uint8_t in[40], out[40];

	for (unsigned k = 0; k < sizeof(lengths) / sizeof(lengths[0]); k++) {
		uint32_t n = lengths[k] < sizeof(in) ? lengths[k] : sizeof(in);

		memset(in, 1, sizeof(in));
		assert_true(mailbox_post(m, in));
		assert_true(mailbox_take(m, out));
		memset(in, 2, sizeof(in));
		assert_true(mailbox_post_part(m, in, lengths[k]));
		assert_false(mailbox_post_part(m, in, lengths[k]));
		assert_true(mailbox_take(m, out));
		for (uint32_t i = 0; i < sizeof(out); i++)
			assert_int_equal(out[i], i < n ? 2 : 1);
	}
	mailbox_free(m);
}

/* Written in its place, a message is nobody's until it is posted. */
static void test_room(void **state)
{
	struct mailbox *m = mailbox_new(2, 40);
	uint8_t out[40], *room;

	for (uint8_t round = 1; round < 20; round++) {
		room = mailbox_room(m);
		assert_non_null(room);
		memset(room, 0xee, 40);
		assert_int_equal(mailbox_pending(m), 0);
		assert_false(mailbox_take(m, out));
		assert_ptr_equal(mailbox_room(m), room);
		memset(room, round, 40);
		mailbox_posted(m);
		memset(out, round + 100, 40);
		assert_true(mailbox_post(m, out));
		assert_null(mailbox_room(m));
		mailbox_prefetch_room(m, 40);
		assert_true(mailbox_take(m, out));
		assert_int_equal(out[0], round);
		assert_int_equal(out[39], round);
		assert_true(mailbox_take(m, out));
		assert_int_equal(out[0], round + 100);
		assert_int_equal(out[39], round + 100);
	}
	mailbox_free(m);
}

/* An odd size, so that neighbours in the ring would show an overrun. */
struct letter {
	uint8_t bytes[37];
};

#define LETTERS 300000u

static void letter_write(struct letter *l, uint32_t n)
{
	for (unsigned i = 0; i < sizeof(l->bytes); i++)
		l->bytes[i] = (uint8_t)(n >> (i % 4 * 8));
}

static void *producer(void *arg)
{
	struct letter l;

	for (uint32_t n = 0; n < LETTERS; n++) {
		letter_write(&l, n);
		while (!mailbox_post(arg, &l))
			sched_yield();
	}
	return NULL;
}

static void test_two_threads(void **state)
{
	struct mailbox *m = mailbox_new(64, sizeof(struct letter));
	struct letter got, want;
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, producer, m), 0);
	for (uint32_t n = 0; n < LETTERS; n++) {
		letter_write(&want, n);
		while (!mailbox_take(m, &got))
			sched_yield();
		assert_memory_equal(&got, &want, sizeof(got));
		assert_true(mailbox_pending(m) <= 64);
	}
	pthread_join(thread, NULL);
	assert_false(mailbox_take(m, &got));
	mailbox_free(m);
}

/* In memory of its own: what was posted and not dropped is there again for whoever maps it next; a peek alone loses nothing. */
static void test_survives(void **state)
{
	size_t bytes = mailbox_bytes(8, sizeof(struct letter));
	void *memory = aligned_alloc(64, bytes);
	struct letter got, want;
	struct mailbox *m;
	uint32_t pending = 99;

	assert_int_equal(mailbox_bytes(0, 8), 0);
	memset(memory, 0xa5, bytes);
	m = mailbox_in(memory, 8, sizeof(struct letter), &pending);
	assert_int_equal(pending, 0);
	assert_null(mailbox_peek(m));
	for (uint32_t n = 0; n < 5; n++) {
		letter_write(&want, n);
		assert_true(mailbox_post(m, &want));
	}
	assert_true(mailbox_take(m, &got));
	letter_write(&want, 1);
	assert_memory_equal(mailbox_peek(m), &want, sizeof(want));

	m = mailbox_in(memory, 8, sizeof(struct letter), &pending); /* as after a SIGKILL between peek and drop */
	assert_int_equal(pending, 4);
	for (uint32_t n = 1; n < 5; n++) {
		letter_write(&want, n);
		assert_memory_equal(mailbox_peek(m), &want, sizeof(want));
		mailbox_drop(m);
	}
	assert_null(mailbox_peek(m));
	for (uint32_t n = 0; n < 8; n++)
		assert_true(mailbox_post(m, &want));
	assert_false(mailbox_post(m, &want));
	mailbox_in(memory, 16 / 2, sizeof(struct letter), &pending);
	assert_int_equal(pending, 8);
	mailbox_in(memory, 4, sizeof(struct letter), &pending); /* other numbers: nothing of it can be trusted */
	assert_int_equal(pending, 0);
	free(memory);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_bounds), cmocka_unit_test(test_part), cmocka_unit_test(test_room),
					    cmocka_unit_test(test_two_threads), cmocka_unit_test(test_survives) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
