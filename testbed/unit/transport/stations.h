/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/counters.h"
#include "base/err.h"
#include "sip/via.h"
#include "transport/stream.h"

/* Two workers' streams against each other, in simulated time: what one sends the other is given at the next turn. */

#define SEGMENTS 512

struct station {
	struct streams *st;
	struct counters counters;
	uint8_t room[2048];
	struct {
		uint32_t bytes;
		struct ip_addr source, destination;
		uint8_t segment[1600];
	} out[SEGMENTS];
	unsigned count, messages, lost;
	uint64_t bytes;	  /* of messages */
	unsigned refuse;  /* so many messages are not taken */
	bool deaf;	  /* what is sent to it vanishes */
	struct flow from; /* of the last message */
	struct ip_port returned_to; /* whom the last that came back was for */
	char undelivered[256], why[STREAM_WHY_MAX]; /* itself; why "": nothing was said */
};

extern struct station stations[2];
extern uint64_t now_us; /* from 1 s on */

/* What all of them have: 64 connections, send buffers of send_bytes, timeouts of a second or two; handlers that keep what they hear. */
struct streams_config station_config(struct station *s, uint32_t send_bytes);
/* Anew, at now_us, with everything in s forgotten. */
void station_new(struct station *s, const struct streams_config *config);

/* A turn of both, and what they sent to the other. */
void turn(uint64_t us);
/* So many of a millisecond. */
void turns(unsigned n);
/* As streams_send. */
int put(struct station *s, const char *text, const struct flow *to);
uint64_t counted(const struct station *s, enum counter which);
