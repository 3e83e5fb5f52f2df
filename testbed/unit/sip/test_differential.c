/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include <osipparser2/osip_parser.h>
#undef SIP_OK /* theirs is 200 */

#include "exact.h"
#include "sip/message.h"

/* A second opinion: messages put together from every combination of features are read by us and by libosip2, and both readings are
 * compared header by header: names mapped to their long form, values without white space (folding is some) and without the < >
 * that libosip2 adds to bare URIs. */

static struct sip_message m;

/* ---- messages ---- */

enum feature {
	COMPACT = 1,	/* short header names */
	FOLDED = 2,	/* values begin on, or go on to, another line */
	LISTS = 4,	/* several values, on one line and on several */
	SPACED = 8,	/* white space that nobody needs */
	RICH = 16,	/* display names, quotes, 8-bit bytes, parameters */
	FEATURES = 32,
};

static const char *const start_lines[][2] = {
	{ "INVITE sip:bob@example.com SIP/2.0", "INVITE" },
	{ "INVITE sip:+442035550100@[2001:db8::1]:5070;user=phone;transport=udp SIP/2.0", "INVITE" },
	{ "BYE sip:10.0.0.1:5070;lr SIP/2.0", "BYE" },
	{ "OPTIONS sips:alice:secret@h.example.com:5061;a=b;c SIP/2.0", "OPTIONS" },
	{ "MESSAGE tel:+44-20-3555-0100 SIP/2.0", "MESSAGE" },
	{ "NOVEL sip:x%40y;p=1@h SIP/2.0", "NOVEL" },
	{ "SIP/2.0 180 Ringing", "INVITE" },
	{ "SIP/2.0 200 OK: all good", "PRACK" },
	{ "SIP/2.0 603 Caf\xc3\xa9", "INVITE" },
};

struct text {
	char bytes[8192];
	size_t n;
};

static void add(struct text *t, const char *s)
{
	size_t n = strlen(s);

	assert_true(t->n + n < sizeof(t->bytes));
	memcpy(t->bytes + t->n, s, n);
	t->n += n;
}

static void add_header(struct text *t, unsigned features, const char *name, const char *compact, const char *value)
{
	add(t, features & COMPACT && compact ? compact : name);
	add(t, features & SPACED ? " \t: " : ":");
	add(t, features & FOLDED ? "\r\n\t" : features & SPACED ? "   " : " ");
	add(t, value);
	add(t, features & SPACED ? " \r\n" : "\r\n");
}

static void build(struct text *t, size_t start, unsigned features)
{
	bool rich = features & RICH, lists = features & LISTS;
	char cseq[64];

	t->n = 0;
	add(t, start_lines[start][0]);
	add(t, "\r\n");
	add_header(t, features, "Via", "v",
		   rich ? "SIP/2.0/UDP [2001:db8::9]:5080;branch=z9hG4bKx;rport=1024;received=192.0.2.1" :
			  "SIP/2.0/UDP 10.0.0.1;branch=z9hG4bKx");
	if (lists)
		add_header(t, features, "Via", "v", "SIP/2.0/TCP p.example.com;branch=a , SIP/2.0/TLS q.example.com:5071;branch=b");
	if (!rich)
		add_header(t, features, "Call-ID", "i", "42@10.0.0.1");
	add_header(t, features, "From", "f",
		   rich ? "\"A \\\"quoted\\\", B\" <sip:alice@example.com;p=v>;x=y;tag=from" : "sip:alice@example.com;tag=from");
	add_header(t, features, "To", "t", rich ? "\"Caf\xc3\xa9 B\" <sip:bob@[2001:db8::2]:5062>" : "<sip:bob@example.com>;tag=to");
	snprintf(cseq, sizeof(cseq), "%u%s%s", (unsigned)start * 1000003u + features,
		 features & FOLDED ? "\r\n " : features & SPACED ? "  " : " ", start_lines[start][1]);
	add_header(t, features, "CSeq", NULL, cseq);
	if (rich)
		add_header(t, features, "Call-ID", "i", "w-!%*_+`'~()<>:\\\"/[]?{}@h");
	add_header(t, features, "Max-Forwards", NULL, "70");
	add_header(t, features, "Contact", "m", rich ? "\"C\" <sip:c@10.0.0.7:5070;transport=udp>;expires=60;q=0.5" : "<sip:c@h>");
	if (lists) {
		add_header(t, features, "Route", NULL, "<sip:r1.example.com;lr>, <sip:user@r2.example.com:5070;lr>;rp=1");
		add_header(t, features, "Route", NULL, "<sip:[2001:db8::3];lr>");
		add_header(t, features, "Record-Route", NULL, "<sip:rr1;lr>,<sip:rr2;lr>");
		add_header(t, features, "Contact", "m", "<sip:d@h>,\r\n <sip:e@h>");
		add_header(t, features, "Allow", NULL, "INVITE, ACK,BYE");
	}
	add_header(t, features, "Supported", "k", lists ? "100rel, timer,replaces" : "timer");
	add_header(t, features, "X-Unknown-Header", NULL, rich ? "\xe2\x98\x8e; a=\"b\"" : "plain");
	if (rich) {
		add_header(t, features, "Subject", "s", "on : and on");
		add_header(t, features, "Content-Type", "c", "application/sdp");
		add_header(t, features, "Content-Length", "l", "8");
		add(t, "\r\nv=0\r\ns=-");
	} else {
		add_header(t, features, "Content-Length", "l", "0");
		add(t, "\r\n");
	}
}

