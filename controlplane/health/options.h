/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* An OPTIONS request without a Via (RFC 3261 §11), built with libosip2. */

struct options_request {
	const char *uri;	/* "sip:198.51.100.10:5060": the request URI */
	const char *own;	/* "sip:192.0.2.1:5060": Contact */
	const char *from, *to;	/* URIs */
	const char *tag, *call_id;
	const char *user_agent; /* "": none */
	uint8_t max_forwards;
};

/* Writes it to out; its length, or 0 where it does not fit, libosip2 refuses a part, or memory is out. control-only */
size_t options_write(const struct options_request *r, char *out, size_t bytes);

/* What an answer says for people: "Service Unavailable; Retry-After 30; Warning 399 gw \"no trunk\"". Printable ASCII. head: its lines up to the
 * blank one, or as many of them as there are; read with libosip2. Its length; 0 where libosip2 refuses it or it says nothing. control-only */
size_t options_said(const char *head, size_t bytes, char *out, size_t out_bytes);
