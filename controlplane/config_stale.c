/* SPDX-License-Identifier: Apache-2.0 */
#include "config_stale.h"

#include <stdio.h>

#include "base/err.h"
#include "config.h"
#include "config_schema.h"
#include "yaml_file.h"

json_t *config_stale_keep(const struct yaml_file *y, char *error)
{
	static const char *const routing[] = { "trunks", "profiles", "numbers", "domains" };
	json_t *sections = yaml_file_json(y, &config_schema, error);

	for (unsigned i = 0; sections && i < sizeof(routing) / sizeof(routing[0]); i++)
		json_object_del(sections, routing[i]);
	return sections;
}

static void name_those(json_t *in, const json_t *other, bool missing_only, char out[CONFIG_STALE_MAX], size_t *used)
{
	const char *key;
	json_t *value;

	json_object_foreach(in, key, value) {
		const json_t *there = json_object_get(other, key);

		if (there && (missing_only || json_equal(value, there)))
			continue;
		if (*used < CONFIG_STALE_MAX)
			*used += (size_t)snprintf(out + *used, CONFIG_STALE_MAX - *used, "%s%s", *used ? ", " : "", key);
	}
}

int config_stale(const struct config *c, char out[CONFIG_STALE_MAX], char *error)
{
	struct yaml_file *y;
	json_t *now;
	size_t used = 0;
	int err = yaml_file_read(c->path, &y, error);

	if (err)
		return err;
	now = config_stale_keep(y, error);
	yaml_file_free(y);
	if (!now)
		return -ERR_INVALID;
	out[0] = 0;
	name_those(now, c->at_start, false, out, &used);
	name_those(c->at_start, now, true, out, &used);
	json_decref(now);
	return 0;
}
