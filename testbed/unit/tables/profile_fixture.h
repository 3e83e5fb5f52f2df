/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Profiles in a line or two: targets of up to four endpoints each, all of them really in an endpoint table. */

#include "fixture.h"

#include "tables/endpoints.h"
#include "tables/epoch.h"
#include "tables/loads.h"
#include "tables/profiles.h"
#include "tables/select.h"

struct target_line {
	uint16_t position, weight;
	bool disabled;
	unsigned endpoint_count; /* 0 counts as 1; NO_ENDPOINT: none */
	struct {
		uint16_t priority, weight;
		enum endpoint_health health;
	} endpoints[4];
	uint8_t tier;
	uint32_t max_calls, max_cps;
};

#define NO_ENDPOINT 99

struct bench {
	struct epoch *epoch;
	struct endpoints *endpoints;
	struct loads *loads; /* target slot i: the i-th line's */
	struct profile *profile;
	uint32_t slots[PROFILE_TARGETS_MAX][4];
};

static inline void bench_start(struct bench *b, enum strategy strategy, const struct profile_knobs *knobs,
			       const struct target_line *lines, unsigned n)
{
	static uint16_t priorities[PROFILE_TARGETS_MAX][4], weights[PROFILE_TARGETS_MAX][4];
	struct profile_target_source targets[PROFILE_TARGETS_MAX] = { 0 };
	struct profile_source source = { .name = "test", .strategy = strategy, .knobs = *knobs, .target_count = (uint16_t)n,
					 .targets = targets };

	memset(b->slots, 0xff, sizeof(b->slots)); /* a line that is not there has nobody's slot */
	b->epoch = epoch_new(1);
	b->loads = source.loads = loads_new(1);
	b->endpoints = endpoints_new(4 * PROFILE_TARGETS_MAX, b->epoch);
	for (unsigned i = 0; i < n; i++) {
		unsigned count = lines[i].endpoint_count == NO_ENDPOINT ? 0 : lines[i].endpoint_count ? lines[i].endpoint_count : 1;

		for (unsigned k = 0; k < count; k++) {
			struct endpoint_config c = { .addr = { ip_of("192.0.2.1"), (uint16_t)(5060 + 4 * i + k) } };

			assert_int_equal(endpoints_add(b->endpoints, &c, &b->slots[i][k]), 0);
			atomic_store(&endpoints_live(b->endpoints, b->slots[i][k])->health, lines[i].endpoints[k].health);
			priorities[i][k] = lines[i].endpoints[k].priority;
			weights[i][k] = lines[i].endpoints[k].weight;
		}
		targets[i] = (struct profile_target_source){
			.trunk_slot = i, .target_slot = i, .stable_id = 1000 + i, .position = lines[i].position,
			.weight = lines[i].weight, .enabled = !lines[i].disabled, .endpoint_count = (uint16_t)count,
			.endpoints = b->slots[i], .priorities = priorities[i], .weights = weights[i], .tier = lines[i].tier, .max_calls = lines[i].max_calls, .max_cps = lines[i].max_cps,
		};
	}
	b->profile = profile_compile(&source);
	assert_non_null(b->profile);
}

static inline void bench_stop(struct bench *b)
{
	profile_free(b->profile);
	loads_free(b->loads);
	endpoints_free(b->endpoints);
	epoch_free(b->epoch);
}

static inline void bench_health(struct bench *b, unsigned target, unsigned endpoint, enum endpoint_health health)
{
	atomic_store(&endpoints_live(b->endpoints, b->slots[target][endpoint])->health, health);
}
