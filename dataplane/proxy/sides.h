/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "proxy/state.h"
#include "tables/endpoints.h"
#include "tables/trunks.h"

/* Whose an address is: the two sides of a dialog live at endpoints and prefixes of a trunk each, whose id is in the token.
 *
 * From an id to its trunk, from there to its endpoints, and from each to its address are half a dozen places of memory, one behind the other, which with
 * thousands of endpoints are in no cache. So what was found is kept, in a line of its own, until something about trunks or endpoints changes. What was
 * not found is not kept: it is rare, and whoever asks for much of it is not to push out the rest.
 *
 * worker-only, all of these */

/* The first of the line's two. */
static inline struct side *side_place(struct proxy *p, uint32_t trunk_id, const struct ip_addr *ip)
{
	return &p->sides[ip_mix(ip, (uint64_t)trunk_id << 32) >> (64 - PROXY_SIDES_BITS) & ~1ULL];
}

static inline bool side_is(const struct side *s, uint32_t version, uint32_t trunk_id, const struct ip_addr *ip)
{
	return s->trunk == trunk_id && s->version == version && ip_eq(&s->ip, ip);
}

/* NULL: there is no such trunk any more. Valid until the end of the burst. */
const struct trunk *side_trunk(struct proxy *p, uint32_t trunk_id);

/* side_lives_at, of what the line's first does not know. */
bool side_found(struct proxy *p, uint32_t version, uint32_t trunk_id, const struct ip_addr *ip);

/* Whether it is an endpoint of that trunk, or was one, or lies in one of its prefixes. */
static inline bool side_lives_at(struct proxy *p, uint32_t trunk_id, const struct ip_addr *ip)
{
	/* Read before anything is looked up: a change meanwhile shows in the next ones. */
	uint32_t version = trunks_version(p->tables->trunks) + endpoints_version(p->tables->endpoints);

	return side_is(side_place(p, trunk_id, ip), version, trunk_id, ip) || side_found(p, version, trunk_id, ip);
}

/* Brings what side_lives_at will read first into the cache. */
static inline void side_prefetch(struct proxy *p, uint32_t trunk_id, const struct ip_addr *ip)
{
	__builtin_prefetch(side_place(p, trunk_id, ip));
}
