/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "versus_message.h"

/* One open-loop load: INVITEs leave at a set pace whatever comes back; the same process answers as every target. Kernel sockets, one thread. */

/* Delays in microseconds, log-linear: 16 steps to each doubling. */
#define DELAY_STEPS   16
#define DELAY_BUCKETS (24 * DELAY_STEPS)

struct load_config {
	const char *us, *me;
	const char *targets[VERSUS_TARGETS_MAX];
	unsigned target_count, numbers;
	uint16_t port;
	enum versus_transport transport;
	unsigned connections;		      /* of the caller, where it is a stream's */
	const char *certificate, *key;	      /* of the targets, where it is TLS's: PEM files */
	const char *name;		      /* that the caller asks for (SNI); NULL: none */
	uint64_t seed;
	double rate, seconds, warmup; /* INVITEs per second; for so long; of which so long before measuring begins */
	uint32_t late_us;	      /* an answer later than this is as bad as none: a caller would have sent its INVITE again */
};

struct load_result {
	uint64_t sent, arrived, trying, answered, late, repeated, stale;
	uint64_t left_out; /* INVITEs that were due while this process was stopped, and never sent */
	uint64_t wrong[VERDICT_COUNT];
	uint64_t per_target[VERSUS_TARGETS_MAX];
	uint64_t bytes_out;		   /* of all INVITEs sent */
	uint64_t setup[DELAY_BUCKETS];	   /* INVITE sent ... its 200 */
	double seconds;			   /* that sending took */
	double busy, behind_s;		   /* share of turns' time with work in them; how late an INVITE left at worst */
	unsigned receive_buffer;	   /* bytes, as the kernel granted it */
	char first_wrong[VERSUS_MESSAGE_MAX + 1];
};

/* Called when measuring begins (after the warm-up) and when the last INVITE has left: counts so far. */
typedef void load_moment(const char *moment, const struct load_result *r);

/* 0, or a negative errno (ret_step then says what failed). Returns when every INVITE is answered, or none was for three times the delay
 * that is late. */
int load_run(const struct load_config *config, load_moment *moment, struct load_result *ret, const char **ret_step);

unsigned delay_bucket(uint32_t us);
uint32_t delay_of_bucket(unsigned bucket); /* its upper end */
/* The delay that this share (0..1) of them do not exceed. */
uint32_t delay_quantile(const uint64_t *buckets, double share);
