/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"

struct model;
struct model_host;
struct model_trunk;

/* From what the operator wrote to what calls can be sent to: names are replaced by where DNS says that they are. */

/* One place, as DNS has it. */
struct located {
	struct ip_port addr;
	uint8_t transport; /* enum sip_transport */
	uint16_t priority, weight;
};

/* What is known of a name. */
struct located_list {
	const struct located *now;
	uint16_t count;
	const struct ip_port *former; /* what it was before, the latest first: dialogs may live there (UDP) */
	uint16_t former_count;
	bool unknown; /* DNS has not said anything yet */
};

/* How a name is looked up: what is known now, without waiting. `find` leaves *ret as it is where nothing is known; what it points to holds
 * until the next call. */
struct names {
	void (*find)(void *ctx, const struct model_host *host, struct located_list *ret);
	void *ctx;
};

/* A copy of m (which shares its numbers) whose trunks have, beside their addresses, the endpoints that their names stand for: priority is the
 * record's plus the host's, weight the record's times the host's percent. An address that a trunk has twice is there once, as the first that
 * leads to it says. Never more endpoints than TRUNK_ENDPOINTS_MAX in a trunk and most_endpoints in all; *ret_left_out counts what is beyond.
 * names NULL: names stand for nothing. NULL: no memory. control-only */
struct model *model_expand(const struct model *m, const struct names *names, uint32_t most_endpoints, uint32_t *ret_left_out);

/* A trunk that would be empty only because DNS has not said anything of its names yet keeps the endpoints that it has in `before`,
 * which is expanded and in force: a new name, or a trunk that gets a name for its addresses, costs no call. control-only */
void expand_hold(struct model *expanded, const struct model *before, const struct names *names);

/* Adds a place where dialogs of an expanded trunk may live still; nothing where it is known already, or there is no room. control-only */
void expand_former(struct model_trunk *t, const struct ip_port *addr);

/* Do the two say the same to the data plane, as far as trunks go? Both expanded from the same model. any */
bool model_same_trunks(const struct model *a, const struct model *b);
