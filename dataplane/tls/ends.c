/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/tls.h"

const char *tls_end_name(enum tls_end why)
{
	static const char *const names[TLS_ENDS] = {
		[TLS_END_CLOSED] = "closed",
		[TLS_END_CUT] = "cut",
		[TLS_END_TIMEOUT] = "timeout",
		[TLS_END_REFUSED] = "refused",
		[TLS_END_ALERT] = "alert",
		[TLS_END_PROTOCOL] = "protocol",
		[TLS_END_NO_CERTIFICATE] = "no certificate",
		[TLS_END_EXPIRED] = "expired",
		[TLS_END_NOT_YET_VALID] = "not yet valid",
		[TLS_END_NAME] = "name",
		[TLS_END_UNTRUSTED] = "untrusted",
		[TLS_END_REVOKED] = "revoked",
		[TLS_END_PURPOSE] = "purpose",
		[TLS_END_CERTIFICATE] = "certificate",
		[TLS_END_NO_MEMORY] = "no memory",
	};

	return (unsigned)why < TLS_ENDS ? names[why] : "unknown";
}
