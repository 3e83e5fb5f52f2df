/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

/* Host names (of request URIs) to profile slots; immutable, built whole, case-insensitive, exact. */

struct domains;

struct domain_entry {
	const char *name;
	uint32_t profile_slot;
};

#define DOMAINS_NONE UINT32_MAX

/* NULL: no memory. control-only */
struct domains *domains_build(const struct domain_entry *entries, size_t count);
void domains_free(struct domains *d);

/* A trailing dot is ignored. Profile slot or DOMAINS_NONE. reader, inside a quiescent period */
uint32_t domains_lookup(const struct domains *d, struct span host);
