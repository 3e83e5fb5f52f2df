/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdint.h>

struct event_base;
struct routes;

/* The kernel's routes (main table, unicast, both families, connected ones too) and neighbours of some interfaces, copied into tables/routes
 * and kept so: read whole at first, then by notification; read whole again whenever the kernel says that notifications were lost. Work
 * is bounded per turn of the loop. All control-only.
 *
 * A route with several next hops is taken with the first that works: the table has one per route. */

struct kernel_mirror;

/* Returns when all was read once. interfaces[port] is an interface index. 0; -ERR_NOMEM, -ERR_IO with error_text (256 bytes). */
int kernel_mirror_new(struct event_base *base, struct routes *routes, const uint32_t *interfaces, unsigned count,
		      struct kernel_mirror **ret_mirror, char *error_text);
/* NULL is ignored. What was copied stays in the table. */
void kernel_mirror_free(struct kernel_mirror *m);

/* The kernel never sees the data plane's packets and so would forget neighbours in use: asks it to confirm those that age.
 * The mirror does so by itself, every 20 s. */
void kernel_mirror_confirm(struct kernel_mirror *m);

struct mirror_stats {
	uint64_t routes, neighbours, route_dumps, overruns, refused, confirmed;
};
void kernel_mirror_stats(const struct kernel_mirror *m, struct mirror_stats *ret);
