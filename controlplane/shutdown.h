/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

struct control;
struct event_base;

/* From the signal to stop until the event loop ends: new calls are refused, those that are up may finish. control-only */

struct shutdown;

/* NULL: no memory. `control` is read when it goes: it may be filled in later, before the loop runs. */
struct shutdown *shutdown_new(struct event_base *base, struct control *control);
/* NULL is ignored. */
void shutdown_free(struct shutdown *s);

/* Drains, and ends the loop when the last call is over or drain_timeout_s is; called again, ends it at once. Sets control->stopping. */
void shutdown_go(struct shutdown *s);
