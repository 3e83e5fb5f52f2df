/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "tun.h"
#include "wire.h"

struct relay;

/*   the endpoint under test, 10.78.0.2 and fd78::2 ══ tcp0 (TUN) ── the kernel, 10.78.0.1 and fd78::1, and its sockets
 *
 * in a network namespace of its own; real time. Between the two, packets are lost, swapped and duplicated from a seed. */

#define PORT	   5060
#define STREAMS	   4
#define LIMIT_US   25000000ULL

/* A stream's two ends: the kernel's socket, and the connection here. */
struct stream {
	int fd;
	struct tcp_connection *c;
	uint64_t sent[2], received[2]; /* [0]: by the kernel's side, [1]: by ours */
	bool fin_sent, fin_seen, closed;
	enum tcp_end why;
};

extern struct bed {
	int tun, listener;
	bool v6;
	struct tcp *tcp;
	struct counters counters;
	struct relay *relay;
	uint8_t room[TUN_HEADROOM + 65536];
	uint64_t now_us, bytes;
	unsigned count, wrong, accepted;
	struct stream stream[STREAMS];
} bed;

/* A clock that runs, in us. */
uint64_t bed_clock_us(void);

/* A network namespace of the process's own and a TUN device in it; the process ends with 77 where there may be none. */
int bed_set_up(void **state);

/* An endpoint, and a listener of the kernel's; each of `streams` sends `bytes` both ways, once it is called. */
void bed_begin(bool v6, uint64_t bytes, unsigned loss_permille, unsigned streams, uint32_t half_open);
void bed_finish(void);

void bed_kernel_calls(struct stream *s);
void bed_we_call(struct stream *s, uint16_t port);

/* Waits a millisecond at most for packets, and does all that is due. */
void bed_turn(void);
/* What is due on the link arrives; bed_turn does that too. */
void bed_deliver(void);
bool bed_all_done(void);
