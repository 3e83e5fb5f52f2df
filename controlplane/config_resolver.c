/* SPDX-License-Identifier: Apache-2.0 */
#include "config_resolver.h"

#include "base/err.h"
#include "config.h"
#include "config_schema.h"
#include "error.h"
#include "model/fields.h"

static int load_servers(const struct raw_resolver *r, struct query_config *q, char *error)
{
	if (r->servers_count > QUERY_SERVERS_MAX)
		return error_set(error, -ERR_FULL, "resolver.servers: more than %d", QUERY_SERVERS_MAX);
	for (uint32_t i = 0; i < r->servers_count; i++) {
		struct ip_port addr;

		if (ip_port_parse(span_str(r->servers[i]), 53, &addr) || !addr.port)
			return error_set(error, -ERR_INVALID, "resolver.servers[%u]: '%.64s' is not an address or ADDRESS:PORT", i, r->servers[i]);
		ip_port_format(&addr, q->servers[i]);
	}
	q->server_count = r->servers_count;
	return 0;
}

int config_load_resolver(const struct raw_config *raw, struct config *c, char *error)
{
	static const struct raw_resolver none;
	const struct raw_resolver *r = raw->resolver ? raw->resolver : &none;
	struct resolver_config *to = &c->resolver;
	int err;

	*to = resolver_config_default();

	const struct {
		const char *key;
		const int64_t *given;
		int64_t min, max;
		uint32_t *value;
	} rows[] = {
		{ "timeout_ms", r->timeout_ms, 50, 30000, &to->query.timeout_ms },
		{ "tries", r->tries, 1, 10, &to->query.tries },
		{ "min_ttl_s", r->min_ttl_s, 1, 3600, &to->min_ttl_s },
		{ "max_ttl_s", r->max_ttl_s, 1, 604800, &to->max_ttl_s },
	};
	err = load_servers(r, &to->query, error);
	for (unsigned i = 0; !err && i < sizeof(rows) / sizeof(rows[0]); i++) {
		int64_t value;

		err = field_integer(rows[i].given, *rows[i].value, rows[i].min, rows[i].max, "resolver", rows[i].key, &value, error);
		if (!err)
			*rows[i].value = (uint32_t)value;
	}
	if (!err && to->max_ttl_s < to->min_ttl_s)
		err = error_set(error, -ERR_INVALID, "resolver.max_ttl_s: less than min_ttl_s (%u < %u)", to->max_ttl_s, to->min_ttl_s);
	return err;
}
