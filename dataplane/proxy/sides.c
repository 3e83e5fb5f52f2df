/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/sides.h"

/* Where it was found last it mostly is: calls of the same few trunks follow each other. */
const struct trunk *side_trunk(struct proxy *p, uint32_t id)
{
	uint32_t *last = &p->trunk_slots[id % PROXY_TRUNK_SLOTS], slot;
	const struct trunk *trunk = trunks_get(p->tables->trunks, *last);

	if (trunk && trunk->id == id)
		return trunk;
	slot = trunks_find(p->tables->trunks, id);
	if (slot == TRUNK_NONE)
		return NULL;
	*last = slot;
	return trunks_get(p->tables->trunks, slot);
}

static bool look_up(struct proxy *p, uint32_t trunk_id, const struct ip_addr *ip)
{
	const struct trunk *t = side_trunk(p, trunk_id);

	if (!t)
		return false;
	for (unsigned i = 0; i < t->endpoint_count; i++) {
		const struct endpoint_config *e = endpoints_get(p->tables->endpoints, t->endpoints[i]);

		if (e && ip_eq(&e->addr.ip, ip))
			return true;
	}
	for (unsigned i = 0; i < t->prefix_count; i++)
		if (ip_prefix_contains(&t->prefixes[i], ip))
			return true;
	for (unsigned i = 0; i < t->former_count; i++)
		if (ip_eq(&t->former[i].addr.ip, ip))
			return true;
	return false;
}

bool side_found(struct proxy *p, uint32_t version, uint32_t trunk_id, const struct ip_addr *ip)
{
	struct side *known = side_place(p, trunk_id, ip);

	if (side_is(&known[1], version, trunk_id, ip))
		return true;
	if (!look_up(p, trunk_id, ip))
		return false;
	known[1] = known[0];
	known[0] = (struct side){ .version = version, .trunk = trunk_id, .ip = *ip };
	return true;
}
