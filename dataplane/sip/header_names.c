/* SPDX-License-Identifier: Apache-2.0 */
#include "sip/lex.h"
#include "sip/message.h"

/* A perfect hash over length, first and last letter (without case): every name has a slot of its own, so that a look-up is one
 * load and one comparison. A name added here may need other factors: the compiler warns of a slot used twice
 * (-Woverride-init), and the unit test looks every name up. */

#define SLOTS		    256
#define SLOT_OF(n, first, last) (((first) + (last)*4u + (n)*15u) % SLOTS)
#define NAME(text, first, last, header)                                                                                \
	[SLOT_OF(sizeof(text) - 1, first, last)] = { text, sizeof(text) - 1, header }

struct name {
	char text[22]; /* lower case */
	uint8_t n;     /* 0: an empty slot */
	uint8_t id;
};

static const struct name names[SLOTS] = {
	NAME("via", 'v', 'a', SIP_H_VIA),
	NAME("v", 'v', 'v', SIP_H_VIA),
	NAME("from", 'f', 'm', SIP_H_FROM),
	NAME("f", 'f', 'f', SIP_H_FROM),
	NAME("to", 't', 'o', SIP_H_TO),
	NAME("t", 't', 't', SIP_H_TO),
	NAME("call-id", 'c', 'd', SIP_H_CALL_ID),
	NAME("i", 'i', 'i', SIP_H_CALL_ID),
	NAME("cseq", 'c', 'q', SIP_H_CSEQ),
	NAME("max-forwards", 'm', 's', SIP_H_MAX_FORWARDS),
	NAME("route", 'r', 'e', SIP_H_ROUTE),
	NAME("record-route", 'r', 'e', SIP_H_RECORD_ROUTE),
	NAME("contact", 'c', 't', SIP_H_CONTACT),
	NAME("m", 'm', 'm', SIP_H_CONTACT),
	NAME("content-length", 'c', 'h', SIP_H_CONTENT_LENGTH),
	NAME("l", 'l', 'l', SIP_H_CONTENT_LENGTH),
	NAME("content-type", 'c', 'e', SIP_H_CONTENT_TYPE),
	NAME("c", 'c', 'c', SIP_H_CONTENT_TYPE),
	NAME("require", 'r', 'e', SIP_H_REQUIRE),
	NAME("proxy-require", 'p', 'e', SIP_H_PROXY_REQUIRE),
	NAME("supported", 's', 'd', SIP_H_SUPPORTED),
	NAME("k", 'k', 'k', SIP_H_SUPPORTED),
	NAME("unsupported", 'u', 'd', SIP_H_UNSUPPORTED),
	NAME("expires", 'e', 's', SIP_H_EXPIRES),
	NAME("retry-after", 'r', 'r', SIP_H_RETRY_AFTER),
	NAME("www-authenticate", 'w', 'e', SIP_H_WWW_AUTHENTICATE),
	NAME("proxy-authenticate", 'p', 'e', SIP_H_PROXY_AUTHENTICATE),
	NAME("authorization", 'a', 'n', SIP_H_AUTHORIZATION),
	NAME("proxy-authorization", 'p', 'n', SIP_H_PROXY_AUTHORIZATION),
	NAME("reason", 'r', 'n', SIP_H_REASON),
	NAME("rseq", 'r', 'q', SIP_H_RSEQ),
	NAME("rack", 'r', 'k', SIP_H_RACK),
	NAME("session-expires", 's', 's', SIP_H_SESSION_EXPIRES),
	NAME("x", 'x', 'x', SIP_H_SESSION_EXPIRES),
	NAME("min-se", 'm', 'e', SIP_H_MIN_SE),
	NAME("max-breadth", 'm', 'h', SIP_H_MAX_BREADTH),
	NAME("identity", 'i', 'y', SIP_H_IDENTITY),
	NAME("y", 'y', 'y', SIP_H_IDENTITY),
	NAME("p-asserted-identity", 'p', 'y', SIP_H_P_ASSERTED_IDENTITY),
	NAME("privacy", 'p', 'y', SIP_H_PRIVACY),
	NAME("diversion", 'd', 'n', SIP_H_DIVERSION),
	NAME("event", 'e', 't', SIP_H_EVENT),
	NAME("o", 'o', 'o', SIP_H_EVENT),
	NAME("timestamp", 't', 'p', SIP_H_TIMESTAMP),
	NAME("user-agent", 'u', 't', SIP_H_USER_AGENT),
	NAME("server", 's', 'r', SIP_H_SERVER),
	NAME("date", 'd', 'e', SIP_H_DATE),
	NAME("path", 'p', 'h', SIP_H_PATH),
};

