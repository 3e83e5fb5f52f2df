/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The habits of one make of phone system: header lines end without CRLF; "" leaves a header out. */
struct make {
	const char *via;     /* parameters behind the branch */
	const char *display; /* in front of its own URI */
	const char *call_id; /* behind the id */
	const char *agent, *allow, *supported;
	const char *asserted; /* lines that go into every request that starts something */
	const char *session;  /* the session timer's */
	const char *info_type, *info_body;
	const char *media; /* the SDP behind t= */
	/* V Via, R routes, M Max-Forwards, F From, T To, I Call-ID, C CSeq, K Contact, U agent, A Allow, S Supported, P asserted,
	 * E session, Y body's */
	const char *order;
	unsigned cseq_digits;
};

extern const struct make makes_of_callers[], makes_of_targets[];
