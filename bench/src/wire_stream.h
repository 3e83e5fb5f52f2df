/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "wire_port.h"

/* Messages by TCP behind the face of wire_port.h: callers' and targets' ends (ends.h), segments in the port's frames. Connections of
 * callers stand before anything is measured; the device opens those to targets, and to callers for what is asked of them. */

struct wire_stream;

/* NULL: no memory. */
struct wire_stream *wire_stream_new(const struct wire_port_config *config, struct wire_port *port);
void wire_stream_free(struct wire_stream *s);
/* Opens the callers' connections; the port must be turning already. false: not all of them stood in time, with error_text (256). */
bool wire_stream_open(struct wire_stream *s, unsigned wait_s, char *error_text);

/* As those of wire_port.h. */
uint8_t *wire_stream_reserve(struct wire_stream *s);
bool wire_stream_commit(struct wire_stream *s, uint32_t len, const struct datagram_way *way);
bool wire_stream_waiting(const struct wire_stream *s);

/* A frame with a segment in it; it stays the caller's. */
void wire_stream_segment(struct wire_stream *s, const struct rte_mbuf *m);
/* There are many of them: no more segments now. */
bool wire_stream_behind(const struct wire_stream *s);
/* Messages that came whole, at most `most`; valid until the next call of wire_stream_segment. */
unsigned wire_stream_arrivals(struct wire_stream *s, struct arrival *ret_arrivals, unsigned most);
/* Timers, and what is queued into frames. */
void wire_stream_advance(struct wire_stream *s);
