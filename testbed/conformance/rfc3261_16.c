/* SPDX-License-Identifier: Apache-2.0 */
/* What a proxy does with a request: RFC 3261 §16.2 to §16.6. */
#include "script.h"

/* ---- §16.2, §16.3: validation */

static void trying_at_once(void)
{
	const struct sent *trying;

	ask(0);
	trying = up(100);
	expect_true(trying->at_ms == stage.now_ms, "100 within the same millisecond");
	hasnt(trying, "To: <sip:callee@10.0.0.1>;tag=");
}

static void trying_echoes_timestamp(void)
{
	ask(.headers = "Timestamp: 54.21\r\n");
	is(up(100), "Timestamp", "54.21");
}

static void bad_syntax(void)
{
	bent("From: <sip:caller@10.1.0.1>", "From: <sip:caller@10.1.0.1");
	up(400);
	quiet();
}

static void bad_syntax_keeps_no_state(void)
{
	bent("CSeq: 1", "CSeq: one");
	up(400);
	all_gone();
}

static void odd_header_of_no_concern(void)
{
	const struct sent *s = invite(.headers = "Date: yesterday, about noon\r\nWarning: \"\r\n");

	has(s, "\r\nDate: yesterday, about noon\r\nWarning: \"\r\n");
}

static void unknown_scheme(void)
{
	ask(.uri = "carrier-pigeon:loft7@example.com");
	up(416);
	quiet();
}

static void hops_zero(void)
{
	ask(.hops = "0");
	up(483);
	quiet();
}

static void hops_zero_options_for_us(void)
{
	ask(.method = "OPTIONS", .uri = "sip:10.0.0.1", .hops = "0");
	up(200);
	quiet();
}

static void hops_zero_ack_is_silent(void)
{
	ask(.method = "ACK", .hops = "0");
	quiet();
}

static void loop(void)
{
	const struct sent *s = invite();
	char via[256];

	snprintf(via, sizeof(via), "SIP/2.0/UDP 10.1.0.9;branch=z9hG4bKback\r\nVia: %s", sent_header(s, "Via", 0));
	ask(.via = via);
	up(482);
	quiet();
}

static void spiral(void)
{
	const struct sent *s = invite();
	char via[256];

	snprintf(via, sizeof(via), "SIP/2.0/UDP 10.1.0.1;branch=z9hG4bKback\r\nVia: %s", sent_header(s, "Via", 0));
	ask(.via = via, .uri = "sip:+442035550199@10.0.0.1");
	up(100);
	out("INVITE", A);
}

static void proxy_require(void)
{
	const struct sent *s;

	ask(.headers = "Proxy-Require: nothingSupportsThis, nothingSupportsThisEither\r\nProxy-Require: third\r\n");
	s = up(420);
	is(s, "Unsupported", "nothingSupportsThis, nothingSupportsThisEither, third");
	quiet();
}

static void require_is_not_ours(void)
{
	has(invite(.headers = "Require: nothingSupportsThis\r\n"), "\r\nRequire: nothingSupportsThis\r\n");
}

static void proxy_require_in_cancel(void)
{
	struct request r = { .headers = "" };

	invite_as(&r);
	reply(A, 180);
	up(180);
	r.method = "CANCEL";
	r.headers = "Proxy-Require: unheard-of\r\n";
	request_send(&stage, &r);
	up(200);
	out("CANCEL", A);
}

/* ---- §16.4: Route preprocessing */

static void own_route_removed(void)
{
	const struct sent *s = invite(.headers = "Route: <sip:10.0.0.1;lr>\r\n");

	lines(s, "Route", 0);
}

static void own_routes_removed(void)
{
	const struct sent *s = invite(.headers = "Route: <sip:10.0.0.1:5060;lr>, <sip:x@10.0.0.1;lr>\r\nroute: <sip:[fd00::1];lr>\r\n");

	lines(s, "Route", 0);
}

static void foreign_route(void)
{
	ask(.headers = "Route: <sip:10.0.0.1;lr>, <sip:192.0.2.7;lr>\r\n");
	up(403);
	quiet();
}

static void strict_router_before(void)
{
	struct dialog d;
	const struct sent *s;
	struct request r = { .method = "INFO", .cseq = 9, .contact = "", .headers = "Route: <sip:target@10.2.0.1:5060>\r\n" };
	char uri[256], *end;

	call_up(&d);
	snprintf(uri, sizeof(uri), "%s", strstr(d.caller_routes, "sip:"));
	end = strchr(uri, '>');
	*end = 0;
	r.uri = uri;
	r.to = d.caller_to;
	request_send(&stage, &r);
	s = out("INFO", A);
	expect_true(!strcmp(sent_uri(s), "sip:target@10.2.0.1:5060"), "the last Route became the request URI");
	lines(s, "Route", 0);
}

/* ---- §16.5: targets */

