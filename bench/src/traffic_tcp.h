/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "call.h"

/* Shared by traffic.c and traffic_tcp.c, which makes the traffic of a batch segments. */

struct rte_mbuf;

_Noreturn void traffic_stop(const char *why);
/* Runs the workers until all that is on the wire is taken in. Returns the cycles that they took. */
uint64_t traffic_turns(struct traffic *t, uint64_t advance_ns, bool timed);
/* Takes off the wire what came out; check: and judges it. */
void traffic_off_the_wire(struct traffic *t, bool check);

/* The ends of those in the world who speak TCP, if anybody does. false: no memory. */
bool traffic_tcp_start(struct traffic *t);
/* Whoever has that address speaks TCP: the message is queued there. */
bool traffic_tcp_put(struct traffic *t, uint32_t from, uint64_t serial, const struct input *in);
/* It is a segment: its end has it now, and messages in it were judged. The frame stays the caller's. */
bool traffic_tcp_take(struct traffic *t, const struct rte_mbuf *m);
/* As traffic_turns, back and forth until nothing of the batch is missing or no more comes. */
uint64_t traffic_tcp_run(struct traffic *t, uint64_t advance_ns, bool timed);
