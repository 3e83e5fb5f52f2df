/* SPDX-License-Identifier: Apache-2.0 */
/* The directory of certificates: what is taken, what is left alone, and what stays in use. */
#include "../tls/bed.h"

#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "alarms/alarms.h"
#include "certs/days.h"
#include "certs/expiry.h"
#include "certs/pairs.h"
#include "certs/theirs.h"
#include "config_tls.h"

static struct made good, renewed, other, expired, future;
static char directory[160];

static int setup(void **state)
{
	if (bed_folder_new(state))
		return -1;
	made_new(&good, "good", &(struct wish){ .cn = "a", .san = "DNS:a.example" }, NULL);
	made_new(&renewed, "renewed", &(struct wish){ .cn = "a", .san = "DNS:a.example", .days = 90 }, NULL);
	made_new(&other, "other", &(struct wish){ .cn = "b", .san = "DNS:b.example" }, NULL);
	made_new(&expired, "expired", &(struct wish){ .cn = "a", .san = "DNS:a.example", .from_days = -10, .days = 5 }, NULL);
	made_new(&future, "future", &(struct wish){ .cn = "a", .san = "DNS:a.example", .from_days = 3, .days = 5 }, NULL);
	snprintf(directory, sizeof(directory), "%s", bed_path("certs"));
	return 0;
}

static int teardown(void **state)
{
	struct made *all[] = { &good, &renewed, &other, &expired, &future };

	for (unsigned i = 0; i < ARRAY_SIZE(all); i++)
		made_free(all[i]);
	return bed_folder_free(state);
}

static void run(const char *format, const char *a, const char *b)
{
	char command[1024];

	snprintf(command, sizeof(command), format, a, b);
	assert_int_equal(system(command), 0);
}

/* "+good.crt>x.crt" copies a file of the bed, "-x.crt" removes, "!x.crt" writes nonsense, "=x.crt" touches it, "@x" a folder, "~a>b" renames. */
static void do_step(const char *step)
{
	char from[64] = "", to[64] = "", path[256], target[256];

	if (step[0] == '+' || step[0] == '~')
		assert_int_equal(sscanf(step + 1, "%63[^>]>%63s", from, to), 2);
	snprintf(path, sizeof(path), "%s/%s", directory, step[0] == '+' ? to : step[0] == '~' ? from : step + 1);
	snprintf(target, sizeof(target), "%s/%s", directory, to);
	if (step[0] == '+')
		run("cp %s %s", bed_path(from), path);
	else if (step[0] == '-')
		run("rm -r %s%s", path, "");
	else if (step[0] == '!')
		bed_write(path, "nonsense\n");
	else if (step[0] == '@')
		assert_int_equal(mkdir(path, 0700), 0);
	else if (step[0] == '~')
		assert_int_equal(rename(path, target), 0);
	else
		run("touch %s%s", path, "");
}

#define A "+good.crt>a.crt +good.key>a.key "

