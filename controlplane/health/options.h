/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stddef.h>

/* An OPTIONS request without a Via (RFC 3261 §11), built with libosip2. */

struct options_request {
	const char *uri;	/* "sip:198.51.100.10:5060": the request URI, and To */
	const char *own;	/* "sip:192.0.2.1:5060": From and Contact */
	const char *tag, *call_id;
	const char *user_agent; /* "": none */
};

/* Writes it to out; its length, or 0 where it does not fit, libosip2 refuses a part, or memory is out. control-only */
size_t options_write(const struct options_request *r, char *out, size_t bytes);
