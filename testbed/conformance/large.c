/* SPDX-License-Identifier: Apache-2.0 */
/* Requests that a datagram should not carry: RFC 3261 §18.1.1. */
#include "streams.h"

#include "tables/endpoints.h"

static char *body_of(unsigned bytes)
{
	static char body[4000];

	memset(body, 'x', bytes);
	body[bytes] = 0;
	return body;
}

static void trunk_says(unsigned trunk, enum trunk_large what)
{
	stage.trunk[trunk].large_requests = what;
	publish();
}

/* A's trunk takes TCP there too, as a last resort. */
static void offer_tcp(const char *where)
{
	struct trunk *t = &stage.trunk[TRUNK_A];
	struct endpoint_config e = { .addr = addr_of(where), .transport = TRANSPORT_TCP, .priority = 9, .weight = 1, .trunk_slot = stage.trunk_slot[TRUNK_A] };

	e.id = endpoint_id(t->id, &e.addr, e.transport);
	assert_int_equal(endpoints_add(stage.tables->endpoints, &e, &t->endpoints[t->endpoint_count++]), 0);
	publish();
}

static void ask_large(void)
{
	ask(.body = body_of(1300));
	up(100);
}

static void large_by_tcp(void)
{
	const struct sent *s;

	trunk_says(TRUNK_A, TRUNK_LARGE_TCP);
	ask_large();
	s = out("INVITE", TCP_A);
	expect_true(!strncmp(sent_header(s, "Via", 0), "SIP/2.0/TCP 10.0.0.1:5060;branch=z9hG4bK", 40), "its Via says TCP");
	has(s, ";transport=tcp;lr>");
	counted(COUNTER_large_by_tcp, 1);
	later(3000);
	quiet(); /* no timer A */
	reply(TCP_A, 180);
	up(180);
	cancel();
	up(200);
	out("CANCEL", TCP_A);
	reply(TCP_A, 487);
	out("ACK", TCP_A);
	up(487);
	quiet();
}

static void large_exactly(void)
{
	unsigned over;

	trunk_says(TRUNK_A, TRUNK_LARGE_TCP);
	only_a();
	over = invite(.body = body_of(500))->len - 500;
	reply(A, 486);
	up(486);
	out("ACK", A);
	ask(.body = body_of(1300 - over - 1), .via = "SIP/2.0/UDP 10.1.0.1:5060;branch=z9hG4bK2", .call_id = "exact"); /* one more digit */
	up(100);
	over = out("INVITE", A)->len - (1300 - over - 1);
	reply(A, 486);
	up(486);
	out("ACK", A);
	ask(.body = body_of(1300 - over), .via = "SIP/2.0/UDP 10.1.0.1:5060;branch=z9hG4bK3", .call_id = "exact");
	up(100);
	assert_int_equal(out("INVITE", A)->len, 1300);
	reply(A, 486);
	up(486);
	out("ACK", A);
	ask(.body = body_of(1300 - over + 1), .via = "SIP/2.0/UDP 10.1.0.1:5060;branch=z9hG4bK4", .call_id = "exact");
	up(100);
	assert_true(out("INVITE", TCP_A)->len > 1300);
}

static void large_where_offered(void)
{
	offer_tcp("10.2.0.1:5070");
	ask_large();
	out("INVITE", "tcp:10.2.0.1:5070");
	quiet();
}

static void large_where_down(void)
{
	offer_tcp("10.2.0.1:5070");
	endpoint_set_health(stage.tables->endpoints, stage.trunk[TRUNK_A].endpoints[1], ENDPOINT_DOWN, stage.now_ms);
	ask_large();
	out("INVITE", A);
}

static void large_not_offered(void)
{
	offer_tcp("10.2.0.9:5060");
	ask_large();
	out("INVITE", A);
	counted(COUNTER_large_by_tcp, 0);
}

static void large_forbidden(void)
{
	trunk_says(TRUNK_A, TRUNK_LARGE_UDP);
	offer_tcp(A);
	ask_large();
	out("INVITE", A);
	later(500);
	out("INVITE", A);
	quiet();
}

static void large_refused(void)
{
	trunk_says(TRUNK_A, TRUNK_LARGE_TCP);
	ask_large();
	undelivered(out("INVITE", TCP_A));
	expect_true(!strncmp(sent_header(out("INVITE", A), "Via", 0), "SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bK", 40), "its Via says UDP again");
	counted(COUNTER_large_by_udp, 1);
	later(500);
	out("INVITE", A); /* timer A */
	quiet();
	reply(A, 200);
	up(200);
	counted(COUNTER_attempt_transport_error, 0);
}

static void large_no_way(void)
{
	trunk_says(TRUNK_A, TRUNK_LARGE_TCP);
	stage.unreachable = TCP_A;
	ask_large();
	out("INVITE", A);
	quiet();
	reply(A, 200);
	up(200);
}

static void large_options(void)
{
	trunk_says(TRUNK_A, TRUNK_LARGE_TCP);
	ask(.method = "OPTIONS", .body = body_of(1300));
	undelivered(out("OPTIONS", TCP_A));
	out("OPTIONS", A);
	later(500);
	out("OPTIONS", A); /* timer E */
	reply(A, 200);
	up(200);
}

LAW_BOOK(large,
	LAW("rfc3261", large_by_tcp, "§18.1.1: a request of more than 1,300 bytes goes by TCP, its Via says so, and so does its dialog"),
	LAW("rfc3261", large_exactly, "§18.1.1: one of 1,300 bytes goes by UDP, its own Via counted"),
	LAW("rfc3261", large_where_offered, "§18.1.1: where the trunk takes TCP at the same address, unasked"),
	LAW("design", large_where_down, "but not while nobody answers there"),
	LAW("design", large_not_offered, "by UDP where it does not, unless the trunk says large_requests: tcp"),
	LAW("design", large_forbidden, "and always with large_requests: udp"),
	LAW("rfc3261", large_refused, "§18.1.1: a connection that is refused: by UDP after all"),
	LAW("rfc3261", large_no_way, "§18.1.1: so where there is no way by TCP"),
	LAW("rfc3261", large_options, "§18.1.1: in any method"));
