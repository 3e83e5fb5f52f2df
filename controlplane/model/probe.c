/* SPDX-License-Identifier: Apache-2.0 */
#include "model/probe.h"

#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "error.h"
#include "json_fill.h"
#include "model/fields.h"
#include "model/routing_schema.h"
#include "sip/uri.h"
#include "yaml_file.h"

struct probe_settings probe_settings_default(void)
{
	return (struct probe_settings){ .given = PROBE_ALL, .enabled = true, .interval_ms = 30000, .timeout_ms = 2000, .down_after = 2, .up_after = 1,
					.max_forwards = 70 };
}

struct probe_settings probe_settings_over(const struct probe_settings *s, const struct probe_settings *otherwise)
{
	struct probe_settings all = *otherwise;

	all.given |= s->given;
	if (s->given & PROBE_ENABLED)
		all.enabled = s->enabled;
	if (s->given & PROBE_INTERVAL)
		all.interval_ms = s->interval_ms;
	if (s->given & PROBE_TIMEOUT)
		all.timeout_ms = s->timeout_ms;
	if (s->given & PROBE_DOWN_AFTER)
		all.down_after = s->down_after;
	if (s->given & PROBE_UP_AFTER)
		all.up_after = s->up_after;
	if (s->given & PROBE_ACCEPT) {
		all.accept_count = s->accept_count;
		memcpy(all.accept, s->accept, sizeof(all.accept));
	}
	if (s->given & PROBE_FROM)
		memcpy(all.from, s->from, sizeof(all.from));
	if (s->given & PROBE_TO)
		memcpy(all.to, s->to, sizeof(all.to));
	if (s->given & PROBE_USER_AGENT)
		memcpy(all.user_agent, s->user_agent, sizeof(all.user_agent));
	if (s->given & PROBE_MAX_FORWARDS)
		all.max_forwards = s->max_forwards;
	return all;
}

bool probe_settings_stricter(const struct probe_settings *a, const struct probe_settings *b)
{
	if (a->enabled != b->enabled)
		return a->enabled;
	if (a->interval_ms != b->interval_ms)
		return a->interval_ms < b->interval_ms;
	return a->timeout_ms < b->timeout_ms;
}

static int load_accept(const struct raw_probe *raw, const char *path, struct probe_settings *s, char *error)
{
	if (raw->accept_count > PROBE_ACCEPT_MAX)
		return error_set(error, -ERR_FULL, "%s.accept: more than %d", path, PROBE_ACCEPT_MAX);
	for (uint32_t i = 0; i < raw->accept_count; i++) {
		char key[32];
		int64_t code;
		int err;

		snprintf(key, sizeof(key), "accept[%u]", i);
		err = field_integer(&raw->accept[i], 0, 200, 699, path, key, &code, error);
		if (err)
			return err;
		for (uint32_t j = 0; j < i; j++)
			if (s->accept[j] == code)
				return error_set(error, -ERR_INVALID, "%s.%s: %d is listed twice", path, key, (int)code);
		s->accept[i] = (uint16_t)code;
	}
	s->accept_count = (uint8_t)raw->accept_count;
	return 0;
}

static int load_uri(const char *given, const char *path, const char *key, char ret[PROBE_URI_MAX], char *error)
{
	int err = field_text(given, path, key, ret, PROBE_URI_MAX, error);
	struct sip_uri uri;

	if (err || !given)
		return err;
	if (uri_parse(span_str(given), &uri) || uri.scheme == URI_OTHER || uri.scheme == URI_TEL || strpbrk(given, "<>\" \t\r\n"))
		return error_set(error, -ERR_INVALID, "%s.%s: '%.64s' is not a SIP URI (sip:probe@example.com)", path, key, given);
	return 0;
}

static int load_texts(const struct raw_probe *raw, const char *path, struct probe_settings *s, char *error)
{
	int err = load_uri(raw->from, path, "from", s->from, error);

	if (!err)
		err = load_uri(raw->to, path, "to", s->to, error);
	if (!err)
		err = field_text(raw->user_agent, path, "user_agent", s->user_agent, sizeof(s->user_agent), error);
	for (const char *c = s->user_agent; !err && *c; c++)
		if ((unsigned char)*c < ' ' || (unsigned char)*c > '~')
			err = error_set(error, -ERR_INVALID, "%s.user_agent: has other characters than printable ASCII", path);
	return err;
}

