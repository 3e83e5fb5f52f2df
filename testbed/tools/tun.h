/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "tcp/tcp.h"

/* TCP segments as the kernel sees them: IP packets at a TUN device. */

#define TUN_HEADROOM 64 /* in front of a segment that tun_wrap is given */

/* A TUN device in this process's network namespace, without addresses and down; packets are whole, reads do not block. The descriptor, or
 * -1 (errno). */
int tun_open(const char *name);
/* What an IP packet carries, where that is TCP; the packet stays where it is. hash is left 0. false: something else. */
bool tun_unwrap(const uint8_t *packet, uint32_t bytes, struct tcp_packet *ret_packet);
/* Writes an IP header in front of a segment; returns how long that is. */
uint32_t tun_wrap(uint8_t *segment, uint32_t bytes, const struct ip_port *source, const struct ip_port *destination);
