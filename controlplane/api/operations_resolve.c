/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "api/control.h"
#include "api/handlers.h"
#include "api/operations.h"
#include "base/err.h"
#include "cdr_line.h"
#include "error.h"
#include "model/expand.h"
#include "resolve/follow.h"
#include "resolve/resolver.h"
#include "sip/via.h"

static json_t *time_json(uint64_t unix_ms)
{
	char text[CDR_TIME_MAX];

	if (!unix_ms)
		return json_null();
	cdr_time(unix_ms, text);
	return json_string(text);
}

static json_t *place_json(const struct sip_place *p)
{
	char address[IP_PORT_TEXT_MAX];

	ip_port_format(&p->addr, address);
	return json_pack("{s:s, s:s, s:i, s:i, s:s}", "address", address, "transport", transport_name(p->transport), "priority", p->priority, "weight", p->weight,
			 "target", p->target);
}

static json_t *record_json(uint16_t type, const struct dns_record *r)
{
	char ip[IP_TEXT_MAX + 2];

	switch (type) {
	case DNS_SRV:
		return json_sprintf("%u %u %u %s", r->srv.priority, r->srv.weight, r->srv.port, r->srv.target[0] ? r->srv.target : ".");
	case DNS_NAPTR:
		return json_sprintf("%u %u \"%s\" \"%s\" %s", r->naptr.order, r->naptr.preference, r->naptr.flags, r->naptr.service,
				    r->naptr.replacement[0] ? r->naptr.replacement : ".");
	default:
		ip_format(&r->ip, false, ip);
		return json_string(ip);
	}
}

static const char *outcome_word(const struct lookup *k)
{
	if (!k->answer)
		return k->failed ? "failed" : "asking";
	if (k->answer->outcome == DNS_NO_NAME)
		return "no such name";
	return k->answer->outcome == DNS_NO_DATA ? "no such record" : "records";
}

/* Negative where what is in use is older than its TTL, since asking again fails. */
static json_t *ttl_json(const struct lookup *k)
{
	return k->answer ? json_real(((double)k->expires_ms - (double)follow_now_ms()) / 1000) : json_null();
}

static json_t *lookup_json(const struct lookup *k)
{
	json_t *records = json_array();

	for (unsigned i = 0; k->answer && i < k->answer->count; i++)
		json_array_append_new(records, record_json(k->type, &k->answer->records[i]));
	return json_pack("{s:s, s:s, s:s, s:o, s:s*, s:o}", "name", k->name, "type", dns_type_name(k->type), "outcome", outcome_word(k),
			 "ttl_left_s", ttl_json(k), "failed", k->failed ? k->why : NULL, "records", records);
}

static json_t *follow_json(const struct follow *f)
{
	json_t *places = json_array(), *lookups = json_array(), *json;
	uint64_t now = follow_now_ms();

	for (unsigned i = 0; i < f->now.count; i++)
		json_array_append_new(places, place_json(&f->now.places[i]));
	for (unsigned i = 0; i < f->lookups.count; i++)
		json_array_append_new(lookups, lookup_json(f->lookups.list[i]));
	json = json_pack("{s:s, s:s, s:b, s:s*, s:o, s:o, s:i, s:i, s:o, s:o}", "name", f->target.name, "state", follow_state_name(f->state),
			 "asking", follow_asking(f), "why", f->why[0] ? f->why : NULL, "good", time_json(f->good_unix_ms), "refresh_s",
			 f->due_ms ? json_real(f->due_ms > now ? (double)(f->due_ms - now) / 1000 : 0) : json_null(), "changes",
			 (int)f->changes, "left_out", f->now.left_out, "endpoints", places, "lookups", lookups);
	if (json && f->target.port)
		json_object_set_new(json, "port", json_integer(f->target.port));
	if (json && f->target.transport != TRANSPORT_UNSAID)
		json_object_set_new(json, "transport", json_string(transport_name(f->target.transport)));
	return json;
}

int operation_resolve(struct control *c, const json_t *params, json_t **ret_result, char *error)
{
	const char *given = param_text(params, "name");
	char name[DNS_TEXT_MAX];
	json_t *list;
	unsigned found = 0;

	if (given && !host_name_read(given, name))
		return error_set(error, -ERR_INVALID, "name: '%.64s' is not a host name", given);
	list = json_array();
	for (const struct follow *f = c->resolver ? resolver_next(c->resolver, NULL) : NULL; f; f = resolver_next(c->resolver, f))
		if (!given || strcmp(f->target.name, name) == 0) {
			json_array_append_new(list, follow_json(f));
			found++;
		}
	if (given && !found) {
		json_decref(list);
		return error_set(error, -ERR_NOT_FOUND, "name: no trunk names %.64s", given);
	}
	/* The answer is as it was before; `asking` is true in the next. */
	if (json_is_true(json_object_get(params, "now")) && c->resolver)
		resolver_ask_now(c->resolver, given ? name : NULL);
	*ret_result = list;
	return 0;
}
