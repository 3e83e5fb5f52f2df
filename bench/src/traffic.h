/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "world.h"

/* Calls through a world: messages are made beforehand, the workers' turns alone are timed, and everything that comes out is compared with what
 * had to come out, byte by byte, before the next batch. A message that is missing, refused, sent twice or changed ends the program. */

enum step {
	STEP_INVITE,  /* founds a call: 100 to the caller, INVITE to an endpoint */
	STEP_TRYING,  /* 100 from the endpoint: nothing follows */
	STEP_RINGING, /* 180: to the caller */
	STEP_ANSWER,  /* 200: to the caller */
	STEP_REFUSE,  /* 503: ACK to the endpoint, INVITE to the next */
	STEP_BUSY,    /* 486: ACK to the endpoint, and on to the caller */
	STEP_BUSY_ACK, /* the caller's, for that: nothing follows */
	STEP_LOST,    /* 487 from the rival: ACK to it */
	STEP_ACK,     /* the caller's, for the 200 */
	STEP_BYE,
	STEP_INFO,
	STEP_UPDATE,
	STEP_REINVITE,
	STEP_OK, /* 200 for the request that is under way in the dialog */
	STEP_REACK,
	STEPS,
};

struct call;
struct ends;

struct traffic {
	struct world *world;
	enum mix mix;
	bool sequential;      /* calls in order instead of at random, and batches unshuffled */
	struct call *calls;
	uint32_t slots;	      /* calls that there may be at once */
	uint32_t *idle, idle_count; /* free slots */
	uint32_t *live, live_count; /* answered, nothing under way */
	uint32_t serials;
	uint64_t random;
	/* the batch */
	struct input *inputs;
	struct rte_mbuf **frames;
	uint32_t batch, batch_max, frame_count; /* frames: those of the batch that are datagrams */
	uint32_t missing; /* messages that must still come out */
	/* totals since traffic_reset */
	uint64_t in, out, in_bytes, out_bytes, cycles;
	uint64_t units; /* of what a mode counts: messages, or calls */
	/* What runs a batch; NULL: the workers. Frames are in world->wire_in; cycles are returned. */
	uint64_t (*runner)(struct traffic *t);
	void *runner_context;
	struct ends *ends; /* of those who speak TCP; NULL: nobody does */
};

/* Room for `slots` calls and batches of batch_max. Where the world has TCP, callers' connections are traffic_connect's. NULL: no memory. */
struct traffic *traffic_new(struct world *w, uint32_t slots, uint32_t batch_max, enum mix mix);
void traffic_reset(struct traffic *t);

uint64_t traffic_random(struct traffic *t);
/* A slot for a new call; ends the program when there is none. */
uint32_t traffic_fresh(struct traffic *t);
/* A live call, which is no longer counted as idle until it is given back. */
uint32_t traffic_pick(struct traffic *t);
void traffic_back(struct traffic *t, uint32_t slot);
/* A call that rings at two targets: from now on the other one is who answers (STEP_RINGING and so on; STEP_ANSWER: CANCEL to its rival). */
void traffic_rival(struct traffic *t, uint32_t slot);
/* The call is over. */
void traffic_over(struct traffic *t, uint32_t slot);

/* Takes the memory that the peers need for so many requests under way, so that it does not count as the data plane's. */
void traffic_reserve(uint32_t requests);

/* One message into the batch. Requests within a dialog come from either side at random, but for ACK and BYE after an INVITE of the caller's. */
void traffic_put(struct traffic *t, uint32_t slot, enum step step);
/* Runs the batch while simulated time moves on by advance_ns, checks what came out, empties it. Returns the cycles that the workers took; also
 * added to t->cycles when `timed`. */
uint64_t traffic_go(struct traffic *t, uint64_t advance_ns, bool timed);
/* Lets time pass without messages, in steps of step_ms. timed: for a profiler alone, as in traffic_go. */
void traffic_wait(struct traffic *t, uint64_t ms, uint64_t step_ms, bool timed);

/* Sets up this many calls (INVITE, 200, ACK), per_second of them in simulated time. */
void traffic_populate(struct traffic *t, uint32_t count, uint32_t per_second);
double traffic_ns(uint64_t cycles);

/* ---- TCP (traffic_tcp.c) */

/* So many connections of callers more, which stand when this returns. */
void traffic_connect(struct traffic *t, uint32_t count);
/* Opens `count` connections and closes them again, all timed. Returns the cycles that the worker took. */
uint64_t traffic_open_and_close(struct traffic *t, uint32_t count);
