/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "proxy/state.h"

/* Live traffic as a probe: an endpoint where calls fail is taken out before the next probe would find it, for a time that
 * doubles each time it happens again, and never more than a share of a profile's endpoints at once. What all workers see
 * of an endpoint is counted together (tables/trouble.h). worker-only */

/* The attempt is about to be sent. */
void watch_begun(struct proxy *p, const struct attempt *a);
/* p->in is a response to the attempt, the first to say more than 100. May eject. */
void watch_response(struct proxy *p, const struct attempt *a);
/* The attempt failed without one. May eject. */
void watch_failed(struct proxy *p, const struct attempt *a, enum failure why);
/* A 503 (p->in) asked for a pause of so many seconds. */
void watch_pause(struct proxy *p, const struct attempt *a, uint32_t seconds);
