/* SPDX-License-Identifier: Apache-2.0 */
#include "alarms/alarms_json.h"

#include <stdlib.h>
#include <string.h>

#include "alarms/alarms.h"
#include "cdr_line.h"
#include "utf8.h"

/* Subjects and texts may hold what the network sent. */
static json_t *text_json(const char *text)
{
	char valid[3 * ALARM_TEXT_MAX + 1];

	return json_stringn(valid, utf8_text((const uint8_t *)text, (uint32_t)strlen(text), valid));
}

static json_t *time_json(uint64_t ms)
{
	char text[CDR_TIME_MAX];

	cdr_time(ms, text);
	return json_string(text);
}

json_t *alarm_json(const struct alarm *a)
{
	const struct alarm_doc *doc = alarm_doc(a->kind);

	return json_pack("{s:s, s:s, s:o, s:o, s:s, s:o, s:o, s:I}", "kind", doc->word, "severity", alarm_severity_name(a->severity),
			 "subject", text_json(a->subject), "text", text_json(a->text), "what_to_do", doc->what_to_do, "raised",
			 time_json(a->raised_unix_ms), "updated", time_json(a->updated_unix_ms), "count", (json_int_t)a->count);
}

json_t *alarm_event_json(const struct alarm_event *e)
{
	json_t *json = json_pack("{s:I, s:s, s:o}", "sequence", (json_int_t)e->sequence, "event", e->raised ? "raised" : "cleared", "time",
				 time_json(e->unix_ms));
	json_t *alarm = alarm_json(&e->alarm);

	if (json && alarm)
		json_object_update(json, alarm);
	json_decref(alarm);
	return json;
}

char *alarm_event_line(const struct alarm_event *e)
{
	json_t *json = json_pack("{s:s, s:s, s:o}", "jsonrpc", "2.0", "method", "alarm", "params", alarm_event_json(e));
	char *compact = json ? json_dumps(json, JSON_COMPACT) : NULL;
	size_t n = compact ? strlen(compact) : 0;
	char *line = compact ? realloc(compact, n + 2) : NULL;

	json_decref(json);
	if (line)
		memcpy(line + n, "\n", 2);
	else
		free(compact);
	return line;
}
