/* SPDX-License-Identifier: Apache-2.0 */
#include "routing_versions.h"

#include <stdio.h>

#include "alarms/alarms.h"
#include "error.h"
#include "log.h"
#include "model/state.h"
#include "routing.h"
#include "versions/versions.h"

static int in_memory(struct routing *r, const struct versions_limits *limits, struct alarms *alarms, const char *why, char *error)
{
	char note[ERROR_TEXT_MAX];

	alarm_raise(alarms, ALARM_STATE, "versions", "%s: the versions of this run are kept in memory only", why);
	versions_free(r->versions);
	r->versions = NULL;
	return versions_open(NULL, limits, &r->versions, note, error);
}

int routing_versions_open(struct routing *r, const char *state_file, const struct versions_limits *limits, struct alarms *alarms, char *error)
{
	char path[512], note[ERROR_TEXT_MAX], why[ERROR_TEXT_MAX];
	int err;

	snprintf(path, sizeof(path), "%s.versions", state_file);
	err = versions_open(state_file[0] ? path : NULL, limits, &r->versions, note, why);
	if (err)
		return in_memory(r, limits, alarms, why, error);
	if (note[0])
		log_line(LOG_LEVEL_WARNING, "%s", note);
	return 0;
}

int routing_versions_start(struct routing *r, const struct versions_limits *limits, struct alarms *alarms, char *error)
{
	uint64_t accepted = r->state ? state_accepted(r->state) : 0, dropped;
	char why[ERROR_TEXT_MAX];
	int err = versions_start(r->versions, accepted, r->model, &r->origin, &dropped, why);

	if (err) {
		err = in_memory(r, limits, alarms, why, error);
		if (!err)
			err = versions_start(r->versions, accepted, r->model, &r->origin, &dropped, error);
	}
	if (!err && dropped)
		log_line(LOG_LEVEL_NOTICE, "%llu version(s) behind %llu never came into force: dropped", (unsigned long long)dropped,
			 (unsigned long long)accepted);
	return err;
}