static const struct {
	const char *what, *steps; /* "|": it is read */
	const char *news;	  /* of the last reading: "NAME news[: error]" a line; %s of the error's file name is the directory */
} cases[] = {
	{ "nothing", "|", "" },
	{ "a pair", A "|", "a new\n" },
	{ "another ending", "+good.crt>a.pem +good.key>a.key |", "a new\n" },
	{ "as certbot has them", "@a +good.crt>a/fullchain.pem +good.key>a/privkey.pem |", "a new\n" },
	{ "several, by name", A "+other.crt>A.example.pem +other.key>A.example.key @z +good.crt>z/fullchain.pem +good.key>z/privkey.pem |",
	  "A.example new\na new\nz new\n" },
	{ "what is none is left alone", A "!README @empty !notes.txt !.hidden.crt |", "a new\n" },
	{ "read again", A "| " "|", "a same\n" },
	{ "written anew", A "| " "=a.crt |", "a reread\n" },
	{ "renewed", A "| " "+renewed.crt>a.crt +renewed.key>a.key |", "a renewed\n" },
	{ "renewed by renaming", A "| " "+renewed.crt>t1 +renewed.key>t2 ~t1>a.crt ~t2>a.key |", "a renewed\n" },
	{ "the other layout takes over", A "| " "-a.crt -a.key @a +renewed.crt>a/fullchain.pem +renewed.key>a/privkey.pem |", "a renewed\n" },
	{ "gone", A "+other.crt>b.crt +other.key>b.key | " "-b.crt -b.key |", "a same\nb gone\n" },
	{ "gone, but needed", A "| " "-a.crt -a.key |", "a broken: its files are gone from DIR; it is still in use\n" },
	{ "only half of it", "+good.crt>a.crt |", "a broken: DIR/a.crt: there is no key for it\n" },
	{ "only the other half", "+good.key>a.key |", "a broken: DIR/a.key: there is no certificate for it\n" },
	{ "both layouts at once", A "@a +good.crt>a/fullchain.pem +good.key>a/privkey.pem |", "a broken: both " },
	{ "nonsense", A "| " "!a.crt |", "a broken: DIR/a.crt" },
	{ "a key of another", A "| " "+other.key>a.key |", "a broken: DIR/a.key" },
	{ "between the two files of a renewal", A "| " "+renewed.crt>a.crt |", "a broken: DIR/a.key" },
	{ "and after it", A "| " "+renewed.crt>a.crt | " "+renewed.key>a.key |", "a renewed\n" },
	{ "broken, then as it was", A "| " "!a.crt | " "+good.crt>a.crt |", "a reread\n" },
	{ "expired, where nothing better is there", "+expired.crt>a.crt +expired.key>a.key |", "a new\n" },
	{ "expired does not replace what is good", A "| " "+expired.crt>a.crt +expired.key>a.key |", "a broken: DIR/a.crt: expired " },
	{ "nor does what begins later", A "| " "+future.crt>a.crt +future.key>a.key |", "a broken: DIR/a.crt: not valid before " },
	{ "what is expired is replaced by anything", "+expired.crt>a.crt +expired.key>a.key | " "+future.crt>a.crt +future.key>a.key |", "a renewed\n" },
	{ "the directory itself is gone", A "| " "-. |", "" },
};

static bool needed(void *ctx, const char *name)
{
	return strcmp(name, "a") == 0;
}

static void hear(void *ctx, const struct key_pair *p, enum pair_news news)
{
	char *out = ctx, *at;

	out += strlen(out);
	out += sprintf(out, "%s %s", p->name, pair_news_word(news));
	if (p->broken[0]) {
		at = strstr(p->broken, directory);
		if (at)
			out += sprintf(out, ": %.*sDIR%s", (int)(at - p->broken), p->broken, at + strlen(directory));
		else
			out += sprintf(out, ": %s", p->broken);
	}
	strcpy(out, "\n");
}

static void steps(void **state)
{
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct pairs p = { 0 };
		char got[4096] = "", step[128];
		const struct pairs_reader reader = { needed, hear, got, false };
		const struct key_pair *a;
		unsigned readings = 0;

		assert_int_equal(mkdir(directory, 0700), 0);
		for (const char *s = cases[i].steps; sscanf(s, "%127s", step) == 1; s = strstr(s, step) + strlen(step)) {
			if (strcmp(step, "|") != 0) {
				if (strcmp(step, "-.") == 0)
					run("rm -r %s%s", directory, "");
				else
					do_step(step);
				continue;
			}
			got[0] = 0;
			readings++;
			assert_int_equal(pairs_read(&p, directory, (int64_t)time(NULL), &reader), 0);
		}
		if (strncmp(got, cases[i].news, strlen(cases[i].news)) != 0 || (!cases[i].news[0] && got[0]))
			fail_msg("%s:\n got  %s want %s", cases[i].what, got, cases[i].news);
		a = pairs_find(&p, "a");
		if (readings > 1) /* whatever happened: a good one was there */
			assert_true(a && a->identity);
		assert_int_equal(p.broken[0] != 0, access(directory, F_OK) != 0);
		pairs_done(&p);
		run("rm -rf %s%s", directory, "");
	}
}

