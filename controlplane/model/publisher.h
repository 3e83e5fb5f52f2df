/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "model/publish.h"
#include "tables/endpoints.h"

/* What publish.c and the files of a publication's steps share. */

struct removals;
struct slot_queue;
struct u64map;

#define PUBLISH_EJECTED_MAX 256

/* An endpoint that went while live traffic had ejected it. */
struct ejected_gone {
	uint64_t key;
	struct ejection ejection;
};

struct publisher {
	struct tables *tables;
	struct publish_hooks hooks;
	struct number_plan default_plan;
	struct u64map *trunks, *profiles, *targets, *endpoints; /* id, or pair of ids -> slot */
	struct slot_queue *target_slots;
	struct removals *removals;
	struct ejected_gone ejected[PUBLISH_EJECTED_MAX]; /* a ring */
	uint32_t ejected_next;
};

/* A key of two ids. */
static inline uint64_t publish_pair(uint32_t a, uint32_t b)
{
	return (uint64_t)a << 32 | b;
}
