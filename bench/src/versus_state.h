/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <netinet/in.h>
#include <sys/socket.h>

#include "versus_load.h"

/* Shared by versus_load.c (what is sent when, and what came of it), which has UDP in it, and versus_stream.c (TCP and TLS). */

#define BATCH	     64
#define SEND_AT_ONCE 16 /* INVITEs that leave together at most: a pace, not a wave */

struct streams;

struct batch {
	struct mmsghdr headers[BATCH];
	struct iovec vectors[BATCH];
	uint8_t bytes[BATCH][VERSUS_MESSAGE_MAX];
};

struct load {
	const struct load_config *config;
	struct load_result *r;
	struct maker *maker;
	int caller, targets[VERSUS_TARGETS_MAX];
	struct streams *streams; /* NULL: datagrams */
	uint8_t *saw;	   /* per INVITE */
	uint32_t *sent_us; /* per INVITE, since the beginning */
	uint64_t limit;	   /* INVITEs that there is room for */
	uint64_t begin_ns, now_ns, progress_ns;
	double forgiven; /* INVITEs that were left out */
	bool sending;
	struct batch in, out;
};

struct sockaddr_in load_place(const char *address, uint16_t port);

/* A target got this. Its answer, of *ret_len bytes; false: it is nothing to answer. */
bool load_target_got(struct load *l, unsigned target, const uint8_t *bytes, uint32_t len, uint8_t *answer, uint32_t *ret_len);
void load_caller_got(struct load *l, const uint8_t *bytes, uint32_t len);

/* ---- versus_stream.c */

/* The length of the message at the front; 0: it is not all there. */
uint32_t stream_message_bytes(const uint8_t *bytes, uint32_t len);

/* All that follow return a negative errno where something is wrong with a socket. */

/* Targets listen, and the caller's connections stand when this returns. */
int streams_open(struct load *l, const char **ret_step);
void streams_free(struct streams *s);
/* Queues an INVITE; it leaves with the next streams_turn. false: that connection has no room just now. */
bool streams_invite(struct load *l, uint64_t serial, const uint8_t *bytes, uint32_t len);
/* What has come is taken in, what waits is sent. Returns how many messages it moved. */
int streams_turn(struct load *l);
