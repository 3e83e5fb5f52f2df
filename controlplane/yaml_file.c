/* SPDX-License-Identifier: Apache-2.0 */
#include "yaml_file.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "base/err.h"
#include "error.h"

struct yaml_file {
	char *name, *text;
	size_t bytes;
	yaml_document_t document;
};

struct place {
	const struct yaml_file *y;
	bool check_only; /* entries of lists are dropped once they are good: there may be millions */
	char *error;
};

#define PATH_MAX_TEXT 256

static yaml_node_t *node_at(const struct yaml_file *y, int index)
{
	return yaml_document_get_node((yaml_document_t *)&y->document, index);
}

static int fail_at(const struct place *at, const yaml_node_t *node, const char *path, const char *what)
{
	return error_set(at->error, -ERR_INVALID, "%s:%zu: %s%s%s", at->y->name, node->start_mark.line + 1, path, *path ? ": " : "", what);
}

int yaml_file_parse(const char *name, const char *text, size_t bytes, struct yaml_file **ret_yaml, char *error)
{
	struct yaml_file *y = calloc(1, sizeof(*y));
	yaml_parser_t parser;
	int err = 0;

	if (!y)
		return error_set(error, -ERR_NOMEM, "out of memory");
	y->name = strdup(name);
	y->text = malloc(bytes + 1);
	if (!y->name || !y->text || !yaml_parser_initialize(&parser)) {
		free(y->name);
		free(y->text);
		free(y);
		return error_set(error, -ERR_NOMEM, "out of memory");
	}
	memcpy(y->text, text, bytes);
	y->bytes = bytes;
	yaml_parser_set_input_string(&parser, (const unsigned char *)y->text, bytes);
	if (!yaml_parser_load(&parser, &y->document)) {
		err = error_set(error, -ERR_INVALID, "%s:%zu: %s%s%s", name, parser.problem_mark.line + 1,
				parser.problem ? parser.problem : "not YAML", parser.context ? " " : "", parser.context ? parser.context : "");
		memset(&y->document, 0, sizeof(y->document));
	}
	yaml_parser_delete(&parser);
	if (err)
		yaml_file_free(y);
	else
		*ret_yaml = y;
	return err;
}

int yaml_file_read(const char *path, struct yaml_file **ret_yaml, char *error)
{
	FILE *f = fopen(path, "re");
	size_t bytes = 0, room = 65536;
	char *text = malloc(room);
	int err;

	if (!f || !text) {
		err = error_set(error, -ERR_IO, "%s: %s", path, strerror(errno));
		goto out;
	}
	for (size_t n; (n = fread(text + bytes, 1, room - bytes, f)) > 0;) {
		bytes += n;
		if (bytes == room) {
			char *more = realloc(text, room *= 2);

			if (!more) {
				err = error_set(error, -ERR_NOMEM, "%s: out of memory", path);
				goto out;
			}
			text = more;
		}
	}
	if (ferror(f))
		err = error_set(error, -ERR_IO, "%s: %s", path, strerror(errno));
	else
		err = yaml_file_parse(path, text, bytes, ret_yaml, error);
out:
	free(text);
	if (f)
		fclose(f);
	return err;
}

void yaml_file_free(struct yaml_file *y)
{
	if (!y)
		return;
	yaml_document_delete(&y->document);
	free(y->name);
	free(y->text);
	free(y);
}

static const char *scalar_text(const yaml_node_t *node)
{
	return (const char *)node->data.scalar.value;
}

static bool is_integer(const char *text)
{
	size_t n;

	if (*text == '-')
		text++;
	n = strlen(text);
	return n >= 1 && n <= 18 && strspn(text, "0123456789") == n && (n == 1 || *text != '0');
}

static int boolean_of(const char *text)
{
	if (strcmp(text, "true") == 0 || strcmp(text, "yes") == 0)
		return 1;
	return strcmp(text, "false") == 0 || strcmp(text, "no") == 0 ? 0 : -1;
}

static int convert(const struct place *at, const yaml_node_t *node, const cyaml_schema_value_t *schema, const char *path, json_t **ret);

static const cyaml_schema_field_t *field_of(const cyaml_schema_value_t *schema, const char *key)
{
	const cyaml_schema_field_t *f = schema->mapping.fields;

	while (f->key && strcmp(f->key, key) != 0)
		f++;
	return f->key ? f : NULL;
}

