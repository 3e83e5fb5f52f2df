/* SPDX-License-Identifier: Apache-2.0 */
/* Mid-dialog requests: routed by the token from either side, to the other side only; strict routers; the ways back. */
#include "harness.h"

static void test_both_sides(void **state)
{
	static const char *const methods[] = { "INVITE", "UPDATE", "INFO", "PRACK", "FOO", "BYE" };
	struct harness h;
	struct dialog d;
	struct proxy_gauges g;

	for (unsigned side = 0; side < 2; side++) {
		const char *from = side ? A : CALLER, *to = side ? CALLER : A;

		harness_start(&h, NULL);
		dialog_open(&h, NULL, A, NULL, &d);
		expect_request(&h, "ACK", A);
		wait_ms(&h, 70000); /* no state but the live call is left */
		expect_nothing(&h);
		for (unsigned i = 0; i < ARRAY_SIZE(methods); i++) {
			const struct sent *s, *again, *back;

			dialog_send(&h, &d, side ? TOKEN_FROM_TARGET : TOKEN_FROM_CALLER, methods[i], 50 + i, "SIP/2.0/UDP 10.9.9.9;rport;branch=z9hG4bKx");
			s = expect_request(&h, methods[i], to);
			assert_string_equal(sent_header(s, "Max-Forwards", 0), "69");
			assert_int_equal(sent_lines(s, "Route"), 0);
			assert_int_equal(sent_lines(s, "Record-Route"), 0);
			assert_string_equal(sent_uri(s), side ? "sip:caller@10.1.0.1:5060" : "sip:target@10.2.0.1:5060");
			/* a retransmission looks the same (§16.11) */
			dialog_send(&h, &d, side ? TOKEN_FROM_TARGET : TOKEN_FROM_CALLER, methods[i], 50 + i, "SIP/2.0/UDP 10.9.9.9;rport;branch=z9hG4bKx");
			again = expect_request(&h, methods[i], to);
			assert_true(sent_equal(s, again));
			answer(&h, s, 200, NULL, "X-Answer: yes\r\n");
			back = expect_response(&h, 200, from);
			assert_int_equal(sent_lines(back, "Via"), 1);
			assert_string_equal(sent_header(back, "X-Answer", 0), "yes");
		}
		proxy_gauges(h.proxy, &g);
		assert_int_equal(g.server_transactions + g.client_transactions + g.live_calls + g.message_bytes, 0);
		expect_nothing(&h);
		harness_end(&h);
	}
}

/* The ACK of a 2xx, and ACK and CANCEL of a re-INVITE, which share its branch. */
static void test_reinvite(void **state)
{
	struct harness h;
	struct dialog d;
	const struct sent *invite, *cancel, *ack;

	harness_start(&h, NULL);
	dialog_open(&h, NULL, A, NULL, &d);
	assert_string_equal(sent_header(expect_request(&h, "ACK", A), "CSeq", 0), "1 ACK");
	dialog_send(&h, &d, TOKEN_FROM_CALLER, "INVITE", 2, VIA "re");
	invite = expect_request(&h, "INVITE", A);
	answer(&h, invite, 180, NULL, NULL);
	expect_response(&h, 180, CALLER);
	dialog_send(&h, &d, TOKEN_FROM_CALLER, "CANCEL", 2, VIA "re");
	cancel = expect_request(&h, "CANCEL", A);
	assert_string_equal(sent_header(cancel, "Via", 0), sent_header(invite, "Via", 0));
	answer(&h, cancel, 200, NULL, NULL);
	expect_response(&h, 200, CALLER);
	answer(&h, invite, 487, NULL, NULL);
	expect_response(&h, 487, CALLER);
	dialog_send(&h, &d, TOKEN_FROM_CALLER, "ACK", 2, VIA "re");
	ack = expect_request(&h, "ACK", A);
	assert_string_equal(sent_header(ack, "Via", 0), sent_header(invite, "Via", 0));
	dialog_close(&h, &d);
	expect_nothing(&h);
	harness_end(&h);
}

/* A caller whose Contact is not where its packets come from gets the target's requests where they do, also where others of its trunk live at the
 * Contact's address. */
