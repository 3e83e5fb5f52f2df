/* SPDX-License-Identifier: Apache-2.0 */
/* Call records into their file: nothing is lost and no line is torn, whatever the disk says. */
#include "fixture.h"

#include <jansson.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "base/err.h"
#include "cdr.h"
#include "cdr_line.h"
#include "fake_dataplane.h"

#define LINES_MAX 4096

static char directory[64], path[96];
static struct dataplane *dataplane;
static struct call_record records[LINES_MAX];

static struct cdr_file_config config_of(uint64_t rotate_bytes, unsigned keep)
{
	struct cdr_file_config c = { .rotate_bytes = rotate_bytes, .keep = keep };

	strcpy(c.path, path);
	return c;
}

/* Records with the ids first ... first + n - 1 wait in the data plane. */
static void post(unsigned first, unsigned n)
{
	struct fake_dataplane *f = fake_dataplane(dataplane);

	memset(records, 0, sizeof(records));
	for (unsigned i = 0; i < n; i++) {
		records[i].id = first + i;
		records[i].kind = (first + i) % 2 ? RECORD_END : RECORD_START;
		records[i].call_id_len = (uint8_t)sprintf(records[i].call_id, "call-%u", first + i);
	}
	f->records = records;
	f->record_first = 0;
	f->record_count = n;
}

static unsigned left(void)
{
	return fake_dataplane(dataplane)->record_count - fake_dataplane(dataplane)->record_first;
}

static struct cdr *open_cdr(uint64_t rotate_bytes, unsigned keep)
{
	struct cdr_file_config c = config_of(rotate_bytes, keep);
	char error[ERROR_TEXT_MAX] = "";
	struct cdr *cdr = NULL;

	if (cdr_new(dataplane, &c, &cdr, error))
		fail_msg("%s", error);
	return cdr;
}

static void take_all(struct cdr *c)
{
	while (cdr_take(c))
		;
}

/* The ids in a file, each line checked to be JSON; returns how many. */
static unsigned read_ids(const char *suffix, unsigned *ids)
{
	char name[128];
	json_error_t problem;
	json_t *json;
	unsigned n = 0;
	FILE *f;

	snprintf(name, sizeof(name), "%s%s", path, suffix);
	f = fopen(name, "r");
	if (!f)
		return 0;
	while ((json = json_loadf(f, JSON_DISABLE_EOF_CHECK, &problem)) != NULL) {
		ids[n++] = (unsigned)strtoul(json_string_value(json_object_get(json, "id")), NULL, 16);
		json_decref(json);
	}
	if (!feof(f))
		fail_msg("%s, line %u: %s", name, n + 1, problem.text);
	fclose(f);
	return n;
}

static void expect_ids(const char *suffix, unsigned first, unsigned n)
{
	unsigned ids[LINES_MAX], got = read_ids(suffix, ids);

	assert_int_equal(got, n);
	for (unsigned i = 0; i < n; i++)
		assert_int_equal(ids[i], first + i);
}

static int clean(void **state)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -f %s*", path);
	assert_int_equal(system(command), 0);
	post(0, 0);
	fake_dataplane(dataplane)->config.boot = 0;
	return 0;
}

static void a_turn_is_bounded(void **state)
{
	struct cdr *c = open_cdr(0, 1);
	struct cdr_stats s;
	struct stat st;

	post(1, 1000);
	assert_true(cdr_take(c));
	assert_in_range(left(), 1, 999);
	take_all(c);
	assert_int_equal(left(), 0);
	expect_ids("", 1, 1000);
	cdr_stats(c, &s);
	assert_int_equal(s.written, 1000);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0640);
	post(1001, 5);
	cdr_free(c); /* writes what waits */
	expect_ids("", 1, 1005);
}

static void no_file_no_records(void **state)
{
	struct cdr_file_config none = { .path = "" };
	char error[ERROR_TEXT_MAX];
	struct cdr *c;

	post(1, 10);
	assert_int_equal(cdr_new(dataplane, &none, &c, error), 0);
	assert_false(cdr_take(c));
	assert_int_equal(left(), 0);
	assert_false(cdr_second(c));
	cdr_reopen(c);
	cdr_free(c);
}

