/* SPDX-License-Identifier: Apache-2.0 */
#include "model/number_lines.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/err.h"
#include "error.h"
#include "model/model.h"
#include "model/number_map.h"

#define LINE_MAX_BYTES	256
#define FILE_AT_ONCE	(256u << 10)
#define BYTES_OF_A_LINE 20 /* about: for how many a file holds */

struct number_lines {
	const struct model *model;
	struct model_limits limits;
	struct number_map *numbers, *prefixes;
	const struct number_map *other_numbers, *other_prefixes; /* whose numbers may not come again; NULL: none */
	uint64_t line, count;
	char begun[LINE_MAX_BYTES]; /* of a line whose end has not come */
	size_t begun_bytes;
	char profile[PROFILE_NAME_MAX]; /* the last one: it mostly is the next one too */
	size_t profile_bytes;
	uint32_t profile_id;
};

struct number_lines *number_lines_new(const struct model *m, const struct model_limits *limits, uint32_t expected)
{
	struct number_lines *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	l->model = m;
	l->limits = *limits;
	l->numbers = number_map_new(expected < limits->numbers ? expected : limits->numbers);
	l->prefixes = number_map_new(0);
	if (l->numbers && l->prefixes)
		return l;
	number_lines_free(l);
	return NULL;
}

void number_lines_free(struct number_lines *l)
{
	if (!l)
		return;
	number_map_unref(l->numbers);
	number_map_unref(l->prefixes);
	free(l);
}

static int wrong(const struct number_lines *l, int err, const char *text, size_t bytes, const char *what, char *error)
{
	return error_set(error, err, "line %llu: '%.*s' %s", (unsigned long long)l->line, (int)(bytes < 64 ? bytes : 64), text, what);
}

static bool blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static bool between(char c)
{
	return blank(c) || c == ',' || c == ';';
}

static int find_profile(struct number_lines *l, const char *name, size_t bytes, char *error)
{
	const struct model_profile *profile;
	char text[PROFILE_NAME_MAX];

	if (bytes == l->profile_bytes && memcmp(name, l->profile, bytes) == 0)
		return 0;
	if (bytes >= sizeof(text))
		return wrong(l, -ERR_INVALID, name, bytes, "is no profile", error);
	memcpy(text, name, bytes);
	text[bytes] = 0;
	profile = model_profile(l->model, text);
	if (!profile)
		return wrong(l, -ERR_INVALID, name, bytes, "is no profile", error);
	memcpy(l->profile, name, bytes);
	l->profile_bytes = bytes;
	l->profile_id = profile->id;
	return 0;
}

static int put(struct number_lines *l, bool prefix, e164 number, const char *text, size_t bytes, char *error)
{
	struct number_map *map = prefix ? l->prefixes : l->numbers;
	const struct number_map *other = prefix ? l->other_prefixes : l->other_numbers;
	uint32_t before = number_map_count(map), most = prefix ? l->limits.prefixes : l->limits.numbers;

	if (other && number_map_get(other, number) != NUMBER_MAP_NONE)
		return wrong(l, -ERR_INVALID, text, bytes, "is in the configuration's numbers already", error);
	if (before + (other ? number_map_count(other) : 0) >= most)
		return error_set(error, -ERR_FULL, "line %llu: more than limits.%s, which is %u", (unsigned long long)l->line,
				 prefix ? "prefixes" : "numbers", most);
	if (number_map_get(map, number) != NUMBER_MAP_NONE)
		return wrong(l, -ERR_INVALID, text, bytes, "is listed twice", error);
	if (number_map_set(map, number, l->profile_id))
		return error_set(error, -ERR_NOMEM, "out of memory");
	l->count++;
	return 0;
}

static int take_line(struct number_lines *l, const char *text, size_t bytes, char *error)
{
	const char *comment = memchr(text, '#', bytes), *end = comment ? comment : text + bytes, *name;
	size_t digits;
	bool prefix;
	e164 number;
	int err;

	l->line++;
	while (text < end && blank(*text))
		text++;
	while (text < end && blank(end[-1]))
		end--;
	if (text == end)
		return 0;
	for (name = text; name < end && !between(*name); name++)
		;
	prefix = name > text && name[-1] == '*';
	digits = (size_t)(name - text) - prefix;
	if (e164_parse(span_of((const uint8_t *)text, (uint32_t)digits), &number))
		return wrong(l, -ERR_INVALID, text, digits, prefix ? "is not an E.164 prefix (+, up to 15 digits)" : "is not an E.164 number (+, up to 15 digits)",
			     error);
	while (name < end && between(*name))
		name++;
	if (name == end)
		return wrong(l, -ERR_INVALID, text, digits, "has no profile behind it", error);
	err = find_profile(l, name, (size_t)(end - name), error);
	return err ? err : put(l, prefix, number, text, digits, error);
}

