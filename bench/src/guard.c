/* SPDX-License-Identifier: Apache-2.0 */
/* strowger-guard: fixed work, to be counted by callgrind (lib/run_guard.py). It counts in the functions guard_parse and turn_measured, one
 * dump for each phase; on standard output stands what each phase did. "avx2 tcp" is a phase of
 * its own. "ratio ENOUGH" is for a run without valgrind, which knows no AVX-512. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <rte_cycles.h>
#include <valgrind/callgrind.h>

#include "micro.h"
#include "modes.h"
#include "sip/message.h"
#include "sip/scan.h"

#define ROUNDS	4
#define RATIO_S 5 /* at most */

static struct sip_message view;

static int __attribute__((noinline)) guard_parse(uint32_t i)
{
	uint32_t len;
	const uint8_t *m = corpus_invite(i, &len);
	int rc = sip_parse(m, len, &view);

	__asm__ volatile("" : "+r"(rc));
	return rc;
}

static void phase_ends(const char *name, uint64_t units)
{
	CALLGRIND_DUMP_STATS_AT(name);
	printf("%s %llu\n", name, (unsigned long long)units);
}

static void parse_all(void)
{
	for (uint32_t i = 0; i < ROUNDS * CORPUS_MESSAGES; i++)
		if (guard_parse(i) != SIP_OK)
			abort();
}

static const struct world_config small = { .workers = 1, .numbers = 1000, .endpoints = 24, .max_transactions = 8192, .max_calls = 8192,
					   .message_mb = 32, .trace_mb = 1, .mbufs = 4096, .ring = 2048 };
static const struct mode_options o = { .calls = 200, .rate = 20000, .messages = 1024, .warm = 128, .batch = 64, .mix = MIX_USUAL };

static struct traffic *start(const struct world_config *config)
{
	struct world *w = calloc(1, sizeof(*w));
	struct traffic *t;

	if (!w || world_start(w, config) < 0 || !(t = traffic_new(w, 4096, 1024, MIX_USUAL)))
		exit(1);
	return t;
}

static void begin(void)
{
	CALLGRIND_START_INSTRUMENTATION;
	CALLGRIND_ZERO_STATS;
}

/* In a process of its own: a worker that has streams does a little more for datagrams too. */
static void phase_tcp(void)
{
	struct world_config config = small;
	struct meter meter = { 0 };
	struct traffic *t;

	config.tcp_callers = config.tcp_targets = true;
	config.connections = 512;
	t = start(&config);
	traffic_connect(t, 64);
	begin();
	mode_stateful(t, &o, &meter);
	phase_ends("tcp", t->units);
}

static void phases(void)
{
	struct traffic *t = start(&small);
	struct meter meter = { 0 };

	begin();
	mode_in_dialog(t, &o, &meter);
	phase_ends("in_dialog", t->units);
	traffic_wait(t, 40000, 100, false);
	mode_stateful(t, &o, &meter);
	phase_ends("stateful", t->units);
	/* All that was said since the last wait lingers: its timers fire one after the other. */
	traffic_wait(t, 40000, 100, true);
	phase_ends("lingering", t->units / 2);
	mode_call(t, &o, &meter);
	phase_ends("call", t->units);
}

/* The least time of many rounds, by turns: how much slower the wider registers are than AVX2 on the same messages. */
/* The least time of each: others on the same core make a round longer, never shorter. Where they seem to have done so it goes on for a while. */
static int ratio(double enough)
{
	static const enum scan_kind kinds[2] = { SCAN_AVX2, SCAN_AVX512 };
	uint64_t best[2] = { UINT64_MAX, UINT64_MAX };
	time_t end = time(NULL) + RATIO_S;

	if (!scan_select(SCAN_AVX2) || !scan_select(SCAN_AVX512)) {
		puts("none");
		return 0;
	}
	for (unsigned round = 0; round < 400 || ((double)best[1] > enough * (double)best[0] && time(NULL) < end); round++) {
		uint64_t begin;

		scan_select(kinds[round & 1]);
		begin = rte_rdtsc_precise();
		parse_all();
		begin = rte_rdtsc_precise() - begin;
		if (begin < best[round & 1])
			best[round & 1] = begin;
	}
	printf("%.3f\n", (double)best[1] / (double)best[0]);
	return 0;
}

int main(int argc, char **argv)
{
	static const char *const names[] = { "scalar", "avx2" };
	unsigned kind = 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc == 3 && !strcmp(argv[1], "ratio"))
		return ratio(atof(argv[2]));
	while (argc >= 2 && kind < 2 && strcmp(argv[1], names[kind]))
		kind++;
	if (argc < 2 || argc > 3 || kind == 2 || (argc == 3 && strcmp(argv[2], "tcp"))) {
		fputs("strowger-guard scalar [tcp] | avx2 [tcp] | ratio ENOUGH\n", stderr);
		return 2;
	}
	if (!scan_select((enum scan_kind)kind)) {
		puts("none");
		return 0;
	}
	if (argc == 3) {
		phase_tcp();
		return 0;
	}
	parse_all(); /* makes the corpus */
	CALLGRIND_START_INSTRUMENTATION;
	CALLGRIND_ZERO_STATS;
	parse_all();
	phase_ends("parse", ROUNDS * CORPUS_MESSAGES);
	CALLGRIND_STOP_INSTRUMENTATION;
	phases();
	return 0;
}
