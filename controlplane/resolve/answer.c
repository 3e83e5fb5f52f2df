/* SPDX-License-Identifier: Apache-2.0 */
#include "resolve/answer.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"

#define HEADER_BYTES 12
#define CLASS_IN     1
#define RCODE_NAME   3
#define LABEL_MAX    63

struct message {
	const uint8_t *p;
	size_t n;
};

/* One resource record, as it lies there. */
struct raw_record {
	char name[DNS_TEXT_MAX];
	bool readable; /* its name is one that a host can have */
	uint16_t type, class, bytes;
	uint32_t ttl_s;
	size_t data; /* where its data begin */
};

static uint16_t u16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static uint32_t u32(const uint8_t *p)
{
	return (uint32_t)u16(p) << 16 | u16(p + 2);
}

/* RFC 2181 §8 */
static uint32_t ttl_of(const uint8_t *p)
{
	uint32_t ttl = u32(p);

	return ttl >> 31 ? 0 : ttl;
}

static bool put_label(const uint8_t *label, unsigned n, char *out, size_t *used)
{
	size_t at = *used;

	if (at + n + 2 > DNS_TEXT_MAX)
		return false;
	if (at)
		out[at++] = '.';
	for (unsigned i = 0; i < n; i++) {
		if (!isalnum(label[i]) && label[i] != '-' && label[i] != '_')
			return false;
		out[at++] = (char)tolower(label[i]);
	}
	*used = at;
	return true;
}

/* The name at `at`; *ret_next is behind it. A pointer leads only further to the front than where it was led to last, so that this ends.
 * *ret_readable: it is one that a host or service can have; else out is of no use. false: there is no name. */
static bool read_name(const struct message *m, size_t at, char out[DNS_TEXT_MAX], bool *ret_readable, size_t *ret_next)
{
	size_t used = 0, bound = at, next = 0;
	bool readable = true;

	while (at < m->n) {
		unsigned n = m->p[at];

		if (n >> 6 == 3) {
			size_t to;

			if (at + 2 > m->n)
				return false;
			to = u16(m->p + at) & 0x3fff;
			if (!next)
				next = at + 2;
			if (to >= bound)
				return false;
			at = bound = to;
			continue;
		}
		if (n > LABEL_MAX || at + 1 + n > m->n)
			return false;
		if (!n) {
			out[used] = 0;
			*ret_readable = readable;
			*ret_next = next ? next : at + 1;
			return true;
		}
		readable = readable && put_label(m->p + at + 1, n, out, &used);
		at += 1 + n;
	}
	return false;
}

static bool read_record(const struct message *m, size_t *at, struct raw_record *r)
{
	size_t p;

	if (!read_name(m, *at, r->name, &r->readable, &p) || p + 10 > m->n)
		return false;
	r->type = u16(m->p + p);
	r->class = u16(m->p + p + 2);
	r->ttl_s = ttl_of(m->p + p + 4);
	r->bytes = u16(m->p + p + 8);
	r->data = p + 10;
	*at = r->data + r->bytes;
	return *at <= m->n;
}

/* A name that fills the rest of a record's data. */
static bool read_last_name(const struct message *m, const struct raw_record *r, size_t at, char out[DNS_TEXT_MAX])
{
	bool readable;
	size_t next;

	return at < r->data + r->bytes && read_name(m, at, out, &readable, &next) && readable && next == r->data + r->bytes;
}

/* <character-string>s of NAPTR; *at moves behind. What is too long for out is none that we know. */
static bool read_text(const struct message *m, const struct raw_record *r, size_t *at, char *out, size_t room)
{
	size_t end = r->data + r->bytes, n;

	if (*at >= end)
		return false;
	n = m->p[*at];
	if (*at + 1 + n > end)
		return false;
	if (n < room) {
		for (size_t i = 0; i < n; i++)
			out[i] = (char)toupper(m->p[*at + 1 + i]);
		out[n] = 0;
	} else {
		memcpy(out, "?", 2);
	}
	*at += 1 + n;
	return true;
}

static bool read_address(const struct message *m, const struct raw_record *r, unsigned bytes, struct ip_addr *ip)
{
	if (r->bytes != bytes)
		return false;
	memset(ip, 0, sizeof(*ip));
	ip->family = bytes == 4 ? IP_V4 : IP_V6;
	memcpy(ip->bytes, m->p + r->data, bytes);
	return true;
}

static bool read_srv(const struct message *m, const struct raw_record *r, struct dns_srv *srv)
{
	const uint8_t *p = m->p + r->data;

	if (r->bytes < 7 || !read_last_name(m, r, r->data + 6, srv->target))
		return false;
	srv->priority = u16(p);
	srv->weight = u16(p + 2);
	srv->port = u16(p + 4);
	return true;
}

static bool read_naptr(const struct message *m, const struct raw_record *r, struct dns_naptr *naptr)
{
	size_t at = r->data + 4;
	char regexp[2] = "";

	if (r->bytes < 8 || !read_text(m, r, &at, naptr->flags, sizeof(naptr->flags)) ||
	    !read_text(m, r, &at, naptr->service, sizeof(naptr->service)) || !read_text(m, r, &at, regexp, sizeof(regexp)) ||
	    !read_last_name(m, r, at, naptr->replacement))
		return false;
	naptr->has_regexp = regexp[0] != 0;
	naptr->order = u16(m->p + r->data);
	naptr->preference = u16(m->p + r->data + 2);
	return true;
}

