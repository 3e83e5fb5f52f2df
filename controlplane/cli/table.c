/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/table.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define COLUMNS_MAX 20

struct table {
	unsigned columns, rows, room;
	bool right[COLUMNS_MAX];
	char **cells; /* rows * columns; row 0 is the headings */
};

/* Characters, not bytes: continuation bytes of UTF-8 take no column. */
static int width(const char *text)
{
	int n = 0;

	for (; *text; text++)
		n += ((unsigned char)*text & 0xc0) != 0x80;
	return n;
}

void text_printable(char *text)
{
	for (unsigned char *p = (unsigned char *)text; *p; p++) {
		if (*p < 0x20 || *p == 0x7f)
			*p = '?';
		else if (*p == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0) /* U+0080 ... U+009F */
			p[0] = p[1] = '?';
	}
}

void table_row(struct table *t, const char *const *cells)
{
	if (t->rows == t->room) {
		unsigned room = t->room ? 2 * t->room : 32;
		char **more = realloc(t->cells, (size_t)room * t->columns * sizeof(*more));

		if (!more)
			return;
		t->cells = more;
		t->room = room;
	}
	for (unsigned i = 0; i < t->columns; i++) {
		char *copy = strdup(cells[i] && *cells[i] ? cells[i] : "-");

		if (copy)
			text_printable(copy);
		t->cells[t->rows * t->columns + i] = copy;
	}
	t->rows++;
}

struct table *table_new(const char *headings)
{
	struct table *t = calloc(1, sizeof(*t));
	char *copy = strdup(headings), *rest = copy, *word;
	const char *cells[COLUMNS_MAX];

	if (!t || !copy) {
		free(t);
		free(copy);
		return NULL;
	}
	while (t->columns < COLUMNS_MAX && (word = strsep(&rest, "|")) != NULL) {
		t->right[t->columns] = *word == '>';
		cells[t->columns++] = word + (*word == '>');
	}
	table_row(t, cells);
	free(copy);
	return t;
}

const json_t *json_at(const json_t *object, const char *path)
{
	char key[64];

	while (object && *path) {
		size_t n = strcspn(path, ".");

		if (n >= sizeof(key))
			return NULL;
		memcpy(key, path, n);
		key[n] = 0;
		object = json_object_get(object, key);
		path += n + (path[n] == '.');
	}
	return object;
}

static char *joined(const json_t *list)
{
	char *text = strdup("");

	for (size_t i = 0; text && i < json_array_size(list); i++) {
		char *one = json_words(json_array_get(list, i)), *longer = NULL;

		if (asprintf(&longer, "%s%s%s", text, i ? ", " : "", one ? one : "") < 0)
			longer = NULL;
		free(one);
		free(text);
		text = longer;
	}
	return text;
}

char *json_words(const json_t *value)
{
	char *text = NULL;

	switch (value ? json_typeof(value) : JSON_NULL) {
	case JSON_STRING:
		return strdup(json_string_value(value));
	case JSON_INTEGER:
		return asprintf(&text, "%" JSON_INTEGER_FORMAT, json_integer_value(value)) < 0 ? NULL : text;
	case JSON_REAL:
		return asprintf(&text, "%.1f", json_real_value(value)) < 0 ? NULL : text;
	case JSON_TRUE:
		return strdup("yes");
	case JSON_FALSE:
		return strdup("no");
	case JSON_ARRAY:
		return joined(value);
	case JSON_OBJECT:
		return json_dumps(value, JSON_COMPACT);
	default:
		return strdup("-");
	}
}

void table_json(struct table *t, const json_t *object, const char *keys)
{
	char *copy = strdup(keys), *rest = copy, *key, *made[COLUMNS_MAX] = { NULL };
	unsigned n = 0;

	while (n < t->columns && (key = strsep(&rest, "|")) != NULL)
		made[n++] = json_words(json_at(object, key));
	assert(n == t->columns && !rest); /* a heading for each key */
	table_row(t, (const char *const *)made);
	for (unsigned i = 0; i < n; i++)
		free(made[i]);
	free(copy);
}

void table_print(struct table *t, FILE *f, const char *nothing)
{
	int widths[COLUMNS_MAX] = { 0 };

	for (unsigned i = 0; i < t->rows * t->columns; i++)
		if (width(t->cells[i]) > widths[i % t->columns])
			widths[i % t->columns] = width(t->cells[i]);
	if (t->rows == 1)
		fprintf(f, "%s\n", nothing);
	for (unsigned i = 0; i < t->rows * t->columns; i++) {
		unsigned column = i % t->columns;
		bool last = column + 1 == t->columns;
		int pad = widths[column] - width(t->cells[i]);

		if (t->rows > 1)
			fprintf(f, "%*s%s%*s%s", t->right[column] ? pad : 0, "", t->cells[i], t->right[column] || last ? 0 : pad, "",
				last ? "\n" : "  ");
		free(t->cells[i]);
	}
	free(t->cells);
	free(t);
}