static int unknown_key(const struct place *at, const yaml_node_t *key, const cyaml_schema_value_t *schema, const char *path)
{
	char what[ERROR_TEXT_MAX * 3 / 4] = "unknown key (known here:";
	size_t used = strlen(what);

	for (const cyaml_schema_field_t *f = schema->mapping.fields; f->key && used < sizeof(what); f++)
		used += (size_t)snprintf(what + used, sizeof(what) - used, " %s", f->key);
	if (used < sizeof(what))
		snprintf(what + used, sizeof(what) - used, ")");
	return fail_at(at, key, path, what);
}

static int convert_pair(const struct place *at, const yaml_node_pair_t *pair, const cyaml_schema_value_t *schema, const char *path,
			json_t *object)
{
	const yaml_node_t *key = node_at(at->y, pair->key), *value = node_at(at->y, pair->value);
	const cyaml_schema_field_t *field;
	char below[PATH_MAX_TEXT];
	json_t *converted;
	int err;

	if (key->type != YAML_SCALAR_NODE)
		return fail_at(at, key, path, "a key must be a word");
	snprintf(below, sizeof(below), "%s%s%.64s", path, *path ? "." : "", scalar_text(key));
	field = field_of(schema, scalar_text(key));
	if (!field)
		return unknown_key(at, key, schema, below);
	if (json_object_get(object, field->key))
		return fail_at(at, key, below, "given twice");
	err = convert(at, value, &field->value, below, &converted);
	if (!err && json_object_set_new(object, field->key, converted))
		err = error_set(at->error, -ERR_NOMEM, "out of memory");
	return err;
}

static int convert_mapping(const struct place *at, const yaml_node_t *node, const cyaml_schema_value_t *schema, const char *path,
			   json_t **ret)
{
	json_t *object = json_object();
	int err = 0;

	if (node->type != YAML_MAPPING_NODE) {
		json_decref(object);
		return fail_at(at, node, path, "expected keys and values");
	}
	for (const yaml_node_pair_t *p = node->data.mapping.pairs.start; !err && p < node->data.mapping.pairs.top; p++)
		err = convert_pair(at, p, schema, path, object);
	for (const cyaml_schema_field_t *f = schema->mapping.fields; !err && f->key; f++) {
		char what[128];

		if ((f->value.flags & CYAML_FLAG_OPTIONAL) || json_object_get(object, f->key))
			continue;
		snprintf(what, sizeof(what), "%s is missing", f->key);
		err = fail_at(at, node, path, what);
	}
	if (err)
		json_decref(object);
	else
		*ret = object;
	return err;
}

static int convert_sequence(const struct place *at, const yaml_node_t *node, const cyaml_schema_value_t *schema, const char *path,
			    json_t **ret)
{
	json_t *array = json_array();
	char below[PATH_MAX_TEXT];
	int err = 0;

	if (node->type != YAML_SEQUENCE_NODE) {
		json_decref(array);
		return fail_at(at, node, path, "expected a list");
	}
	for (const yaml_node_item_t *i = node->data.sequence.items.start; !err && i < node->data.sequence.items.top; i++) {
		json_t *entry;

		snprintf(below, sizeof(below), "%s[%zu]", path, (size_t)(i - node->data.sequence.items.start));
		err = convert(at, node_at(at->y, *i), schema->sequence.entry, below, &entry);
		if (!err && at->check_only)
			json_decref(entry);
		else if (!err && json_array_append_new(array, entry))
			err = error_set(at->error, -ERR_NOMEM, "out of memory");
	}
	if (err)
		json_decref(array);
	else
		*ret = array;
	return err;
}

static int convert_scalar(const struct place *at, const yaml_node_t *node, const cyaml_schema_value_t *schema, const char *path,
			  json_t **ret)
{
	static const char *const expected[] = { [CYAML_INT] = "a whole number", [CYAML_BOOL] = "true or false", [CYAML_STRING] = "text" };
	const char *text = node->type == YAML_SCALAR_NODE ? scalar_text(node) : NULL;
	char what[160];
	json_t *made = NULL;

	if (text && schema->type == CYAML_INT && is_integer(text))
		made = json_integer(strtoll(text, NULL, 10));
	else if (text && schema->type == CYAML_BOOL && boolean_of(text) >= 0)
		made = json_boolean(boolean_of(text));
	else if (text && schema->type == CYAML_STRING && strlen(text) == node->data.scalar.length)
		made = json_string(text);
	if (made) {
		*ret = made;
		return 0;
	}
	if (text)
		snprintf(what, sizeof(what), "expected %s, not '%.64s'", expected[schema->type], text);
	else
		snprintf(what, sizeof(what), "expected %s", expected[schema->type]);
	return fail_at(at, node, path, what);
}

