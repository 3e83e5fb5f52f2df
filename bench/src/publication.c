/* SPDX-License-Identifier: Apache-2.0 */
/* strowger-publication: numbers from a file through the model into the tables, then moved one by one. What is timed is what strowgerd's
 * control thread runs, without its socket. One JSON object on one line. */
#include "publication.h"

#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <rte_cycles.h>

#include "base/log_linear.h"
#include "base/siphash.h"
#include "error.h"
#include "model/model.h"
#include "model/number_lines.h"
#include "model/publish.h"
#include "model/routing_schema.h"
#include "routing.h"
#include "tables/tables.h"
#include "worker_state.h"
#include "world.h"
#include "yaml_file.h"

#define BITS	3
#define BUCKETS 400

static const char help[] =
	"strowger-publication --file FILE [options]\n"
	"  --file FILE     numbers as numbers_file has them, profiles p0 ... p9\n"
	"  --numbers N     that the tables have room for (10000000)\n"
	"  --moves N       single changes that are timed, one behind the other (1000000)\n"
	"  --changes N     that workers watch for (20000), so many a second:\n"
	"  --per-s N       (10000)\n"
	"  --workers N     1 or 2 (1)\n";

struct options {
	const char *file;
	uint32_t numbers, moves, changes, per_s, workers;
};

static void read_options(int argc, char **argv, struct options *o)
{
	static const struct option names[] = {
		{ "file", 1, NULL, 'f' },    { "numbers", 1, NULL, 'n' }, { "moves", 1, NULL, 'm' }, { "changes", 1, NULL, 'c' },
		{ "per-s", 1, NULL, 'p' }, { "workers", 1, NULL, 'w' }, { "help", 0, NULL, 'h' },  { 0 },
	};
	int c;

	*o = (struct options){ NULL, 10000000, 1000000, 20000, 10000, 1 };
	while ((c = getopt_long(argc, argv, "", names, NULL)) >= 0) {
		uint32_t number = optarg ? (uint32_t)strtoul(optarg, NULL, 10) : 0;

		switch (c) {
		case 'f': o->file = optarg; break;
		case 'n': o->numbers = number; break;
		case 'm': o->moves = number; break;
		case 'c': o->changes = number; break;
		case 'p': o->per_s = number; break;
		case 'w': o->workers = number; break;
		default: fputs(help, c == 'h' ? stdout : stderr); exit(c == 'h' ? 0 : 2);
		}
	}
	if (!o->file || !o->per_s || o->workers < 1 || o->workers > WORLD_WORKERS_MAX) {
		fputs(help, stderr);
		exit(2);
	}
}

static double now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* Of this thread. */
static double cpu_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static bool idle(void *ctx, uint32_t slot)
{
	return true;
}

static void reset(void *ctx, uint32_t slot)
{
}

/* A model of the profiles alone. NULL with a line on stderr. */
static struct model *profiles_model(const struct model_limits *limits)
{
	char text[512] = "profiles:\n", error[ERROR_TEXT_MAX] = "";
	struct model *m = NULL;
	struct yaml_file *y = NULL;
	void *raw = NULL;

	for (unsigned i = 0; i < PROFILES; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "  - {name: p%u}\n", i);
	if (yaml_file_parse("profiles", text, strlen(text), &y, error) || yaml_file_load(y, &routing_schema, &raw, error) ||
	    model_load(raw, MODEL_ALL, NULL, limits, &m, error))
		fprintf(stderr, "publication: %s\n", error);
	yaml_file_release(&routing_schema, raw);
	yaml_file_free(y);
	return m;
}

/* File to tables, as at strowgerd's start. */
static int load(struct world *w, const struct options *o, struct routing *r)
{
	static const struct publish_hooks hooks = { idle, reset, NULL, 64 };
	static const struct number_plan plan;
	const struct model_limits limits = { o->numbers, 100, PROFILES, 10, 10, 0 };
	uint64_t before = resident_bytes();
	double begun = now_s(), cpu = cpu_s(), read, published;
	struct model *m = profiles_model(&limits);
	char error[ERROR_TEXT_MAX] = "";
	bool from_state;
	int rc = -1;

	if (!m)
		return -1;
	if (number_lines_add_file(m, &limits, o->file, error))
		goto out;
	read = now_s();
	if (routing_init(r, publisher_new(w->shared->tables, &hooks, &plan), NULL, &limits, error) || routing_begin(r, m, &from_state, error))
		goto out;
	published = now_s();
	printf("{\"read_s\": %.3f, \"publish_s\": %.3f, \"cpu_s\": %.3f, \"mib\": %.1f, ", read - begun, published - read, cpu_s() - cpu,
	       (double)(resident_bytes() - before) / (1 << 20));
	rc = 0;
out:
	if (rc)
		fprintf(stderr, "publication: %s\n", error);
	model_free(m);
	return rc;
}