static bool read_data(const struct message *m, const struct raw_record *r, struct dns_record *record)
{
	record->ttl_s = r->ttl_s;
	switch (r->type) {
	case DNS_A: return read_address(m, r, 4, &record->ip);
	case DNS_AAAA: return read_address(m, r, 16, &record->ip);
	case DNS_SRV: return read_srv(m, r, &record->srv);
	case DNS_NAPTR: return read_naptr(m, r, &record->naptr);
	default: return false;
	}
}

/* Where the sections behind the question begin; 0: this is no answer to it. */
static size_t check_question(const struct message *m, const char *name, uint16_t type)
{
	char asked[DNS_TEXT_MAX];
	bool readable;
	size_t at;

	if (m->n < HEADER_BYTES || !(m->p[2] & 0x80) || (m->p[2] & 0x78) || u16(m->p + 4) != 1)
		return 0;
	if (!read_name(m, HEADER_BYTES, asked, &readable, &at) || !readable || at + 4 > m->n)
		return 0;
	if (strcmp(asked, name) != 0 || u16(m->p + at) != type || u16(m->p + at + 2) != CLASS_IN)
		return 0;
	return at + 4;
}

static void lower_ttl(struct dns_answer *a, uint32_t ttl_s)
{
	if (ttl_s < a->ttl_s)
		a->ttl_s = ttl_s;
}

/* One step along the CNAMEs, which may stand in any order. */
static bool follow_alias(const struct message *m, size_t answers, unsigned count, struct dns_answer *a)
{
	size_t at = answers;

	for (unsigned i = 0; i < count; i++) {
		struct raw_record r;
		char to[DNS_TEXT_MAX];

		if (!read_record(m, &at, &r))
			return false;
		if (r.type != DNS_CNAME || r.class != CLASS_IN || !r.readable || strcmp(r.name, a->name) != 0 ||
		    !read_last_name(m, &r, r.data, to))
			continue;
		memcpy(a->name, to, sizeof(to));
		lower_ttl(a, r.ttl_s);
		return true;
	}
	return false;
}

/* false: the message is cut: what is there is not the whole set. */
static bool take_records(const struct message *m, size_t answers, unsigned count, uint16_t type, struct dns_answer *a)
{
	size_t at = answers;

	for (unsigned i = 0; i < count; i++) {
		struct raw_record r;

		if (!read_record(m, &at, &r))
			return false;
		if (r.type != type || r.class != CLASS_IN || !r.readable || strcmp(r.name, a->name) != 0)
			continue;
		if (a->count == DNS_RECORDS_MAX) {
			a->left_out++;
			continue;
		}
		memset(&a->records[a->count], 0, sizeof(a->records[0]));
		if (!read_data(m, &r, &a->records[a->count])) {
			a->unread++;
			continue;
		}
		lower_ttl(a, r.ttl_s);
		a->count++;
	}
	return true;
}

/* RFC 2308 §5: how long "there is none" holds. */
static void take_soa(const struct message *m, size_t at, unsigned answers, unsigned authorities, struct dns_answer *a)
{
	for (unsigned i = 0; i < answers + authorities; i++) {
		char text[DNS_TEXT_MAX];
		struct raw_record r;
		bool readable;
		size_t p;

		if (!read_record(m, &at, &r))
			return;
		if (i < answers || r.type != DNS_SOA || r.class != CLASS_IN)
			continue;
		if (!read_name(m, r.data, text, &readable, &p) || !read_name(m, p, text, &readable, &p) || p + 20 != r.data + r.bytes)
			continue;
		a->has_soa = true;
		lower_ttl(a, r.ttl_s);
		lower_ttl(a, ttl_of(m->p + p + 16));
		return;
	}
}

int dns_answer_read(const uint8_t *bytes, size_t n, const char *name, uint16_t type, struct dns_answer **ret_answer)
{
	const struct message m = { bytes, n };
	size_t answers = check_question(&m, name, type);
	unsigned count, rcode, hops = 0;
	struct dns_answer *a, *shrunk;

	if (!answers)
		return -ERR_INVALID;
	rcode = bytes[3] & 15;
	if (rcode && rcode != RCODE_NAME)
		return -ERR_IO;
	count = u16(bytes + 6);
	a = calloc(1, sizeof(*a) + DNS_RECORDS_MAX * sizeof(a->records[0]));
	if (!a)
		return -ERR_NOMEM;
	strcpy(a->name, name);
	a->ttl_s = UINT32_MAX;
	while (hops < DNS_CHAIN_MAX && follow_alias(&m, answers, count, a))
		hops++;
	if (!take_records(&m, answers, count, type, a) || (a->unread && !a->count)) {
		free(a);
		return -ERR_INVALID;
	}
	a->outcome = a->count ? DNS_RECORDS : rcode == RCODE_NAME ? DNS_NO_NAME : DNS_NO_DATA;
	if (!a->count)
		take_soa(&m, answers, count, u16(bytes + 8), a);
	if (a->ttl_s == UINT32_MAX)
		a->ttl_s = 0;
	shrunk = realloc(a, sizeof(*a) + a->count * sizeof(a->records[0]));
	*ret_answer = shrunk ? shrunk : a;
	return 0;
}

const char *dns_type_name(uint16_t type)
{
	switch (type) {
	case DNS_A: return "A";
	case DNS_CNAME: return "CNAME";
	case DNS_SOA: return "SOA";
	case DNS_AAAA: return "AAAA";
	case DNS_SRV: return "SRV";
	case DNS_NAPTR: return "NAPTR";
	default: return "?";
	}
}
