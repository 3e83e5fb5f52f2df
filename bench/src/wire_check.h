/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct view;

/* Whether a proxy changed just what it may (RFC 3261 §16.6, §16.7): line by line, body included. NULL: all is well; else what is
 * wrong. */

/* sent: as it left the sender. got: as it came out of the proxy, all lines read. */
const char *check_request(const struct view *sent, const struct view *got);
/* sent: as it left the responder: the proxy's Via on top of the requester's. */
const char *check_response(const struct view *sent, const struct view *got);
