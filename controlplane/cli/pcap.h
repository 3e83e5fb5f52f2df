/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdint.h>
#include <stdio.h>

struct ip_port;

/* A classic pcap file of UDP datagrams, in Ethernet frames that are made up: tshark and Wireshark read it. */

/* 0, or -1 with errno. */
int pcap_begin(FILE *f);

/* One datagram of `len` bytes of which the first `kept` are there (the frame is marked as cut where they differ). Both ends are of one
 * family. 0; -1 with errno. */
int pcap_datagram(FILE *f, uint64_t unix_ms, const struct ip_port *from, const struct ip_port *to, const uint8_t *data, uint32_t kept,
		  uint32_t len);