/* ---- readings ---- */

struct entry {
	char name[64];
	char value[2048];
};

struct reading {
	struct entry entries[40];
	int n;
};

static char lower(char c)
{
	return (char)ascii_lower((uint8_t)c);
}

/* Appends a value to its header's, after a comma when it is not the first. */
static void note(struct reading *r, struct span name, struct span value)
{
	enum sip_header_id id = sip_header_lookup(name);
	char key[64] = { 0 };
	struct entry *e = NULL;
	size_t n;

	if (id != SIP_H_OTHER)
		name = span_str(sip_header_name(id));
	else if (name.n == 1 && lower((char)name.p[0]) == 's')
		name = SPAN_LIT("subject");
	for (uint32_t i = 0; i < name.n && i < sizeof(key) - 1; i++)
		key[i] = lower((char)name.p[i]);
	for (int i = 0; i < r->n; i++)
		if (strcmp(r->entries[i].name, key) == 0)
			e = &r->entries[i];
	if (!e) {
		assert_true(r->n < (int)COUNT_OF(r->entries));
		e = &r->entries[r->n++];
		memcpy(e->name, key, sizeof(key));
		e->value[0] = 0;
	} else {
		strcat(e->value, ",");
	}
	n = strlen(e->value);
	for (uint32_t i = 0; i < value.n; i++)
		if (!strchr(" \t\r\n<>", value.p[i]))
			e->value[n++] = (char)value.p[i];
	assert_true(n < sizeof(e->value));
	e->value[n] = 0;
}

static void read_ours(struct span s, struct reading *r)
{
	r->n = 0;
	assert_int_equal(sip_parse(s.p, s.n, &m), SIP_OK);
	for (int i = 0; i < m.header_count; i++)
		note(r, sip_name(&m, i), sip_value(&m, i));
}

static void note_theirs(struct reading *r, const char *name, char *value)
{
	assert_non_null(value);
	note(r, span_str(name), span_str(value));
	osip_free(value);
}

typedef int to_str_fn(const void *header, char **ret);

static void note_list(struct reading *r, const char *name, osip_list_t *list, to_str_fn *to_str)
{
	for (int i = 0; i < osip_list_size(list); i++) {
		char *value = NULL;

		assert_int_equal(to_str(osip_list_get(list, i), &value), 0);
		note_theirs(r, name, value);
	}
}

static void note_one(struct reading *r, const char *name, const void *header, to_str_fn *to_str)
{
	char *value = NULL;

	if (!header)
		return;
	assert_int_equal(to_str(header, &value), 0);
	note_theirs(r, name, value);
}

