/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Frames through both ways of net/packet.h. */

#include <stdint.h>

#include "base/counters.h"
#include "frames.h"
#include "net/packet.h"

#define NONE COUNTER_COUNT

extern uint8_t scratch[65536];
extern const struct listener_set *listeners; /* frame_listeners, where a test has put no other */
extern uint32_t usual_count;		     /* frames that packet_usual took */

/* Parses a copy of exactly that many bytes, so that ASan sees a step beyond, and copies the payload out of it where ret_payload is not NULL.
 * packet_usual must say the same, or nothing. Returns why the frame was dropped, or NONE; with flags other than 0 the driver verifies. */
enum counter parse(const uint8_t *bytes, uint32_t length, uint64_t flags, struct packet *ret_packet, uint8_t *ret_payload);
