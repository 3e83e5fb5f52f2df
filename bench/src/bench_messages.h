/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdint.h>

/* The n-th INVITE: numbers, tags, branch and Call-ID all depend on n. Returns its length. */
uint32_t bench_write_invite(uint8_t *buffer, uint32_t cap, uint64_t n, const char *source_ip);
