/* SPDX-License-Identifier: Apache-2.0 */
/* The file of ticket keys: made, shared, rotated, and what is wrong with it. */
#include "../tls/bed.h"

#include <sys/stat.h>
#include <unistd.h>

#include "alarms/alarms.h"
#include "certs/ticket_keys.h"
#include "error.h"

static struct epoch *epoch;
static struct tls_store *store;
static char path[160];

static int setup(void **state)
{
	if (bed_folder_new(state))
		return -1;
	epoch = epoch_new(1);
	store = tls_store_new(epoch);
	snprintf(path, sizeof(path), "%s", bed_path("tickets"));
	return store ? 0 : -1;
}

static int teardown(void **state)
{
	tls_store_free(store);
	epoch_free(epoch);
	return bed_folder_free(state);
}

static int fresh(void **state)
{
	unlink(path);
	return 0;
}

static struct ticket_keys keys_of(struct alarms *a, uint32_t rotate_s, unsigned keep)
{
	return (struct ticket_keys){ .store = store, .alarms = a, .path = path, .rotate_s = rotate_s, .keep = keep };
}

static void write_keys(const char *names, unsigned mode)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	for (const char *n = names; *n; n++) {
		fprintf(f, "%u ", 1000 - (unsigned)(n - names));
		for (unsigned i = 0; i < TLS_TICKET_KEY_BYTES; i++)
			fprintf(f, "%02x", (unsigned)*n);
		fprintf(f, "\n");
	}
	fclose(f);
	assert_int_equal(chmod(path, mode), 0);
}

static void made_where_it_is_not(void **state)
{
	struct ticket_keys a = keys_of(NULL, 86400, 2), b = keys_of(NULL, 86400, 2);
	char error[ERROR_TEXT_MAX] = "";
	struct stat st;

	assert_int_equal(ticket_keys_start(&a, 5000, error), 0);
	assert_int_equal(a.count, 1);
	assert_int_equal(a.list[0].made_s, 5000);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	/* another node, or this one started again */
	assert_int_equal(ticket_keys_start(&b, 6000, error), 0);
	assert_int_equal(b.count, 1);
	assert_memory_equal(&a.list[0], &b.list[0], sizeof(a.list[0]));
}

static void rotated(void **state)
{
	struct ticket_keys a = keys_of(NULL, 100, 2), b = keys_of(NULL, 0, 2);
	struct ticket_key first;
	char error[ERROR_TEXT_MAX] = "";

	assert_int_equal(ticket_keys_start(&a, 1000, error), 0);
	assert_int_equal(ticket_keys_start(&b, 1000, error), 0);
	first = a.list[0];
	ticket_keys_look(&a, 1099);
	assert_int_equal(a.count, 1);
	ticket_keys_look(&a, 1100);
	assert_int_equal(a.count, 2);
	assert_int_equal(a.list[0].made_s, 1100);
	assert_memory_equal(&a.list[1], &first, sizeof(first)); /* its tickets are still taken */
	ticket_keys_look(&b, 1100);				/* the other node has them too */
	assert_int_equal(b.count, 2);
	assert_memory_equal(a.list, b.list, 2 * sizeof(a.list[0]));
	for (int64_t t = 1200; t <= 1500; t += 100)
		ticket_keys_look(&a, t);
	assert_int_equal(a.count, 3); /* the newest and two more */
	assert_int_equal(a.list[0].made_s, 1500);
	assert_int_equal(a.list[2].made_s, 1300);
	ticket_keys_look(&b, 9999); /* it never rotates by itself */
	assert_int_equal(b.list[0].made_s, 1500);
}

static void in_memory(void **state)
{
	struct ticket_keys a = keys_of(NULL, 100, 1);
	char error[ERROR_TEXT_MAX] = "";

	a.path = NULL;
	assert_int_equal(ticket_keys_start(&a, 1000, error), 0);
	ticket_keys_look(&a, 1100);
	ticket_keys_look(&a, 1200);
	assert_int_equal(a.count, 2);
	assert_int_equal(access(path, F_OK), -1);
}

static const struct {
	const char *text;
	unsigned mode;
	const char *error;
} bad[] = {
	{ "", 0600, ": holds no key" },
	{ "# only this\n\n", 0600, ": holds no key" },
	{ "1000 abcd\n", 0600, ":1: a line is the time when a key was made" },
	{ "# x\nnonsense\n", 0600, ":2: a line is the time when a key was made" },
	{ "1000 abcd\n", 0640, " may be read by others (mode 640): chmod 600 it" },
};

