/* SPDX-License-Identifier: Apache-2.0 */
/* The mapped file of call records: what was posted and not dropped is there for the next process; a foreign file is moved aside; two
 * processes never share one. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mailbox.h"
#include "base/poison.h"
#include "records.h"
#include "tables/call_record.h"

static char folder[] = "/tmp/strowger-records-XXXXXX", path[64], old[80];
static char error[256];

static void post(struct records *r, unsigned worker, uint64_t id)
{
	struct call_record record = { .id = id };

	assert_true(mailbox_post(records_mailbox(r, worker), &record));
}

static unsigned take_all(struct records *r, uint64_t *ret_sum)
{
	const struct call_record *record;
	unsigned n = 0;

	*ret_sum = 0;
	while ((record = records_peek(r))) {
		*ret_sum += record->id;
		records_drop(r);
		n++;
	}
	return n;
}

static void test_memory(void **state)
{
	struct records *r = records_open("", 2, error);
	uint64_t sum;

	assert_non_null(r);
	assert_null(records_peek(r));
	post(r, 1, 5);
	post(r, 0, 6);
	assert_int_equal(take_all(r, &sum), 2);
	assert_int_equal(sum, 11);
	records_close(r);
}

#if defined(MADV_POPULATE_WRITE) && !defined(POISON_ACTIVE)
#define PAGES_COUNT 1
#else
#define PAGES_COUNT 0
#endif

static long faults(void)
{
	struct rusage usage;

	assert_int_equal(getrusage(RUSAGE_SELF, &usage), 0);
	return usage.ru_minflt + usage.ru_majflt;
}

/* A worker that posts finds its pages there, in plain memory and in a file: one fault for each would be hundreds. (ASan's own notes of what is posted
 * lie in pages that nobody has touched.) */
static void test_touched(void **state)
{
	const char *const places[] = { "", path };

	for (unsigned i = 0; i < 2; i++) {
		struct records *r = records_open(places[i], 2, error);
		struct call_record record = { .id = 1 };
		uint64_t sum;
		long before, met;

		assert_non_null(r);
		assert_true(mailbox_post(records_mailbox(r, 1), &record));
		before = faults();
		while (mailbox_post(records_mailbox(r, 1), &record))
			;
		met = faults() - before;
		assert_true(met < 50 || !PAGES_COUNT);
		assert_true(take_all(r, &sum) > 1000);
		records_close(r);
	}
	unlink(path);
}

/* A process that is killed after it posted, and between a peek and its drop. */
static void test_killed(void **state)
{
	struct records *r;
	uint64_t sum;
	int status;
	pid_t child = fork();

	if (!child) {
		r = records_open(path, 2, error);
		for (uint64_t i = 1; r && i <= 10; i++) {
			struct call_record record = { .id = i };

			mailbox_post(records_mailbox(r, i & 1), &record);
		}
		if (r && records_peek(r))
			records_drop(r); /* the 2: worker 0's oldest */
		if (r && records_peek(r))
			kill(getpid(), SIGKILL);
		_exit(1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
	r = records_open(path, 2, error);
	assert_non_null(r);
	assert_int_equal(take_all(r, &sum), 9);
	assert_int_equal(sum, 55 - 2);
	records_close(r);
	r = records_open(path, 2, error);
	assert_null(records_peek(r));
	records_close(r);
}

static void test_other_layout(void **state)
{
	struct records *r = records_open(path, 2, error);
	struct stat st;
	uint64_t sum;

	post(r, 0, 7);
	records_close(r);
	r = records_open(path, 3, error); /* one worker more: nothing of it fits */
	assert_non_null(r);
	assert_null(records_peek(r));
	records_close(r);
	assert_int_equal(stat(old, &st), 0);
	unlink(path);
	assert_int_equal(rename(old, path), 0); /* and what was in it is not lost */
	r = records_open(path, 2, error);
	assert_int_equal(take_all(r, &sum), 1);
	assert_int_equal(sum, 7);
	records_close(r);
}

static void test_refusals(void **state)
{
	struct records *r = records_open(path, 1, error);
	char elsewhere[128];

	assert_non_null(r);
	assert_null(records_open(path, 1, error));
	assert_non_null(strstr(error, path));
	assert_non_null(strstr(error, "another strowgerd"));
	records_close(r);
	snprintf(elsewhere, sizeof(elsewhere), "%s/no/such/folder", folder);
	assert_null(records_open(elsewhere, 1, error));
	assert_non_null(strstr(error, elsewhere));
}

static int start(void **state)
{
	if (!mkdtemp(folder))
		return -1;
	snprintf(path, sizeof(path), "%s/records", folder);
	snprintf(old, sizeof(old), "%s.old", path);
	return 0;
}

static int stop(void **state)
{
	unlink(path);
	unlink(old);
	return rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_memory), cmocka_unit_test(test_touched), cmocka_unit_test(test_killed),
					    cmocka_unit_test(test_other_layout), cmocka_unit_test(test_refusals) };

	return cmocka_run_group_tests(tests, start, stop);
}