static void test_nat(void **state)
{
	static const char *const behind[] = { "192.168.1.2", "10.1.0.5" };

	for (unsigned i = 0; i < ARRAY_SIZE(behind); i++) {
		char via[80], contact[80], uri[80];
		struct request r = { .source = "10.1.0.77:31337", .via = via, .contact = contact };
		struct harness h;
		struct dialog d;
		const struct sent *s;

		snprintf(via, sizeof(via), "SIP/2.0/UDP %s:5060;rport;branch=z9hG4bK1", behind[i]);
		snprintf(uri, sizeof(uri), "sip:caller@%s:5060", behind[i]);
		snprintf(contact, sizeof(contact), "<%s>", uri);
		harness_start(&h, NULL);
		dialog_open(&h, &r, A, NULL, &d);
		expect_request(&h, "ACK", A);
		dialog_send(&h, &d, TOKEN_FROM_TARGET, "BYE", 1, NULL);
		s = expect_request(&h, "BYE", "10.1.0.77:31337");
		assert_string_equal(sent_uri(s), uri);
		answer(&h, s, 200, NULL, NULL);
		expect_response(&h, 200, A);
		harness_end(&h);
	}
}

/* Where the message says it goes next, and whether it may. */
static void test_destinations(void **state)
{
	static const struct {
		const char *what, *target_contact, *to; /* NULL: refused */
	} cases[] = {
		{ "the endpoint itself", "<sip:target@10.2.0.1:5060>", A },
		{ "another port there", "<sip:target@10.2.0.1:5080>", "10.2.0.1:5080" },
		{ "no port", "<sip:target@10.2.0.1>", A },
		{ "within the trunk's prefixes", "<sip:target@10.2.0.200:5070>", "10.2.0.200:5070" },
		{ "an address of somebody else: the endpoint instead", "<sip:target@192.0.2.99>", A },
		{ "the caller's own trunk: the endpoint instead", "<sip:target@10.1.0.1>", A },
		{ "a name: the endpoint instead", "<sip:target@gw.example>", A },
		{ "tel: the endpoint instead", "<tel:+4420>", A },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct harness h;
		struct dialog d;

		harness_start(&h, NULL);
		dialog_open(&h, NULL, A, cases[i].target_contact, &d);
		expect_request(&h, "ACK", cases[i].to);
		dialog_send(&h, &d, TOKEN_FROM_CALLER, "BYE", 0, NULL);
		expect_request(&h, "BYE", cases[i].to);
		/* the trunk is gone: nobody lives there any more */
		trunks_remove(h.tables->trunks, h.trunk_slot[TRUNK_A]);
		dialog_send(&h, &d, TOKEN_FROM_CALLER, "INFO", 0, NULL);
		expect_response(&h, 403, CALLER);
		harness_end(&h);
	}
}

/* The target's endpoint left DNS: its dialogs live on where they were, named by address or not at all. */
static void test_former(void **state)
{
	static const char *const contacts[] = { "<sip:target@10.2.0.1:5060>", "<sip:target@gw.example>" };

	for (unsigned i = 0; i < ARRAY_SIZE(contacts); i++)
		for (int known = 0; known < 2; known++) {
			struct trunk *t;
			struct harness h;
			struct dialog d;

			harness_start(&h, NULL);
			dialog_open(&h, NULL, A, contacts[i], &d);
			expect_request(&h, "ACK", A);
			t = &h.trunk[TRUNK_A];
			t->former_count = (uint16_t)known;
			t->former[0].addr = addr_of(A);
			t->former[0].id = endpoints_get(h.tables->endpoints, t->endpoints[0])->id;
			t->endpoint_count = t->prefix_count = 0;
			assert_int_equal(trunks_update(h.tables->trunks, h.trunk_slot[TRUNK_A], t), 0);
			dialog_send(&h, &d, TOKEN_FROM_CALLER, "INFO", 0, NULL);
			if (known)
				expect_request(&h, "INFO", A);
			else
				expect_response(&h, 403, CALLER);
			dialog_send(&h, &d, TOKEN_FROM_TARGET, "BYE", 1, NULL);
			if (known)
				expect_request(&h, "BYE", CALLER);
			else
				expect_response(&h, 403, A);
			harness_end(&h);
		}
}

