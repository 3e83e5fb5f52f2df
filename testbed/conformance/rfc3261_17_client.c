/* SPDX-License-Identifier: Apache-2.0 */
/* Client transactions: RFC 3261 §17.1, seen from the targets' side. */
#include "script.h"

static void expect_times(const char *method, const char *to, const uint64_t *want, unsigned n)
{
	uint64_t got[16];

	times_of(method, to, n, got);
	for (unsigned i = 0; i < n; i++)
		if (got[i] != want[i])
			fail_msg("%s number %u came after %llu ms, not %llu", method, i + 1, (unsigned long long)got[i],
				 (unsigned long long)want[i]);
}

/* ---- INVITE */

static void timer_a_doubles(void)
{
	static const uint64_t at[] = { 500, 1500, 3500, 7500, 15500, 31500 };

	clocks_off();
	invite();
	expect_times("INVITE", A, at, ARRAY_SIZE(at));
}

static void retransmission_is_identical(void)
{
	const struct sent *first;
	struct sent kept;

	clocks_off();
	first = invite(.headers = "X-Odd :\t1\r\n", .body = "v=0\r\n");
	kept = *first;
	later(500);
	expect_true(sent_equal(out("INVITE", A), &kept), "the request byte by byte");
}

static void provisional_stops_timer_a(void)
{
	clocks_off();
	invite();
	reply(A, 100);
	later(31000);
	quiet();
}

static void timer_b(void)
{
	clocks_off();
	only_a();
	invite();
	later(31999);
	drain_out("INVITE", A);
	quiet();
	later(1);
	up(408);
	quiet();
}

static void provisional_stops_timer_b(void)
{
	clocks_off();
	only_a();
	invite();
	reply(A, 180);
	up(180);
	later(60000);
	quiet();
}

static void ack_is_hop_by_hop(void)
{
	static const unsigned codes[] = { 300, 404, 500, 600 };

	only_a();
	for (unsigned i = 0; i < ARRAY_SIZE(codes); i++) {
		char id[64];
		const struct sent *s, *a;

		snprintf(id, sizeof(id), VIA "%u", i);
		s = invite(.via = id, .call_id = id, .cseq = 41 + i);
		reply(A, codes[i]);
		a = out("ACK", A);
		is(a, "Via", sent_header(s, "Via", 0));
		lines(a, "Via", 1);
		is(a, "From", sent_header(s, "From", 0));
		is(a, "Call-ID", id);
		is(a, "To", "<sip:callee@10.0.0.1>;tag=a");
		expect_true(!strcmp(sent_uri(a), sent_uri(s)), "the request URI of the INVITE");
		expect_true(atoi(sent_header(a, "CSeq", 0)) == (int)(41 + i) && strstr(sent_header(a, "CSeq", 0), " ACK"), "CSeq number, method ACK");
		expect_true(a->len >= 4 && !memcmp(a->data + a->len - 4, "\r\n\r\n", 4), "no body");
		up(codes[i]);
	}
}

static void final_again_is_acked_again(void)
{
	const struct sent *first, *second;

	invite();
	reply(A, 486);
	first = out("ACK", A);
	up(486);
	ack();
	later(1000);
	reply(A, 486);
	second = out("ACK", A);
	expect_true(sent_equal(first, second), "the same ACK");
	quiet();
}

static void timer_d(void)
{
	invite();
	reply(A, 486);
	out("ACK", A);
	up(486);
	ack();
	later(31999);
	reply(A, 486);
	out("ACK", A);
	later(1);
	quiet();
	reply(A, 486);
	quiet();
	counted(COUNTER_responses_stale, 1);
}

static void no_ack_for_success(void)
{
	invite();
	reply(A, 200);
	up(200);
	quiet();
}

static void provisional_after_final(void)
{
	invite();
	reply(A, 486);
	out("ACK", A);
	up(486);
	ack();
	reply(A, 180);
	quiet();
}

static void success_after_final(void)
{
	invite();
	reply(A, 486);
	out("ACK", A);
	up(486);
	ack();
	reply(A, 200);
	quiet();
}

static void final_after_success(void)
{
	invite();
	reply(A, 200);
	up(200);
	reply(A, 486);
	quiet();
}

static void abandoned_branch_is_still_acked(void)
{
	invite();
	later(4000);
	drain_out("INVITE", A);
	out("INVITE", B);
	reply(A, 486);
	out("ACK", A);
	quiet();
	reply(B, 180);
	up(180);
}

