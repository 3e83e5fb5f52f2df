/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/addr.h"
#include "base/span.h"
#include "tcp/sequence.h"

/* A TCP segment as it lies on the wire (RFC 9293 §3.1) and its options. */

#define TCP_HEADER_BYTES     20
#define TCP_OPTION_BYTES_MAX 40
#define TCP_TIMESTAMP_BYTES  12 /* with two NOPs, so that what follows is aligned */
#define TCP_SCALE_MAX	     14 /* RFC 7323 §2.3 */
#define TCP_SACKS_MAX	     4

#define FLAG_FIN 0x01
#define FLAG_SYN 0x02
#define FLAG_RST 0x04
#define FLAG_PSH 0x08
#define FLAG_ACK 0x10

struct segment {
	uint32_t seq, ack;
	uint32_t window; /* as in the header: not scaled */
	uint16_t source_port, destination_port;
	uint8_t flags;
	bool has_timestamp, has_scale, sack_permitted;
	uint8_t scale;
	uint16_t mss; /* 0: not given */
	uint32_t ts_value, ts_echo;
	unsigned sack_count;
	struct seq_range sack[TCP_SACKS_MAX];
	struct span data;
};

/* SEG.LEN: SYN and FIN take a number each. any */
static inline uint32_t tcp_segment_length(const struct segment *s)
{
	return s->data.n + !!(s->flags & FLAG_SYN) + !!(s->flags & FLAG_FIN);
}

/* 0, -ERR_INVALID: no header. What lies behind an option of impossible length is ignored. any */
int tcp_segment_parse(struct span bytes, struct segment *ret_segment);

/* Header and options of s (without its data); returns their length, a multiple of 4; the checksum is zero. `to` has room for the options
 * chosen: at most TCP_HEADER_BYTES + TCP_OPTION_BYTES_MAX. any */
uint32_t tcp_segment_write(const struct segment *s, uint8_t *to);
/* How long that will be. any */
uint32_t tcp_segment_header_bytes(const struct segment *s);

/* The checksum over the pseudo header and a whole segment: to be stored; 0 where the stored one is right. any */
uint16_t tcp_segment_checksum(const struct ip_addr *source, const struct ip_addr *destination, struct span segment);
