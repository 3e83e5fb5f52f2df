/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>

struct alarms;
struct config;
struct event_base;
struct resolver;
struct routing;

/* Names in the running process: what the resolver finds is published by the routing that names them. control-only */

struct naming;

struct naming_setup {
	struct event_base *base;
	const struct config *config;
	struct alarms *alarms;
	struct routing *routing; /* initialised later, before the loop runs */
	void (*changed)(void *ctx); /* tables were published */
	void *ctx;
};

/* NULL with an error. The answers that are kept over a restart lie beside the configuration's state_file. */
struct naming *naming_new(const struct naming_setup *setup, char *error);
/* After the routing, which looks names up. NULL is ignored. */
void naming_free(struct naming *n);

struct resolver *naming_resolver(struct naming *n);

/* Follows the names of the routing that is in force. */
void naming_follow(struct naming *n);

/* Lets the loop run until it is known where every name is, for a second at most or until *stop, so that a start does not refuse calls while the
 * first answers come; then publishes what is known. A name that is known from before is not waited for. */
void naming_wait(struct naming *n, const bool *stop);
