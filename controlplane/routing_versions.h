/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

struct alarms;
struct routing;
struct versions_limits;

/* How the log of versions and the routing begin together. A log that cannot be had is never a reason not to start: this process then keeps one
 * in memory, and an alarm says so. control-only */

/* Before routing_begin: opens STATE_FILE.versions, or one in memory where state_file is empty. 0; -ERR_NOMEM, -ERR_IO with an error. */
int routing_versions_open(struct routing *r, const char *state_file, const struct versions_limits *limits, struct alarms *alarms, char *error);

/* After routing_begin: finds the version that is in force, or makes one. As before. */
int routing_versions_start(struct routing *r, const struct versions_limits *limits, struct alarms *alarms, char *error);