/* What the attacker has, and what it gets him. */
static void test_tokens(void **state)
{
	static const struct {
		const char *what;
		const char *source, *call_id, *from_tag, *to, *method;
		bool routes, flip;
		uint64_t age_ms;
		unsigned status; /* 0: forwarded to A */
	} cases[] = {
		{ "himself", CALLER, "call-1", "from", "<sip:b@y>;tag=to", "INFO", true, false, 0, 0 },
		{ "copied off the wire with its tags, by a stranger", STRANGER, "call-1", "from", "<sip:b@y>;tag=to", "INFO", true, false, 0, 403 },
		{ "the same by another trunk", B, "call-1", "from", "<sip:b@y>;tag=to", "BYE", true, false, 0, 403 },
		{ "by the other side, in the caller's name", A, "call-1", "from", "<sip:b@y>;tag=to", "BYE", true, false, 0, 403 },
		{ "copied into another Call-ID", CALLER, "call-2", "from", "<sip:b@y>;tag=to", "INFO", true, false, 0, 481 },
		{ "copied into another Call-ID by a stranger", STRANGER, "call-2", "from", "<sip:b@y>;tag=to", "INFO", true, false, 0, 403 },
		{ "another From tag", STRANGER, "call-1", "forged", "<sip:b@y>;tag=to", "INFO", true, false, 0, 403 },
		{ "one letter off, but a live call", CALLER, "call-1", "from", "<sip:b@y>;tag=to", "INFO", true, true, 0, 0 },
		{ "one letter off, a stranger", STRANGER, "call-1", "from", "<sip:b@y>;tag=to", "INFO", true, true, 0, 403 },
		{ "one letter off, another To tag", CALLER, "call-1", "from", "<sip:b@y>;tag=to2", "INFO", true, true, 0, 481 },
		{ "dropped, but a live call", CALLER, "call-1", "from", "<sip:b@y>;tag=TO", "INFO", false, false, 0, 0 },
		{ "dropped, a stranger", STRANGER, "call-1", "from", "<sip:b@y>;tag=to", "INFO", false, false, 0, 403 },
		{ "dropped, another dialog", CALLER, "call-1", "from", "<sip:b@y>;tag=to2", "INFO", false, false, 0, 481 },
		{ "a new call with an old token: a stranger stays one", STRANGER, "call-1", "from", "<sip:b@y>", "INVITE", true, false, 0, 403 },
		{ "kept for a day, to dial", STRANGER, "call-1", "from", "<sip:b@y>;tag=x", "INVITE", true, false, 86400000, 403 },
		{ "kept for a day, to refer", CALLER, "call-1", "from", "<sip:b@y>;tag=x", "REFER", true, false, 86400000, 481 },
		{ "a day old, to hang up", CALLER, "call-1", "from", "<sip:b@y>;tag=to", "BYE", true, false, 86400000, 0 },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct harness h;
		struct dialog d;
		char from[64];

		harness_start(&h, NULL);
		dialog_open(&h, NULL, A, NULL, &d);
		expect_request(&h, "ACK", A);
		if (cases[i].age_ms) {
			h.now_ms += cases[i].age_ms;
			proxy_advance(h.proxy, h.now_ms);
		}
		if (cases[i].flip)
			d.caller_routes[30] = d.caller_routes[30] == 'a' ? 'b' : 'a';
		snprintf(from, sizeof(from), "<sip:caller@10.1.0.1>;tag=%s", cases[i].from_tag);
		request_send(&h, &(struct request){ .method = cases[i].method, .uri = "sip:target@10.2.0.1", .cseq = 9,
						    .source = cases[i].source, .via = "SIP/2.0/UDP 10.1.0.1;rport;branch=z9hG4bKt",
						    .call_id = cases[i].call_id, .from = from, .to = cases[i].to, .contact = "",
						    .headers = cases[i].routes ? d.caller_routes : "" });
		if (h.sent_count - h.sent_read != 1)
			fail_msg("%s: %u messages", cases[i].what, h.sent_count - h.sent_read);
		if (cases[i].status)
			expect_response(&h, cases[i].status, cases[i].source);
		else
			expect_request(&h, cases[i].method, A);
		harness_end(&h);
	}
}

/* A new call of a known source with a token of its own in Route is a new call: it goes where the number leads. */
static void test_token_in_new_call(void **state)
{
	struct harness h;
	struct dialog d;
	const struct sent *s;

	harness_start(&h, NULL);
	dialog_open(&h, NULL, A, NULL, &d);
	expect_request(&h, "ACK", A);
	request_send(&h, &(struct request){ .uri = "sip:+4490909@10.3.0.1", .via = VIA "new", .headers = d.caller_routes });
	expect_response(&h, 100, CALLER);
	s = expect_request(&h, "INVITE", A);
	assert_string_equal(sent_uri(s), "sip:+4490909@10.2.0.1");
	assert_int_equal(sent_lines(s, "Route"), 0);
	answer(&h, s, 404, "x", NULL);
	expect_request(&h, "ACK", A);
	expect_response(&h, 404, CALLER);
	dialog_close(&h, &d);
	harness_end(&h);
}

