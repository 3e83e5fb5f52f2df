/* SPDX-License-Identifier: Apache-2.0 */
#include "naming.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/err.h"
#include "config.h"
#include "error.h"
#include "log.h"
#include "resolve/resolver.h"
#include "routing.h"

#define WAIT_MS	    1000
#define TOGETHER_MS 20	 /* answers that come one after the other are one publication */
#define AGAIN_MS    1000 /* it could not be published */

struct naming {
	struct naming_setup setup;
	struct resolver *resolver;
	struct event *publish;
	uint32_t left_out; /* as it was told last */
};

static void arm(struct event *e, unsigned ms)
{
	const struct timeval after = { ms / 1000, (suseconds_t)(ms % 1000) * 1000 };

	event_add(e, &after);
}

static void on_publish(evutil_socket_t fd, short what, void *ctx)
{
	struct naming *n = ctx;
	struct routing *r = n->setup.routing;
	char error[ERROR_TEXT_MAX];
	bool changed;

	if (routing_refresh(r, &changed, error)) {
		log_line(LOG_LEVEL_ERROR, "what names stand for cannot be published, it is tried again: %s", error);
		arm(n->publish, AGAIN_MS);
		return;
	}
	if (r->left_out != n->left_out && r->left_out)
		log_line(LOG_LEVEL_WARNING, "%u endpoints that DNS has are left out: a trunk has room for %u, the node for limits.endpoints", r->left_out,
			 TRUNK_ENDPOINTS_MAX);
	n->left_out = r->left_out;
	if (changed)
		n->setup.changed(n->setup.ctx);
}

static void on_names(void *ctx)
{
	struct naming *n = ctx;

	if (!event_pending(n->publish, EV_TIMEOUT, NULL))
		arm(n->publish, TOGETHER_MS);
}

struct naming *naming_new(const struct naming_setup *setup, char *error)
{
	const struct dataplane_config *config = &setup->config->dataplane;
	struct naming *n = calloc(1, sizeof(*n));
	char kept[sizeof(setup->config->state_file) + 8];
	struct resolver_setup resolver = { .base = setup->base, .config = &setup->config->resolver, .listeners = setup->config->limits.listeners,
					   .call_age_s = config->limits.call_age_s, .kept_path = setup->config->state_file[0] ? kept : NULL, .alarms = setup->alarms,
					   .changed = on_names, .ctx = n };

	if (!n) {
		error_set(error, -ERR_NOMEM, "out of memory");
		return NULL;
	}
	snprintf(kept, sizeof(kept), "%s.names", setup->config->state_file);
	n->setup = *setup;
	n->publish = event_new(setup->base, -1, 0, on_publish, n);
	if (!n->publish)
		error_set(error, -ERR_NOMEM, "out of memory");
	else
		n->resolver = resolver_new(&resolver, error);
	if (n->resolver)
		return n;
	naming_free(n);
	return NULL;
}

void naming_free(struct naming *n)
{
	if (!n)
		return;
	resolver_free(n->resolver);
	if (n->publish)
		event_free(n->publish);
	free(n);
}

struct resolver *naming_resolver(struct naming *n)
{
	return n->resolver;
}

void naming_follow(struct naming *n)
{
	resolver_follow(n->resolver, n->setup.routing->model);
}

static void on_late(evutil_socket_t fd, short what, void *ctx)
{
	*(bool *)ctx = true;
}

void naming_wait(struct naming *n, const bool *stop)
{
	bool late = false;
	struct event *bound = event_new(n->setup.base, -1, 0, on_late, &late);

	if (bound)
		arm(bound, WAIT_MS);
	while (bound && !late && !*stop && !resolver_settled(n->resolver))
		event_base_loop(n->setup.base, EVLOOP_ONCE);
	if (bound)
		event_free(bound);
	on_publish(-1, 0, n);
}
