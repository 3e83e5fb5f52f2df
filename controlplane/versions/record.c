/* SPDX-License-Identifier: Apache-2.0 */
#include "versions/record.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/siphash.h"
#include "model/diff.h"
#include "model/model.h"
#include "model/model_json.h"
#include "model/number_map.h"
#include "versions/versions.h"

static json_t *begin_line(uint64_t version, uint64_t unix_ms, const struct origin *o)
{
	return json_pack("{s:I, s:I, s:s, s:s, s:s*}", "version", (json_int_t)version, "time", (json_int_t)unix_ms, "who", o->who, "operation",
			 o->operation, "comment", o->comment);
}

/* A list on its way into a line. A version that lacks something of what was there would be a wrong way back: so every failure counts. */
struct list {
	json_t *json;
	bool failed;
};

static struct list list_new(void)
{
	struct list l = { .json = json_array() };

	l.failed = !l.json;
	return l;
}

static void append(struct list *l, json_t *entry)
{
	if (json_array_append_new(l->json, entry))
		l->failed = true;
}

/* [name, null]: there was nothing. */
static void note_new(struct list *l, const char *name)
{
	append(l, json_pack("[s, n]", name));
}

/* [name, was]; was is taken over. */
static void note_was(struct list *l, const char *name, json_t *was)
{
	if (!was)
		l->failed = true;
	else
		append(l, json_pack("[s, o]", name, was));
}

/* An empty list is left out. 0 or -1. */
static int put_list(json_t *line, const char *key, struct list *l)
{
	if (!l->failed && json_array_size(l->json))
		return json_object_set_new(line, key, l->json);
	json_decref(l->json);
	return l->failed ? -1 : 0;
}

static int put_trunks(json_t *line, const struct model *from, const struct model *to)
{
	struct list list = list_new();

	for (uint32_t i = 0; i < to->trunk_count; i++) {
		const struct model_trunk *t = &to->trunks[i], *was = model_trunk_by_id(from, t->id);

		if (!was)
			note_new(&list, t->name);
		else if (memcmp(was, t, sizeof(*t)) != 0)
			note_was(&list, t->name, model_trunk_json(was));
	}
	for (uint32_t i = 0; i < from->trunk_count; i++)
		if (!model_trunk_by_id(to, from->trunks[i].id))
			note_was(&list, from->trunks[i].name, model_trunk_json(&from->trunks[i]));
	return put_list(line, "trunks", &list);
}

static int put_profiles(json_t *line, const struct model *from, const struct model *to)
{
	struct list list = list_new();

	for (uint32_t i = 0; i < to->profile_count; i++) {
		const struct model_profile *p = &to->profiles[i], *was = model_profile_by_id(from, p->id);

		if (!was)
			note_new(&list, p->name);
		else if (memcmp(was, p, sizeof(*p)) != 0)
			note_was(&list, p->name, model_profile_json(was));
	}
	for (uint32_t i = 0; i < from->profile_count; i++)
		if (!model_profile_by_id(to, from->profiles[i].id))
			note_was(&list, from->profiles[i].name, model_profile_json(&from->profiles[i]));
	return put_list(line, "profiles", &list);
}

/* Both lists are sorted by name. */
static int put_domains(json_t *line, const struct model *from, const struct model *to)
{
	struct list list = list_new();
	uint32_t i = 0, k = 0;

	while (i < from->domain_count || k < to->domain_count) {
		const struct model_domain *was = i < from->domain_count ? &from->domains[i] : NULL;
		const struct model_domain *is = k < to->domain_count ? &to->domains[k] : NULL;
		int order = !was ? 1 : !is ? -1 : strcmp(was->name, is->name);

		if (order < 0)
			note_was(&list, was->name, json_string(model_profile_name(from, was->profile_id)));
		else if (order > 0)
			note_new(&list, is->name);
		else if (was->profile_id != is->profile_id)
			note_was(&list, is->name, json_string(model_profile_name(from, was->profile_id)));
		i += order <= 0;
		k += order >= 0;
	}
	return put_list(line, "domains", &list);
}

struct number_walk {
	const struct model *from, *to;
	struct list list;
	bool full;
};