static void read_theirs(osip_message_t *theirs, struct reading *r)
{
	r->n = 0;
	note_list(r, "Via", &theirs->vias, (to_str_fn *)osip_via_to_str);
	note_list(r, "Route", &theirs->routes, (to_str_fn *)osip_route_to_str);
	note_list(r, "Record-Route", &theirs->record_routes, (to_str_fn *)osip_record_route_to_str);
	note_list(r, "Contact", &theirs->contacts, (to_str_fn *)osip_contact_to_str);
	note_list(r, "Allow", &theirs->allows, (to_str_fn *)osip_allow_to_str);
	note_one(r, "From", theirs->from, (to_str_fn *)osip_from_to_str);
	note_one(r, "To", theirs->to, (to_str_fn *)osip_to_to_str);
	note_one(r, "Call-ID", theirs->call_id, (to_str_fn *)osip_call_id_to_str);
	note_one(r, "CSeq", theirs->cseq, (to_str_fn *)osip_cseq_to_str);
	note_one(r, "Content-Type", theirs->content_type, (to_str_fn *)osip_content_type_to_str);
	note_one(r, "Content-Length", theirs->content_length, (to_str_fn *)osip_content_length_to_str);
	for (int i = 0; i < osip_list_size(&theirs->headers); i++) {
		osip_header_t *h = osip_list_get(&theirs->headers, i);

		note(r, span_str(h->hname), span_str(h->hvalue ? h->hvalue : ""));
	}
}

static const char *find(const struct reading *r, const char *name)
{
	for (int i = 0; i < r->n; i++)
		if (strcmp(r->entries[i].name, name) == 0)
			return r->entries[i].value;
	return NULL;
}

static void compare_start_lines(const char *what, const osip_message_t *theirs)
{
	char *uri = NULL;

	assert_int_equal(m.is_request, MSG_IS_REQUEST(theirs));
	if (!m.is_request) {
		assert_int_equal(m.status, theirs->status_code);
		expect_span(what, "reason", m.reason, theirs->reason_phrase);
		return;
	}
	expect_span(what, "method", m.method_name, theirs->sip_method);
	assert_int_equal(osip_uri_to_str(theirs->req_uri, &uri), 0);
	expect_span(what, "URI", m.request_uri, uri);
	osip_free(uri);
}

static void compare_tags(const char *what, osip_message_t *theirs)
{
	osip_generic_param_t *tag = NULL;

	osip_from_get_tag(theirs->from, &tag);
	expect_span(what, "From tag", m.from_tag, tag ? tag->gvalue : NULL);
	tag = NULL;
	osip_to_get_tag(theirs->to, &tag);
	expect_span(what, "To tag", m.to_tag, tag ? tag->gvalue : NULL);
}

static void compare_one(size_t start, unsigned features)
{
	static struct reading ours, others;
	osip_message_t *theirs;
	osip_body_t *body;
	struct text t;
	struct span s;

	build(&t, start, features);
	s = exact(t.bytes, t.n);
	t.bytes[t.n] = 0;
	read_ours(s, &ours);
	assert_int_equal(osip_message_init(&theirs), 0);
	if (osip_message_parse(theirs, t.bytes, t.n) != 0)
		fail_msg("libosip2 refuses:\n%s", t.bytes);
	compare_start_lines(t.bytes, theirs);
	compare_tags(t.bytes, theirs);
	read_theirs(theirs, &others);
	if (ours.n != others.n)
		fail_msg("%d headers here, %d there:\n%s", ours.n, others.n, t.bytes);
	for (int i = 0; i < ours.n; i++) {
		const char *value = find(&others, ours.entries[i].name);

		if (!value || strcmp(value, ours.entries[i].value))
			fail_msg("%s: '%s' here, '%s' there:\n%s", ours.entries[i].name, ours.entries[i].value,
				 value ? value : "(absent)", t.bytes);
	}
	body = osip_list_get(&theirs->bodies, 0);
	assert_int_equal(m.len - m.body, body ? body->length : 0);
	osip_message_free(theirs);
	exact_free(s);
}

static void both_agree(void **state)
{
	parser_init();
	for (size_t start = 0; start < COUNT_OF(start_lines); start++)
		for (unsigned features = 0; features < FEATURES; features++)
			compare_one(start, features);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_agree),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
