/* SPDX-License-Identifier: Apache-2.0 */
/* Our Record-Route comes back as Route: whole, mangled, forged, copied and kept. */
#include "script.h"

/* The caller's request in that dialog, with one thing changed. */
static void from_caller(const struct dialog *d, const struct request *change, const char *method)
{
	struct request r = *change;

	r.method = method;
	r.contact = "";
	if (!r.uri)
		r.uri = "sip:target@10.2.0.1:5060";
	if (!r.to)
		r.to = d->caller_to;
	if (!r.headers)
		r.headers = d->caller_routes;
	if (!r.via)
		r.via = VIA "t";
	request_send(&stage, &r);
}

static void mangled_but_live(void)
{
	struct dialog d;

	call_up(&d);
	bend_token(d.caller_routes, 20);
	say(&d, TOKEN_FROM_CALLER, "BYE");
	okay(out("BYE", A));
	up(200);
	quiet();
	counted(COUNTER_calls_ended, 1);
}

static void dropped_but_live(void)
{
	struct dialog d;

	call_up(&d);
	d.target_routes[0] = 0;
	say(&d, TOKEN_FROM_TARGET, "BYE");
	okay(out("BYE", CALLER));
	answer_to(200, A);
}

static void upper_case(void)
{
	struct dialog d;

	call_up(&d);
	for (char *c = strstr(d.caller_routes, "<sip:") + 5; *c != '@'; c++)
		if (*c >= 'a' && *c <= 'z')
			*c -= 32;
	say(&d, TOKEN_FROM_CALLER, "INFO");
	out("INFO", A);
}

static void mangled_from_elsewhere(void)
{
	struct dialog d;

	call_up(&d);
	bend_token(d.caller_routes, 20);
	from_caller(&d, &(struct request){ .source = STRANGER, .via = "SIP/2.0/UDP 192.0.2.66;branch=z9hG4bKx" }, "BYE");
	answer_to(403, STRANGER);
	quiet();
}

static void mangled_and_over(void)
{
	struct dialog d;

	call_up(&d);
	say(&d, TOKEN_FROM_CALLER, "BYE");
	okay(out("BYE", A));
	up(200);
	bend_token(d.caller_routes, 20);
	from_caller(&d, &(struct request){ 0 }, "INFO");
	up(481);
	quiet();
}

static void every_character_counts(void)
{
	struct dialog d;
	char *at;
	size_t n;

	call_up(&d);
	say(&d, TOKEN_FROM_CALLER, "BYE"); /* so that the live call helps nobody */
	out("BYE", A);
	at = strstr(d.caller_routes, "<sip:") + 5;
	n = strcspn(at, "@");
	for (size_t i = 0; i + 1 < n; i++) {
		char kept = at[i];

		bend_token(d.caller_routes, (unsigned)i);
		from_caller(&d, &(struct request){ 0 }, "INFO");
		up(481);
		quiet();
		at[i] = kept;
	}
	from_caller(&d, &(struct request){ 0 }, "INFO");
	out("INFO", A);
}

static void forged(void)
{
	ask(.to = "<sip:x@y>;tag=t", .headers = "Route: <sip:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa@10.0.0.1;lr>\r\n");
	up(481);
	quiet();
}

static void copied_into_another_call(void)
{
	struct dialog d;

	call_up(&d);
	from_caller(&d, &(struct request){ .call_id = "another" }, "INFO");
	up(481);
	quiet();
}

static void copied_under_another_tag(void)
{
	struct dialog d;

	call_up(&d);
	from_caller(&d, &(struct request){ .from = "<sip:caller@10.1.0.1>;tag=other", .to = "<sip:callee@10.0.0.1>;tag=other2" }, "INFO");
	up(481);
	quiet();
}

static void no_new_call_by_token(void)
{
	struct dialog d;

	call_up(&d);
	from_caller(&d, &(struct request){ .to = "<sip:callee@10.0.0.1>", .uri = "sip:nobody@10.2.0.1" }, "INVITE");
	up(404); /* routed as any new call, the Route names us and is dropped */
	quiet();
}

