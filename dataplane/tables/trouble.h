/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <assert.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct ejection_config;

/* What calls have met at one endpoint lately, over all workers: failures in a row, and their share in a sliding window.
 * Workers write it without a lock, and only where something failed: an endpoint where all goes well costs one load of
 * endpoint_live.troubled. The share is that of the calls since the first failure, then. No I/O; the clock is handed in.
 * Times in ms. */

enum failure_kind {
	FAILURE_HARD, /* timed out: always counts */
	FAILURE_CODE, /* 408 or 5xx before it rang: counts when several called numbers met it, since one of them may be at fault itself */
};

struct trouble {
	_Alignas(64) _Atomic(uint32_t) hard; /* failures in a row, by kind */
	_Atomic(uint32_t) codes;
	_Atomic(uint64_t) numbers;     /* that met the codes of the row: a bit each, by hash */
	_Atomic(uint64_t) now, before; /* tallies of this window and the one before it: trouble.c */
	_Atomic(uint64_t) numbers_now, numbers_before;
	_Atomic(uint32_t) since_ms; /* when the first call that failed in the row was sent (low bits) */
	_Atomic(uint32_t) begun;    /* calls sent since it failed: some may still go well */
	_Atomic(uint32_t) level;    /* ejections that have not been forgiven: how often the time is doubled */
};
static_assert(sizeof(struct trouble) == 64, "one cache line");

/* Why a failure is one too many, for people. */
struct verdict {
	uint8_t reason; /* enum eject_reason; EJECT_NONE: it is not */
	uint32_t count; /* as endpoint_live.eject_count */
};

/* As if nothing had happened. any */
void trouble_clear(struct trouble *t);

/* A call is sent there, and there is trouble. any */
void trouble_begun(struct trouble *t);

/* A call that was sent at sent_ms failed; number: hash of what it dialled, used with FAILURE_CODE. A failure is quick and
 * ringing is slow: codes are too many in a row only where they are at least half of what was sent since the first of them.
 * any */
struct verdict trouble_failed(struct trouble *t, const struct ejection_config *c, enum failure_kind kind, uint64_t number, uint64_t sent_ms,
			      uint64_t now_ms);

/* A call that was sent at sent_ms went well: it rang, or (final) got a final response that is no failure. It ends a row
 * whose first call was sent no later. back_ms: when the last ejection ended. false: there is nothing left to forget. any */
bool trouble_succeeded(struct trouble *t, const struct ejection_config *c, bool final, uint64_t sent_ms, uint64_t back_ms, uint64_t now_ms);

/* It is ejected now: for how long? From then on a single failure is enough, until something goes well. any */
uint32_t trouble_ejected(struct trouble *t, const struct ejection_config *c, uint64_t now_ms);