static int too_long(struct number_lines *l, char *error)
{
	l->line++;
	return error_set(error, -ERR_INVALID, "line %llu: longer than %d bytes", (unsigned long long)l->line, LINE_MAX_BYTES);
}

/* The first of what comes may be the end of a line that has begun. */
static int take_begun(struct number_lines *l, const char *text, size_t bytes, char *error)
{
	if (l->begun_bytes + bytes > sizeof(l->begun))
		return too_long(l, error);
	memcpy(l->begun + l->begun_bytes, text, bytes);
	l->begun_bytes += bytes;
	return 0;
}

int number_lines_take(struct number_lines *l, const char *text, size_t bytes, char *error)
{
	const char *end = text + bytes, *newline;
	int err = 0;

	for (; !err && (newline = memchr(text, '\n', (size_t)(end - text))) != NULL; text = newline + 1) {
		if (!l->begun_bytes) {
			err = newline - text > LINE_MAX_BYTES ? too_long(l, error) : take_line(l, text, (size_t)(newline - text), error);
			continue;
		}
		err = take_begun(l, text, (size_t)(newline - text), error);
		if (!err)
			err = take_line(l, l->begun, l->begun_bytes, error);
		l->begun_bytes = 0;
	}
	return err ? err : take_begun(l, text, (size_t)(end - text), error);
}

int number_lines_end(struct number_lines *l, char *error)
{
	size_t bytes = l->begun_bytes;

	l->begun_bytes = 0;
	return bytes ? take_line(l, l->begun, bytes, error) : 0;
}

uint64_t number_lines_count(const struct number_lines *l)
{
	return l->count;
}

void number_lines_replace(struct number_lines *l, struct model *m)
{
	number_map_unref(m->numbers);
	number_map_unref(m->prefixes);
	m->numbers = number_map_ref(l->numbers);
	m->prefixes = number_map_ref(l->prefixes);
}

/* ---- a file */

static int read_lines(struct number_lines *l, FILE *f, char *error)
{
	char *piece = malloc(FILE_AT_ONCE);
	size_t n;
	int err = piece ? 0 : error_set(error, -ERR_NOMEM, "out of memory");

	while (!err && (n = fread(piece, 1, FILE_AT_ONCE, f)) > 0)
		err = number_lines_take(l, piece, n, error);
	if (!err && ferror(f))
		err = error_set(error, -ERR_IO, "%s", strerror(errno));
	free(piece);
	return err ? err : number_lines_end(l, error);
}

/* The few that the configuration lists are put to the many of the file. */
static int add_others(struct number_map *many, const struct number_map *few)
{
	uint64_t cursor = 0;
	uint32_t profile;
	e164 number;

	while (number_map_next(few, &cursor, &number, &profile))
		if (number_map_set(many, number, profile))
			return -ERR_NOMEM;
	return 0;
}

int number_lines_add_file(struct model *m, const struct model_limits *limits, const char *path, char *error)
{
	FILE *f = fopen(path, "re");
	struct number_lines *l = NULL;
	struct stat st;
	int err;

	if (!f || fstat(fileno(f), &st)) {
		err = error_set(error, -ERR_IO, "%s: %s", path, strerror(errno));
		goto out;
	}
	l = number_lines_new(m, limits, (uint32_t)(st.st_size / BYTES_OF_A_LINE < UINT32_MAX ? st.st_size / BYTES_OF_A_LINE : UINT32_MAX));
	if (!l) {
		err = error_set(error, -ERR_NOMEM, "%s: out of memory", path);
		goto out;
	}
	l->other_numbers = m->numbers;
	l->other_prefixes = m->prefixes;
	err = read_lines(l, f, error);
	if (!err && (add_others(l->numbers, m->numbers) || add_others(l->prefixes, m->prefixes)))
		err = error_set(error, -ERR_NOMEM, "out of memory");
	if (err)
		error_prefix(error, "%s", path);
	else
		number_lines_replace(l, m);
out:
	number_lines_free(l);
	if (f)
		fclose(f);
	return err;
}
