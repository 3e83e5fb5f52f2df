/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"

struct ends_tls;
struct tcp_packet;

/* Callers' and targets' ends of TCP connections, by the endpoint that strowgerd has too: bytes of whole messages in and out. No port and no
 * clock: segments leave through handlers, and come with the time. IPv4, addresses in host order. One thread. */

struct ends;

struct ends_config {
	uint32_t connections; /* at once */
	uint64_t buffer_bytes;
	uint32_t mtu;
	uint32_t proxy_ip;
	uint16_t port; /* of the proxy, and of ends that listen */
	uint64_t seed; /* of sequence numbers and ports */
	struct ends_tls *tls; /* all connections are secured by it; the caller's. NULL: none is */
	/* As in struct tcp_handlers. */
	uint8_t *(*reserve)(void *ctx, uint32_t bytes);
	int (*commit)(void *ctx, uint32_t bytes, uint32_t from_ip, uint32_t to_ip);
	/* A whole message came to that end; valid for the call. May call ends_send. */
	void (*message)(void *ctx, uint32_t own_ip, const uint8_t *data, uint32_t len);
	void *ctx;
};

struct ends_counts {
	uint64_t opened, accepted, closed; /* closed: for whatever reason */
	uint64_t failed;		   /* of closed: not because both sides had said that they were done */
	uint64_t noise;			   /* connections with something else than SIP on them */
	uint64_t bytes_in, bytes_out;	   /* of messages */
};

/* NULL: no memory, or values that tcp_config_fault names. */
struct ends *ends_new(const struct ends_config *config, uint64_t now_us);
void ends_free(struct ends *e);
/* Takes the memory that connections will use. */
void ends_touch(struct ends *e);

/* Connections to that address are taken. At most 64 of them; 0, or a negative enum err, as below. */
int ends_listen(struct ends *e, uint32_t ip);
/* One more connection from that address to the proxy; ends_counts says when it stands. */
int ends_open(struct ends *e, uint32_t ip);
/* All connections that the ends have opened are closed, or all of one end's. */
void ends_close(struct ends *e, uint32_t ip);

/* By one of the connections that `ip` opened, or, where it opened none, that were opened to it: the same choice, the same one while none
 * comes or goes. false: nothing was taken, there is no connection, or no room on it. */
bool ends_send(struct ends *e, uint32_t ip, uint64_t choice, const uint8_t *message, uint32_t len);

void ends_input(struct ends *e, const struct tcp_packet *packet, uint64_t now_us);
/* Timers; then what is queued leaves. */
void ends_advance(struct ends *e, uint64_t now_us);

const struct ends_counts *ends_counts(const struct ends *e);
/* Queued or in flight, of all connections that stand. */
uint64_t ends_pending(const struct ends *e);
/* Memory that is taken for that and for what came out of order: known at once, however many connections there are. */
uint64_t ends_buffered(const struct ends *e);