static int note_number(void *ctx, e164 number, uint32_t was, uint32_t is)
{
	struct number_walk *w = ctx;
	char text[E164_TEXT_MAX];

	if (json_array_size(w->list.json) >= RECORD_NUMBERS_MAX) {
		w->full = true;
		return 1;
	}
	e164_format(number, text);
	append(&w->list, json_pack("[s, s?, s?]", text, was == NUMBER_MAP_NONE ? NULL : model_profile_name(w->from, was),
						 is == NUMBER_MAP_NONE ? NULL : model_profile_name(w->to, is)));
	return 0;
}

static int put_numbers(json_t *line, const struct model *from, const struct model *to, bool prefixes)
{
	struct number_walk w = { from, to, list_new(), false };

	number_map_diff(prefixes ? from->prefixes : from->numbers, prefixes ? to->prefixes : to->numbers, note_number, &w);
	if (w.full) {
		json_array_clear(w.list.json);
		w.list.failed |= json_object_set_new(line, "incomplete", json_true()) != 0;
	}
	return put_list(line, prefixes ? "prefixes" : "numbers", &w.list);
}

static int put_changes(json_t *line, const struct model *from, const struct model *to, const struct diff *given)
{
	const struct diff *d = given;
	struct diff made;
	json_t *texts = json_array();
	int err = 0;

	diff_init(&made);
	if (!d) {
		diff_models(&made, from, to);
		d = &made;
	}
	for (uint32_t i = 0; i < d->count && i < RECORD_TEXTS_MAX; i++) {
		char *text = diff_line(&d->changes[i]);

		err |= !text || json_array_append_new(texts, json_string(text));
		free(text);
	}
	err |= json_object_set_new(line, "total", json_integer(d->total)) || json_object_set_new(line, "changes", texts) || d->error;
	diff_done(&made);
	return err;
}

json_t *record_model(uint64_t version, uint64_t unix_ms, const struct model *from, const struct model *to, const struct origin *origin)
{
	json_t *line = begin_line(version, unix_ms, origin);

	if (line && !put_changes(line, from, to, origin->diff) && !put_trunks(line, from, to) && !put_profiles(line, from, to) &&
	    !put_domains(line, from, to) && !put_numbers(line, from, to, true) && !put_numbers(line, from, to, false))
		return line;
	json_decref(line);
	return NULL;
}

json_t *record_start(uint64_t version, uint64_t unix_ms, const char *print, bool is_break, const struct origin *origin)
{
	json_t *line = begin_line(version, unix_ms, origin);

	if (!line || json_object_set_new(line, "total", json_integer(0)) || json_object_set_new(line, "changes", json_array()) ||
	    json_object_set_new(line, "print", json_string(print)) || (is_break && json_object_set_new(line, "break", json_true()))) {
		json_decref(line);
		return NULL;
	}
	return line;
}

static const struct hash_key print_key = { 0x7374726f77676572ULL, 0 };

static uint64_t hash_json(json_t *json)
{
	char *text = json ? json_dumps(json, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
	uint64_t hash = text ? siphash24(&print_key, text, strlen(text)) : 0;

	free(text);
	json_decref(json);
	return hash;
}

/* A sum, since the order of a map's entries says nothing. */
static uint64_t hash_numbers(const struct number_map *map, uint64_t kind)
{
	uint64_t cursor = 0, sum = 0;
	uint32_t profile;
	e164 number;

	while (number_map_next(map, &cursor, &number, &profile))
		sum += mix64(number + mix64((uint64_t)profile << 1 | kind));
	return sum;
}

void record_print(const struct model *m, char out[RECORD_PRINT_MAX])
{
	uint64_t sum = hash_numbers(m->numbers, 0) + hash_numbers(m->prefixes, 1);

	for (uint32_t i = 0; i < m->trunk_count; i++)
		sum += hash_json(model_trunk_json(&m->trunks[i]));
	for (uint32_t i = 0; i < m->profile_count; i++)
		sum += hash_json(model_profile_json(&m->profiles[i]));
	for (uint32_t i = 0; i < m->domain_count; i++)
		sum += hash_json(model_domain_json(m, &m->domains[i]));
	snprintf(out, RECORD_PRINT_MAX, "%016llx", (unsigned long long)sum);
}