/* One of the numbers that were loaded: any, in no order. */
static int any_number(const struct routing *r, uint64_t dice, uint64_t count, e164 *ret)
{
	char text[24];

	snprintf(text, sizeof(text), "%llu", FIRST_NUMBER + mix64(dice) % count);
	return e164_parse(span_str(text), ret);
}

/* What the loop below takes without its changes. */
static double bare_s(const struct routing *r, const struct options *o)
{
	double begun = cpu_s();
	uint64_t sum = 0;
	char profile[8];
	e164 number;

	for (uint64_t i = 0; i < o->moves; i++) {
		snprintf(profile, sizeof(profile), "p%u", (unsigned)(mix64(~i) % PROFILES));
		any_number(r, i, o->numbers, &number);
		sum += rte_rdtsc_precise() + number;
		sum += rte_rdtsc_precise() + (uint64_t)profile[1];
	}
	__asm__ volatile("" : : "r"(sum));
	return cpu_s() - begun;
}

/* The mean is of this thread's CPU time; the rest is of the clock, interruptions included. */
static int move(struct routing *r, const struct options *o)
{
	static uint64_t bucket[BUCKETS];
	double ns = 1e9 / (double)rte_get_tsc_hz();
	char profile[8], error[ERROR_TEXT_MAX] = "";
	double bare = bare_s(r, o), before = cpu_s();
	uint64_t longest = 0;
	e164 number;

	for (uint64_t i = 0; i < o->moves; i++) {
		uint64_t begun, took;

		snprintf(profile, sizeof(profile), "p%u", (unsigned)(mix64(~i) % PROFILES));
		any_number(r, i, o->numbers, &number);
		begun = rte_rdtsc_precise();
		if (routing_set_number(r, number, false, profile, error)) {
			fprintf(stderr, "publication: %s\n", error);
			return -1;
		}
		took = rte_rdtsc_precise() - begun;
		longest = took > longest ? took : longest;
		bucket[log_linear_bucket(took, BITS)]++;
	}
	printf("\"moves\": %u, \"mean_ns\": %.1f, \"p50_ns\": %.0f, \"p99_ns\": %.0f, \"p999_ns\": %.0f, \"longest_ns\": %.0f, ", o->moves,
	       o->moves ? (cpu_s() - before - bare) * 1e9 / o->moves : 0, (double)log_linear_quantile(bucket, BUCKETS, BITS, 500000) * ns,
	       (double)log_linear_quantile(bucket, BUCKETS, BITS, 990000) * ns, (double)log_linear_quantile(bucket, BUCKETS, BITS, 999000) * ns,
	       (double)longest * ns);
	return 0;
}

/* Those that the workers watch are there before: one is moved, not added. */
static int watched(struct routing *r)
{
	char text[24], error[ERROR_TEXT_MAX];
	e164 number;

	for (unsigned i = 0; i < 1000; i++) {
		snprintf(text, sizeof(text), "%llu", OUR_NUMBERS + i);
		e164_parse(span_str(text), &number);
		if (routing_set_number(r, number, false, "p0", error))
			return -1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	static struct world w;
	struct world_config wc = { .numbers = 10, .endpoints = 3, .max_transactions = 1024, .max_calls = 1024, .message_mb = 16, .mbufs = 4096, .ring = 1024 };
	struct options o;
	struct routing r;
	struct seen s;

	read_options(argc, argv, &o);
	wc.workers = o.workers;
	wc.room = o.numbers + 2000;
	if (world_start(&w, &wc) || load(&w, &o, &r) || move(&r, &o))
		return 1;
	r.limits.numbers += 2000;
	if (watched(&r) || publication_seen(&w, &r, o.changes, o.per_s, &s))
		return 1;
	printf("\"changes\": %llu, \"per_s\": %.0f, \"looked\": %llu, \"late\": %llu, \"away\": %llu, \"seen_p50_ns\": %llu, \"seen_p99_ns\": %llu, "
	       "\"seen_longest_ns\": %llu, \"workers\": %u}\n",
	       (unsigned long long)s.changes, s.per_s, (unsigned long long)s.looked, (unsigned long long)s.late, (unsigned long long)s.away, (unsigned long long)s.p50_ns,
	       (unsigned long long)s.p99_ns, (unsigned long long)s.longest_ns, o.workers);
	return 0;
}