static int convert(const struct place *at, const yaml_node_t *node, const cyaml_schema_value_t *schema, const char *path, json_t **ret)
{
	switch (schema->type) {
	case CYAML_MAPPING:
		return convert_mapping(at, node, schema, path, ret);
	case CYAML_SEQUENCE:
		return convert_sequence(at, node, schema, path, ret);
	default:
		return convert_scalar(at, node, schema, path, ret);
	}
}

static json_t *walk(const struct yaml_file *y, const cyaml_schema_value_t *schema, bool check_only, char *error)
{
	const struct place at = { y, check_only, error };
	const yaml_node_t *root = yaml_document_get_root_node((yaml_document_t *)&y->document);
	json_t *made;

	if (!root)
		return json_object();
	return convert(&at, root, schema, "", &made) ? NULL : made;
}

json_t *yaml_file_json(const struct yaml_file *y, const cyaml_schema_value_t *schema, char *error)
{
	return walk(y, schema, false, error);
}

/* What libcyaml says itself: only what the walk above let through, so the first line is enough. */
static void keep_first(cyaml_log_t level, void *ctx, const char *format, va_list args)
{
	char *error = ctx;

	if (!*error)
		vsnprintf(error, ERROR_TEXT_MAX, format, args);
}

int yaml_file_load(const struct yaml_file *y, const cyaml_schema_value_t *schema, void **ret_data, char *error)
{
	char said[ERROR_TEXT_MAX] = "";
	const cyaml_config_t config = { .log_fn = keep_first, .log_ctx = said, .mem_fn = cyaml_mem, .log_level = CYAML_LOG_ERROR,
					.flags = CYAML_CFG_DEFAULT };
	json_t *checked = walk(y, schema, true, error);
	cyaml_data_t *data = NULL;
	cyaml_err_t err;

	if (!checked)
		return -ERR_INVALID;
	json_decref(checked);
	err = cyaml_load_data((const uint8_t *)y->text, y->bytes, &config, schema, &data, NULL);
	if (err != CYAML_OK) {
		cyaml_free(&config, schema, data, 0);
		return error_set(error, -ERR_INVALID, "%s: %s", y->name, *said ? said : cyaml_strerror(err));
	}
	if (!data)
		data = calloc(1, schema->data_size);
	if (!data)
		return error_set(error, -ERR_NOMEM, "out of memory");
	*ret_data = data;
	return 0;
}

void yaml_file_release(const cyaml_schema_value_t *schema, void *data)
{
	const cyaml_config_t config = { .mem_fn = cyaml_mem, .log_level = CYAML_LOG_ERROR };

	if (data)
		cyaml_free(&config, schema, data, 0);
}

static const yaml_node_t *child_by_key(const struct yaml_file *y, const yaml_node_t *node, const char *key, size_t n)
{
	if (node->type != YAML_MAPPING_NODE)
		return NULL;
	for (const yaml_node_pair_t *p = node->data.mapping.pairs.start; p < node->data.mapping.pairs.top; p++) {
		const yaml_node_t *k = node_at(y, p->key);

		if (k->type == YAML_SCALAR_NODE && k->data.scalar.length == n && memcmp(k->data.scalar.value, key, n) == 0)
			return node_at(y, p->value);
	}
	return NULL;
}

static const yaml_node_t *child_by_index(const struct yaml_file *y, const yaml_node_t *node, unsigned long index)
{
	if (node->type != YAML_SEQUENCE_NODE || index >= (size_t)(node->data.sequence.items.top - node->data.sequence.items.start))
		return NULL;
	return node_at(y, node->data.sequence.items.start[index]);
}

void yaml_file_locate(const struct yaml_file *y, char *error)
{
	const yaml_node_t *node = yaml_document_get_root_node((yaml_document_t *)&y->document);
	const char *p = error;

	while (node && *p && *p != ':') {
		const yaml_node_t *next;

		if (*p == '[') {
			char *end;

			next = child_by_index(y, node, strtoul(p + 1, &end, 10));
			p = *end == ']' ? end + 1 : "";
		} else {
			size_t n;

			p += *p == '.';
			n = strcspn(p, ".[: ");
			next = child_by_key(y, node, p, n);
			p += n;
		}
		if (!next)
			break;
		node = next;
	}
	if (node)
		error_prefix(error, "%s:%zu", y->name, node->start_mark.line + 1);
	else
		error_prefix(error, "%s", y->name);
}
