/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Sequence numbers, modulo 2^32 (RFC 9293 §3.4). */

static inline bool seq_lt(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) < 0;
}

static inline bool seq_le(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) <= 0;
}

static inline uint32_t seq_max(uint32_t a, uint32_t b)
{
	return seq_lt(a, b) ? b : a;
}

static inline uint32_t seq_min(uint32_t a, uint32_t b)
{
	return seq_lt(a, b) ? a : b;
}

/* from <= s < from + n */
static inline bool seq_within(uint32_t s, uint32_t from, uint32_t n)
{
	return s - from < n;
}

struct seq_range {
	uint32_t from, to; /* [from, to) */
};
