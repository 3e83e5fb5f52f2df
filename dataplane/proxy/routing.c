/* SPDX-License-Identifier: Apache-2.0 */
/* From a request to a profile: number, domain, source trunk, in that order. */
#include "proxy/state.h"
#include "sip/uri.h"
#include "tables/domains.h"
#include "tables/numbers.h"
#include "tables/trunks.h"

static uint32_t by_number(const struct tables *t, const struct sip_uri *uri, const struct number_plan *plan, e164 *ret_number)
{
	if (number_from_uri(uri, plan, ret_number) < 0) {
		*ret_number = 0;
		return PROFILE_NONE;
	}
	return numbers_lookup(t->numbers, *ret_number).profile_slot;
}

void route_request(struct proxy *p, uint32_t trunk_slot, struct routing *ret)
{
	const struct trunk *trunk = trunks_get(p->tables->trunks, trunk_slot);
	const struct sip_uri *uri = request_uri(p);
	uint32_t slot = PROFILE_NONE;

	*ret = (struct routing){ .profile_slot = PROFILE_NONE };
	if (!trunk || !uri) {
		ret->status = trunk ? 400 : 403;
		return;
	}
	if (uri->scheme == URI_SIPS) { /* RFC 5630: never below TLS, and there is no TLS target to send it to */
		ret->status = 416;
		return;
	}
	slot = by_number(p->tables, uri, &trunk->plan, &ret->number);
	if (slot == PROFILE_NONE && uri->scheme != URI_TEL)
		slot = domains_lookup(domain_table_get(p->tables->domains), uri->host);
	if (slot == PROFILE_NONE)
		slot = trunk->profile_slot;
	ret->profile = slot == PROFILE_NONE ? NULL : profiles_get(p->tables->profiles, slot);
	ret->profile_slot = slot;
	if (!ret->profile)
		ret->status = 404;
}
