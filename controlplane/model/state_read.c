/* SPDX-License-Identifier: Apache-2.0 */
#include "model/state_read.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/err.h"
#include "error.h"
#include "json_fill.h"
#include "model/model.h"
#include "model/number_map.h"
#include "model/routing_schema.h"
#include "model/u64map.h"
#include "yaml_file.h"

#define BYTES_OF_A_NUMBER 48 /* a line: about */

struct reading {
	struct model *numbers;	 /* holds numbers and prefixes only */
	json_t *sections;	 /* {"trunks": [...], "profiles": [...], "domains": [...]} */
	struct u64map *profiles; /* id -> place in the list: a later line replaces an earlier one */
	uint32_t repeats;
	uint64_t accepted;
	char *error;
};

static int read_header(struct reading *r, const json_t *line)
{
	const char *format = json_string_value(json_object_get(line, "strowger"));
	json_int_t version = json_integer_value(json_object_get(line, "version"));

	if (!format || strcmp(format, STATE_FORMAT) != 0)
		return error_set(r->error, -ERR_INVALID, "not a state file of strowgerd");
	if (version != STATE_VERSION)
		return error_set(r->error, -ERR_INVALID, "version %lld, but this program reads version %d", (long long)version, STATE_VERSION);
	return 0;
}

static int take_number(struct reading *r, bool prefix, struct span text, struct span profile)
{
	struct number_map *map = prefix ? r->numbers->prefixes : r->numbers->numbers;
	e164 number;

	if (e164_parse(text, &number))
		return error_set(r->error, -ERR_INVALID, "%s: not an E.164 number", prefix ? "prefix" : "number");
	if (number_map_get(map, number) != NUMBER_MAP_NONE)
		r->repeats++;
	return number_map_set(map, number, trunk_id(profile)) ? error_set(r->error, -ERR_NOMEM, "out of memory") : 0;
}

static int read_number(struct reading *r, const json_t *line, const char *kind)
{
	struct number_map *map = *kind == 'n' ? r->numbers->numbers : r->numbers->prefixes;
	const char *text = json_string_value(json_object_get(line, kind));
	const json_t *profile = json_object_get(line, "profile");
	e164 number;

	if (!text || e164_parse(span_str(text), &number))
		return error_set(r->error, -ERR_INVALID, "%s: not an E.164 number", kind);
	if (json_is_null(profile)) {
		r->repeats++;
		number_map_delete(map, number);
		return 0;
	}
	if (!json_is_string(profile))
		return error_set(r->error, -ERR_INVALID, "profile is missing");
	return take_number(r, *kind == 'p', span_str(text), span_str(json_string_value(profile)));
}

/* How state.c writes numbers; there may be millions, and jansson takes a microsecond for each. false: written otherwise. */
static bool quick_number(const char *line, size_t n, bool *ret_prefix, struct span *ret_number, struct span *ret_profile)
{
	static const char between[] = "\",\"profile\":\"";
	const char *end = line + n, *at = line + 11, *quote;

	if (n < 32 || (memcmp(line, "{\"number\":\"", 11) != 0 && memcmp(line, "{\"prefix\":\"", 11) != 0))
		return false;
	quote = memchr(at, '"', (size_t)(end - at));
	if (!quote || (size_t)(end - quote) < sizeof(between) + 3 || memcmp(quote, between, sizeof(between) - 1) != 0)
		return false;
	*ret_prefix = line[2] == 'p';
	*ret_number = span_of((const uint8_t *)at, (uint32_t)(quote - at));
	at = quote + sizeof(between) - 1;
	quote = memchr(at, '"', (size_t)(end - at));
	*ret_profile = span_of((const uint8_t *)at, quote ? (uint32_t)(quote - at) : 0);
	return quote && end - quote == 3 && memcmp(quote, "\"}\n", 3) == 0 && !memchr(at, '\\', ret_profile->n);
}

static int read_profile(struct reading *r, json_t *profile)
{
	json_t *list = json_object_get(r->sections, "profiles");
	const char *name = json_string_value(json_object_get(profile, "name"));
	uint32_t id, place;

	if (!name)
		return error_set(r->error, -ERR_INVALID, "profile: name is missing");
	id = trunk_id(span_str(name));
	place = u64map_get(r->profiles, id);
	if (place != U64MAP_NONE) {
		r->repeats++;
		return json_array_set(list, place, profile) ? -ERR_NOMEM : 0;
	}
	if (u64map_set(r->profiles, id, (uint32_t)json_array_size(list)) || json_array_append(list, profile))
		return error_set(r->error, -ERR_NOMEM, "out of memory");
	return 0;
}