static inline uint64_t load8(const void *p)
{
	uint64_t v;

	memcpy(&v, p, 8);
	return v;
}

static inline uint32_t load4(const void *p)
{
	uint32_t v;

	memcpy(&v, p, 4);
	return v;
}

/* Bit 5 is case for letters only: where the lower-case name has a letter (bit 6 set) it is forced, elsewhere ('-') it counts. */
static inline bool same8(const uint8_t *p, const char *lower)
{
	uint64_t want = load8(lower);

	return (load8(p) | (want & 0x4040404040404040ULL) >> 1) == want;
}

static inline bool same4(const uint8_t *p, const char *lower)
{
	uint32_t want = load4(lower);

	return (load4(p) | (want & 0x40404040U) >> 1) == want;
}

enum sip_header_id sip_header_lookup(struct span name)
{
	const uint8_t *p = name.p;
	uint32_t n = name.n;
	const struct name *slot;

	if (!n)
		return SIP_H_OTHER;
	slot = &names[SLOT_OF(n, p[0] | 0x20u, p[n - 1] | 0x20u)];
	if (slot->n != n)
		return SIP_H_OTHER;
	if (n >= 8) {
		if (!same8(p, slot->text) || !same8(p + n - 8, slot->text + n - 8))
			return SIP_H_OTHER;
		if (n > 16 && !same8(p + 8, slot->text + 8))
			return SIP_H_OTHER;
		return slot->id;
	}
	if (n >= 4)
		return same4(p, slot->text) && same4(p + n - 4, slot->text + n - 4) ? slot->id : SIP_H_OTHER;
	return lex_ieq(p, slot->text, n) ? slot->id : SIP_H_OTHER;
}

const char *sip_header_name(enum sip_header_id id)
{
	static const char *const usual[SIP_HEADER_IDS] = {
		[SIP_H_OTHER] = "",
		[SIP_H_VIA] = "Via",
		[SIP_H_FROM] = "From",
		[SIP_H_TO] = "To",
		[SIP_H_CALL_ID] = "Call-ID",
		[SIP_H_CSEQ] = "CSeq",
		[SIP_H_MAX_FORWARDS] = "Max-Forwards",
		[SIP_H_ROUTE] = "Route",
		[SIP_H_RECORD_ROUTE] = "Record-Route",
		[SIP_H_CONTACT] = "Contact",
		[SIP_H_CONTENT_LENGTH] = "Content-Length",
		[SIP_H_CONTENT_TYPE] = "Content-Type",
		[SIP_H_REQUIRE] = "Require",
		[SIP_H_PROXY_REQUIRE] = "Proxy-Require",
		[SIP_H_SUPPORTED] = "Supported",
		[SIP_H_UNSUPPORTED] = "Unsupported",
		[SIP_H_EXPIRES] = "Expires",
		[SIP_H_RETRY_AFTER] = "Retry-After",
		[SIP_H_WWW_AUTHENTICATE] = "WWW-Authenticate",
		[SIP_H_PROXY_AUTHENTICATE] = "Proxy-Authenticate",
		[SIP_H_AUTHORIZATION] = "Authorization",
		[SIP_H_PROXY_AUTHORIZATION] = "Proxy-Authorization",
		[SIP_H_REASON] = "Reason",
		[SIP_H_RSEQ] = "RSeq",
		[SIP_H_RACK] = "RAck",
		[SIP_H_SESSION_EXPIRES] = "Session-Expires",
		[SIP_H_MIN_SE] = "Min-SE",
		[SIP_H_MAX_BREADTH] = "Max-Breadth",
		[SIP_H_IDENTITY] = "Identity",
		[SIP_H_P_ASSERTED_IDENTITY] = "P-Asserted-Identity",
		[SIP_H_PRIVACY] = "Privacy",
		[SIP_H_DIVERSION] = "Diversion",
		[SIP_H_EVENT] = "Event",
		[SIP_H_TIMESTAMP] = "Timestamp",
		[SIP_H_USER_AGENT] = "User-Agent",
		[SIP_H_SERVER] = "Server",
		[SIP_H_DATE] = "Date",
		[SIP_H_PATH] = "Path",
	};

	return (unsigned)id < SIP_HEADER_IDS ? usual[id] : "";
}
