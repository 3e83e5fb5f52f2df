/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct rte_mbuf;

/* The generator's end of the wire: one DPDK port, one queue; UDP over IPv4, or TCP (wire_stream.h). The addresses of callers and targets
 * have no kernel behind them: this answers ARP for all of them. */

struct datagram_way {
	uint32_t from_ip, to_ip; /* host order */
	uint16_t from_port, to_port;
};

struct arrival {
	struct rte_mbuf *mbuf;
	const uint8_t *payload;
	uint32_t len;
	struct datagram_way way;
};

struct wire_port;

struct wire_port_config {
	const char *device; /* DPDK device arguments: "net_memif0,role=client,...", "net_af_xdp0,iface=..." */
	unsigned core;
	uint32_t us;   /* the device under test */
	uint32_t mine; /* the net (/16) whose addresses are ours, all but us */
	/* TCP: so many connections of the callers; 0: UDP. Addresses of callers and targets are NET.101 and on, `makes` each. */
	uint32_t connections, callers, targets;
	unsigned makes;
	bool tls; /* and TLS over it */
	bool echo;     /* frames come back with their MACs swapped: nobody to ask for an address */
};

/* ---- for wire_stream.c: room for a segment of at most one frame, and one that is written, its checksum too */
uint8_t *wire_port_segment_reserve(struct wire_port *p);
void wire_port_segment_commit(struct wire_port *p, uint32_t bytes, uint32_t from_ip, uint32_t to_ip);

/* ---- for all others */

/* Starts EAL, pins this thread and opens the port: a memif server's socket is there then. NULL: error_text (256). */
struct wire_port *wire_port_open(const struct wire_port_config *config, char *error_text);
/* Waits for its link and for the device's answer to ARP, and opens its connections, each for at most wait_s. 0, -1: error_text (256). */
int wire_port_meet(struct wire_port *p, unsigned wait_s, char *error_text);
void wire_port_close(struct wire_port *p);

/* Room for one message of up to 1,600 bytes; NULL: 64 wait to be sent (flush first), or no mbuf is left. */
uint8_t *wire_port_reserve(struct wire_port *p);
void wire_port_commit(struct wire_port *p, uint32_t len, const struct datagram_way *way);
/* Messages for which wire_port_reserve would have room. */
unsigned wire_port_room(const struct wire_port *p);
bool wire_port_by_tcp(const struct wire_port *p);
/* The driver, or TCP, has not taken all yet. */
bool wire_port_waiting(const struct wire_port *p);
/* Sends what it can; what the driver does not take stays for the next time. Returns how many were taken. */
unsigned wire_port_flush(struct wire_port *p);

/* Up to 64 datagrams to us; anything else is answered, or counted and dropped. To be released. */
unsigned wire_port_receive(struct wire_port *p, struct arrival *ret_arrivals);
void wire_port_release(struct arrival *arrivals, unsigned n);
/* IP and UDP checksums of what came are right, and lengths agree. What came by TCP has proven that already. */
bool wire_port_intact(const struct arrival *a);

struct wire_port_stats {
	uint64_t sent, received, full, other, bytes_sent,
		bytes_received; /* full: turns in which the driver took less than was there */
};
const struct wire_port_stats *wire_port_stats(const struct wire_port *p);
