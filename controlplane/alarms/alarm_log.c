/* SPDX-License-Identifier: Apache-2.0 */
#include "alarms/alarm_log.h"

#include "alarms/alarms.h"
#include "log.h"

void alarm_log(void *ctx, const struct alarm_event *e)
{
	static const enum log_level levels[] = { [ALARM_CRITICAL] = LOG_LEVEL_ERROR, [ALARM_MAJOR] = LOG_LEVEL_WARNING,
						 [ALARM_MINOR] = LOG_LEVEL_WARNING, [ALARM_WARNING] = LOG_LEVEL_NOTICE };
	const struct alarm_doc *doc = alarm_doc(e->alarm.kind);

	if (e->raised)
		log_line(levels[e->alarm.severity], "alarm raised: %s %s (%s): %s; %s", doc->word, e->alarm.subject, alarm_severity_name(e->alarm.severity),
			 e->alarm.text, doc->what_to_do);
	else
		log_line(LOG_LEVEL_NOTICE, "alarm cleared: %s %s: %s", doc->word, e->alarm.subject, e->alarm.text);
}