/* At the start it ends the start; later it leaves what is in use, and is an alarm until it is mended. */
static void bad_files(void **state)
{
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		struct alarms *alarms = alarms_new(4, 4);
		struct ticket_keys k = keys_of(alarms, 100, 2);
		char error[ERROR_TEXT_MAX] = "";

		bed_write(path, bad[i].text);
		chmod(path, bad[i].mode);
		assert_true(ticket_keys_start(&k, 1000, error) < 0);
		assert_true(strncmp(error, "tls.ticket_keys: ", 17) == 0);
		if (!strstr(error, path) || !strstr(error, bad[i].error))
			fail_msg("case %u: %s", i, error);
		write_keys("ab", 0600);
		assert_int_equal(ticket_keys_start(&k, 1000, error), 0);
		assert_int_equal(k.count, 2);
		bed_write(path, bad[i].text);
		chmod(path, bad[i].mode);
		ticket_keys_look(&k, 5000); /* due, but nobody writes over what he cannot read */
		assert_int_equal(k.count, 2);
		assert_int_equal(k.list[0].bytes[0], 'a');
		assert_non_null(alarm_find(alarms, ALARM_TICKET_KEYS, path));
		assert_non_null(strstr(k.broken, bad[i].error));
		write_keys("cab", 0600);
		ticket_keys_look(&k, 1001);
		assert_int_equal(k.count, 3);
		assert_int_equal(k.list[0].bytes[0], 'c');
		assert_null(alarm_find(alarms, ALARM_TICKET_KEYS, path));
		alarms_free(alarms);
	}
}

static void too_many_and_twice(void **state)
{
	struct ticket_keys k = keys_of(NULL, 0, 2);
	char error[ERROR_TEXT_MAX] = "";

	write_keys("abcdefghi", 0600);
	assert_true(ticket_keys_start(&k, 1000, error) < 0);
	assert_non_null(strstr(error, "more than 8 keys"));
	write_keys("aba", 0600);
	assert_true(ticket_keys_start(&k, 1000, error) < 0);
	assert_non_null(strstr(error, ":3: a key with this name"));
}

static void taken_away(void **state)
{
	struct alarms *alarms = alarms_new(4, 4);
	struct ticket_keys k = keys_of(alarms, 0, 2);
	char error[ERROR_TEXT_MAX] = "";

	write_keys("a", 0600);
	assert_int_equal(ticket_keys_start(&k, 1000, error), 0);
	unlink(path);
	ticket_keys_look(&k, 1001);
	assert_non_null(strstr(alarm_find(alarms, ALARM_TICKET_KEYS, path)->text, "it is gone"));
	assert_int_equal(k.count, 1);
	write_keys("ba", 0600);
	ticket_keys_look(&k, 1002);
	assert_int_equal(k.count, 2);
	assert_null(alarm_find(alarms, ALARM_TICKET_KEYS, path));
	alarms_free(alarms);
}

/* A folder that nobody may write to: rotation is tried again later, with the keys that are there. */
static void not_writable(void **state)
{
	struct alarms *alarms = alarms_new(4, 4);
	struct ticket_keys k = keys_of(alarms, 100, 2);
	char error[ERROR_TEXT_MAX] = "", blocked[200];

	write_keys("a", 0600);
	assert_int_equal(ticket_keys_start(&k, 1000, error), 0);
	snprintf(blocked, sizeof(blocked), "%s.%d", path, (int)getpid());
	assert_int_equal(mkdir(blocked, 0700), 0);
	ticket_keys_look(&k, 1200);
	assert_int_equal(k.count, 1);
	assert_non_null(alarm_find(alarms, ALARM_TICKET_KEYS, path));
	assert_int_equal(rmdir(blocked), 0);
	ticket_keys_look(&k, 1201);
	assert_int_equal(k.count, 1);
	ticket_keys_look(&k, 1260);
	assert_int_equal(k.count, 2);
	assert_null(alarm_find(alarms, ALARM_TICKET_KEYS, path));
	alarms_free(alarms);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(made_where_it_is_not, fresh), cmocka_unit_test_setup(rotated, fresh), cmocka_unit_test_setup(in_memory, fresh),
		cmocka_unit_test_setup(bad_files, fresh), cmocka_unit_test_setup(too_many_and_twice, fresh), cmocka_unit_test_setup(taken_away, fresh),
		cmocka_unit_test_setup(not_writable, fresh),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
