/* SPDX-License-Identifier: Apache-2.0 */
/* Redirects (RFC 3261 §8.1.3.4, §16.5) that stay within the profile: a Contact that names an endpoint of one of its targets. */
#include "proxy/state.h"
#include "sip/uri.h"
#include "tables/endpoints.h"

struct candidate {
	uint32_t endpoint;
	uint32_t q; /* in thousandths */
};

/* q of a Contact (RFC 3261 §20.10): "0.7" as 700; 1000 where absent. */
static uint32_t q_of(struct span params)
{
	struct span value;
	uint32_t q = 0, place = 100;

	if (!param_find(params, "q", &value) || !value.n)
		return 1000;
	if (value.p[0] == '1')
		return 1000;
	for (uint32_t i = 2; i < value.n && place; i++, place /= 10)
		if (value.p[i] >= '0' && value.p[i] <= '9')
			q += (uint32_t)(value.p[i] - '0') * place;
	return q;
}

static uint32_t endpoint_of(const struct proxy *p, const struct profile *profile, const struct sip_uri *uri)
{
	struct ip_port addr = { .ip = uri->ip, .port = uri->port ? uri->port : 5060 };

	for (unsigned t = 0; t < profile->target_count; t++) {
		for (unsigned i = 0; i < profile->targets[t].endpoint_count; i++) {
			uint32_t slot = profile->targets[t].endpoints[i];
			const struct endpoint_config *e = endpoints_get(p->tables->endpoints, slot);

			if (e && ip_port_eq(&e->addr, &addr))
				return slot;
		}
	}
	return ENDPOINT_NONE;
}

/* Each endpoint is tried once (a 3xx that names nothing else goes up). */
static bool was_tried(const struct selection_state *s, uint32_t endpoint)
{
	for (unsigned i = 0; i < s->tried_count && i < ATTEMPTS_MAX; i++)
		if (s->tried[i] == endpoint)
			return true;
	return false;
}

/* Into the list by falling q; of equals the first named comes first. */
static void insert(struct candidate *list, unsigned *count, struct candidate c)
{
	unsigned at;

	if (*count == REDIRECTS_MAX)
		return;
	for (at = *count; at && list[at - 1].q < c.q; at--)
		list[at] = list[at - 1];
	list[at] = c;
	(*count)++;
}

bool redirect_note(struct proxy *p, struct context *c)
{
	const struct profile *profile = profiles_get(p->tables->profiles, c->profile_slot);
	struct candidate list[REDIRECTS_MAX];
	unsigned count = 0;

	if (!profile || profile->id != c->profile_id)
		return false;
	for (int line = p->in->first[SIP_H_CONTACT]; line >= 0; line = p->in->headers[line].next) {
		struct span rest = sip_value(p->in, line);
		struct name_addr contact;
		struct sip_uri uri;

		while (name_addr_next(&rest, &contact) == 1) {
			uint32_t endpoint;

			if (uri_parse(contact.uri, &uri) < 0 || uri.scheme != URI_SIP || uri.host_kind == HOST_NAME)
				continue;
			endpoint = endpoint_of(p, profile, &uri);
			if (endpoint != ENDPOINT_NONE && !was_tried(&c->selection, endpoint))
				insert(list, &count, (struct candidate){ endpoint, q_of(contact.params) });
		}
	}
	c->redirect_count = (uint8_t)count;
	for (unsigned i = 0; i < count; i++)
		c->redirects[count - 1 - i] = list[i].endpoint; /* taken from the end */
	return count > 0;
}