static void abandoned_branch_is_silent(void)
{
	invite();
	later(4000);
	drain_out("INVITE", A);
	out("INVITE", B);
	reply(B, 180);
	up(180);
	later(20000);
	quiet();
}

static void transport_error_ends_it(void)
{
	invite();
	unreachable(A);
	out("INVITE", B);
	later(400);
	quiet();
	reply(A, 200); /* the transaction is gone */
	quiet();
	counted(COUNTER_responses_stale, 1);
}

/* ---- non-INVITE */

static void timer_e(void)
{
	static const uint64_t at[] = { 500, 1500, 3500, 7500, 11500, 15500, 19500, 23500, 27500, 31500 };

	clocks_off();
	ask(.method = "INFO");
	out("INFO", A);
	expect_times("INFO", A, at, ARRAY_SIZE(at));
}

static void timer_e_after_provisional(void)
{
	static const uint64_t at[] = { 500, 4500, 8500, 12500 };

	clocks_off();
	ask(.method = "INFO");
	out("INFO", A);
	reply(A, 100);
	expect_times("INFO", A, at, ARRAY_SIZE(at));
}

static void timer_f(void)
{
	clocks_off();
	ask(.method = "INFO");
	out("INFO", A);
	later(31999);
	drain_out("INFO", A);
	drain_up(100);
	quiet();
	later(10000);
	expect_true(drain_out("INFO", A) == 0, "no retransmission after timer F");
}

static void timer_f_despite_provisional(void)
{
	clocks_off();
	only_a();
	ask(.method = "INFO");
	out("INFO", A);
	reply(A, 100);
	later(40000);
	drain_out("INFO", A);
	drain_up(100);
	later(10000);
	quiet();
	all_gone();
}

static void timer_k(void)
{
	ask(.method = "INFO");
	out("INFO", A);
	reply(A, 200);
	up(200);
	later(4999);
	reply(A, 200);
	quiet();
	counted(COUNTER_responses_stale, 0);
	later(1);
	reply(A, 200);
	quiet();
	counted(COUNTER_responses_stale, 1);
}

static void final_stops_timer_e(void)
{
	ask(.method = "INFO");
	out("INFO", A);
	reply(A, 404);
	up(404);
	later(20000);
	quiet();
}

static void no_ack_for_others(void)
{
	ask(.method = "INFO");
	out("INFO", A);
	reply(A, 486);
	up(486);
	quiet();
}

/* ---- §17.1.3: matching */

static void match_needs_method(void)
{
	invite();
	raw(A, edited(reply_text(A, 486, NULL), "CSeq: 1 INVITE", "CSeq: 1 OPTIONS"));
	quiet();
	counted(COUNTER_responses_stray, 1);
	reply(A, 486);
	out("ACK", A);
	up(486);
}

static void match_of_cancel(void)
{
	const struct sent *c;

	invite();
	reply(A, 180);
	up(180);
	cancel();
	up(200);
	c = out("CANCEL", A);
	answer(&stage, c, 481, "a", NULL); /* of the CANCEL: the INVITE is not touched */
	quiet();
	reply(A, 487);
	out("ACK", A);
	up(487);
}

static void cancel_is_repeated(void)
{
	static const uint64_t at[] = { 500, 1500, 3500, 7500, 11500 };

	clocks_off();
	invite();
	reply(A, 180);
	up(180);
	cancel();
	up(200);
	out("CANCEL", A);
	expect_times("CANCEL", A, at, ARRAY_SIZE(at));
}

static void cancel_answered_is_not_repeated(void)
{
	invite();
	reply(A, 180);
	up(180);
	cancel();
	up(200);
	okay(out("CANCEL", A));
	later(20000);
	quiet();
}

static void match_without_case(void)
{
	const struct sent *s = invite();
	const char *branch = branch_of(s, 0);
	char upper[64];

	for (unsigned i = 0; i <= strlen(branch); i++)
		upper[i] = (char)(branch[i] >= 'a' && branch[i] <= 'z' ? branch[i] - 32 : branch[i]);
	raw(A, edited(reply_text(A, 180, NULL), branch, upper));
	up(180);
}

static void match_by_branch_not_by_source(void)
{
	invite();
	raw("10.2.0.44:7777", reply_text(A, 180, NULL));
	up(180);
}

