/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "proxy/state.h"

/* Live traffic as a probe: an endpoint that lets call after call time out is taken out before the next probe would find it, for a time that
 * doubles each time, and never more than a share of a profile's endpoints at once. worker-only */

/* Any response came from it. */
void watch_heard(struct proxy *p, const struct attempt *a);
/* An attempt got no response at all in its time. May eject. */
void watch_silent(struct proxy *p, const struct attempt *a);
