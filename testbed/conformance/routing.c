/* SPDX-License-Identifier: Apache-2.0 */
/* The design's rules: who may call, and which endpoint comes first. */
#include "script.h"

#include "tables/endpoints.h"

/* ---- who may call */

static void stranger(void)
{
	ask(.source = STRANGER, .via = "SIP/2.0/UDP 192.0.2.66;branch=z9hG4bK1");
	answer_to(403, STRANGER);
	quiet();
	all_gone();
}

static void stranger_unheard(void)
{
	static const char *const methods[] = { "INVITE", "OPTIONS", "REGISTER", "CANCEL", "BYE", "FOO" };

	stage_again(&(struct harness_options){ .silent_to_unknown = true });
	for (unsigned i = 0; i < ARRAY_SIZE(methods); i++)
		ask(.method = methods[i], .source = STRANGER, .via = "SIP/2.0/UDP 192.0.2.66;branch=z9hG4bK1");
	raw(STRANGER, edited(request_text(&(struct request){ 0 }), "CSeq: 1", "CSeq: x"));
	quiet();
}

static void to_tag_without_token(void)
{
	ask(.to = "<sip:callee@10.0.0.1>;tag=old");
	up(481);
	quiet();
}

static void sips_needs_tls(void)
{
	ask(.uri = "sips:+442035550100@10.0.0.1");
	up(416);
	quiet();
}

static void drained_node(void)
{
	const struct sent *s;

	proxy_drain(stage.proxy, true);
	ask(0);
	s = up(503);
	lines(s, "Retry-After", 1);
	ask(.method = "OPTIONS", .uri = "sip:10.0.0.1", .via = VIA "o");
	up(503);
	quiet();
}

static void drained_node_keeps_its_calls(void)
{
	struct dialog d;

	call_up(&d);
	proxy_drain(stage.proxy, true);
	say(&d, TOKEN_FROM_CALLER, "BYE");
	okay(out("BYE", A));
	up(200);
	quiet();
}

static void drained_node_ends_its_setups(void)
{
	invite();
	proxy_drain(stage.proxy, true);
	reply(A, 500);
	out("ACK", A);
	out("INVITE", B);
	reply(B, 200);
	up(200);
}

static void full_node(void)
{
	const struct sent *s;

	stage_again(&(struct harness_options){ .max_calls = 1 });
	invite();
	ask(.via = VIA "2", .call_id = "call-2");
	s = up(503);
	lines(s, "Retry-After", 1);
	quiet();
	ask(.via = VIA);
	reply(A, 180); /* the first one goes on */
	up(100);
	up(180);
}

static void options_for_us(void)
{
	ask(.method = "OPTIONS", .uri = "sip:10.0.0.1:5060");
	up(200);
	quiet();
}

/* ---- the number */

static void number_forms(void)
{
	static const char *const uris[] = {
		"sip:+442035550100@10.0.0.1", "sip:00442035550100@10.0.0.1", "sip:02035550100@10.0.0.1", "sip:442035550100@10.0.0.1",
		"tel:+442035550100", "tel:+44-20-3555-0100", "sip:+44(20)3555.0100@10.0.0.1;user=phone",
		"sip:%2B442035550100@10.0.0.1", "sip:+442035550100;phone-context=x@10.0.0.1", "tel:2035550100;phone-context=+44",
	};

	for (unsigned i = 0; i < ARRAY_SIZE(uris); i++) {
		char via[64];

		snprintf(via, sizeof(via), VIA "%u", i);
		invite(.uri = uris[i], .via = via, .call_id = via);
	}
}

static void tel_becomes_sip(void)
{
	expect_true(!strcmp(sent_uri(invite(.uri = "tel:+44-20-3555-0100")), "sip:+44-20-3555-0100@10.2.0.1;user=phone"),
		    "the subscriber as user, user=phone");
}

static void unknown_number(void)
{
	ask(.uri = "sip:+12025550100@10.0.0.1");
	up(404);
}

/* ---- order */

static void failover_order(void)
{
	invite();
	reply(A, 500);
	out("ACK", A);
	out("INVITE", B);
	reply(B, 500);
	out("ACK", B);
	out("INVITE", C);
	reply(C, 500);
	out("ACK", C);
	up(500);
	quiet();
}

static const char *const targets[] = { A, B, C };

static unsigned first_target(const char *call_id)
{
	char via[100];

	snprintf(via, sizeof(via), "SIP/2.0/UDP 10.1.0.1:5060;branch=z9hG4bK-%s", call_id);
	ask(.method = "OPTIONS", .call_id = call_id, .via = via);
	for (unsigned i = 0; i < 3; i++)
		if (drain_out("OPTIONS", targets[i]))
			return i;
	fail_msg("no target got it");
	return 0;
}

static void round_robin(void)
{
	char id[16];
	unsigned first[3];

	stage.strategy = STRATEGY_ROUND_ROBIN;
	publish();
	for (unsigned i = 0; i < 9; i++) {
		unsigned t;

		snprintf(id, sizeof(id), "rr%u", i);
		t = first_target(id);
		if (i < 3)
			first[i] = t;
		else
			expect_true(t == first[i % 3], "the same turn again");
	}
	expect_true(first[0] != first[1] && first[1] != first[2] && first[0] != first[2], "each in turn");
}

