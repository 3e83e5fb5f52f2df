/* SPDX-License-Identifier: Apache-2.0 */
/* Symmetric response routing: RFC 3581. */
#include "script.h"

#define NAT "10.1.0.77:31337"

static void rport_filled(void)
{
	has(invite(.via = "SIP/2.0/UDP 10.1.0.1:5060;rport;branch=z9hG4bK1"), ";received=10.1.0.1;rport=5060;branch=z9hG4bK1");
}

static void rport_behind_nat(void)
{
	ask(.via = "SIP/2.0/UDP 192.168.1.2:5060;branch=z9hG4bK1;rport", .source = NAT);
	answer_to(100, NAT);
	has(out("INVITE", A), "192.168.1.2:5060;branch=z9hG4bK1;received=10.1.0.77;rport=31337\r\n");
	reply(A, 180);
	answer_to(180, NAT);
}

static void without_rport(void)
{
	ask(.via = "SIP/2.0/UDP 192.168.1.2:5070;branch=z9hG4bK1", .source = NAT);
	answer_to(100, "10.1.0.77:5070");
	hasnt(out("INVITE", A), "rport");
}

static void rport_claimed(void)
{
	const struct sent *s;

	ask(.via = "SIP/2.0/UDP 192.168.1.2;rport=9;branch=z9hG4bK1", .source = NAT);
	answer_to(100, NAT);
	s = out("INVITE", A);
	has(s, ";received=10.1.0.77;rport=31337;branch=z9hG4bK1");
	hasnt(s, "rport=9;");
}

static void rport_in_own_answers(void)
{
	const struct sent *s;

	ask(.via = "SIP/2.0/UDP 192.168.1.2;rport;branch=z9hG4bK1", .source = NAT, .uri = "sip:nobody@10.0.0.1");
	s = answer_to(404, NAT);
	has(s, ";rport=31337");
	has(s, ";received=10.1.0.77");
}

static void rport_case(void)
{
	ask(.via = "SIP/2.0/UDP 192.168.1.2 ; RPort ;branch=z9hG4bK1", .source = NAT);
	answer_to(100, NAT);
	out("INVITE", A);
}

static void retransmissions_follow_rport(void)
{
	ask(.via = "SIP/2.0/UDP 192.168.1.2;rport;branch=z9hG4bK1", .source = NAT);
	answer_to(100, NAT);
	out("INVITE", A);
	reply(A, 486);
	out("ACK", A);
	answer_to(486, NAT);
	later(500);
	answer_to(486, NAT);
}

static void rport_ipv6(void)
{
	ask(.source = "[fd01::7]:31337", .via = "SIP/2.0/UDP [2001:db8::1];rport;branch=z9hG4bK1", .uri = "sip:+442035550100@[fd00::1]");
	answer_to(100, "[fd01::7]:31337");
	has(out("INVITE", A), ";received=fd01::7;rport=31337");
}

static void rport_without_transaction(void)
{
	struct dialog d;
	const struct sent *s;

	call_up(&d);
	d.invite.source = NAT;
	say(&d, TOKEN_FROM_CALLER, "INFO");
	s = out("INFO", A);
	has(s, ";rport=31337");
	okay(s);
	answer_to(200, NAT);
}

LAW_BOOK(rfc3581,
	LAW("rfc3581", rport_filled, "§4: an empty rport gets the source port, and received is added even where sent-by is the source"),
	LAW("rfc3581", rport_behind_nat, "§4: with rport responses go to the source address and port"),
	LAW("rfc3581", without_rport, "§4: without it they go to the port of sent-by, and no rport is added"),
	LAW("rfc3581", rport_claimed, "§4: a value that the sender wrote into rport is replaced"),
	LAW("rfc3581", rport_in_own_answers, "§4: answers of our own carry both parameters"),
	LAW("rfc3581", rport_case, "§4, RFC 3261 §7.3.1: rport is read in any case and spacing"),
	LAW("rfc3581", retransmissions_follow_rport, "§4: retransmitted responses go the same way"),
	LAW("rfc3581", rport_ipv6, "§4: an IPv6 source is written into received without brackets"),
	LAW("rfc3581", rport_without_transaction, "§4: so it is for requests forwarded without a transaction"));