/* RFC 3261 §16.4: a strict router before us moved our Record-Route into the request URI; §16.6(6): one behind us wants to be there. */
static void test_strict(void **state)
{
	struct harness h;
	struct dialog d;
	const struct sent *s;
	char uri[512], routes[2048];

	harness_start(&h, NULL);
	dialog_open(&h, NULL, A, NULL, &d);
	expect_request(&h, "ACK", A);
	snprintf(uri, sizeof(uri), "%s", strchr(d.caller_routes, '<') + 1);
	*strchr(uri, '>') = 0;

	request_send(&h, &(struct request){ .method = "INFO", .uri = uri, .from = d.caller_from, .to = d.caller_to, .cseq = 7,
					    .headers = "Route: <sip:target@10.2.0.1:5060>\r\n" });
	s = expect_request(&h, "INFO", A);
	assert_string_equal(sent_uri(s), "sip:target@10.2.0.1:5060");
	assert_int_equal(sent_lines(s, "Route"), 0);

	request_send(&h, &(struct request){ .method = "INFO", .uri = uri, .from = d.caller_from, .to = d.caller_to, .cseq = 8, .via = VIA "2",
					    .headers = "Route: <sip:10.2.0.9;lr>\r\nX: y\r\nRoute: <sip:p2.example;lr> , <sip:target@x>\r\n" });
	s = expect_request(&h, "INFO", "10.2.0.9:5060");
	assert_string_equal(sent_uri(s), "sip:target@x");
	assert_int_equal(sent_lines(s, "Route"), 1);
	assert_string_equal(sent_header(s, "Route", 0), "<sip:10.2.0.9;lr>, <sip:p2.example;lr>");
	assert_string_equal(sent_header(s, "X", 0), "y");

	/* without a last Route there is nowhere to go */
	request_send(&h, &(struct request){ .method = "INFO", .uri = uri, .from = d.caller_from, .to = d.caller_to, .cseq = 9, .via = VIA "3" });
	expect_response(&h, 400, CALLER);

	/* a strict router behind us */
	snprintf(routes, sizeof(routes), "%sRoute: <sip:10.2.0.7:5090>, <sip:10.2.0.8;lr>\r\n", d.caller_routes);
	request_send(&h, &(struct request){ .method = "INFO", .uri = "sip:target@10.2.0.1", .from = d.caller_from, .to = d.caller_to,
					    .cseq = 10, .via = VIA "4", .headers = routes });
	s = expect_request(&h, "INFO", "10.2.0.7:5090");
	assert_string_equal(sent_uri(s), "sip:10.2.0.7:5090");
	assert_string_equal(sent_header(s, "Route", 0), "<sip:10.2.0.8;lr>, <sip:target@10.2.0.1>");
	assert_int_equal(sent_lines(s, "Route"), 1);

	/* a loose one: the rest of the Route set stays as it was written */
	snprintf(routes, sizeof(routes), "%.*s,  <sip:10.2.0.8;lr>;x=\"a,b\" ,<sip:q;lr>\r\n", (int)strlen(d.caller_routes) - 2, d.caller_routes);
	request_send(&h, &(struct request){ .method = "INFO", .uri = "sip:target@10.2.0.1", .from = d.caller_from, .to = d.caller_to,
					    .cseq = 11, .via = VIA "5", .headers = routes });
	s = expect_request(&h, "INFO", "10.2.0.8:5060");
	assert_string_equal(sent_uri(s), "sip:target@10.2.0.1");
	assert_string_equal(sent_header(s, "Route", 0), "<sip:10.2.0.8;lr>;x=\"a,b\" ,<sip:q;lr>");
	dialog_close(&h, &d);
	harness_end(&h);
}

