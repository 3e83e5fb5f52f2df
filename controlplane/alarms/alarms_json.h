/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <jansson.h>

struct alarm;
struct alarm_event;

/* Alarms as every door shows them. control-only; NULL: no memory. */

/* {"kind", "severity", "subject", "text", "what_to_do", "raised", "updated", "count"}; times as in call records. */
json_t *alarm_json(const struct alarm *a);
/* The same with "sequence", "event" ("raised" or "cleared") and "time". */
json_t *alarm_event_json(const struct alarm_event *e);
/* The event as a JSON-RPC notification ("alarm") with its newline; newly allocated. */
char *alarm_event_line(const struct alarm_event *e);