static void kept_too_long(void)
{
	struct dialog d;

	call_up(&d);
	later(40000);
	proxy_advance(stage.proxy, stage.now_ms += 13ull * 3600 * 1000);
	from_caller(&d, &(struct request){ 0 }, "INVITE");
	up(481);
	quiet();
	from_caller(&d, &(struct request){ .via = VIA "b" }, "BYE"); /* what ends a call passes at any age */
	out("BYE", A);
}

static void leads_only_to_its_sides(void)
{
	struct dialog d;
	const struct sent *s;

	call_up(&d);
	from_caller(&d, &(struct request){ .uri = "sip:premium@192.0.2.99" }, "INFO");
	s = out("INFO", A); /* to the target that has the call, whatever the request URI says */
	expect_true(!strcmp(sent_uri(s), "sip:premium@192.0.2.99"), "the request URI is left alone");
	from_caller(&d, &(struct request){ .uri = "sip:x@10.3.0.1", .via = VIA "u" }, "INFO");
	out("INFO", A);
	quiet();
}

static void further_route_of_another(void)
{
	struct dialog d;

	call_up(&d);
	strcat(d.caller_routes, "Route: <sip:192.0.2.99;lr>\r\n");
	from_caller(&d, &(struct request){ 0 }, "INFO");
	out("INFO", A);
	quiet();
}

static void of_a_trunk_that_is_gone(void)
{
	struct dialog d;

	call_up(&d);
	trunks_remove(stage.tables->trunks, stage.trunk_slot[TRUNK_A]);
	from_caller(&d, &(struct request){ 0 }, "INFO");
	up(403);
	quiet();
}

static void whole_but_from_elsewhere(void)
{
	struct dialog d;

	call_up(&d);
	from_caller(&d, &(struct request){ .source = "192.0.2.66:5060", .via = "SIP/2.0/UDP 192.0.2.66;rport;branch=z9hG4bKx" }, "BYE");
	answer_to(403, STRANGER);
	quiet();
	from_caller(&d, &(struct request){ .source = "10.1.0.200:5060", .via = "SIP/2.0/UDP 10.1.0.200;branch=z9hG4bKx" }, "BYE");
	out("BYE", A); /* within the caller's trunk it may roam */
}

static void routes_in_odd_places(void)
{
	struct dialog d;
	char text[1500], *comma;
	const struct sent *s;

	/* our Route among others on one line, folded, with a display name and odd spacing */
	call_up(&d);
	snprintf(text, sizeof(text), "%s", d.caller_routes);
	comma = strstr(text, "\r\n");
	snprintf(comma, 200, " ,\r\n\t\"next, hop\" <sip:10.2.0.200;lr>;p=1 ,<sip:10.2.0.201;lr>\r\nX-After: 1\r\nroute: <sip:10.2.0.202;lr>\r\n");
	from_caller(&d, &(struct request){ .headers = text }, "INFO");
	s = out("INFO", "10.2.0.200:5060");
	is_nth(s, "Route", 0, "\"next, hop\" <sip:10.2.0.200;lr>;p=1 ,<sip:10.2.0.201;lr>");
	is_nth(s, "Route", 1, "<sip:10.2.0.202;lr>");
	is(s, "X-After", "1");
	quiet();
}

static void route_that_cannot_be_read(void)
{
	struct dialog d;

	call_up(&d);
	strcat(d.caller_routes, "Route: <sip:10.2.0.200;lr\r\n");
	from_caller(&d, &(struct request){ 0 }, "INFO");
	up(400);
	quiet();
}

static void too_many_routes(void)
{
	static char routes[8000];
	struct dialog d;

	call_up(&d);
	snprintf(routes, sizeof(routes), "%s", d.caller_routes);
	for (unsigned i = 0; i < 100; i++)
		strcat(routes, "Route: <sip:10.2.0.200;lr>\r\n");
	from_caller(&d, &(struct request){ .headers = routes }, "INFO");
	up(400);
	quiet();
}