static int read_element(struct reading *r, json_t *line)
{
	if (json_object_get(line, "number"))
		return read_number(r, line, "number");
	if (json_object_get(line, "prefix"))
		return read_number(r, line, "prefix");
	if (json_object_get(line, "profile") && json_is_object(json_object_get(line, "profile")))
		return read_profile(r, json_object_get(line, "profile"));
	if (json_object_get(line, "trunk"))
		return json_array_append(json_object_get(r->sections, "trunks"), json_object_get(line, "trunk"));
	if (json_object_get(line, "domain"))
		return json_array_append(json_object_get(r->sections, "domains"), line);
	return error_set(r->error, -ERR_INVALID, "neither trunk, profile, domain, number nor prefix");
}

static int read_line(struct reading *r, const char *text, size_t n, bool header)
{
	json_error_t problem;
	json_t *line = json_loadb(text, n, JSON_REJECT_DUPLICATES, &problem);
	int err;

	if (!line)
		return error_set(r->error, -ERR_INVALID, "%s", problem.text);
	err = header ? read_header(r, line) : read_element(r, line);
	if (json_is_integer(json_object_get(line, "accepted")))
		r->accepted = (uint64_t)json_integer_value(json_object_get(line, "accepted"));
	json_decref(line);
	return err;
}

static int read_lines(struct reading *r, FILE *f, const char *path, uint64_t *ret_length)
{
	char *text = NULL;
	size_t room = 0;
	ssize_t n;
	int err = 0;
	unsigned at = 0;

	*ret_length = 0;
	while (!err && (n = getline(&text, &room, f)) > 0 && text[n - 1] == '\n') {
		struct span number, profile;
		bool prefix;

		if (++at > 1 && quick_number(text, (size_t)n, &prefix, &number, &profile))
			err = take_number(r, prefix, number, profile);
		else
			err = read_line(r, text, (size_t)n, at == 1);
		*ret_length += (uint64_t)n;
		if (err)
			error_prefix(r->error, "%s:%u", path, at);
	}
	if (!err && !at)
		err = error_set(r->error, -ERR_INVALID, "%s:1: empty", path);
	free(text);
	return err;
}

static int make_model(struct reading *r, const struct model_limits *limits, struct model **ret_model)
{
	void *raw;
	int err = json_fill(r->sections, &routing_schema, "", &raw, r->error);

	if (err)
		return err;
	err = model_load(raw, MODEL_TRUNKS | MODEL_PROFILES | MODEL_DOMAINS, r->numbers, limits, ret_model, r->error);
	yaml_file_release(&routing_schema, raw);
	return err;
}

/* A model with room for as many numbers as the file holds if it holds little else. */
static struct model *numbers_for(FILE *f)
{
	struct model *m = model_new();
	struct stat st;
	struct number_map *roomy;

	if (!m || fstat(fileno(f), &st) || st.st_size < 1 << 20 || st.st_size > (off_t)BYTES_OF_A_NUMBER * UINT32_MAX)
		return m;
	roomy = number_map_new((uint32_t)(st.st_size / BYTES_OF_A_NUMBER));
	if (roomy) {
		number_map_unref(m->numbers);
		m->numbers = roomy;
	}
	return m;
}

int state_read(const char *path, const struct model_limits *limits, struct model **ret_model, uint64_t *ret_length, uint32_t *ret_repeats,
	       uint64_t *ret_accepted, char *error)
{
	struct reading r = { .error = error };
	FILE *f = fopen(path, "re");
	int err;

	if (!f)
		return error_set(error, errno == ENOENT ? -ERR_NOT_FOUND : -ERR_IO, "%s: %s", path, strerror(errno));
	r.numbers = numbers_for(f);
	r.profiles = u64map_new(0);
	r.sections = json_pack("{s:[], s:[], s:[]}", "trunks", "profiles", "domains");
	err = r.numbers && r.profiles && r.sections ? read_lines(&r, f, path, ret_length) : error_set(error, -ERR_NOMEM, "out of memory");
	if (!err) {
		err = make_model(&r, limits, ret_model);
		if (err)
			error_prefix(error, "%s", path);
	}
	*ret_repeats = r.repeats;
	*ret_accepted = r.accepted;
	model_free(r.numbers);
	u64map_free(r.profiles);
	json_decref(r.sections);
	fclose(f);
	return err;
}
