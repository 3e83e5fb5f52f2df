/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/counters.h"
#include "tcp/connection.h"

/* Two endpoints and the wire between them, in simulated time. What the wire does to the n-th segment is the test's to say; each host's user
 * sends a stream whose bytes follow from their positions, and checks the other's. */

#define FLIGHT_MAX  4096
#define SEGMENT_MAX 2048

enum fate { PASS, LOSE, DELAY, DUPLICATE, TRUNCATE, FATES };

struct wire;

struct host {
	struct wire *wire;
	unsigned number;
	struct tcp *tcp;
	struct counters counters;
	uint8_t room[SEGMENT_MAX];
	struct tcp_connection *c;
	/* what its user wants */
	uint64_t to_send, take_limit; /* take_limit: `data` takes no more than that in all */
	bool close_when_sent, close_when_closed;
	/* what happened */
	uint64_t sent, received;
	unsigned opened, closed, peer_closed, writable, wrong;
	enum tcp_end why;
	void (*on_data)(struct host *h); /* in the handler, before anything is taken */
	uint32_t reserve_fails;
	int commit_error;
};

struct flying {
	uint64_t due_us, order;
	unsigned from;
	struct ip_port source, destination;
	uint32_t bytes;
	uint8_t data[SEGMENT_MAX];
};

struct wire {
	struct host host[2];
	uint64_t now_us, delay_us, order;
	uint64_t segments; /* sent by both since wire_reset */
	uint64_t data_segments;
	enum fate (*fate)(struct wire *w, unsigned from, uint64_t n, const struct segment *s);
	void (*tap)(struct wire *w, unsigned from, const struct segment *s); /* sees what is sent */
	uint64_t script; /* the fate function's */
	unsigned count;
	uint32_t heap[FLIGHT_MAX], free[FLIGHT_MAX];
	unsigned free_count;
	struct flying flying[FLIGHT_MAX];
	struct ip_port address[2];
};

struct tcp_config wire_config(void);
/* configs: one per host (handlers, ctx, keys and counters are filled in). Fails the test where the endpoints refuse. */
struct wire *wire_new(const struct tcp_config *a, const struct tcp_config *b, bool v6);
void wire_free(struct wire *w);
/* What users want and what happened is forgotten; connections stay. */
void wire_reset(struct wire *w);

/* Host 0 calls host 1, which listens. */
void wire_connect(struct wire *w);
/* Until nothing happens any more, or the time is over. Returns how many steps it took. */
uint64_t wire_run(struct wire *w, uint64_t for_us);
/* Until `done` or the time is over: whether it was done. */
bool wire_until(struct wire *w, uint64_t for_us, bool (*done)(const struct wire *w));
/* Both users' wishes: send what is left, close. Called by wire_run. */
void wire_push(struct wire *w);

/* A segment out of nowhere to host `to`, from the other's address. Payload of s is its data; timestamps as in s. */
void wire_inject(struct wire *w, unsigned to, const struct segment *s);
uint64_t wire_counter(const struct wire *w, unsigned host, enum counter which);
/* No connection, no buffer is left. */
void wire_assert_empty(struct wire *w);
uint8_t wire_byte(unsigned sender, uint64_t position);