static void no_such_directory(void **state)
{
	struct cdr_file_config c = { .path = "/nonexistent/there/cdr.jsonl" };
	char error[ERROR_TEXT_MAX];
	struct cdr *cdr;

	assert_int_equal(cdr_new(dataplane, &c, &cdr, error), -ERR_IO);
	assert_string_equal(error, "cdr.file: /nonexistent/there/cdr.jsonl: No such file or directory");
	assert_int_equal(cdr_file_directory(c.path, error), -ERR_IO);
	assert_string_equal(error, "cdr.file: /nonexistent/there: No such file or directory");
	strcpy(c.path, "/dev/null");
	assert_int_equal(cdr_new(dataplane, &c, &cdr, error), -ERR_IO);
	assert_string_equal(error, "cdr.file: /dev/null: Invalid argument");
}

/* Each line is of the same length, so that ten fit into a file. */
static void rotation(void **state)
{
	char line[CDR_LINE_MAX];
	uint64_t each;
	struct cdr_stats s;
	struct cdr *c;

	post(100, 1);
	each = cdr_line(&records[0], dataplane_tables(dataplane)->trunks, line);
	post(100, 0);
	c = open_cdr(each * 11, 3);
	for (unsigned i = 100; i < 148; i++) {
		post(i & ~1u, 1); /* "start" all of them */
		take_all(c);
	}
	cdr_stats(c, &s);
	assert_int_equal(s.rotations, 4);
	assert_int_equal(s.rotations_failed, 0);
	cdr_free(c);
	unsigned ids[LINES_MAX];
	assert_int_equal(read_ids("", ids), 4);
	assert_int_equal(read_ids(".1", ids), 11);
	assert_int_equal(read_ids(".2", ids), 11);
	assert_int_equal(read_ids(".3", ids), 11);
	assert_int_equal(ids[0], 110);
	assert_int_equal(read_ids(".4", ids), 0);
}

/* .1 cannot be taken: the file goes on growing, and nothing is lost. */
static void rotation_fails(void **state)
{
	char name[128];
	struct cdr_stats s;
	struct cdr *c = open_cdr(2000, 1);

	snprintf(name, sizeof(name), "%s.1", path);
	assert_int_equal(mkdir(name, 0755), 0);
	post(1, 50);
	take_all(c);
	expect_ids("", 1, 50);
	cdr_stats(c, &s);
	assert_int_equal(s.rotations, 0);
	assert_in_range(s.rotations_failed, 1, 12);
	assert_int_equal(s.failing, 0);
	assert_int_equal(rmdir(name), 0);
	post(51, 50);
	take_all(c);
	cdr_stats(c, &s);
	assert_int_not_equal(s.rotations, 0);
	cdr_free(c);
}

static void logrotate(void **state)
{
	char moved[128];
	struct cdr *c = open_cdr(0, 1);

	snprintf(moved, sizeof(moved), "%s.moved", path);
	post(1, 3);
	take_all(c);
	assert_int_equal(rename(path, moved), 0);
	post(4, 2);
	take_all(c);
	expect_ids(".moved", 1, 5);
	cdr_reopen(c);
	post(6, 2);
	take_all(c);
	expect_ids("", 6, 2);
	/* Removed without a word, or emptied (copytruncate). */
	assert_int_equal(unlink(path), 0);
	assert_false(cdr_second(c));
	post(8, 1);
	take_all(c);
	expect_ids("", 8, 1);
	assert_int_equal(truncate(path, 0), 0);
	assert_false(cdr_second(c));
	post(9, 1);
	cdr_free(c);
	expect_ids("", 9, 1);
}

static void limit_files_to(rlim_t bytes)
{
	struct rlimit limit;

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = bytes;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* As on a full disk: part of a line is taken, then nothing. */
static void no_room(void **state)
{
	struct cdr *c = open_cdr(0, 1);
	struct cdr_stats s;
	unsigned ids[LINES_MAX], had;

	post(1, 400);
	limit_files_to(10000);
	take_all(c);
	had = read_ids("", ids);
	assert_in_range(had, 5, 100);
	assert_int_equal(left(), 400 - had);
	cdr_stats(c, &s);
	assert_int_equal(s.failures, 1);
	assert_int_not_equal(s.failing, 0);
	assert_false(cdr_take(c)); /* not tried until the second is over */
	assert_false(cdr_second(c));
	cdr_stats(c, &s);
	assert_int_equal(s.failures, 2);
	assert_int_equal(left(), 400 - had);
	limit_files_to(RLIM_INFINITY);
	assert_true(cdr_second(c));
	take_all(c);
	cdr_stats(c, &s);
	assert_int_equal(s.failing, 0);
	assert_int_equal(s.written, 400);
	expect_ids("", 1, 400);
	cdr_free(c);
}

/* The file cannot be opened again after it was removed; then it can. */
static void removed_and_refused(void **state)
{
	struct cdr *c = open_cdr(0, 1);
	struct cdr_stats s;

	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkdir(path, 0755), 0);
	assert_false(cdr_second(c));
	cdr_stats(c, &s);
	assert_int_not_equal(s.failing, 0);
	post(1, 1);
	take_all(c);
	assert_int_equal(left(), 1);
	assert_int_equal(rmdir(path), 0);
	cdr_second(c);
	cdr_stats(c, &s);
	assert_int_equal(s.failing, 0);
	assert_int_equal(left(), 0);
	expect_ids("", 1, 1);
	cdr_free(c);
}