/* Route sets that do not fit are refused or dropped whole, never cut. */
static void test_long_routes(void **state)
{
	for (unsigned n = 1; n < 200; n += 9) {
		struct harness h;
		struct dialog d;
		char routes[20000], last[600];
		size_t at;

		harness_start(&h, NULL);
		dialog_open(&h, NULL, A, NULL, &d);
		expect_request(&h, "ACK", A);
		at = (size_t)sprintf(routes, "%sRoute: <sip:10.2.0.7>", d.caller_routes);
		for (unsigned i = 0; i < n; i++)
			at += (size_t)sprintf(routes + at, ", <sip:long%0*u@10.2.0.8;lr>", (int)(n % 60), i);
		sprintf(routes + at, "\r\n");
		request_send(&h, &(struct request){ .method = "INFO", .uri = "sip:target@10.2.0.1", .from = d.caller_from, .to = d.caller_to,
						    .cseq = 10, .headers = routes });
		snprintf(last, sizeof(last), "<sip:long%0*u@10.2.0.8;lr>, <sip:target@10.2.0.1>", (int)(n % 60), n - 1);
		while (h.sent_read < h.sent_count) {
			const struct sent *s = h.sent[h.sent_read++];

			if (sent_view(s)->is_request)
				assert_true(sent_has(s, last));
			else
				assert_int_equal(sent_view(s)->status, 400);
		}
		dialog_close(&h, &d);
		harness_end(&h);
	}
}

/* Where the call changes family each side gets a Record-Route that it can reach (RFC 5658), and both go when they come back. */
static void test_families(void **state)
{
	static const char *const six[] = { "[fd02::1]:5060", NULL }, *const six_sources[] = { "fd02::/64", NULL };
	struct request r = { .source = CALLER6, .uri = "sip:+442035550100@[fd00::1]", .via = "SIP/2.0/UDP [fd01::1]:5060;branch=z9hG4bK1",
			     .contact = "<sip:caller@[fd01::1]:5060>" };
	struct harness h;
	struct dialog d;
	const struct sent *s;
	char *at;

	for (unsigned to_six = 0; to_six < 2; to_six++) {
		const char *target = to_six ? "[fd02::1]:5060" : A, *source = to_six ? CALLER : CALLER6;

		harness_start(&h, NULL);
		if (to_six) {
			h.target_count = 0;
			harness_trunk(&h, "six", six, six_sources);
			harness_publish(&h);
		}
		dialog_open(&h, to_six ? NULL : &r, target, NULL, &d);
		s = expect_request(&h, "ACK", target);
		assert_int_equal(sent_lines(s, "Route"), 0);
		assert_non_null(strstr(d.caller_routes, to_six ? "10.0.0.1:5060;lr>\r\nRoute: <" : "[fd00::1]:5060;lr>\r\nRoute: <"));
		assert_non_null(strstr(d.target_routes, to_six ? "[fd00::1]:5060;lr>\r\nRoute: <" : "10.0.0.1:5060;lr>\r\nRoute: <"));
		/* both on one line, as others write them */
		at = strstr(d.target_routes, "\r\nRoute: ");
		memmove(at + 2, at + 9, strlen(at + 9) + 1);
		memcpy(at, ", ", 2);
		dialog_send(&h, &d, TOKEN_FROM_TARGET, "INFO", 1, NULL);
		s = expect_request(&h, "INFO", source);
		assert_int_equal(sent_lines(s, "Route"), 0);
		answer(&h, s, 200, NULL, NULL);
		s = expect_response(&h, 200, target);
		dialog_close(&h, &d);
		harness_end(&h);
	}
}

/* A response finds its way back by the Via below ours, which must be the one that the request came with. */
static void test_stateless_responses(void **state)
{
	static const struct {
		const char *what, *from, *to;
		bool passes;
	} cases[] = {
		{ "as it came", "10.1.0.1:5060", "10.1.0.1:5060", true },
		{ "another sent-by below, which received and rport overrule", "UDP 10.1.0.1", "UDP 10.1.0.2", true },
		{ "another branch below", "branch=z9hG4bKd", "branch=z9hG4bKe", false },
		{ "another Call-ID", "call-1", "call-2", false },
		{ "another CSeq", "CSeq: 77", "CSeq: 78", false },
		{ "another From tag", "tag=from", "tag=frog", false },
		{ "a port from nowhere", ";rport=5060", ";rport=5999", false },
		{ "a received from nowhere", ";received=10.1.0.1", ";received=10.1.0.9", false },
		{ "our own Via altered", ";branch=z9hG4bKs", ";branch=z9hG4bKt", false },
		{ "our own Via alone", "Via: SIP/2.0/UDP 10.1.0.1", "Vi: SIP/2.0/UDP 10.1.0.1", false },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct harness h;
		struct dialog d;
		const struct sent *s;
		char text[8192], *at;

		harness_start(&h, NULL);
		dialog_open(&h, NULL, A, NULL, &d);
		expect_request(&h, "ACK", A);
		dialog_send(&h, &d, TOKEN_FROM_CALLER, "INFO", 77, "SIP/2.0/UDP 10.1.0.1:5060;rport;branch=z9hG4bKdd");
		s = expect_request(&h, "INFO", A);
		at = answer_text(s, 200, NULL, NULL);
		assert_non_null(strstr(at, cases[i].from));
		snprintf(text, sizeof(text), "%.*s%s%s", (int)(strstr(at, cases[i].from) - at), at, cases[i].to,
			 strstr(at, cases[i].from) + strlen(cases[i].from));
		send_text(&h, A, text);
		if ((h.sent_count - h.sent_read == 1) != cases[i].passes)
			fail_msg("%s", cases[i].what);
		h.sent_read = h.sent_count;
		dialog_close(&h, &d);
		harness_end(&h);
	}
}

