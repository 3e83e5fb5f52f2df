/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/addr.h"
#include "base/siphash.h"

/* How many connections each source has: an IPv4 address, or an IPv6 /64 (within which a host chooses freely). One owner thread. */

struct sources;

/* For up to `entries` sources. NULL: no memory. control-only */
struct sources *sources_new(uint32_t entries, const struct hash_key *key);
void sources_free(struct sources *s);
void sources_touch(struct sources *s);
size_t sources_bytes(const struct sources *s);

/* worker-only, all: */
uint32_t sources_count(const struct sources *s, const struct ip_addr *ip);
void sources_take(struct sources *s, const struct ip_addr *ip);
/* One that was taken. */
void sources_give(struct sources *s, const struct ip_addr *ip);
/* Different ones. */
uint32_t sources_distinct(const struct sources *s);
