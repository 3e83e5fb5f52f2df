/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct alarms;
struct call_record;
struct trunks;

/* What becomes of the calls of each target (profile and trunk), window by window, against the target's own past: a peer
 * that answers OPTIONS and INVITE may still have nobody behind it. Fed with call records; no I/O, the clock is handed in.
 * Everything here is control-only. */

struct quality_config {
	uint32_t window_s;	/* 0: none of it */
	uint32_t calls;		/* a window is not closed with fewer */
	uint32_t fall_percent;	/* of its usual value, that the answer ratio must fall */
	uint32_t short_s;	/* an answered call that is over by then is short; 0: short calls are not looked at */
	uint32_t short_percent; /* points, that the share of short calls must rise */
	uint32_t cause_percent; /* points, that the share of calls with a cause of trouble must rise */
};
struct quality_config quality_config_default(void);

struct quality;

/* trunks: for their names. NULL: no memory. */
struct quality *quality_new(const struct quality_config *config, const struct trunks *trunks, struct alarms *alarms);
void quality_free(struct quality *q);

/* A call record, as it comes from the data plane. */
void quality_take(struct quality *q, const struct call_record *r);
/* Closes windows that are over at now_ms: raises and clears alarms. */
void quality_look(struct quality *q, uint64_t now_ms);

/* In percent and seconds; negative: not known yet. */
struct quality_view {
	double answered, answered_usual; /* of the attempts */
	double brief, brief_usual;	 /* of the answered calls */
	double causes, causes_usual;	 /* of the calls that ended or failed there */
	double duration_s, duration_usual_s;
};
/* Of the last closed window. false: no calls were seen. */
bool quality_view(const struct quality *q, uint32_t profile_id, uint32_t trunk_id, struct quality_view *ret);
/* Records whose target found no place. */
uint64_t quality_untracked(const struct quality *q);

/* Does a Q.850 cause speak of trouble in the network behind a peer, rather than of the called party or the call's normal end? */
bool quality_cause_of_trouble(uint8_t cause);
