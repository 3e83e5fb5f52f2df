/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

struct alarm_event;

/* A listener for alarms_listen: each event is a line of the log, at the level of its severity. ctx is not used. control-only */
void alarm_log(void *ctx, const struct alarm_event *e);