static void no_such_resource(void)
{
	ask(.uri = "sip:nobody@10.0.0.1");
	up(404);
	quiet();
}

static void target_set_empty(void)
{
	for (unsigned i = 0; i < 3; i++)
		stage.target_weight[i] = 0;
	publish();
	ask(0);
	up(100);
	up(500);
	quiet();
}

static void target_replaces_uri(void)
{
	const struct sent *s = invite();

	expect_true(!strcmp(sent_uri(s), "sip:+442035550100@10.2.0.1"), "user kept, host is the target's");
}

static void uri_kept_where_told(void)
{
	stage.trunk[TRUNK_A].request_uri = TRUNK_URI_KEEP;
	publish();
	expect_true(!strcmp(sent_uri(invite()), NUMBER), "the request URI as it came");
}

/* ---- §16.6: forwarding */

static void body_untouched(void)
{
	const char *body = "v=0\r\no=- 1 1 IN IP4 10.1.0.1\r\ns=\xc3\xbc \t \r\nVia: not one\r\n\r\n";
	const struct sent *s = invite(.body = body);

	expect_true(!memcmp(s->data + s->len - strlen(body), body, strlen(body)), "the body byte by byte");
}

static void headers_untouched(void)
{
	static const char odd[] = "X-Odd :  a  b\t\r\nsubject: \"q\\\"\r\n  folded , here\r\nX-Empty:\r\nx-odd: again\r\n";

	has(invite(.headers = odd), odd);
}

static void uri_parameters(void)
{
	const struct sent *s = invite(.uri = "sip:+442035550100;x=1@10.0.0.1;user=phone;transport=tcp;maddr=192.0.2.1;lr;foo=bar");

	expect_true(!strcmp(sent_uri(s), "sip:+442035550100;x=1@10.2.0.1;user=phone;lr;foo=bar"), "transport and maddr are gone, no others");
}

static void hops_decremented(void)
{
	is(invite(), "Max-Forwards", "69");
}

static void hops_one(void)
{
	is(invite(.hops = "1"), "Max-Forwards", "0");
}

static void hops_255(void)
{
	is(invite(.hops = "255"), "Max-Forwards", "254");
}

static void hops_absent(void)
{
	const struct sent *s = invite(.hops = "");

	lines(s, "Max-Forwards", 1);
	is(s, "Max-Forwards", "70");
}

static void record_route(void)
{
	const struct sent *s = invite();

	lines(s, "Record-Route", 1);
	has(s, "@10.0.0.1:5060;lr>\r\n");
	expect_true(!strncmp(sent_header(s, "Record-Route", 0), "<sip:", 5), "a SIP URI in angle brackets");
}

static void record_route_on_top(void)
{
	const struct sent *s = invite(.headers = "Record-Route: <sip:p2.example;lr>\r\nRecord-Route: <sip:p1.example;lr>\r\n");

	lines(s, "Record-Route", 3);
	has(s, "@10.0.0.1:5060;lr>\r\n");
	is_nth(s, "Record-Route", 1, "<sip:p2.example;lr>");
	is_nth(s, "Record-Route", 2, "<sip:p1.example;lr>");
}

static void record_route_by_method(void)
{
	static const struct {
		const char *method;
		unsigned lines;
	} cases[] = { { "SUBSCRIBE", 1 }, { "REFER", 1 }, { "OPTIONS", 0 }, { "MESSAGE", 0 }, { "REGISTER", 0 } };

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		ask(.method = cases[i].method);
		lines(out(cases[i].method, A), "Record-Route", cases[i].lines);
		reply(A, 200);
		up(200);
	}
}

static void via_on_top(void)
{
	const struct sent *s = invite();

	lines(s, "Via", 2);
	expect_true(!strncmp(sent_header(s, "Via", 0), "SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bK", 40), "our Via first");
	is_nth(s, "Via", 1, VIA);
}

static void branch_per_target(void)
{
	const char *a = branch_of(invite(), 0), *b;

	reply(A, 500);
	out("ACK", A);
	b = branch_of(out("INVITE", B), 0);
	expect_true(strcmp(a, b), "another branch at each target");
}

static void branch_per_request(void)
{
	const char *a = branch_of(invite(), 0), *b;

	b = branch_of(invite(.via = VIA "2", .call_id = "call-2"), 0);
	expect_true(strcmp(a, b), "another branch for each request");
}

static void vias_below_kept(void)
{
	const struct sent *s =
		invite(.via = VIA "\r\nVia: SIP / 2.0 / TCP  p.example ;branch=z9hG4bKp;hidden, SIP/2.0/SCTP [2001:db8::9]:99;x");

	has(s, "\r\nVia: SIP / 2.0 / TCP  p.example ;branch=z9hG4bKp;hidden, SIP/2.0/SCTP [2001:db8::9]:99;x\r\n");
}

