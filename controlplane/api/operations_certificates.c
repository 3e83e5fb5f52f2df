/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "api/control.h"
#include "api/handlers.h"
#include "base/err.h"
#include "cdr_line.h"
#include "certs/certificates.h"
#include "certs/days.h"
#include "certs/peers.h"
#include "config.h"
#include "error.h"
#include "routing.h"
#include "utf8.h"

/* Of a certificate, which may hold what the network sent. */
static json_t *text_json(const char *text)
{
	char valid[3 * TLS_NAMES_BYTES + 1];

	return json_stringn(valid, utf8_text((const uint8_t *)text, (uint32_t)strlen(text), valid));
}

static json_t *time_json(int64_t unix_s)
{
	char text[CDR_TIME_MAX];

	if (unix_s <= 0)
		return json_null();
	cdr_time((uint64_t)unix_s * 1000, text);
	return json_string(text);
}

static json_t *names_json(const char *names)
{
	json_t *list = json_array();
	char name[TLS_NAMES_BYTES];

	for (const char *p = names; *p;) {
		size_t n = strcspn(p, ",");

		memcpy(name, p, n);
		name[n] = 0;
		json_array_append_new(list, text_json(name));
		p += n;
		p += strspn(p, ", ");
	}
	return list;
}

static json_t *certificate_json(const struct tls_certificate *c, int64_t now_s)
{
	char hex[2 * sizeof(c->fingerprint) + 1];

	for (unsigned i = 0; i < sizeof(c->fingerprint); i++)
		sprintf(hex + 2 * i, "%02x", c->fingerprint[i]);
	return json_pack("{s:o, s:o, s:o, s:s, s:s, s:s, s:o, s:o, s:I}", "subject", text_json(c->subject), "names", names_json(c->names), "issuer",
			 text_json(c->issuer), "serial", c->serial, "key", c->key, "fingerprint", hex, "not_before", time_json(c->not_before_s), "not_after",
			 time_json(c->not_after_s), "days_left", (json_int_t)days_left(c->not_after_s, now_s));
}

/* The servers that present it: all do, to those who ask for one of its names; and whose default it is. */
static json_t *servers_json(const struct certificates *c, const char *pair, bool defaults)
{
	json_t *list = json_array();
	const char *name, *chosen;

	for (unsigned i = 0; certificates_server(c, i, &name, &chosen); i++)
		if (!defaults || strcmp(chosen, pair) == 0)
			json_array_append_new(list, json_string(name));
	return list;
}

static json_t *trunks_json(const struct control *c, const char *pair)
{
	const struct model *m = c->routing->model;
	json_t *list = json_array();

	for (uint32_t i = 0; i < m->trunk_count; i++)
		if (strcmp(m->trunks[i].tls.certificate, pair) == 0)
			json_array_append_new(list, json_string(m->trunks[i].name));
	return list;
}

static json_t *our_json(const struct control *c, const struct key_pair *p, int64_t now_s)
{
	json_t *json = p->identity ? certificate_json(tls_identity_certificate(p->identity), now_s) : json_object(), *more;

	more = json_pack("{s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:s?}", "name", p->name, "file", p->chain, "key_file", p->key, "since",
			 time_json(p->identity ? p->since_s : 0), "servers", p->identity ? servers_json(c->certificates, p->name, false) : json_array(),
			 "default_of", p->identity ? servers_json(c->certificates, p->name, true) : json_array(), "trunks", trunks_json(c, p->name), "broken",
			 p->broken[0] ? p->broken : NULL);
	json_object_update(json, more);
	json_decref(more);
	return json;
}

static json_t *their_json(const struct control *c, const struct their *x, int64_t now_s)
{
	json_t *json = x->certificate.not_after_s ? certificate_json(&x->certificate, now_s) : json_object(), *more;
	const char *trunk = x->client ? NULL : peers_trunk(certificates_peers(c->certificates), x->peer);
	char address[IP_PORT_TEXT_MAX];

	ip_port_format(&x->remote, address);
	more = json_pack("{s:s, s:s?, s:s?, s:s, s:b, s:b, s:o, s:o, s:o, s:I}", "side", x->client ? "client" : "peer", "trunk", trunk, "server",
			 x->client ? x->server : NULL, "address", address, "verified", x->verified, "refused", x->refused, "why",
			 x->verified ? json_null() : text_json(x->text), "first_seen", time_json(x->first_s), "last_seen", time_json(x->last_s), "times",
			 (json_int_t)x->times);
	json_object_update(json, more);
	json_decref(more);
	return json;
}

static json_t *ticket_keys_json(const struct control *c)
{
	const char *file = c->config->tls.ticket_keys, *broken;
	int64_t made_s;
	unsigned count = certificates_ticket_keys(c->certificates, &made_s, &broken);

	return json_pack("{s:s?, s:i, s:o, s:s?}", "file", *file ? file : NULL, "keys", (int)count, "newest", time_json(made_s), "broken", broken);
}

static json_t *broken_json(const struct control *c)
{
	const char *text, *trunk, *name, *broken;
	json_t *list = json_array();

	for (unsigned i = 0; (text = certificates_broken(c->certificates, i)) != NULL; i++)
		json_array_append_new(list, json_string(text));
	for (unsigned i = 0; peers_at(certificates_peers(c->certificates), i, &trunk, &name, &broken); i++)
		if (broken)
			json_array_append_new(list, json_sprintf("trunk %s: %s", trunk, broken));
	return list;
}

static int none(char *error)
{
	return error_set(error, -ERR_UNSUPPORTED, "no certificates are kept here");
}

int operation_certificates(struct control *c, const json_t *params, json_t **ret_result, char *error)
{
	const struct pairs *pairs = c->certificates ? certificates_ours(c->certificates) : NULL;
	json_t *ours, *theirs;
	const char *directory = c->config->tls.certificates;
	int64_t now_s = (int64_t)time(NULL);
	const struct their *x;

	if (!pairs)
		return none(error);
	ours = json_array();
	theirs = json_array();
	for (unsigned i = 0; i < pairs->count; i++)
		json_array_append_new(ours, our_json(c, &pairs->list[i], now_s));
	for (unsigned i = 0; (x = theirs_at(certificates_theirs(c->certificates), i)) != NULL; i++)
		json_array_append_new(theirs, their_json(c, x, now_s));
	*ret_result = json_pack("{s:s?, s:o, s:o, s:I, s:o, s:o}", "directory", *directory ? directory : NULL, "ours", ours, "theirs", theirs, "forgotten",
				(json_int_t)theirs_forgotten(certificates_theirs(c->certificates)), "ticket_keys", ticket_keys_json(c), "broken",
				broken_json(c));
	return *ret_result ? 0 : error_set(error, -ERR_NOMEM, "out of memory");
}

int operation_certificates_reload(struct control *c, const json_t *params, json_t **ret_result, char *error)
{
	json_t *news;
	unsigned failed;

	if (!c->certificates)
		return none(error);
	failed = certificates_reload(c->certificates, &news);
	*ret_result = json_pack("{s:i, s:o}", "broken", (int)failed, "news", news);
	return *ret_result ? 0 : error_set(error, -ERR_NOMEM, "out of memory");
}