static void a_broken_one_leaves_the_old(void **state)
{
	struct pairs p = { 0 };
	char got[4096] = "";
	const struct pairs_reader reader = { needed, hear, got, false };
	const struct tls_certificate *c;

	assert_int_equal(mkdir(directory, 0700), 0);
	do_step("+good.crt>a.crt");
	do_step("+good.key>a.key");
	assert_int_equal(pairs_read(&p, directory, (int64_t)time(NULL), &reader), 0);
	do_step("+other.crt>a.crt");
	assert_int_equal(pairs_read(&p, directory, (int64_t)time(NULL), &reader), 0);
	c = tls_identity_certificate(pairs_find(&p, "a")->identity);
	assert_string_equal(c->names, "a.example");
	do_step("+other.key>a.key");
	assert_int_equal(pairs_read(&p, directory, (int64_t)time(NULL), &reader), 0);
	c = tls_identity_certificate(pairs_find(&p, "a")->identity);
	assert_string_equal(c->names, "b.example");
	pairs_done(&p);
	run("rm -r %s%s", directory, "");
}

static void too_many(void **state)
{
	struct pairs p = { 0 };
	char *got = calloc(1, 1 << 20);
	const struct pairs_reader reader = { needed, hear, got, false };

	assert_int_equal(mkdir(directory, 0700), 0);
	run("for i in $(seq 300); do : > %s/n$i.key; done%s", directory, "");
	assert_int_equal(pairs_read(&p, directory, 1, &reader), 0);
	assert_int_equal(p.count, PAIRS_MAX);
	assert_int_equal(p.left_out, 300 - PAIRS_MAX);
	pairs_done(&p);
	run("rm -r %s%s", directory, "");
	free(got);
}

#define DAY 86400

static const struct {
	int64_t left_s, days;
	int severity; /* of 30, 7, 1; -1: no alarm */
	const char *text;
} ends[] = {
	{ 31 * DAY, 31, -1, "" },
	{ 30 * DAY + 1, 30, -1, "" },
	{ 30 * DAY, 30, ALARM_WARNING, "in 30 days" },
	{ 8 * DAY, 8, ALARM_WARNING, "in 8 days" },
	{ 7 * DAY, 7, ALARM_MAJOR, "in 7 days" },
	{ 2 * DAY, 2, ALARM_MAJOR, "in 2 days" },
	{ DAY + 1, 1, ALARM_MAJOR, "in 24 hours" },
	{ DAY, 1, ALARM_CRITICAL, "in 24 hours" },
	{ 3600, 0, ALARM_CRITICAL, "in 1 hour" },
	{ 1, 0, ALARM_CRITICAL, "in 0 hours" },
	{ 0, 0, ALARM_CRITICAL, "expired on 2001-09-09" },
	{ -1, -1, ALARM_CRITICAL, "expired on 2001-09-09" },
	{ -DAY - 1, -2, ALARM_CRITICAL, "expired on 2001-09-09" },
};

static void days(void **state)
{
	static const struct config_tls config = { .warning_days = 30, .major_days = 7, .critical_days = 1 };
	const int64_t end = 1000000000; /* 2001-09-09 */

	for (unsigned i = 0; i < ARRAY_SIZE(ends); i++) {
		struct alarms *a = alarms_new(4, 4);
		struct their x = { .verified = true, .who = "carrier/10.0.0.1:5061", .certificate = { .not_after_s = end, .names = "a.example" } };
		const struct alarm *raised;

		assert_int_equal(days_left(end, end - ends[i].left_s), ends[i].days);
		expiry_theirs(a, &config, &x, end - ends[i].left_s);
		raised = alarm_find(a, ALARM_PEER_CERTIFICATE, x.who);
		if (!!raised != (ends[i].severity >= 0) ||
		    (raised && ((int)raised->severity != ends[i].severity || !strstr(raised->text, ends[i].text) || !strstr(raised->text, "a.example"))))
			fail_msg("%lld s: %s (severity %d)", (long long)ends[i].left_s, raised ? raised->text : "no alarm", raised ? (int)raised->severity : -1);
		x.certificate.not_after_s = end + 60 * DAY; /* renewed */
		expiry_theirs(a, &config, &x, end - ends[i].left_s);
		assert_null(alarm_find(a, ALARM_PEER_CERTIFICATE, x.who));
		alarms_free(a);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(steps), cmocka_unit_test(a_broken_one_leaves_the_old), cmocka_unit_test(too_many), cmocka_unit_test(days),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
