/* SPDX-License-Identifier: Apache-2.0 */
#include "json_fill.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "error.h"
#include "yaml_file.h"

#define PATH_TEXT 256

static int fill(const json_t *json, const cyaml_schema_value_t *schema, const char *path, void *at, char *error);

static int wrong(char *error, const char *path, const char *what)
{
	return error_set(error, -ERR_INVALID, "%s%s%s", path, *path ? ": " : "", what);
}

static int no_memory(char *error)
{
	return error_set(error, -ERR_NOMEM, "out of memory");
}

/* The value itself, or memory for it whose address is stored: libcyaml's pointer flag. */
static int fill_value(const json_t *json, const cyaml_schema_value_t *schema, const char *path, void *at, char *error)
{
	void *made;

	if (!(schema->flags & CYAML_FLAG_POINTER) || schema->type == CYAML_SEQUENCE)
		return fill(json, schema, path, at, error);
	if (schema->type == CYAML_STRING) {
		if (!json_is_string(json))
			return wrong(error, path, "expected text");
		made = strdup(json_string_value(json));
		memcpy(at, &made, sizeof(made));
		return made ? 0 : no_memory(error);
	}
	made = calloc(1, schema->data_size);
	if (!made)
		return no_memory(error);
	memcpy(at, &made, sizeof(made));
	return fill(json, schema, path, made, error);
}

static int fill_sequence(const json_t *json, const cyaml_schema_field_t *field, const char *path, uint8_t *base, char *error)
{
	const cyaml_schema_value_t *entry = field->value.sequence.entry;
	size_t bytes = entry->flags & CYAML_FLAG_POINTER ? sizeof(void *) : entry->data_size;
	char below[PATH_TEXT];
	uint32_t n;
	void *list;
	int err = 0;

	if (!json_is_array(json))
		return wrong(error, path, "expected a list");
	n = (uint32_t)json_array_size(json);
	list = n ? calloc(n, bytes) : NULL;
	if (n && !list)
		return no_memory(error);
	memcpy(base + field->data_offset, &list, sizeof(list));
	memcpy(base + field->count_offset, &n, sizeof(n));
	for (uint32_t i = 0; i < n && !err; i++) {
		snprintf(below, sizeof(below), "%.200s[%u]", path, i);
		err = fill_value(json_array_get(json, i), entry, below, (uint8_t *)list + i * bytes, error);
	}
	return err;
}

static int fill_mapping(const json_t *json, const cyaml_schema_value_t *schema, const char *path, uint8_t *base, char *error)
{
	char below[PATH_TEXT];
	const char *key;
	json_t *value;

	if (!json_is_object(json))
		return wrong(error, path, "expected an object");
	json_object_foreach((json_t *)json, key, value) {
		const cyaml_schema_field_t *f = schema->mapping.fields;
		int err;

		snprintf(below, sizeof(below), "%s%s%.64s", path, *path ? "." : "", key);
		while (f->key && strcmp(f->key, key) != 0)
			f++;
		if (!f->key)
			return wrong(error, below, "unknown key");
		if (f->value.type == CYAML_SEQUENCE)
			err = fill_sequence(value, f, below, base, error);
		else
			err = fill_value(value, &f->value, below, base + f->data_offset, error);
		if (err)
			return err;
	}
	for (const cyaml_schema_field_t *f = schema->mapping.fields; f->key; f++) {
		snprintf(below, sizeof(below), "%s is missing", f->key);
		if (!(f->value.flags & CYAML_FLAG_OPTIONAL) && !json_object_get(json, f->key))
			return wrong(error, path, below);
	}
	return 0;
}

static int fill(const json_t *json, const cyaml_schema_value_t *schema, const char *path, void *at, char *error)
{
	int64_t integer;
	bool boolean;

	switch (schema->type) {
	case CYAML_MAPPING:
		return fill_mapping(json, schema, path, at, error);
	case CYAML_INT:
		if (!json_is_integer(json))
			return wrong(error, path, "expected a whole number");
		integer = json_integer_value(json);
		memcpy(at, &integer, sizeof(integer));
		return 0;
	case CYAML_BOOL:
		if (!json_is_boolean(json))
			return wrong(error, path, "expected true or false");
		boolean = json_is_true(json);
		memcpy(at, &boolean, sizeof(boolean));
		return 0;
	default:
		return wrong(error, path, "cannot be given here");
	}
}

int json_fill(const json_t *json, const cyaml_schema_value_t *schema, const char *path, void **ret_data, char *error)
{
	void *data = calloc(1, schema->data_size);
	int err;

	if (!data)
		return no_memory(error);
	err = fill(json, schema, path, data, error);
	if (err)
		yaml_file_release(schema, data);
	else
		*ret_data = data;
	return err;
}