static void test_hops(void **state)
{
	struct harness h;
	struct dialog d;

	harness_start(&h, NULL);
	dialog_open(&h, NULL, A, NULL, &d);
	expect_request(&h, "ACK", A);
	request_send(&h, &(struct request){ .method = "INFO", .uri = "sip:target@10.2.0.1", .from = d.caller_from, .to = d.caller_to,
					    .hops = "0", .headers = d.caller_routes });
	expect_response(&h, 483, CALLER);
	request_send(&h, &(struct request){ .method = "ACK", .uri = "sip:target@10.2.0.1", .from = d.caller_from, .to = d.caller_to,
					    .hops = "0", .headers = d.caller_routes, .via = VIA "ack" });
	expect_nothing(&h);
	dialog_close(&h, &d);
	harness_end(&h);
}

/* Our Route as we wrote it is taken at a glance, in any other writing it is read: the same message leaves. */
static void test_own_route_written_otherwise(void **state)
{
	static const struct {
		const char *what, *before, *after; /* of the token: "Route: " and a line's end are put around */
	} cases[] = {
		{ "as we wrote it", "<sip:", "@10.0.0.1:5060;lr>" },
		{ "the other scheme", "<SIP:", "@10.0.0.1:5060;lr>" },
		{ "with a name", "\"x>\" <sip:", "@10.0.0.1:5060;lr>" },
		{ "another host of that length", "<sip:", "@10.0.0.9:5060;lr>" },
		{ "without brackets", "sip:", "@10.0.0.1:5060;lr" },
		{ "with more parameters", "<sip:", "@10.0.0.1:5060;lr;x=1>;y=\"a,b\"" },
		{ "white space behind", "<sip:", "@10.0.0.1:5060;lr> \t" },
		{ "folded", "\r\n <sip:", "@10.0.0.1:5060;lr>" },
		{ "a comma behind", "<sip:", "@10.0.0.1:5060;lr>," },
		{ "a password", "<sip:", ":x@10.0.0.1:5060;lr>" },
		{ "no token any more, but a call that is known", "<sip:", "a@10.0.0.1:5060;lr>" },
	};
	struct harness h;
	struct dialog d;
	const struct sent *first = NULL, *s;
	const char *at;
	char token[128];

	harness_start(&h, NULL);
	dialog_open(&h, NULL, A, NULL, &d);
	expect_request(&h, "ACK", A);
	at = strstr(d.caller_routes, "<sip:");
	assert_non_null(at);
	snprintf(token, sizeof(token), "%.*s", (int)strcspn(at + 5, "@"), at + 5);
	assert_int_equal(strlen(token), 58);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		snprintf(d.caller_routes, sizeof(d.caller_routes), "Route: %s%s%s\r\n", cases[i].before, token, cases[i].after);
		dialog_send(&h, &d, TOKEN_FROM_CALLER, "INFO", 77, "SIP/2.0/UDP h;rport;branch=z9hG4bKw");
		s = h.sent[h.sent_count - 1];
		h.sent_read = h.sent_count;
		if (!i)
			first = s;
		if (!sent_equal(s, first))
			fail_msg("%s: %.60s", cases[i].what, (const char *)s->data);
	}
	dialog_close(&h, &d);
	harness_end(&h);
}

HARNESS_MAIN(cmocka_unit_test(test_both_sides), cmocka_unit_test(test_reinvite), cmocka_unit_test(test_nat),
	     cmocka_unit_test(test_destinations), cmocka_unit_test(test_former), cmocka_unit_test(test_tokens), cmocka_unit_test(test_token_in_new_call),
	     cmocka_unit_test(test_strict), cmocka_unit_test(test_long_routes), cmocka_unit_test(test_families),
	     cmocka_unit_test(test_stateless_responses), cmocka_unit_test(test_hops),
	     cmocka_unit_test(test_own_route_written_otherwise))