int probe_settings_load(const struct raw_probe *raw, const char *path, struct probe_settings *ret, char *error)
{
	struct probe_settings s;
	int64_t interval, timeout, down_after, up_after, max_forwards;
	int err;

	memset(&s, 0, sizeof(s));
	*ret = s;
	if (!raw)
		return 0;
	err = field_integer(raw->interval_ms, 100, 100, 3600000, path, "interval_ms", &interval, error);
	if (!err)
		err = field_integer(raw->timeout_ms, 50, 50, 32000, path, "timeout_ms", &timeout, error);
	if (!err)
		err = field_integer(raw->down_after, 1, 1, 100, path, "down_after", &down_after, error);
	if (!err)
		err = field_integer(raw->up_after, 1, 1, 100, path, "up_after", &up_after, error);
	if (!err)
		err = field_integer(raw->max_forwards, 0, 0, 255, path, "max_forwards", &max_forwards, error);
	if (!err)
		err = load_accept(raw, path, &s, error);
	if (!err)
		err = load_texts(raw, path, &s, error);
	if (err)
		return err;
	/* An absent key stays zero, so that settings can be compared as memory. */
	s.given = (raw->enabled ? PROBE_ENABLED : 0) | (raw->interval_ms ? PROBE_INTERVAL : 0) | (raw->timeout_ms ? PROBE_TIMEOUT : 0) |
		  (raw->down_after ? PROBE_DOWN_AFTER : 0) | (raw->up_after ? PROBE_UP_AFTER : 0) | (raw->accept_count ? PROBE_ACCEPT : 0) |
		  (raw->from ? PROBE_FROM : 0) | (raw->to ? PROBE_TO : 0) | (raw->user_agent ? PROBE_USER_AGENT : 0) |
		  (raw->max_forwards ? PROBE_MAX_FORWARDS : 0);
	s.enabled = raw->enabled && *raw->enabled;
	s.interval_ms = raw->interval_ms ? (uint32_t)interval : 0;
	s.timeout_ms = raw->timeout_ms ? (uint32_t)timeout : 0;
	s.down_after = raw->down_after ? (uint16_t)down_after : 0;
	s.up_after = raw->up_after ? (uint16_t)up_after : 0;
	s.max_forwards = raw->max_forwards ? (uint8_t)max_forwards : 0;
	*ret = s;
	return 0;
}

int probe_settings_read(const json_t *json, const char *path, struct probe_settings *ret, char *error)
{
	static const cyaml_schema_value_t schema = { CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct raw_probe, routing_probe_fields) };
	void *raw;
	int err = json_fill(json, &schema, path, &raw, error);

	if (err)
		return err;
	err = probe_settings_load(raw, path, ret, error);
	yaml_file_release(&schema, raw);
	return err;
}

json_t *probe_settings_json(const struct probe_settings *s)
{
	json_t *probe, *accept;

	if (!s->given)
		return NULL;
	probe = json_object();
	if (s->given & PROBE_ENABLED)
		json_object_set_new(probe, "enabled", json_boolean(s->enabled));
	if (s->given & PROBE_INTERVAL)
		json_object_set_new(probe, "interval_ms", json_integer(s->interval_ms));
	if (s->given & PROBE_TIMEOUT)
		json_object_set_new(probe, "timeout_ms", json_integer(s->timeout_ms));
	if (s->given & PROBE_DOWN_AFTER)
		json_object_set_new(probe, "down_after", json_integer(s->down_after));
	if (s->given & PROBE_UP_AFTER)
		json_object_set_new(probe, "up_after", json_integer(s->up_after));
	if (s->given & PROBE_ACCEPT) {
		accept = json_array();
		for (unsigned i = 0; i < s->accept_count; i++)
			json_array_append_new(accept, json_integer(s->accept[i]));
		json_object_set_new(probe, "accept", accept);
	}
	if (s->given & PROBE_FROM)
		json_object_set_new(probe, "from", json_string(s->from));
	if (s->given & PROBE_TO)
		json_object_set_new(probe, "to", json_string(s->to));
	if (s->given & PROBE_USER_AGENT)
		json_object_set_new(probe, "user_agent", json_string(s->user_agent));
	if (s->given & PROBE_MAX_FORWARDS)
		json_object_set_new(probe, "max_forwards", json_integer(s->max_forwards));
	return probe;
}
