/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "tables/ranges.h"

struct epoch;

/* Who may call: source prefix -> trunk slot. Default deny: what no prefix holds is TRUNK_NONE. */

struct access;

/* Empty: everybody is refused. control-only */
struct access *access_new(struct epoch *e);
void access_free(struct access *a);

/* Publishes a whole new list (value: trunk slot). 0, -ERR_NOMEM (the old one stays). control-only */
int access_publish(struct access *a, const struct range_entry *entries, size_t count);

/* Trunk slot or TRUNK_NONE. reader, inside a quiescent period */
uint32_t access_lookup(const struct access *a, const struct ip_addr *source);
