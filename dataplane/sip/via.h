/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/span.h"
#include "sip/uri.h"

/* Via (RFC 3261 §20.42, rport of RFC 3581). */

enum sip_transport { TRANSPORT_UDP, TRANSPORT_TCP, TRANSPORT_TLS, TRANSPORT_OTHER };

/* "udp", "tcp", "tls", as the transport parameter of a URI has it (RFC 3261 §25.1); "other". any */
static inline const char *transport_name(unsigned transport)
{
	static const char *const names[] = { "udp", "tcp", "tls", "other" };

	return names[transport < TRANSPORT_OTHER ? transport : TRANSPORT_OTHER];
}

/* Where no port is said (RFC 3261 §19.1.2). any */
static inline uint16_t transport_port(unsigned transport)
{
	return transport == TRANSPORT_TLS ? 5061 : 5060;
}

struct via {
	struct span whole; /* this value without its comma and surrounding white space */
	enum sip_transport transport;
	struct span transport_name;
	struct span host; /* sent-by, as written */
	enum host_kind host_kind;
	struct ip_addr ip; /* when sent-by is an address */
	uint16_t port;	   /* 0 when absent */
	struct span sent_by; /* host[:port] as written */
	struct span params;  /* from the first ';' (included); empty when there are none */
	struct span branch;  /* p == NULL when absent */
	struct span received;
	struct span maddr;
	bool rport;		    /* the parameter is there */
	struct span rport_value;    /* p == NULL when it has no value */
	struct span rport_whole;    /* ";rport" or ";rport=1" as written, for an edit */
	struct span received_whole; /* ";received=..." */
};

/* The branch begins with the cookie of RFC 3261 §8.1.1.7 (in any case) and says something behind it: the bare cookie tells no
 * two transactions apart. any */
bool via_branch_is_3261(struct span branch);

/* The next value of a Via header (several may share a line). Start with *rest = the header's value.
 * 1: one was read; 0: no more; -ERR_INVALID: malformed, *ret_via and what follows cannot be trusted. any */
int via_next(struct span *rest, struct via *ret_via);

/* Where a response goes by this Via alone (RFC 3261 §18.2.2, RFC 3581 §4): maddr, received and rport, or sent-by when it is an
 * address. 0, -ERR_NOT_FOUND when that is a host name. any */
int via_response_addr(const struct via *v, struct ip_port *ret_addr);
