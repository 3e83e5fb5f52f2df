/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdint.h>

/* What was sent, read by the test's own reckoning; the payload of every packet counts 1, 2, 3 ... from its first byte on. */

/* A number of so many bytes, the most significant first. */
uint32_t sent_number(const uint8_t *p, unsigned bytes);
/* Headers and checksums of an unfragmented IP packet of UDP from port 5060, `length` bytes with `payload` behind UDP's header. */
void sent_check(const uint8_t *ip, uint32_t length, uint32_t payload);
/* Puts fragments, none above mtu bytes, together as their offsets say, into `whole` from UDP's header on; returns the bytes. */
uint32_t sent_put_together(uint8_t *const *packets, const uint32_t *lengths, unsigned count, uint32_t mtu, uint8_t *whole);
