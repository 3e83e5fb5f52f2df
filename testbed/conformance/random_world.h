/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "../unit/proxy/harness.h"

/* The callers and targets of random.c, and what must hold of all that the proxy sends them. */

#define CALLS		2
#define BRANCHES_MAX	64
#define BRANCH_CHARS	32

/* One request at one target, as the target sees it. */
struct leg {
	char branch[BRANCH_CHARS];
	unsigned call, target;
	uint64_t began_ms, cancelled_ms;
	bool provisional; /* it sent one */
	bool rang;	  /* it did while its transaction surely lived */
	bool final, success;
	bool refused;	  /* an ICMP error ended it */
	bool cancelled;
	bool cancel_answered;
	unsigned acks;
};

struct caller {
	char call_id[32], via[64], method[16], breadth[24];
	char final_to[64]; /* To of the final other than 2xx, for its ACK */
	bool invite, active;
	unsigned failures, successes; /* distinct finals that went up */
	unsigned failure_status;
	bool cancelled;		      /* its CANCEL was taken: 200 came back */
	bool acked;
	uint64_t began_ms, final_ms;
};

extern struct world {
	struct harness h; /* tables and configuration; the proxy is `proxy` */
	struct proxy *proxy;
	uint64_t now_ms, seed, random;
	uint64_t sequences, events, branches, successes, failures, cancels;
	struct caller caller[CALLS];
	struct leg leg[BRANCHES_MAX];
	unsigned legs;
	uint8_t out[65536];
	struct ip_port address[3], caller_address, us;
	unsigned starts, ends;
	/* of the event just now */
	unsigned went_up[7]; /* by class */
	char log[60000];
	size_t logged;
	bool starved; /* something was not sent for want of a buffer */
	bool over;    /* nobody speaks any more; buffers are there */
} world;

#define REQUIRE(condition, what)                                                                                       \
	do {                                                                                                           \
		if (!(condition))                                                                                      \
			broken(what, __FILE_NAME__, __LINE__);                                                                 \
	} while (0)

/* A line for the log of the sequence. */
void note(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Prints the log and the seed that shows it again, and ends the process. */
_Noreturn void broken(const char *what, const char *file, int line);
/* 0 to n - 1 by the world's dice. */
uint32_t below(uint32_t n);

/* The proxy's way out (struct outbox, and its records): each message is held against what went before. */
uint8_t *world_reserve(void *ctx, uint32_t bytes);
int world_commit(void *ctx, uint32_t len, const struct flow *to);
bool world_record(void *ctx, const struct call_record *r);
