/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"

/* Longest-prefix match over an immutable, flattened list of address intervals: binary search, both families. Used for source
 * access lists and for routes. */

struct ranges;

struct range_entry {
	struct ip_prefix prefix;
	uint32_t value;
};

#define RANGES_NONE UINT32_MAX /* also a value that no entry may carry */

/* Of equal prefixes the last one wins. entries are not kept. NULL: no memory. control-only */
struct ranges *ranges_build(const struct range_entry *entries, size_t count);
void ranges_free(struct ranges *r);

/* The value of the longest prefix that holds ip, or RANGES_NONE. reader, inside a quiescent period */
uint32_t ranges_lookup(const struct ranges *r, const struct ip_addr *ip);