static void strict_on_both_sides(void)
{
	struct dialog d;
	char uri[256];
	const struct sent *s;

	call_up(&d);
	snprintf(uri, sizeof(uri), "%s", strstr(d.caller_routes, "sip:"));
	*strchr(uri, '>') = 0;
	from_caller(&d, &(struct request){ .uri = uri, .headers = "Route: <sip:10.2.0.9>\r\nRoute: <sip:target@10.2.0.1:5060>\r\n" }, "INFO");
	s = out("INFO", "10.2.0.9:5060");
	expect_true(!strcmp(sent_uri(s), "sip:10.2.0.9"), "the next strict router's URI");
	is(s, "Route", "<sip:target@10.2.0.1:5060>");
}

static void strict_without_a_route(void)
{
	struct dialog d;
	char uri[256];

	call_up(&d);
	snprintf(uri, sizeof(uri), "%s", strstr(d.caller_routes, "sip:"));
	*strchr(uri, '>') = 0;
	from_caller(&d, &(struct request){ .uri = uri, .headers = "" }, "INFO");
	up(400);
	quiet();
}

/* ---- responses to what was forwarded without a transaction */

static void answer_with_a_foreign_via(void)
{
	struct dialog d;
	const struct sent *s;

	call_up(&d);
	from_caller(&d, &(struct request){ 0 }, "INFO");
	s = out("INFO", A);
	raw(A, edited(answer_text(s, 200, NULL, NULL), VIA "t", "SIP/2.0/UDP 192.0.2.99;branch=z9hG4bKvictim"));
	quiet();
	okay(s);
	up(200);
}

static void answer_after_any_time(void)
{
	struct dialog d;
	const struct sent *s;

	call_up(&d);
	from_caller(&d, &(struct request){ 0 }, "INFO");
	s = out("INFO", A);
	later(120000);
	okay(s);
	up(200);
}

static void answer_without_a_via_below(void)
{
	struct dialog d;
	const struct sent *s;

	call_up(&d);
	from_caller(&d, &(struct request){ 0 }, "INFO");
	s = out("INFO", A);
	raw(A, edited(answer_text(s, 200, NULL, NULL), "Via: " VIA "t\r\n", ""));
	quiet();
}

LAW_BOOK(tokens,
	LAW("design", mangled_but_live, "where a peer mangled the token, the live call is found by Call-ID and tags"),
	LAW("design", dropped_but_live, "so it is where a peer dropped the Route"),
	LAW("design", upper_case, "a token in upper case is the same token"),
	LAW("design", mangled_from_elsewhere, "a mangled token from an unknown source is refused"),
	LAW("design", mangled_and_over, "a mangled token of no live call gets 481"),
	LAW("design", every_character_counts, "each character of a token is under its MAC"),
	LAW("design", forged, "a made-up token gets 481"),
	LAW("design", copied_into_another_call, "a token copied into another Call-ID gets 481"),
	LAW("design", copied_under_another_tag, "so does one under another tag"),
	LAW("design", no_new_call_by_token, "a token leads no new call past the routing"),
	LAW("design", kept_too_long, "a token older than a call may last starts nothing new, but still ends what it began"),
	LAW("design", leads_only_to_its_sides, "a token leads only to where its two sides live"),
	LAW("design", further_route_of_another, "also when a further Route says otherwise"),
	LAW("design", of_a_trunk_that_is_gone, "nowhere when that trunk is gone: 403"),
	LAW("design", whole_but_from_elsewhere, "a whole token is worth nothing from where its side does not live"),
	LAW("rfc3261", routes_in_odd_places, "§7.3.1, §16.4: our Route is taken out of folded lines and lists, the others stay as written"),
	LAW("rfc3261", route_that_cannot_be_read, "§16.3(1): a Route that cannot be read gets 400"),
	LAW("design", too_many_routes, "more than 64 Routes in one request get 400"),
	LAW("rfc3261", strict_on_both_sides, "§16.4, §16.6(6): a strict router before us and one behind us"),
	LAW("rfc3261", strict_without_a_route, "§16.4: our Record-Route as request URI with nothing behind it leads nowhere: 400"),
	LAW("design", answer_with_a_foreign_via, "a response whose next Via is not the request's goes nowhere"),
	LAW("rfc3261", answer_after_any_time, "§16.11: without a transaction a response passes after any time"),
	LAW("rfc3261", answer_without_a_via_below, "§16.7(3): without a Via below ours a response is dropped"));