/* A predecessor was killed between writing and dropping: what the file has is not written again. */
static void after_a_kill(void **state)
{
	struct cdr *c = open_cdr(0, 1);
	struct cdr_stats s;
	char older[128];

	post(1, 10);
	cdr_free(c);
	snprintf(older, sizeof(older), "%s.1", path);
	assert_int_equal(rename(path, older), 0); /* it had just rotated */
	post(11, 4);
	c = open_cdr(0, 1);
	cdr_free(c);
	fake_dataplane(dataplane)->config.boot = 9;
	post(8, 10); /* 8 ... 14 are there, 15 ... 17 are not */
	c = open_cdr(0, 1);
	take_all(c);
	cdr_stats(c, &s);
	assert_int_equal(s.repeated, 7);
	assert_int_equal(s.written, 3);
	expect_ids("", 11, 7);
	expect_ids(".1", 1, 10);
	/* The same id with another type is another record. */
	post(17, 1);
	records[0].kind = RECORD_START;
	take_all(c);
	/* Ids of this start are never looked up. */
	fake_dataplane(dataplane)->config.boot = 0;
	post(17, 1);
	take_all(c);
	cdr_stats(c, &s);
	assert_int_equal(s.repeated, 7);
	assert_int_equal(s.written, 5);
	cdr_free(c);
}

/* What a power cut left at the end of the file. */
static void torn_ends(void **state)
{
	static const struct {
		const char *before, *after; /* of the line that is written */
	} cases[] = {
		{ "", "" },
		{ "{\"type\":\"start\",\"id\":\"00", "" },
		{ "{\"ty", "" },
		{ "{\"type\":\"start\"}\n{\"type\":\"end\",\"id", "{\"type\":\"start\"}\n" },
		{ "{\"type\":\"start\"}\n", "{\"type\":\"start\"}\n" },
		{ "somebody else's", "somebody else's\n" },
		{ "{\"a\":1}\n\xff", "{\"a\":1}\n\xff\n" },
		{ "\n", "\n" },
	};

	static const char *const first = "{\"type\":\"start\",\"id\":\"0000000000000002\",";

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		char text[CDR_LINE_MAX] = "";
		struct cdr *c;
		FILE *f;
		size_t n;

		clean(state);
		write_file(path, cases[i].before);
		post(2, 1);
		c = open_cdr(0, 1);
		cdr_free(c);
		f = fopen(path, "r");
		n = fread(text, 1, sizeof(text) - 1, f);
		fclose(f);
		if (strncmp(text, cases[i].after, strlen(cases[i].after)) != 0 ||
		    strncmp(text + strlen(cases[i].after), first, strlen(first)) != 0 || text[n - 1] != '\n')
			fail_msg("case %u: %s", i, text);
	}
}

int main(void)
{
	static const struct tables_limits room = { .workers = 1, .numbers = 64, .prefixes = 8, .profiles = 8, .trunks = 8, .endpoints = 8 };
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_turn_is_bounded, clean), cmocka_unit_test_setup(no_file_no_records, clean),
		cmocka_unit_test_setup(no_such_directory, clean), cmocka_unit_test_setup(rotation, clean),
		cmocka_unit_test_setup(rotation_fails, clean),	  cmocka_unit_test_setup(logrotate, clean),
		cmocka_unit_test_setup(no_room, clean),		  cmocka_unit_test_setup(removed_and_refused, clean),
		cmocka_unit_test_setup(after_a_kill, clean),	  cmocka_unit_test_setup(torn_ends, clean),
	};
	int failed;

	signal(SIGXFSZ, SIG_IGN);
	eal_for_test("96");
	dataplane = fake_dataplane_new(&room);
	make_directory(directory);
	snprintf(path, sizeof(path), "%s/cdr.jsonl", directory);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	remove_directory(directory);
	fake_dataplane_free(dataplane);
	return failed;
}
