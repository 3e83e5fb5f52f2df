/* SPDX-License-Identifier: Apache-2.0 */
/* From a request to a profile: number, domain, source trunk, in that order; and which URIs mean us. */
#include "proxy/state.h"
#include "sip/uri.h"
#include "tables/domains.h"
#include "tables/numbers.h"
#include "tables/trunks.h"

static bool address_is_us(const struct proxy *p, const struct ip_port *addr)
{
	for (unsigned i = 0; i < p->listener_count; i++)
		if (ip_port_eq(&p->listeners[i].addr, addr))
			return true;
	return false;
}

/* RFC 3261 §19.1.2. */
static uint16_t default_port(const struct proxy *p, const struct sip_uri *uri)
{
	struct span transport;

	if (!p->tls)
		return 5060;
	if (uri->scheme == URI_SIPS || (param_find(uri->params, "transport", &transport) && span_ieq_str(transport, "tls")))
		return 5061;
	return 5060;
}

bool uri_is_us(const struct proxy *p, const struct sip_uri *uri)
{
	struct ip_port addr = { .port = uri->port ? uri->port : default_port(p, uri) };
	struct span host = uri->host;

	for (unsigned i = 0; i < p->config.name_count; i++)
		if (host_eq(host, span_str(p->config.names[i])))
			return true;
	return ip_parse(host, &addr.ip) == 0 && address_is_us(p, &addr);
}

static e164 dialled(const struct sip_message *m, const struct trunk *trunk)
{
	const struct sip_uri *uri = request_uri(m);
	e164 number;

	return uri && number_from_uri(uri, &trunk->plan, &number) == 0 ? number : 0;
}

void number_look(struct proxy *p, const struct flow *from)
{
	uint32_t slot = source_trunk(p, from);
	const struct trunk *trunk = slot == TRUNK_NONE ? NULL : trunks_get(p->tables->trunks, slot);

	if (!trunk)
		return;
	p->look->number = dialled(p->in, trunk);
	p->look->numbered = true;
	if (p->look->number)
		numbers_prefetch(p->tables->numbers, p->look->number);
}

/* RFC 5630 §5.3: never below TLS, neither on its way here nor on its way on (selection_state.tls_only). */
static bool secure_enough(const struct proxy *p, const struct flow *from, struct routing *ret)
{
	if (from->transport == TRANSPORT_TLS)
		return true;
	ret->status = p->tls ? 403 : 416;
	ret->reason = p->tls ? "SIPS Not By TLS" : NULL;
	return false;
}

void route_request(struct proxy *p, uint32_t trunk_slot, const struct flow *from, struct routing *ret)
{
	const struct trunk *trunk = trunks_get(p->tables->trunks, trunk_slot);
	const struct sip_uri *uri = request_uri(p->in);
	uint32_t slot = PROFILE_NONE;

	*ret = (struct routing){ .profile_slot = PROFILE_NONE };
	if (!trunk || !uri) {
		ret->status = trunk ? 400 : 403;
		return;
	}
	if (uri->scheme == URI_SIPS && !secure_enough(p, from, ret))
		return;
	ret->number = p->look->numbered ? p->look->number : dialled(p->in, trunk);
	if (ret->number)
		slot = numbers_lookup(p->tables->numbers, ret->number).profile_slot;
	if (slot == PROFILE_NONE && uri->scheme != URI_TEL)
		slot = domains_lookup(domain_table_get(p->tables->domains), uri->host);
	if (slot == PROFILE_NONE)
		slot = trunk->profile_slot;
	ret->profile = slot == PROFILE_NONE ? NULL : profiles_get(p->tables->profiles, slot);
	ret->profile_slot = slot;
	if (!ret->profile)
		ret->status = 404;
}
