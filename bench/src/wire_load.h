/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "wire_histogram.h"

struct arrival;
struct messages;
struct wire_port;

/* Callers and targets, and the state of their calls: what is sent next, and whether what came was waited for. Nothing is
 * retransmitted: what does not come is lost. */

enum load_mode {
	LOAD_STATEFUL,	/* INVITE -> 100; INVITE -> 200 -> 200: fresh Call-IDs, never hung up */
	LOAD_IN_DIALOG, /* INFO and UPDATE from both sides of calls that are up, in random order, and their 200s */
	LOAD_CALLS,	/* INVITE, 100, 180, 200, ACK, then BYE and 200 */
};

struct load_config {
	enum load_mode mode;
	bool echo;		       /* nothing between the two but a mirror: each message comes back as it was sent */
	bool responses;		       /* LOAD_IN_DIALOG: requests are answered */
	uint32_t slots;		       /* calls remembered at a time, a power of two; LOAD_IN_DIALOG: the calls that are up */
	uint32_t hold_ms;	       /* LOAD_CALLS: from ACK to BYE */
	uint32_t check_every;	       /* each so many-th message is compared with what was sent, byte by byte */
	uint64_t salt;		       /* another run, other Call-IDs */
	uint32_t us, callers, targets; /* addresses, host order; those of callers and targets: net.0 */
	unsigned makes;
};

/* All but lost: since load_clear. */
struct load_counts {
	uint64_t started, done;		  /* transactions, or calls */
	uint64_t requests_sent, requests; /* requests sent, and come out at the other end */
	uint64_t responses_sent, responses;
	uint64_t trying; /* 100s */
	uint64_t late, repeated, wrong, checked, blocked;
	uint64_t statuses_bad; /* of wrong: final responses that the targets did not send */
};

struct load;

/* NULL: no memory. */
struct load *load_new(const struct load_config *config, const struct messages *messages, struct wire_port *port);
void load_free(struct load *l);

/* Forwarded messages that one start leads to, when all goes well. */
unsigned load_messages_per_start(const struct load *l);

/* How long nothing may come while all is well. */
uint32_t load_hold_ms(const struct load *l);

/* Sends the first request of something new. false: nothing can be started now. now: TSC, also below */
bool load_start(struct load *l, uint64_t now);
/* LOAD_CALLS: hangs up whom it is time for; returns how many. */
unsigned load_hang_up(struct load *l, uint64_t now);
/* LOAD_IN_DIALOG: the next call that is not up is called. false: none is left (some may still be on their way). */
bool load_set_up(struct load *l, uint64_t now);
uint32_t load_up(const struct load *l);

void load_arrivals(struct load *l, const struct arrival *arrivals, unsigned n, uint64_t now);

/* What is on its way now. */
uint64_t load_outstanding(const struct load *l);
/* Gives up what is on its way: it counts as late if it comes yet. Returns how many messages were lost. */
uint64_t load_write_off(struct load *l);

void load_clear(struct load *l); /* counts and delays */
const struct load_counts *load_counts(const struct load *l);
/* From sending to receiving, in TSC ticks. */
const struct histogram *load_delay(const struct load *l, bool responses);
