/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "alarms/alarms.h"
#include "alarms/alarms_json.h"
#include "api/control.h"
#include "api/handlers.h"
#include "api/operations.h"
#include "api/server.h"
#include "base/err.h"
#include "error.h"

#define HISTORY_PLAIN 100
#define HISTORY_MAX   10000

/* The worst first, then the oldest. */
static int compare(const void *a, const void *b)
{
	const struct alarm *const *x = a, *const *y = b;
	int p = (int)(*x)->severity, q = (int)(*y)->severity;

	if (p != q)
		return p - q;
	return (*x)->raised_unix_ms < (*y)->raised_unix_ms ? -1 : (*x)->raised_unix_ms > (*y)->raised_unix_ms;
}

static json_t *raised_json(const struct alarms *a)
{
	struct alarms_stats s;
	const struct alarm **order;
	json_t *list = json_array();

	alarms_stats(a, &s);
	order = calloc(s.raised + 1, sizeof(*order));
	for (uint32_t i = 0; order && i < s.raised; i++)
		order[i] = alarms_raised(a, i);
	if (order)
		qsort(order, s.raised, sizeof(*order), compare);
	for (uint32_t i = 0; order && i < s.raised; i++)
		json_array_append_new(list, alarm_json(order[i]));
	free(order);
	return list;
}

int operation_alarms(struct control *c, const json_t *params, json_t **ret_result, char *error)
{
	struct alarms_stats s;

	alarms_stats(c->alarms, &s);
	*ret_result = json_pack("{s:o, s:I, s:I}", "raised", raised_json(c->alarms), "sequence", (json_int_t)s.events, "forgotten",
				(json_int_t)s.forgotten);
	return 0;
}

int operation_alarms_history(struct control *c, const json_t *params, json_t **ret_result, char *error)
{
	json_int_t limit = param_integer(params, "limit", HISTORY_PLAIN);
	json_t *list = json_array();
	const struct alarm_event *e;
	struct alarms_stats s;

	if (limit < 1 || limit > HISTORY_MAX) {
		json_decref(list);
		return error_set(error, -ERR_INVALID, "limit: %lld is not in 1..%d", (long long)limit, HISTORY_MAX);
	}
	alarms_stats(c->alarms, &s);
	e = alarms_event(c->alarms, s.events > (uint64_t)limit ? s.events - (uint64_t)limit : 0);
	for (; e; e = alarms_event(c->alarms, e->sequence))
		json_array_append_new(list, alarm_event_json(e));
	*ret_result = json_pack("{s:o, s:I}", "events", list, "sequence", (json_int_t)s.events);
	return 0;
}

int operation_alarms_follow(struct control *c, const json_t *params, json_t **ret_result, char *error)
{
	int err;

	if (!c->client)
		return error_set(error, -ERR_UNSUPPORTED, "alarms.follow: only over a connection that stays");
	err = operation_alarms(c, NULL, ret_result, error);
	if (!err)
		server_follow(c->client);
	return err;
}
