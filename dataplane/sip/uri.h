/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/span.h"

/* SIP, SIPS and tel URIs (RFC 3261 §19.1, RFC 3966), by spans into the text. */

enum uri_scheme { URI_SIP, URI_SIPS, URI_TEL, URI_OTHER };

enum host_kind { HOST_NAME, HOST_IPV4, HOST_IPV6 };

struct sip_uri {
	enum uri_scheme scheme;
	struct span text;     /* the whole URI */
	struct span user;     /* escapes as written; p == NULL when there is none. tel: the number with its visual separators */
	struct span password; /* p == NULL when there is none */
	struct span host;     /* as written, IPv6 with its brackets; empty for tel */
	enum host_kind host_kind;
	struct ip_addr ip;    /* when host_kind is an address */
	uint16_t port;	      /* 0 when absent */
	struct span hostport; /* host[:port] as written, for replacing both */
	struct span params;   /* from the first ';' (included) up to '?' or the end; empty when there are none */
	struct span headers;  /* behind '?'; p == NULL when absent */
};

/* A URI and nothing else (no < >, no display name). URI_OTHER: only scheme and text are written.
 * 0, -ERR_INVALID. any */
int uri_parse(struct span text, struct sip_uri *ret_uri);

/* A parameter of a ";name=value;flag" run, name without case; white space around ';' and '=' allowed; a value may be
 * quoted, and keeps its quotes.
 * true: present (ret_value: p == NULL for a flag without '='; may be NULL). any */
bool param_find(struct span params, const char *name, struct span *ret_value);

/* Walks such a run: name and value of the next parameter; ret_whole runs from its ';' to its end, so that an edit can remove it.
 * Start with *rest = params. false: no more, or malformed from here. any */
bool param_next(struct span *rest, struct span *ret_name, struct span *ret_value, struct span *ret_whole);

/* Equality of hosts as SIP wants it: names without case and without a trailing dot, addresses by value. any */
bool host_eq(struct span a, struct span b);

/* One element of From, To, Contact, Route, Record-Route ... (RFC 3261 §20.10: name-addr or addr-spec). */
struct name_addr {
	struct span whole;   /* the element without its comma and surrounding white space */
	struct span display; /* as written with its quotes; empty when absent */
	struct span uri;     /* without < > */
	struct span params;  /* header parameters, from the first ';' (included); without < > every parameter is the header's */
};

/* The next element of a comma-separated header value; commas inside quotes and < > do not separate. Start with *rest = value.
 * 1: one was read; 0: no more; -ERR_INVALID: malformed. any */
int name_addr_next(struct span *rest, struct name_addr *ret_element);
