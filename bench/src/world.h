/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "peers.h"

/* The data plane in this process: tables, a port whose wire is two rings a worker, and workers that turn when they are told to. */

#define WORLD_WORKERS_MAX 2

struct world_config {
	unsigned workers;
	uint32_t numbers, endpoints;
	uint32_t room; /* numbers that the table has room for where it is more than `numbers`, and a hundred profiles more */
	uint32_t max_transactions, max_calls, message_mb;
	uint32_t mbufs, ring; /* frames that may be on the wire; the ring's size is a power of two */
	unsigned trace_mb, trace_s; /* strowgerd's defaults are 8 and 2 */
	bool offload;	      /* the port fills in and verifies checksums */
	bool tcp_callers, tcp_targets; /* they speak TCP; both UDP otherwise */
	bool tls;		       /* and TLS over it: 1.3, P-256, nobody verifies anybody */
	uint32_t connections;	       /* that there is room for, where anybody speaks TCP */
	uint32_t callers;	       /* their addresses: at most WORLD_CALLERS, or WORLD_CALLERS_TCP; 0: as many */
	bool failover;	      /* every profile, so that a refusal has a next target; else strategies are mixed */
	bool forked;	      /* every call rings at two targets at once */
};

struct rte_mbuf;
struct rte_ring;
struct tcp_packet;
struct ends_tls;
struct worker;

struct world {
	struct world_config config;
	struct worker_shared *shared;
	struct worker *worker[WORLD_WORKERS_MAX];
	struct rte_ring *wire_in[WORLD_WORKERS_MAX], *wire_out[WORLD_WORKERS_MAX];
	uint8_t mac[6];
	bool hugepages;
	double numbers_load_s;
	uint64_t tables_bytes; /* resident memory that the tables took, numbers and all */
	uint64_t records;	/* call records taken so far */
	struct ends_tls *tls;	/* of the far ends; NULL: nobody speaks TLS */
};

/* Once per process. 0, or -1 with a line on stderr. */
int world_start(struct world *w, const struct world_config *config);

#define WORLD_CALLERS	  192
#define WORLD_CALLERS_TCP 32 /* addresses; each may have many connections */
#define FIRST_NUMBER  442000000000ull
uint32_t world_caller_ip(unsigned index); /* index < WORLD_CALLERS */
uint32_t world_endpoint_ip(uint32_t index);
struct ip_addr world_address(uint32_t ip); /* IPv4, the first byte highest */
bool world_is_endpoint(const struct world *w, uint32_t ip);

/* A frame as a driver hands it over: payload from that address to the proxy. NULL: no mbuf left. */
struct rte_mbuf *world_frame(const struct world *w, const uint8_t *payload, uint32_t len, uint32_t from);
/* The other way: the payload of a frame that left, and where it goes. -1: a frame that no proxy should send, with a line on stderr. */
int world_read(const struct world *w, const struct rte_mbuf *m, const uint8_t **ret_payload, uint32_t *ret_len, uint32_t *ret_to);

/* The same for TCP. Room for a segment of `bytes` in a fresh frame; the frame when it is written, checksum and all; and what left, valid as
 * long as m. false: it is no TCP segment. */
uint8_t *world_segment_room(const struct world *w, uint32_t bytes, struct rte_mbuf **ret_frame);
void world_segment_frame(const struct world *w, struct rte_mbuf *frame, uint32_t bytes, uint32_t from);
bool world_segment(const struct rte_mbuf *m, struct tcp_packet *ret);

/* What the control thread would do between turns: takes the call records, lets the tables reclaim. */
void world_control(struct world *w);

/* Resident bytes of this process, huge pages included. */
uint64_t resident_bytes(void);
