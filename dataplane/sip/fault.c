/* SPDX-License-Identifier: Apache-2.0 */
#include "sip/message.h"

/* The phrases tell the peer's operator which header to look at (RFC 3261 §21.4.1). */
static const struct {
	uint16_t status;
	const char *reason;
} answers[] = {
	[SIP_FINE] = { 200, "OK" },
	[SIP_FAULT_START_LINE] = { 400, "Bad Request-Line" },
	[SIP_FAULT_VERSION] = { 505, "Version Not Supported" },
	[SIP_FAULT_HEAD] = { 400, "Malformed Header Line" },
	[SIP_FAULT_TOO_MANY_LINES] = { 400, "Too Many Header Lines" },
	[SIP_FAULT_MISSING] = { 400, "Missing Mandatory Header" },
	[SIP_FAULT_REPEATED] = { 400, "Repeated Header" },
	[SIP_FAULT_VIA] = { 400, "Bad Via Header" },
	[SIP_FAULT_FROM] = { 400, "Bad From Header" },
	[SIP_FAULT_TO] = { 400, "Bad To Header" },
	[SIP_FAULT_CALL_ID] = { 400, "Bad Call-ID Header" },
	[SIP_FAULT_CSEQ] = { 400, "Bad CSeq Header" },
	[SIP_FAULT_MAX_FORWARDS] = { 400, "Bad Max-Forwards Header" },
	[SIP_FAULT_CONTENT_LENGTH] = { 400, "Bad Content-Length Header" },
	[SIP_FAULT_URI] = { 400, "Bad Request-URI" },
	[SIP_FAULT_SCHEME] = { 416, "Unsupported URI Scheme" },
};

#define ANSWERS (sizeof(answers) / sizeof(answers[0]))

uint16_t sip_fault_status(enum sip_fault fault)
{
	return (unsigned)fault < ANSWERS ? answers[fault].status : 400;
}

const char *sip_fault_reason(enum sip_fault fault)
{
	return (unsigned)fault < ANSWERS ? answers[fault].reason : "Bad Request";
}
