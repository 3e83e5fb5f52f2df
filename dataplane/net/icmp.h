/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdint.h>

#include "net/packet.h"

/* ICMP errors (RFC 792, RFC 4443) that quote a UDP packet or a TCP segment of ours. */

/* message: `bytes` from the ICMP header on, its checksum good. true: it quotes what a listener sent, and ret_packet's source,
 * destination, payload and icmp_ fields are written. any */
bool icmp_read_v4(const uint8_t *message, uint32_t bytes, const struct listener_set *listeners, struct packet *ret_packet);
bool icmp_read_v6(const uint8_t *message, uint32_t bytes, const struct listener_set *listeners, struct packet *ret_packet);