static void party_tags_kept(void)
{
	const struct sent *s = invite(.from = "\"C, D\" <sip:c@x>;tag=F\r\n ;x=y");

	has(s, "\r\nFrom: \"C, D\" <sip:c@x>;tag=F\r\n ;x=y\r\n");
	is(s, "To", "<sip:callee@10.0.0.1>");
}

LAW_BOOK(rfc3261_16,
	LAW("rfc3261", trying_at_once, "§16.2, §17.2.1: a stateful proxy answers an INVITE with 100 at once, without a To tag"),
	LAW("rfc3261", trying_echoes_timestamp, "§8.2.6.1: a Timestamp is copied into the 100"),
	LAW("rfc3261", bad_syntax, "§16.3(1): a malformed request gets 400 and goes no further"),
	LAW("rfc3261", bad_syntax_keeps_no_state, "§16.3(1): refusing a malformed request costs no state"),
	LAW("rfc3261", odd_header_of_no_concern, "§16.3(1): faults in headers that a proxy need not read are no reason to refuse"),
	LAW("rfc3261", unknown_scheme, "§16.3(2): a request URI of an unknown scheme gets 416"),
	LAW("rfc3261", hops_zero, "§16.3(3): Max-Forwards 0 gets 483"),
	LAW("rfc3261", hops_zero_options_for_us, "§16.3(3), §11: an OPTIONS for the proxy itself is answered also with Max-Forwards 0"),
	LAW("rfc3261", hops_zero_ack_is_silent, "§16.3(3), §17.1.1.3: an ACK is never answered, not even with 483"),
	LAW("rfc3261", loop, "§16.3(4): a request that came back unchanged gets 482"),
	LAW("rfc3261", spiral, "§16.3(4): a request that came back with another request URI is a spiral and goes on"),
	LAW("rfc3261", proxy_require, "§16.3(5): Proxy-Require with unknown options gets 420 and Unsupported names them all"),
	LAW("rfc3261", require_is_not_ours, "§16.3(5): Require is for the user agent and does not stop a proxy"),
	LAW("rfc3261", proxy_require_in_cancel, "§8.2.2.3: Require and Proxy-Require in a CANCEL are ignored"),
	LAW("rfc3261", own_route_removed, "§16.4: a first Route value that names the proxy is removed"),
	LAW("rfc3261", own_routes_removed, "§16.4: so are further ones that name it, over several lines and by another of its addresses"),
	DEVIATES("rfc3261", foreign_route, "§16.6(6): a request with a further Route is sent where that Route says",
		 "outside a dialog the operator's routing decides; honouring a Route would make an open relay of us: 403"),
	LAW("rfc3261", strict_router_before, "§16.4: a request URI that is our Record-Route is replaced by the last Route value"),
	LAW("rfc3261", no_such_resource, "§16.5: a resource that does not exist gets 404"),
	DEVIATES("rfc3261", target_set_empty, "§16.5: an empty target set gets 480",
		 "the profile's exhausted_code (500) is sent, so that operators choose what their upstreams see"),
	LAW("rfc3261", target_replaces_uri, "§16.6(2): the request URI becomes the target's"),
	LAW("rfc3261", uri_kept_where_told, "§16.5: where the proxy is not responsible for the domain the request URI is left as it came"),
	LAW("rfc3261", body_untouched, "§16.6(1): the body is not changed"),
	LAW("rfc3261", headers_untouched, "§16.6(1): headers that no rule names are forwarded byte by byte and in their order"),
	LAW("rfc3261", uri_parameters, "§16.6(2): URI parameters that would lead elsewhere are removed, others stay"),
	LAW("rfc3261", hops_decremented, "§16.6(3): Max-Forwards is decremented by one"),
	LAW("rfc3261", hops_one, "§16.6(3): Max-Forwards 1 is forwarded as 0"),
	LAW("rfc3261", hops_255, "§20.22: Max-Forwards reaches up to 255"),
	LAW("rfc3261", hops_absent, "§16.6(3): where Max-Forwards is missing it is added with 70"),
	LAW("rfc3261", record_route, "§16.6(4): a request that founds a dialog gets one Record-Route with lr"),
	LAW("rfc3261", record_route_on_top, "§16.6(4): our Record-Route stands before those that are there"),
	LAW("rfc3261", record_route_by_method, "§16.6(4): record-routed is what can found a dialog, nothing else"),
	LAW("rfc3261", via_on_top, "§16.6(8): our Via with the magic cookie stands before the others"),
	LAW("rfc3261", branch_per_target, "§16.6(8): each branch of a search has a branch parameter of its own"),
	LAW("rfc3261", branch_per_request, "§16.6(8): different requests have different branches"),
	LAW("rfc3261", vias_below_kept, "§16.6(8): the Vias below are left as they are"),
	LAW("rfc3261", party_tags_kept, "§16.6: From and To are not changed"));
