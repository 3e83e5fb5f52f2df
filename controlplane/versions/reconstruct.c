/* SPDX-License-Identifier: Apache-2.0 */
#include "versions/reconstruct.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/span.h"
#include "error.h"
#include "json_fill.h"
#include "model/drain.h"
#include "model/model.h"
#include "model/model_json.h"
#include "model/number_map.h"
#include "model/routing_schema.h"
#include "model/u64map.h"
#include "versions/versions.h"
#include "yaml_file.h"

/* The routing on its way back: elements by their names in lower case, numbers only where they differ from now. */
struct picture {
	json_t *trunks, *profiles, *domains;
	json_t *numbers, *prefixes; /* number -> profile's name or null */
	bool keep_numbers;	    /* as they are now */
};

static int no_memory(char *error)
{
	return error_set(error, -ERR_NOMEM, "out of memory");
}

static void lower(const char *name, char out[256])
{
	size_t n = 0;

	for (; n < 255 && name[n]; n++)
		out[n] = (char)ascii_lower((uint8_t)name[n]);
	out[n] = 0;
}

static int put(json_t *object, const char *name, json_t *value)
{
	char key[256];

	lower(name, key);
	return json_object_set_new(object, key, value);
}

static int picture_now(struct picture *p, const struct model *m)
{
	int err = 0;

	*p = (struct picture){ json_object(), json_object(), json_object(), json_object(), json_object() };
	for (uint32_t i = 0; i < m->trunk_count; i++)
		err |= put(p->trunks, m->trunks[i].name, model_trunk_json(&m->trunks[i]));
	for (uint32_t i = 0; i < m->profile_count; i++)
		err |= put(p->profiles, m->profiles[i].name, model_profile_json(&m->profiles[i]));
	for (uint32_t i = 0; i < m->domain_count; i++)
		err |= put(p->domains, m->domains[i].name, json_string(model_profile_name(m, m->domains[i].profile_id)));
	return err ? -ERR_NOMEM : 0;
}

static void picture_done(struct picture *p)
{
	json_decref(p->trunks);
	json_decref(p->profiles);
	json_decref(p->domains);
	json_decref(p->numbers);
	json_decref(p->prefixes);
}

/* Entries are [name, was, ...]. false: one is not. */
static bool take_back_list(json_t *object, const json_t *list, bool delete)
{
	json_t *entry;
	size_t i;

	json_array_foreach(list, i, entry) {
		const char *name;
		json_t *was;
		char key[256];

		name = json_string_value(json_array_get(entry, 0));
		was = json_array_get(entry, 1);
		if (!name || !was)
			return false;
		lower(name, key);
		if (json_is_null(was) && delete)
			json_object_del(object, key);
		else if (json_object_set(object, key, was))
			return false;
	}
	return true;
}

static int take_back(struct picture *p, uint64_t version, const json_t *line, char *error)
{
	if (json_object_get(line, "break"))
		return error_set(error, -ERR_NOT_FOUND,
				 "nothing from before version %llu can be made again: strowgerd started then with a routing that the log does not know",
				 (unsigned long long)version);
	if (json_object_get(line, "incomplete") && !p->keep_numbers)
		return error_set(error, -ERR_NOT_FOUND,
				 "nothing from before version %llu can be made again: it changed more numbers than the log keeps (keep_numbers "
				 "leaves numbers alone)",
				 (unsigned long long)version);
	if (take_back_list(p->trunks, json_object_get(line, "trunks"), true) &&
	    take_back_list(p->profiles, json_object_get(line, "profiles"), true) &&
	    take_back_list(p->domains, json_object_get(line, "domains"), true) &&
	    (p->keep_numbers || (take_back_list(p->numbers, json_object_get(line, "numbers"), false) &&
				 take_back_list(p->prefixes, json_object_get(line, "prefixes"), false))))
		return 0;
	return error_set(error, -ERR_INVALID, "version %llu is damaged", (unsigned long long)version);
}

