/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct histogram;
struct load;
struct wire_port;

/* One run at one rate, paced by the TSC. */

struct trial {
	double rate;	/* forwarded messages per second that it should be */
	double seconds; /* of sending */
	double gather_us; /* what is due within so long starts together; 0: each when it is due */
};

struct trial_result {
	double rate; /* forwarded messages that came, per second until the last came */
	double seconds;
	uint64_t lost;
	uint64_t skipped;      /* starts for which it was too late, since this loop was stopped or has too much to do */
	uint64_t held_back;    /* the same, since the wire was full: the device takes no more */
	uint64_t full;	       /* turns in which the wire took less than there was */
	double busy;	       /* share of the time in which this loop had something to do */
	double longest_gap_us; /* between two turns of this loop */
	double bytes;	       /* mean of the messages sent */
	uint64_t drained_us;   /* from the last request to the last message */
};

void trial_run(struct load *l, struct wire_port *port, const struct trial *t, struct trial_result *ret);

/* Calls whoever is not up, a few hundred at a time. Returns the seconds it took; all are up, or it was in vain thrice (see
 * load_up). */
double trial_set_up(struct load *l, struct wire_port *port);

/* What an empty loop on this core would have added to messages that come once a microsecond: ticks. */
void trial_gaps(double seconds, struct histogram *ret);
