/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

struct config;

/* The running appliance: data plane, kernel mirror, control socket, signals, and the event loop that ties them. */

/* Starts everything and runs until it is told to stop; config stays the caller's. 0: stopped as asked; a negative enum err with an error:
 * it did not start. control-only */
int daemon_run(const struct config *config, const char *version, char *error);