static void weighted_by_call_id(void)
{
	unsigned moved = 0;

	stage.strategy = STRATEGY_WEIGHTED;
	publish();
	for (unsigned i = 0; i < 40; i++) {
		char id[16], id2[80];
		unsigned t;

		snprintf(id, sizeof(id), "w%u", i);
		t = first_target(id);
		moved += t != 0;
		/* the same call again, as another request of its own */
		snprintf(id2, sizeof(id2), VIA "w%u", i);
		ask(.method = "INFO", .call_id = id, .via = id2);
		out("INFO", targets[t]);
	}
	expect_true(moved > 5 && moved < 40, "spread over the targets");
}

static void disabled_target(void)
{
	stage.target_weight[0] = 0;
	publish();
	ask(0);
	up(100);
	out("INVITE", B);
	quiet();
}

static void drained_target_keeps_its_call(void)
{
	struct dialog d;

	call_up(&d);
	stage.target_weight[0] = 0;
	publish();
	say(&d, TOKEN_FROM_CALLER, "INFO");
	out("INFO", A);
	expect_true(target_of(&stage, 0, TARGET_LIVE) == 1, "and it is counted");
	say(&d, TOKEN_FROM_CALLER, "BYE");
	out("BYE", A);
	expect_true(target_of(&stage, 0, TARGET_LIVE) == 0, "until its BYE");
}

static void endpoint_down(void)
{
	atomic_store(&endpoints_live(stage.tables->endpoints, stage.trunk[TRUNK_A].endpoints[0])->health, ENDPOINT_DOWN);
	ask(0);
	up(100);
	out("INVITE", B);
	quiet();
}

static void endpoints_before_targets(void)
{
	static const char *const two[] = { "10.2.0.11:5060", "10.2.0.12:5060", NULL };

	harness_trunk(&stage, "two", two, NULL);
	stage.target_weight[0] = stage.target_weight[1] = 0;
	stage.target_trunk[2] = stage.target_trunk[3];
	stage.target_trunk[3] = TRUNK_C;
	publish();
	ask(0);
	up(100);
	answer(&stage, out("INVITE", two[0]), 500, "x", NULL);
	out("ACK", two[0]);
	answer(&stage, out("INVITE", two[1]), 500, "x", NULL);
	out("ACK", two[1]);
	out("INVITE", C);
	quiet();
}

/* ---- everything passes */

static void any_method(void)
{
	static const char *const methods[] = { "REGISTER", "SUBSCRIBE", "NOTIFY", "REFER", "MESSAGE", "INFO", "PUBLISH", "OPTIONS", "UPDATE",
					       "PRACK", "BREW", "x.y!%*_+`'~" };

	for (unsigned i = 0; i < ARRAY_SIZE(methods); i++) {
		char cseq[64];

		ask(.method = methods[i]);
		snprintf(cseq, sizeof(cseq), "1 %s", methods[i]);
		is(out(methods[i], A), "CSeq", cseq);
		reply(A, 200);
		up(200);
		quiet();
	}
}

static void identity_untouched(void)
{
	static const char identity[] = "Identity: eyJhbGciOiJFUzI1NiIsInR5cCI6InBhc3Nwb3J0In0.eyJ9.abc_-;info=<https://c.example/c.cer>;alg=ES256;ppt=shaken\r\n"
				       "y: folded\r\n value ==;info=<x>\r\nDate: Sat, 13 Nov 2010 23:29:00 GMT\r\n";

	has(invite(.headers = identity), identity);
}

static void credentials_untouched(void)
{
	static const char line[] = "Authorization: Digest username=\"a\",realm=\"b\", nonce=\"c\",uri=\"sip:x\" ,response=\"d\"\r\n"
				   "Proxy-Authorization: Digest username=\"e\"\r\n";

	has(invite(.headers = line), line);
}

LAW_BOOK(routing,
	LAW("design", stranger, "a source that no trunk holds gets 403 and costs no state"),
	LAW("design", stranger_unheard, "or silence, whatever it sends, where the operator wants that"),
	LAW("rfc3261", to_tag_without_token, "§12.2.2: a request in a dialog that we do not know gets 481"),
	LAW("rfc5630", sips_needs_tls, "RFC 5630 §4: a sips URI never goes on below TLS: 416 where there is none"),
	LAW("design", drained_node, "a node that drains refuses new calls and probes with 503 and Retry-After"),
	LAW("design", drained_node_keeps_its_calls, "its established calls go on"),
	LAW("design", drained_node_ends_its_setups, "so do calls that are being set up, also to a further target"),
	LAW("design", full_node, "at its bounds it refuses with 503 and Retry-After and serves what it has"),
	LAW("rfc3261", options_for_us, "§11: an OPTIONS for the proxy itself is answered by it"),
	LAW("design", number_forms, "a number is found in each of its usual forms"),
	LAW("rfc3261", tel_becomes_sip, "§19.1.6: a tel URI becomes a sip URI with user=phone"),
	LAW("design", unknown_number, "a call that no profile takes gets 404"),
	LAW("design", failover_order, "failover: by position, the next only when one fails"),
	LAW("design", round_robin, "round robin: targets take turns exactly"),
	LAW("design", weighted_by_call_id, "weighted: the same Call-ID meets the same target"),
	LAW("design", disabled_target, "a target that is disabled or has weight 0 takes no new call"),
	LAW("design", drained_target_keeps_its_call, "its calls go on, and are counted until they end"),
	LAW("design", endpoint_down, "an endpoint that probes found down gets no call"),
	LAW("design", endpoints_before_targets, "all endpoints of a target come before the next target"),
	LAW("rfc3261", any_method, "§16.2: requests of every method, unknown ones too, are forwarded alike"),
	LAW("rfc8224", identity_untouched, "RFC 8224 §4: Identity passes byte by byte, in its compact form and folded too"),
	LAW("rfc3261", credentials_untouched, "§22.3: credentials pass unchanged"));