static int walk_back(struct picture *p, const struct versions *v, uint64_t version, char *error)
{
	for (uint64_t n = versions_last(v); n > version; n--) {
		json_t *line;
		int err = versions_read(v, n, &line, error);

		if (err)
			return err;
		err = take_back(p, n, line, error);
		json_decref(line);
		if (err)
			return err;
	}
	return 0;
}

/* A copy of a map with what differs laid over it. NULL: no memory. */
static struct number_map *lay_over(const struct number_map *now, json_t *differs)
{
	struct number_map *map = number_map_new(number_map_count(now));
	uint64_t cursor = 0;
	uint32_t profile;
	const char *text;
	json_t *name;
	e164 number;
	int err = map ? 0 : -1;

	while (!err && number_map_next(now, &cursor, &number, &profile))
		err = number_map_set(map, number, profile);
	json_object_foreach(differs, text, name) {
		if (err || e164_parse(span_str(text), &number))
			continue;
		if (json_is_string(name))
			err = number_map_set(map, number, trunk_id(span_str(json_string_value(name))));
		else
			number_map_delete(map, number);
	}
	if (!err)
		return map;
	number_map_unref(map);
	return NULL;
}

/* What the sections that are loaded leave alone: the numbers. */
static struct model *numbers_of(const struct picture *p, const struct model *now)
{
	struct model *base = model_copy(now);
	struct number_map *map;

	if (base && json_object_size(p->numbers)) {
		map = lay_over(now->numbers, p->numbers);
		if (map) {
			number_map_unref(base->numbers);
			base->numbers = map;
		} else {
			model_free(base);
			return NULL;
		}
	}
	if (base && json_object_size(p->prefixes)) {
		map = lay_over(now->prefixes, p->prefixes);
		if (!map) {
			model_free(base);
			return NULL;
		}
		number_map_unref(base->prefixes);
		base->prefixes = map;
	}
	return base;
}

static json_t *sections_of(struct picture *p)
{
	json_t *trunks = json_array(), *profiles = json_array(), *domains = json_array(), *value;
	const char *key;
	int err = 0;

	json_object_foreach(p->trunks, key, value)
		err |= json_array_append(trunks, value);
	json_object_foreach(p->profiles, key, value) {
		model_drains_drop(value);
		err |= json_array_append(profiles, value);
	}
	json_object_foreach(p->domains, key, value)
		err |= json_array_append_new(domains, json_pack("{s:s, s:O}", "domain", key, "profile", value));
	if (err) { /* what is missing here would be missing afterwards */
		json_decref(trunks);
		json_decref(profiles);
		json_decref(domains);
		return NULL;
	}
	return json_pack("{s:o, s:o, s:o}", "trunks", trunks, "profiles", profiles, "domains", domains);
}

static int build(struct picture *p, const struct model *now, const struct model_limits *limits, struct model **ret_model, char *error)
{
	json_t *sections = sections_of(p);
	struct model *base = numbers_of(p, now);
	void *raw;
	int err;

	if (!sections || !base) {
		json_decref(sections);
		model_free(base);
		return no_memory(error);
	}
	err = json_fill(sections, &routing_schema, "", &raw, error);
	json_decref(sections);
	if (!err) {
		err = model_load(raw, MODEL_TRUNKS | MODEL_PROFILES | MODEL_DOMAINS, base, limits, ret_model, error);
		yaml_file_release(&routing_schema, raw);
	}
	model_free(base);
	return err;
}

int reconstruct(const struct versions *v, uint64_t version, const struct model *now, const struct model_limits *limits, bool keep_numbers,
		struct model **ret_model, char *error)
{
	struct picture p;
	json_t *line = NULL;
	int err = versions_read(v, version, &line, error);

	json_decref(line);
	if (err)
		return err;
	err = picture_now(&p, now) ? no_memory(error) : 0;
	p.keep_numbers = keep_numbers;
	if (!err)
		err = walk_back(&p, v, version, error);
	if (!err) {
		err = build(&p, now, limits, ret_model, error);
		if (err == -ERR_INVALID || err == -ERR_FULL)
			error_prefix(error, "version %llu cannot be made again", (unsigned long long)version);
	}
	picture_done(&p);
	return err;
}