static void branch_of_another(void)
{
	const struct sent *s = invite();

	raw(A, edited(reply_text(A, 200, NULL), branch_of(s, 0), "z9hG4bK776asdhds"));
	quiet();
	counted(COUNTER_responses_stray, 1);
}

static void branch_forged(void)
{
	const struct sent *s = invite();
	char forged[64];

	snprintf(forged, sizeof(forged), "%s", branch_of(s, 0));
	forged[12] = forged[12] == 'a' ? 'b' : 'a';
	raw(A, edited(reply_text(A, 200, NULL), branch_of(s, 0), forged));
	quiet();
	counted(COUNTER_responses_forged, 1);
}

LAW_BOOK(rfc3261_17_client,
	LAW("rfc3261", timer_a_doubles, "§17.1.1.2: timer A repeats an INVITE after 500 ms and doubles each time"),
	LAW("rfc3261", retransmission_is_identical, "§17.1.1.2: a retransmission is the same request"),
	LAW("rfc3261", provisional_stops_timer_a, "§17.1.1.2: after a provisional response an INVITE is not repeated"),
	LAW("rfc3261", timer_b, "§17.1.1.2: timer B gives up after 64*T1 without any response"),
	LAW("rfc3261", provisional_stops_timer_b, "§17.1.1.2: timer B does not run in Proceeding"),
	LAW("rfc3261", ack_is_hop_by_hop, "§17.1.1.3: the ACK for 300 to 699 has the INVITE's URI, top Via, Call-ID, From and CSeq number, the response's To"),
	LAW("rfc3261", final_again_is_acked_again, "§17.1.1.2: a retransmitted final is acknowledged again and not passed on"),
	LAW("rfc3261", timer_d, "§17.1.1.2: Completed lasts 32 s (timer D) on UDP"),
	LAW("rfc3261", no_ack_for_success, "§17.1.1.2: the ACK for a 2xx is the caller's"),
	LAW("rfc3261", provisional_after_final, "§17.1.1.2: a provisional in Completed is ignored"),
	LAW("rfc3261", success_after_final, "§17.1.1.2: a 2xx in Completed, on the same branch, is ignored"),
	LAW("rfc3261", final_after_success, "§17.1.1.2, RFC 6026 §7.2: a non-2xx in Accepted is ignored"),
	LAW("rfc3261", abandoned_branch_is_still_acked, "§17.1.1.2: the late final of an abandoned branch is acknowledged"),
	LAW("rfc3261", abandoned_branch_is_silent, "§9.1: a branch given up before a provisional is neither repeated nor cancelled"),
	LAW("rfc3261", transport_error_ends_it, "§17.1.4: a transport error ends the transaction"),
	LAW("rfc3261", timer_e, "§17.1.2.2: timer E doubles up to T2"),
	LAW("rfc3261", timer_e_after_provisional, "§17.1.2.2: after a provisional timer E runs at T2"),
	LAW("rfc3261", timer_f, "§17.1.2.2: timer F ends a non-INVITE transaction after 64*T1"),
	LAW("rfc3261", timer_f_despite_provisional, "§17.1.2.2: also in Proceeding"),
	LAW("rfc3261", timer_k, "§17.1.2.2: finals that come again within T4 (timer K) are absorbed"),
	LAW("rfc3261", final_stops_timer_e, "§17.1.2.2: a final ends the retransmissions"),
	LAW("rfc3261", no_ack_for_others, "§17.1.2: finals to other requests than INVITE are not acknowledged"),
	LAW("rfc3261", match_needs_method, "§17.1.3: a response with our branch and another method in CSeq is not of that transaction"),
	LAW("rfc3261", match_of_cancel, "§17.1.3, §9.1: responses to our CANCEL are not taken for the INVITE's"),
	LAW("rfc3261", cancel_is_repeated, "§9.1, §17.1.2.2: our CANCEL is a transaction of its own, repeated by timer E"),
	LAW("rfc3261", cancel_answered_is_not_repeated, "§17.1.2.2: until it is answered"),
	LAW("rfc3261", match_without_case, "§7.3.1, §17.1.3: the branch, a token, is compared without case"),
	LAW("rfc3261", match_by_branch_not_by_source, "§17.1.3: a response matches by its branch, whichever address it comes from"),
	LAW("rfc3261", branch_of_another, "§18.1.2, RFC 6026 §7.3: a response whose branch is not ours is dropped"),
	LAW("design", branch_forged, "a branch of our shape whose MAC fails is dropped and counted"));
