/* SPDX-License-Identifier: Apache-2.0 */
#include "model/trunk_tls.h"

#include <string.h>

#include "base/err.h"
#include "error.h"
#include "model/fields.h"
#include "model/model.h"
#include "model/routing_schema.h"

const char *const tls_minimum_words[] = { "1.2", "1.3", NULL };

int trunk_tls_load(const struct raw_trunk_tls *raw, const char *path, struct trunk_tls *ret, char *error)
{
	struct trunk_tls t;
	int minimum, err;

	_Static_assert(TLS_NAME_MAX == DNS_TEXT_MAX, "a name is a host name");
	memset(&t, 0, sizeof(t));
	*ret = t;
	if (!raw)
		return 0;
	if (raw->name && !host_name_read(raw->name, t.name))
		return error_set(error, -ERR_INVALID, "%s.name: '%.64s' is not a host name", path, raw->name);
	if (raw->ca && raw->ca[0] != '/')
		return error_set(error, -ERR_INVALID, "%s.ca: '%.64s' is not an absolute path", path, raw->ca);
	err = field_text(raw->ca, path, "ca", t.ca, sizeof(t.ca), error);
	if (!err)
		err = field_name(raw->certificate, path, "certificate", t.certificate, error);
	if (!err)
		err = field_choice(raw->minimum_version, TLS_MINIMUM_1_2, tls_minimum_words, path, "minimum_version", &minimum, error);
	if (err)
		return err;
	t.given = (raw->name ? TRUNK_TLS_NAME : 0) | (raw->ca ? TRUNK_TLS_CA : 0) | (raw->allow_wildcard ? TRUNK_TLS_WILDCARD : 0) |
		  (raw->verify ? TRUNK_TLS_VERIFY : 0) | (raw->certificate ? TRUNK_TLS_CERTIFICATE : 0) |
		  (raw->minimum_version ? TRUNK_TLS_VERSION : 0);
	t.allow_wildcard = raw->allow_wildcard && *raw->allow_wildcard;
	t.unverified = raw->verify && !*raw->verify;
	t.minimum = (uint8_t)minimum;
	*ret = t;
	return 0;
}

json_t *trunk_tls_json(const struct trunk_tls *t)
{
	json_t *json;

	if (!t->given)
		return NULL;
	json = json_object();
	if (t->given & TRUNK_TLS_NAME)
		json_object_set_new(json, "name", json_string(t->name));
	if (t->given & TRUNK_TLS_CA)
		json_object_set_new(json, "ca", json_string(t->ca));
	if (t->given & TRUNK_TLS_WILDCARD)
		json_object_set_new(json, "allow_wildcard", json_boolean(t->allow_wildcard));
	if (t->given & TRUNK_TLS_VERIFY)
		json_object_set_new(json, "verify", json_boolean(!t->unverified));
	if (t->given & TRUNK_TLS_CERTIFICATE)
		json_object_set_new(json, "certificate", json_string(t->certificate));
	if (t->given & TRUNK_TLS_VERSION)
		json_object_set_new(json, "minimum_version", json_string(tls_minimum_words[t->minimum]));
	return json;
}
