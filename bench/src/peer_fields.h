/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "peers.h"
#include "text.h"

/* Shared by peers.c, which knows the makes of boxes, and peer_fields.c, which writes their header fields. */

enum field {
	END,
	VIA,
	MAX_FORWARDS,
	ROUTE,
	FROM,
	TO,
	CALL_ID,
	CSEQ,
	CONTACT,
	AGENT,
	ALLOW,
	SUPPORTED,
	DATE,
	ASSERTED,
	REMOTE_PARTY,
	PRIVACY,
	SESSION,
	SESSION_ID,
	CHARGING,
	REASON,
	ALLOW_EVENTS,
	ACCEPT,
	DISPOSITION,
	HISTORY,
	CONTENT,
};

/* One make of box. */
struct make {
	const char *agent, *allow, *supported;
	const char *call_id_tail; /* behind the 16 digits; the host follows unless NULL says that it has none */
	bool dashes;		  /* the digits as in a UUID */
	const char *display;	  /* NULL: no display name */
	const char *uri_params;
	const char *session_name;
	unsigned codecs;
	uint8_t order[24];
};

struct message {
	const struct make *make;
	const struct call_name *name;
	const struct dialog_view *dialog; /* NULL: the INVITE that founds it */
	enum method method;
	enum mix mix;
	bool response;
	unsigned status;
	const struct answered_request *answered;
	uint32_t own_ip;
	bool caller_writes;
	uint64_t branch;
};

/* A bijection: whatever hangs on a call's serial number is drawn with it. */
static inline uint64_t scramble(uint64_t x)
{
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ x >> 27) * 0x94d049bb133111ebULL;
	return x ^ x >> 31;
}

extern const char *const peer_method_names[];

const struct make *peer_caller_make(const struct call_name *n);
const struct make *peer_target_make(uint32_t ip);

/* One field, or nothing where such a message has none. */
void peer_field(struct text *t, enum field field, const struct message *m);
/* The URI of that side's Contact. */
void peer_contact_uri(struct text *t, const struct call_name *n, bool caller, uint32_t target_ip);
