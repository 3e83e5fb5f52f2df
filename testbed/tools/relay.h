/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdint.h>

/* A bad link: packets go in at two ends and come out at the other, late, twice, in another order, with a bit turned, or not at all. What
 * happens to the n-th packet of a direction follows from the seed alone, so that a failure can be run again. Knows no clock and no socket.
 * One thread. */

#define RELAY_PACKET_MAX 2048
#define RELAY_PACKETS	 16384 /* under way at a time: more are lost, and counted */

struct relay_rules {
	uint64_t seed;
	unsigned lose, reorder, duplicate, corrupt; /* of 10,000 packets each, together 10,000 at most */
	uint64_t delay_us;			    /* of all, each way */
	uint64_t bytes_per_s, queue_us;		    /* each way; 0: any number. Packets that would wait for longer than queue_us are lost */
	uint64_t late_us; /* by how much one that is to be overtaken comes later, and the second of two */
};

struct relay_counts {
	uint64_t in, lost, reordered, duplicated, corrupted, too_many; /* the last: for the link, or for this program */
};

struct relay;

/* NULL: no memory, or shares of more than all. */
struct relay *relay_new(const struct relay_rules *rules);
/* NULL is ignored. */
void relay_free(struct relay *r);
/* A packet of 1 to RELAY_PACKET_MAX bytes (copied) at end 0 or 1. The first `spare` bytes are never damaged. */
void relay_put(struct relay *r, unsigned end, const uint8_t *packet, uint32_t bytes, uint32_t spare, uint64_t now_us);
/* As relay_put, but nothing happens to it except the delay: what is no business of the test. */
void relay_pass(struct relay *r, unsigned end, const uint8_t *packet, uint32_t bytes, uint64_t now_us);
/* The next packet that is due, in the order in which they are; NULL: none now. *ret_end: where it went in. Valid until the next call. */
const uint8_t *relay_take(struct relay *r, uint64_t now_us, unsigned *ret_end, uint32_t *ret_bytes);
/* When the next is due, in us; UINT64_MAX: none is under way. */
uint64_t relay_next_due(const struct relay *r);
const struct relay_counts *relay_counts(const struct relay *r);
