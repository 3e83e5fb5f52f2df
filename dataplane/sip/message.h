/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/span.h"
#include "sip/via.h"

/* A view of one SIP message (RFC 3261 §7): an index of its header lines over bytes that somebody else owns.
 * Nothing is copied, nothing is changed; values are parsed when asked for. */

enum sip_method {
	SIP_UNKNOWN_METHOD, /* any other token: see method_name */
	SIP_INVITE, SIP_ACK, SIP_BYE, SIP_CANCEL, SIP_OPTIONS, SIP_REGISTER, SIP_PRACK, SIP_SUBSCRIBE,
	SIP_NOTIFY, SIP_PUBLISH, SIP_INFO, SIP_REFER, SIP_MESSAGE, SIP_UPDATE,
	SIP_METHODS
};

/* The headers a proxy looks at; compact forms map to the same id. */
enum sip_header_id {
	SIP_H_OTHER,
	SIP_H_VIA, SIP_H_FROM, SIP_H_TO, SIP_H_CALL_ID, SIP_H_CSEQ, SIP_H_MAX_FORWARDS, SIP_H_ROUTE, SIP_H_RECORD_ROUTE,
	SIP_H_CONTACT, SIP_H_CONTENT_LENGTH, SIP_H_CONTENT_TYPE, SIP_H_REQUIRE, SIP_H_PROXY_REQUIRE, SIP_H_SUPPORTED,
	SIP_H_UNSUPPORTED, SIP_H_EXPIRES, SIP_H_RETRY_AFTER, SIP_H_WWW_AUTHENTICATE, SIP_H_PROXY_AUTHENTICATE,
	SIP_H_AUTHORIZATION, SIP_H_PROXY_AUTHORIZATION, SIP_H_REASON, SIP_H_RSEQ, SIP_H_RACK, SIP_H_SESSION_EXPIRES,
	SIP_H_MIN_SE, SIP_H_MAX_BREADTH, SIP_H_IDENTITY, SIP_H_P_ASSERTED_IDENTITY, SIP_H_PRIVACY, SIP_H_DIVERSION,
	SIP_H_EVENT, SIP_H_TIMESTAMP, SIP_H_USER_AGENT, SIP_H_SERVER, SIP_H_DATE, SIP_H_PATH,
	SIP_HEADER_IDS
};

_Static_assert(SIP_HEADER_IDS <= 64, "a word has a bit for each");

#define SIP_LINES_MAX 1536 /* header lines in one message; more are refused (400 / dropped) */

/* One header line. Offsets from the start of the message. Where its value is, sip_value finds out when asked. */
struct sip_header {
	uint32_t start; /* first byte of the name */
	uint32_t end;	/* one past its CRLF, folded lines included */
	uint16_t name_len;
	int16_t next; /* next line with the same known id, or -1; for SIP_H_OTHER always -1 */
	uint8_t id;   /* enum sip_header_id */
	uint8_t unused[3]; /* zeros: what is behind start and end is stored as a word */
};

/* Why a message was refused; sip_fault_status and sip_fault_reason turn it into an answer. */
enum sip_fault {
	SIP_FINE,
	SIP_FAULT_START_LINE,	  /* malformed request or status line (white space, missing parts) */
	SIP_FAULT_VERSION,	  /* a request whose version is not SIP/2.0: 505 */
	SIP_FAULT_HEAD,		  /* no blank line, a line without a colon, an empty or odd header name */
	SIP_FAULT_TOO_MANY_LINES, /* more than SIP_LINES_MAX */
	SIP_FAULT_MISSING,	  /* one of Via, From, To, Call-ID, CSeq is absent */
	SIP_FAULT_REPEATED,	  /* a header that may come once only came twice (From, To, Call-ID, CSeq, Max-Forwards, Content-Length) */
	SIP_FAULT_VIA,		  /* the top Via cannot be read */
	SIP_FAULT_FROM,
	SIP_FAULT_TO,
	SIP_FAULT_CALL_ID,	  /* empty */
	SIP_FAULT_CSEQ,		  /* not a number below 2^31 and a method, or the method differs from the request line's */
	SIP_FAULT_MAX_FORWARDS,
	SIP_FAULT_CONTENT_LENGTH, /* not a number, or more than the datagram holds */
	SIP_FAULT_URI,		  /* the request URI cannot be read */
	SIP_FAULT_SCHEME,	  /* a request URI with a scheme that is not sip, sips or tel: 416 */
};

struct sip_message {
	const uint8_t *data;
	uint32_t len; /* head and body; bytes of the datagram beyond Content-Length are not counted (RFC 3261 §18.3) */

	uint32_t start_line_end; /* one past its CRLF: where the first header begins */
	uint32_t head_end;	 /* offset of the blank line's CRLF: where a header may be appended */
	uint32_t body;		 /* one past the blank line; len - body bytes follow */
	uint32_t max_forwards;	 /* 0..255; UINT32_MAX when absent */

