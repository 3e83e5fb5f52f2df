/* SPDX-License-Identifier: Apache-2.0 */
/* A call from its INVITE to its BYE, whatever transports its sides have: for the cases of streams. */
#include "streams.h"

void exchange(const struct dialog *d, enum token_side side, const char *method)
{
	static const char *const via[] = { "SIP/2.0/UDP 10.0.0.1:5060;", "SIP/2.0/TCP 10.0.0.1:5060;", "SIP/2.0/TLS 10.0.0.1:5061;" };
	const char *source = d->invite.source ? d->invite.source : CALLER;
	const char *here = side == TOKEN_FROM_CALLER ? source : d->target, *there = side == TOKEN_FROM_CALLER ? d->target : source;
	const char *expected = via[transport_of(there)];
	const struct sent *s;

	say(d, side, method);
	if (!strcmp(method, "INVITE") && (transport_of(here) != TRANSPORT_UDP || transport_of(there) != TRANSPORT_UDP))
		answer_to(100, here);
	s = out(method, there);
	lines(s, "Route", 0);
	if (strncmp(sent_header(s, "Via", 0), expected, strlen(expected)))
		fail_msg("%s to %s has Via %s", method, there, sent_header(s, "Via", 0));
	if (side == TOKEN_FROM_CALLER && transport_of(there) == TRANSPORT_TLS)
		expect_true(s->to.tls_peer == 100 + TRUNK_A, "it says as whom the other end is verified");
	if (!strcmp(method, "ACK"))
		return;
	answer(&stage, s, 200, NULL, NULL);
	answer_to(200, here);
	quiet();
}

void whole_call(const struct harness_options *options, const struct request *r, const char *target, const char *contact, enum token_side hangs_up)
{
	struct dialog d;

	if (options)
		stage_again(options);
	quiet();
	dialog_open(&stage, r, target, contact, &d);
	lines(out("ACK", target), "Route", 0);
	exchange(&d, TOKEN_FROM_CALLER, "INVITE");
	exchange(&d, TOKEN_FROM_CALLER, "ACK");
	exchange(&d, TOKEN_FROM_TARGET, "INVITE");
	exchange(&d, TOKEN_FROM_TARGET, "ACK");
	exchange(&d, TOKEN_FROM_TARGET, "INFO");
	exchange(&d, TOKEN_FROM_CALLER, "UPDATE");
	exchange(&d, hangs_up, "BYE");
	counted(COUNTER_calls_ended, 1);
	later(32000);
	all_gone();
}
