/* SPDX-License-Identifier: Apache-2.0 */
#include "sip/message.h"

#define TRY(literal, method)                                                                                           \
	do {                                                                                                           \
		if (memcmp(name.p, literal, sizeof(literal) - 1) == 0)                                                 \
			return method;                                                                                 \
	} while (0)

enum sip_method sip_method_lookup(struct span name)
{
	switch (name.n) {
	case 3:
		TRY("ACK", SIP_ACK);
		TRY("BYE", SIP_BYE);
		break;
	case 4:
		TRY("INFO", SIP_INFO);
		break;
	case 5:
		TRY("PRACK", SIP_PRACK);
		TRY("REFER", SIP_REFER);
		break;
	case 6:
		TRY("INVITE", SIP_INVITE);
		TRY("CANCEL", SIP_CANCEL);
		TRY("NOTIFY", SIP_NOTIFY);
		TRY("UPDATE", SIP_UPDATE);
		break;
	case 7:
		TRY("OPTIONS", SIP_OPTIONS);
		TRY("PUBLISH", SIP_PUBLISH);
		TRY("MESSAGE", SIP_MESSAGE);
		break;
	case 8:
		TRY("REGISTER", SIP_REGISTER);
		break;
	case 9:
		TRY("SUBSCRIBE", SIP_SUBSCRIBE);
		break;
	}
	return SIP_UNKNOWN_METHOD;
}

const char *sip_method_name(enum sip_method method)
{
	static const char *const names[SIP_METHODS] = {
		[SIP_UNKNOWN_METHOD] = "",
		[SIP_INVITE] = "INVITE",
		[SIP_ACK] = "ACK",
		[SIP_BYE] = "BYE",
		[SIP_CANCEL] = "CANCEL",
		[SIP_OPTIONS] = "OPTIONS",
		[SIP_REGISTER] = "REGISTER",
		[SIP_PRACK] = "PRACK",
		[SIP_SUBSCRIBE] = "SUBSCRIBE",
		[SIP_NOTIFY] = "NOTIFY",
		[SIP_PUBLISH] = "PUBLISH",
		[SIP_INFO] = "INFO",
		[SIP_REFER] = "REFER",
		[SIP_MESSAGE] = "MESSAGE",
		[SIP_UPDATE] = "UPDATE",
	};

	return (unsigned)method < SIP_METHODS ? names[method] : "";
}
