/* SPDX-License-Identifier: Apache-2.0 */
#include "model/fields.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "error.h"
#include "model/model.h"

int field_integer(const int64_t *given, int64_t otherwise, int64_t min, int64_t max, const char *path, const char *key, int64_t *ret,
		  char *error)
{
	int64_t value = given ? *given : otherwise;

	if (value < min || value > max)
		return error_set(error, -ERR_INVALID, "%s.%s: %" PRId64 " is not in %" PRId64 "..%" PRId64, path, key, value, min, max);
	*ret = value;
	return 0;
}

int field_text(const char *given, const char *path, const char *key, char *ret, unsigned bytes, char *error)
{
	if (!given)
		given = "";
	if (strlen(given) >= bytes)
		return error_set(error, -ERR_INVALID, "%s.%s: longer than %u characters", path, key, bytes - 1);
	memset(ret, 0, bytes);
	memcpy(ret, given, strlen(given));
	return 0;
}

int field_name(const char *given, const char *path, const char *key, char ret[64], char *error)
{
	if (given && !model_name_valid(given))
		return error_set(error, -ERR_INVALID,
				 "%s.%s: '%.64s' is not a name (1 to 63 letters, digits, '.', '_', '-'; a letter or digit first)", path, key,
				 given);
	return field_text(given, path, key, ret, 64, error);
}

int field_choice(const char *given, int otherwise, const char *const *words, const char *path, const char *key, int *ret, char *error)
{
	char list[256] = "";

	if (!given) {
		*ret = otherwise;
		return 0;
	}
	for (int i = 0; words[i]; i++) {
		size_t used = strlen(list);

		if (strcmp(words[i], given) == 0) {
			*ret = i;
			return 0;
		}
		snprintf(list + used, sizeof(list) - used, "%s%s", i ? ", " : "", words[i]);
	}
	return error_set(error, -ERR_INVALID, "%s.%s: '%.64s' is none of %s", path, key, given, list);
}

int field_path(const char *given, const char *path, const char *key, char *ret, unsigned bytes, char *error)
{
	const char *dot = path ? "." : "";

	path = path ? path : "";
	if (!given)
		given = "";
	if (given[0] && given[0] != '/')
		return error_set(error, -ERR_INVALID, "%s%s%s: '%.64s' is not an absolute path", path, dot, key, given);
	if (strlen(given) >= bytes)
		return error_set(error, -ERR_INVALID, "%s%s%s: longer than %u characters", path, dot, key, bytes - 1);
	memset(ret, 0, bytes);
	memcpy(ret, given, strlen(given));
	return 0;
}

int field_rows(const struct field_row *rows, unsigned n, const char *path, char *error)
{
	for (unsigned i = 0; i < n; i++) {
		int64_t value;
		int err = field_integer(rows[i].given, *rows[i].value, rows[i].given ? rows[i].min : 0, rows[i].given ? rows[i].max : UINT32_MAX,
					path, rows[i].key, &value, error);

		if (err)
			return err;
		*rows[i].value = (uint32_t)value;
	}
	return 0;
}
