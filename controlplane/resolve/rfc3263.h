/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdint.h>

#include "base/addr.h"
#include "model/model.h"
#include "resolve/lookups.h"

/* RFC 3263 as a client: where is a SIP server, given its name? Pure: from what is known of the questions so far to the places, and to the
 * questions that are open. */

struct sip_place {
	struct ip_port addr;
	uint8_t transport; /* enum sip_transport */
	uint16_t priority, weight;
	char target[DNS_TEXT_MAX]; /* whose address it is: the SRV record's target, or the name itself */
};

enum location_state {
	LOCATION_OPEN,	/* nothing can be said before more questions are answered */
	LOCATION_FOUND, /* at least one place */
	LOCATION_NONE,	/* DNS says that there is none: `why` */
	LOCATION_FAILED, /* it could not be found out: `why` */
};

#define LOCATION_WHY_MAX 384

struct location {
	enum location_state state;
	uint16_t count;
	uint16_t left_out; /* places beyond TRUNK_ENDPOINTS_MAX, the last in priority, and SRV targets beyond LOOKUPS_MAX */
	uint16_t open;	   /* questions without any answer yet */
	char why[LOCATION_WHY_MAX];
	struct sip_place places[TRUNK_ENDPOINTS_MAX]; /* by priority, then address: in the same order however DNS turns its sets */
};

/* Marks every lookup that the way leads through as used; those that are open (no answer, not failed) are to be asked. The rules: a port: A
 * and AAAA at once (§4.2); a transport, but no port: SRV of that transport (§4.2), where there is none A and AAAA with the default port
 * (5061 of TLS); neither: NAPTR (§4.1), and the first service in its order that we carry; without NAPTR, SRV of what we carry. An SRV
 * target "." says that the service is not offered (RFC 2782). Weights are those of the SRV records (RFC 2782), shared by the addresses of a
 * target; without SRV 100, shared. listeners: LISTENS(...) of those that we have: only transports and families of one are considered, and a
 * transport that the target itself names is the only one that is. control-only */
void rfc3263_locate(const struct model_host *target, unsigned listeners, struct lookups *l, struct location *ret);
