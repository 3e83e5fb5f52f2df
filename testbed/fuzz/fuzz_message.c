/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"
#include "check.h"
#include "sip/edit.h"
#include "sip/message.h"
#include "sip/quick_vector.h"
#include "sip/reply.h"
#include "sip/scan.h"
#include "sip/via.h"
#include "../unit/sip/same.h"

/* The view of any bytes lies inside them and is consistent; the quick look agrees with it; composing without edits changes nothing;
 * taking values away leaves a message; what we answer is a message. */

static struct sip_message m, again;
static struct edit_list l;

/* A value begins behind its colon and ends before its line does, without white space around it: by either way of finding it. */
static void check_value(int line)
{
	struct span value = sip_value(&m, line), closely = sip_value_closely(&m, line);
	const struct sip_header *h = &m.headers[line];

	CHECK(value.p == closely.p && value.n == closely.n);
	CHECK(value.p > m.data + h->start + h->name_len && value.p + value.n < m.data + h->end);
	CHECK(span_trim(value).n == value.n);
}

static void check_view(struct span s)
{
	uint32_t at = m.start_line_end;

	CHECK(m.data >= s.p && m.data + m.len <= s.p + s.n && m.header_count <= SIP_LINES_MAX);
	CHECK(m.start_line_end <= m.head_end && m.head_end <= m.body && m.body <= s.n);
	CHECK(inside(m.method_name, s) && inside(m.request_uri, s) && inside(m.reason, s) && inside(m.call_id, s));
	CHECK(inside(m.from_tag, s) && inside(m.to_tag, s));
	for (int i = 0; i < m.header_count; i++) {
		const struct sip_header *h = &m.headers[i];

		CHECK(h->start >= at && h->name_len && h->start + h->name_len < h->end && h->end <= m.head_end);
		check_value(i);
		CHECK(h->next < m.header_count && (h->next < 0 || (h->next > i && m.headers[h->next].id == h->id)));
		CHECK(sip_header_lookup(sip_name(&m, i)) == h->id);
		at = h->end;
	}
	for (int id = 1; id < SIP_HEADER_IDS; id++) {
		int n = 0;

		for (int i = m.first[id]; i >= 0; i = m.headers[i].next)
			n++;
		CHECK((n > 0) == (m.present >> id & 1) && (n > 1) == (m.repeated >> id & 1));
	}
}

static void check_variants(struct span s, enum sip_verdict verdict)
{
	for (int kind = SCAN_SCALAR; kind <= SCAN_AVX512; kind++) {
		if (!scan_select((enum scan_kind)kind))
			continue;
		CHECK(sip_parse(s.p, s.n, &again) == verdict && same_message(&again, &m));
	}
}

static void check_quick(struct span s)
{
	struct span rest = sip_first(&m, SIP_H_VIA);
	struct quick look;
	struct via top;

	quick_look(s.p, s.n, &look);
	CHECK(look.kind == (m.is_request ? QUICK_REQUEST : QUICK_RESPONSE));
	if (look.call_id.p)
		CHECK(span_eq(look.call_id, m.call_id));
	CHECK(via_next(&rest, &top) == 1);
	if (!m.is_request && top.branch.n)
		CHECK(span_eq(look.top_branch, top.branch));
	else
		CHECK(look.call_id.p);
}

/* Composes into a buffer of the exact size, which the caller frees. */
static struct span compose(void)
{
	uint32_t n = edit_size(&l, &m);
	uint8_t *out = malloc(n ? n : 1);

	CHECK(out && edit_compose(&l, &m, out, n) == (int)n);
	return span_of(out, n);
}

static void check_identity(void)
{
	struct span out;

	edit_reset(&l);
	out = compose();
	CHECK(span_eq(out, span_of(m.data, m.len)));
	free((void *)out.p);
}

static int via_values(const struct sip_message *view)
{
	struct span rest = sip_first(view, SIP_H_VIA);
	struct via v;
	int n = 0;

	while (rest.p && via_next(&rest, &v) == 1)
		n++;
	return n;
}

/* Every Via value of the first line goes, first the last, then the others from the front: the message is read after each. */
static void check_removal(void)
{
	struct via values[8];
	struct span rest = sip_first(&m, SIP_H_VIA), out;
	int n = 0, line = m.first[SIP_H_VIA];

	while (n < 8 && via_next(&rest, &values[n]) == 1)
		n++;
	if (n == 8)
		return;
	edit_reset(&l);
	for (int i = 0; i < n - 1; i++) {
		edit_remove_value(&l, &m, line, values[i ? i - 1 : n - 1].whole);
		out = compose();
		CHECK(sip_parse(out.p, out.n, &again) == SIP_OK && via_values(&again) == n - 1 - i);
		free((void *)out.p);
	}
	if (n > 1)
		edit_remove_value(&l, &m, line, values[n - 2].whole);
	else
		edit_remove_value(&l, &m, line, values[0].whole);
	out = compose();
	sip_parse(out.p, out.n, &again);
	CHECK(again.header_count == m.header_count - 1);
	free((void *)out.p);
}

static void check_reply(enum sip_verdict verdict)
{
	struct reply reply = { .status = 480, .to_tag = SPAN_LIT("t"), .via_append = SPAN_LIT(";received=::1"),
			       .rport_value = SPAN_LIT("9"), .headers = SPAN_LIT("Retry-After: 1\r\n") };
	uint32_t cap = m.len + 256;
	uint8_t *out = malloc(cap);
	int n;

	CHECK(out);
	n = reply_compose(&m, &reply, out, cap);
	CHECK(n > 0 || n == -ERR_FULL);
	if (n > 0 && verdict == SIP_OK) {
		CHECK(sip_parse(out, (uint32_t)n, &again) == SIP_OK && !again.is_request && again.status == 480);
		CHECK(again.len == (uint32_t)n && again.cseq == m.cseq && span_eq(again.call_id, m.call_id));
		CHECK(again.to_tag.p && via_values(&again) == via_values(&m));
	}
	if (verdict == SIP_OK) {
		n = reply_compose_cancel(&m, span_of(out, 0), out, cap);
		CHECK(n > 0 || n == -ERR_FULL);
		if (n > 0)
			CHECK(sip_parse(out, (uint32_t)n, &again) == SIP_OK && again.method == SIP_CANCEL && via_values(&again) == 1);
	}
	free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span s = span_of(data, (uint32_t)size), value;
	struct sip_list_cursor cursor = { 0 };
	struct quick look, careful;
	enum sip_verdict verdict;

	if (size > 65535)
		return 0;
	quick_look(data, (uint32_t)size, &look);
	quick_look_careful(data, (uint32_t)size, &careful);
	CHECK(look.kind == careful.kind && same_span(look.call_id, careful.call_id) && same_span(look.top_branch, careful.top_branch));
	CHECK(inside(look.call_id, s) && inside(look.top_branch, s));
	verdict = sip_parse(data, (uint32_t)size, &m);
	CHECK((verdict == SIP_BAD) == (m.fault != SIP_FINE));
	if (verdict != SIP_OK && verdict != SIP_BAD)
		return 0;
	check_view(s);
	check_variants(s, verdict);
	while (sip_list_next(&m, SIP_H_REQUIRE, &cursor, &value))
		CHECK(value.n && inside(value, s));
	if (verdict == SIP_OK) {
		check_quick(s);
		check_identity();
		check_removal();
	}
	if (sip_answerable(&m))
		check_reply(verdict);
	return 0;
}
