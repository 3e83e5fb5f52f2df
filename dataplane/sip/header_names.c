/* SPDX-License-Identifier: Apache-2.0 */
#include "sip/header_names.h"

#include <assert.h>

#include "sip/lex.h"

/* A name added here may need other factors in HEADER_SLOT_OF: the compiler warns of a slot used twice (-Woverride-init), and the
 * unit test looks every name up. */

#define NAME(text, first, last, header)                                                                                \
	[HEADER_SLOT_OF(sizeof(text) - 1, first, last)] = { text, sizeof(text) - 1, header }

const struct header_slot header_slots[HEADER_SLOTS] = {
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

struct header_look header_looks[HEADER_LOOKS];

const uint8_t header_colons[32] __attribute__((aligned(32))) = "::::::::::::::::::::::::::::::::";

static void look_fill(const char *name, uint32_t n, uint8_t id)
{
	const struct sip_header line = { .name_len = (uint16_t)n, .id = id, .next = -1 };
	struct header_look *look;
	char text[HEADER_LOOK_NAME_MAX + 3] = { 0 };

	memcpy(text, name, n);
	memcpy(text + n, ": ", 2);
	look = header_look_of((uint32_t)text[0] | (uint32_t)text[1] << 8 | (uint32_t)text[2] << 16, n);
	assert(!look->text[0]); /* else HEADER_LOOK_FACTOR must be another one */
	memset(look, 0xff, offsetof(struct header_look, tail));
	memcpy(look->text, text, n + 2);
	for (uint32_t i = 0; i < n + 2; i++)
		look->fold[i] = text[i] >= 'a' ? 0x20 : 0;
	memcpy(&look->tail, &line.name_len, sizeof(look->tail));
	look->bit = id == SIP_H_OTHER ? 0 : 1ull << id;
	look->id = id;
}

static __attribute__((constructor)) void looks_fill(void)
{
	static const char *const others[] = {
		"accept", "accept-language", "alert-info", "allow", "allow-events", "call-info", "content-disposition", "content-encoding",
		"history-info", "mime-version", "organization", "p-access-network-info", "p-charging-vector", "p-early-media",
		"p-preferred-identity", "priority", "refer-to", "referred-by", "remote-party-id", "replaces", "session-id", "subject",
		"subscription-state", "warning",
	};

	for (unsigned i = 0; i < HEADER_LOOKS; i++)
		memset(header_looks[i].fold, 0xff, sizeof(header_looks[i].fold));
	for (unsigned i = 0; i < HEADER_SLOTS; i++)
		if (header_slots[i].n)
			look_fill(header_slots[i].text, header_slots[i].n, header_slots[i].id);
	for (unsigned i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		look_fill(others[i], (uint32_t)strlen(others[i]), SIP_H_OTHER);
}

enum sip_header_id sip_header_lookup(struct span name)
{
	const struct header_slot *slot;

	if (!name.n)
		return SIP_H_OTHER;
	slot = header_slot_of(name.p, name.n);
	if (slot->n != name.n)
		return SIP_H_OTHER;
	if (name.n < 8)
		return lex_ieq(name.p, slot->text, name.n) ? slot->id : SIP_H_OTHER;
	if (!header_same8(name.p, slot->text) || !header_same8(name.p + name.n - 8, slot->text + name.n - 8))
		return SIP_H_OTHER;
	return name.n <= 16 || header_same8(name.p + 8, slot->text + 8) ? slot->id : SIP_H_OTHER;
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
