/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>

#include "base/span.h"

/* Two questions about the URI in a From or a Contact that every call asks, answered without taking it to pieces where it is written as most are:
 * "<sip:user@host", perhaps behind a quoted display name. */

/* The user part in a From of a message that was read (SIP_OK); empty where there is none, or uri_parse does not read the URI or knows no parts of
 * its scheme. Points into the value. any */
struct span party_user(struct span value);

/* true: the host in the first element's URI is written as `host` is, byte for byte, unless that element or URI cannot be read at all.
 * false: perhaps it is, perhaps not: look closer. host: not empty, as a host is written in a Via. any */
bool party_is_at(struct span value, struct span host);
