/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "meter.h"
#include "traffic.h"

/* What strowger-pipeline can be asked to measure. Each takes a world and leaves its figure in *meter, its units in t->units. */

/* How INVITEs end of which it is measured what lingers. */
enum ending {
	ENDING_ANSWERED,
	ENDING_REFUSED, /* by the only one that was asked, and acknowledged by the caller */
	ENDING_FORKED,	/* answered by one of two at which they rang; world_config.forked */
};

struct mode_options {
	uint32_t calls;	   /* live at any time */
	uint32_t rate;	   /* new calls a second of simulated time */
	uint64_t messages; /* to be timed, about */
	uint64_t warm;	   /* calls beforehand; 0: as many as come in 33 s, so that from then on as many cease to linger as begin */
	uint32_t batch;
	enum mix mix;
	bool sequential;
	uint32_t connections; /* of callers, where they speak TCP */
	enum ending ending;
};

/* Requests and responses within dialogs, from either side; unit: message in. */
void mode_in_dialog(struct traffic *t, const struct mode_options *o, struct meter *meter);
/* INVITE and 200; unit: message forwarded (the 100 is paid for and not counted). */
void mode_stateful(struct traffic *t, const struct mode_options *o, struct meter *meter);
/* INVITE, 100, 180, 200, ACK, BYE, 200; unit: call. */
void mode_call(struct traffic *t, const struct mode_options *o, struct meter *meter);
/* What no proxy can do without: the in-dialog messages are copied into fresh mbufs, and a key of each is looked up among as many as there
 * are calls; unit: message in. */
void mode_floor(struct traffic *t, const struct mode_options *o, struct meter *meter);
/* Frames dequeued by one worker and handed through the ring to the other, which frees them; unit: frame. */
void mode_hop(struct traffic *t, const struct mode_options *o, struct meter *meter);

/* A connection opened and closed again by a caller: SYN to the last ACK, with nothing in between; unit: connection. */
void mode_connections(struct traffic *t, const struct mode_options *o, struct meter *meter);

/* Resident bytes per TCP connection that stands and has nothing to do. */
double mode_memory_connection(struct traffic *t, const struct mode_options *o);
/* Resident bytes per live call with a 60-byte Call-ID, whose third target answered. */
double mode_memory_call(struct traffic *t, const struct mode_options *o);
/* Resident bytes per INVITE in progress, and per one that only lingers after such an ending. */
double mode_memory_progress(struct traffic *t, const struct mode_options *o);
double mode_memory_lingering(struct traffic *t, const struct mode_options *o);
