/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <jansson.h>

/* strowgerctl's end of the control socket. */

enum ctl_exit { CTL_OK, CTL_REFUSED, CTL_USAGE, CTL_UNREACHABLE };

struct client;

/* CTL_OK, or CTL_UNREACHABLE with a message on stderr that says what to do next. */
int client_open(const char *path, struct client **ret_client);
void client_close(struct client *c);

/* One call; params are taken over (NULL: none). CTL_OK and a result that the caller owns; CTL_REFUSED: *ret_error is the daemon's message
 * (the caller's to free); CTL_UNREACHABLE: said on stderr. */
int client_call(struct client *c, const char *method, json_t *params, json_t **ret_result, char **ret_error);

/* Waits for what the daemon says unasked, without end: a JSON-RPC notification that the caller owns. CTL_OK, or CTL_UNREACHABLE with a
 * message on stderr. */
int client_next(struct client *c, json_t **ret_notification);