	/* From here to `repeated` zeros are what is said when there is nothing to say. */
	enum sip_fault fault;
	uint32_t cseq; /* number */
	bool is_request;
	uint8_t method;	 /* enum sip_method: the request's; for a response its CSeq's */
	uint16_t status; /* 100..699; 0 for a request */
	uint16_t header_count;
	struct span method_name; /* as written, of the request line or of CSeq */
	struct span request_uri; /* as written, spaces trimmed; a response has none */
	struct span reason;	 /* may be empty */
	struct span call_id;	 /* trimmed */
	struct span from_tag;	 /* p == NULL when absent */
	struct span to_tag;
	struct span via_rest; /* what follows top_via on its line */
	uint64_t present;     /* a bit for each known id of which there is a line; */
	uint64_t repeated;    /* of which there are several */

	struct sip_uri uri;	       /* request_uri, read; text.p == NULL: absent or unreadable. URI_OTHER: scheme and text alone */
	struct via top_via;	       /* the first value of the first Via line; whole.p == NULL: absent or unreadable */
	int16_t first[SIP_HEADER_IDS]; /* index of the first line with that id, or -1; [SIP_H_OTHER] is unused */
	struct sip_header headers[SIP_LINES_MAX]; /* header_count; those behind them have no meaning */
};

enum sip_verdict {
	SIP_OK,	       /* the view is whole */
	SIP_KEEPALIVE, /* nothing but CRs, LFs or NULs: count and drop (or pong, on streams) */
	SIP_NOT_SIP,   /* does not begin like a SIP message (STUN, RTP, noise): count and drop */
	SIP_BAD,       /* begins like one, cannot be trusted: m->fault says why. All header lines that were found are indexed, so
			* sip_answerable says whether a request can still be answered */
};

/* Reads a whole datagram (or one framed message of a stream). Writes every field of *m that its comments promise, touches nothing
 * else of it (it is large: keep one per worker). The spans live as long as `data`.
 * Checks what a proxy must (RFC 3261 §16.3): syntax of the start line, of the headers in enum sip_fault, nothing else; unknown
 * headers with any bytes, 8-bit and NUL bytes included, pass. Leading CRLFs before the start line are skipped (RFC 3261 §7.5),
 * m->data then points behind them. any */
enum sip_verdict sip_parse(const uint8_t *data, uint32_t len, struct sip_message *m);

/* For a SIP_BAD request other than ACK: Via with a readable top, From, To, Call-ID and CSeq lines exist, so a response can be built. any */
bool sip_answerable(const struct sip_message *m);

/* 400, 416, 505 ... and a reason phrase that names the header at fault. Static storage. any */
uint16_t sip_fault_status(enum sip_fault fault);
const char *sip_fault_reason(enum sip_fault fault);

/* As sip_value, whatever the line looks like; index >= 0. any */
struct span sip_value_closely(const struct sip_message *m, int index);

/* The value of the first / i-th header line, without white space around it; it may hold folds (CRLF + white space). An empty one lies right behind
 * its colon. p == NULL when index < 0. any */
static inline struct span sip_value(const struct sip_message *m, int index)
{
	const struct sip_header *h;
	const uint8_t *p, *end;

	if (__builtin_expect(index < 0, 0))
		return (struct span){ 0, 0 };
	h = &m->headers[index];
	p = m->data + h->start + h->name_len;
	end = m->data + h->end;
	if (__builtin_expect(memcmp(p, ": ", 2) || p[2] <= ' ' || memcmp(end - 2, "\r\n", 2) || end[-3] <= ' ', 0))
		return sip_value_closely(m, index);
	return span_of(p + 2, (uint32_t)(end - p) - 4);
}

static inline struct span sip_first(const struct sip_message *m, enum sip_header_id id)
{
	return sip_value(m, m->first[id]);
}

static inline struct span sip_name(const struct sip_message *m, int index)
{
	return span_of(m->data + m->headers[index].start, m->headers[index].name_len);
}

/* The id of a header name in any case, long or compact; SIP_H_OTHER when it is none of ours. any */
enum sip_header_id sip_header_lookup(struct span name);
/* The usual spelling ("Call-ID"). Static storage. any */
const char *sip_header_name(enum sip_header_id id);
/* Methods are case-sensitive (§7.1). any */
enum sip_method sip_method_lookup(struct span name);
const char *sip_method_name(enum sip_method method);

/* The reason phrase of RFC 3261 §21 and its extensions for a status; "Unknown" for others. Static storage. any */
const char *sip_reason_phrase(uint16_t status);

/* One token list (Supported, Require, Proxy-Require ...) over all its lines: walks comma-separated values.
 * Start with *cursor zeroed. false: no more. any */
struct sip_list_cursor {
	int16_t line; /* internal */
	bool started;
	struct span rest;
};
bool sip_list_next(const struct sip_message *m, enum sip_header_id id, struct sip_list_cursor *cursor, struct span *ret_value);
