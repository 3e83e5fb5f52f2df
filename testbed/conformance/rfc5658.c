/* SPDX-License-Identifier: Apache-2.0 */
/* Double Record-Route: RFC 5658. */
#include "script.h"

static const struct request from_v6 = { .source = CALLER6, .via = "SIP/2.0/UDP [fd01::1]:5060;branch=z9hG4bK1",
					.uri = "sip:+442035550100@[fd00::1]", .contact = "<sip:caller@[fd01::1]:5060>",
					.from = "<sip:caller@[fd01::1]>;tag=from" };

static void one_where_nothing_changes(void)
{
	lines(invite(), "Record-Route", 1);
}

static void two_where_the_side_changes(void)
{
	const struct sent *s = invite_as(&from_v6);

	lines(s, "Record-Route", 2);
	expect_true(strstr(sent_header(s, "Record-Route", 0), "@10.0.0.1:5060;lr>"), "the target's side on top");
	expect_true(strstr(sent_header(s, "Record-Route", 1), "@[fd00::1]:5060;lr>"), "the caller's side below");
}

static void responses_keep_both(void)
{
	invite_as(&from_v6);
	reply(A, 200);
	lines(up(200), "Record-Route", 2);
}

static void both_leave_on_the_way_there(void)
{
	struct dialog d;
	const struct sent *s;

	quiet();
	dialog_open(&stage, &from_v6, A, NULL, &d);
	s = out("ACK", A);
	lines(s, "Route", 0);
	say(&d, TOKEN_FROM_CALLER, "INFO");
	s = out("INFO", A);
	lines(s, "Route", 0);
	expect_true(strstr(sent_header(s, "Via", 0), "10.0.0.1:5060"), "from the target's side");
}

static void both_leave_on_the_way_back(void)
{
	struct dialog d;
	const struct sent *s;

	quiet();
	dialog_open(&stage, &from_v6, A, NULL, &d);
	out("ACK", A);
	say(&d, TOKEN_FROM_TARGET, "BYE");
	s = out("BYE", CALLER6);
	lines(s, "Route", 0);
	expect_true(strstr(sent_header(s, "Via", 0), "[fd00::1]:5060"), "from the caller's side");
	okay(s);
	answer_to(200, A);
}

static void other_proxies_routes_survive(void)
{
	struct dialog d;
	const struct sent *s;

	quiet();
	dialog_open(&stage, &from_v6, A, NULL, &d);
	out("ACK", A);
	strcat(d.caller_routes, "Route: <sip:10.2.0.200;lr>\r\n");
	say(&d, TOKEN_FROM_CALLER, "INFO");
	s = out("INFO", "10.2.0.200:5060");
	lines(s, "Route", 1);
	is(s, "Route", "<sip:10.2.0.200;lr>");
}

LAW_BOOK(rfc5658,
	LAW("rfc5658", one_where_nothing_changes, "§4: one Record-Route where both sides reach us at one address"),
	LAW("rfc5658", two_where_the_side_changes, "§5: two Record-Routes where the address family changes, the outgoing side's on top"),
	LAW("rfc5658", responses_keep_both, "§5: both come back in responses unchanged"),
	LAW("rfc5658", both_leave_on_the_way_there, "§5: a request from the caller loses both, and leaves by the target's side"),
	LAW("rfc5658", both_leave_on_the_way_back, "§5: a request from the target loses both, and leaves by the caller's side"),
	LAW("rfc5658", other_proxies_routes_survive, "§5: Routes of others behind them stay"));
