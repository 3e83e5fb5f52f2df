/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What the tests of the tables share: cmocka, random numbers, EAL, and short ways to write addresses and numbers. */

#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>
#include <rte_eal.h>

#include "base/addr.h"
#include "base/err.h"
#include "base/siphash.h"
#include "sip/number.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

static uint64_t random_state;

static inline uint64_t random_next(void)
{
	return mix64(random_state += 0x9e3779b97f4a7c15ULL);
}

/* EAL without huge pages or anything shared, so that any number of tests run side by side; the thread keeps its cores. */
static inline void eal_for_test(const char *memory_mb)
{
	char *argv[] = { "test", "--no-huge", "--no-shconf", "--no-pci", "--no-telemetry", "--log-level=error", "--iova-mode=va",
			 "--lcores=0", "-m", (char *)memory_mb, NULL };
	cpu_set_t cores;

	if (sched_getaffinity(0, sizeof(cores), &cores) || rte_eal_init((int)ARRAY_SIZE(argv) - 1, argv) < 0 ||
	    sched_setaffinity(0, sizeof(cores), &cores)) {
		fprintf(stderr, "EAL did not start\n");
		exit(1);
	}
}

static inline struct ip_addr ip_of(const char *text)
{
	struct ip_addr ip;

	if (ip_parse(span_str(text), &ip))
		fail_msg("%s is no address", text);
	return ip;
}

static inline struct ip_prefix prefix_of(const char *text)
{
	struct ip_prefix p;

	if (ip_prefix_parse(span_str(text), &p))
		fail_msg("%s is no prefix", text);
	return p;
}

static inline e164 number_of(const char *digits)
{
	e164 n = (uint64_t)strlen(digits) << 60;

	for (unsigned i = 0; digits[i]; i++)
		n |= (uint64_t)(digits[i] - '0') << (56 - 4 * i);
	return n;
}

static inline uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}
