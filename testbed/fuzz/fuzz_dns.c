/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/err.h"
#include "check.h"
#include "resolve/answer.h"

/* An answer out of any bytes, to the question that it says it answers: what comes out is whole, and the same from the same bytes. The first byte
 * picks the type that was asked. */

static const uint16_t types[] = { DNS_A, DNS_AAAA, DNS_SRV, DNS_NAPTR };

static void check_name(const char *name)
{
	size_t n = strnlen(name, DNS_TEXT_MAX), label = 0;

	CHECK(n < DNS_TEXT_MAX);
	for (size_t i = 0; i < n; i++) {
		label = name[i] == '.' ? 0 : label + 1;
		CHECK(label <= 63 && name[i] > ' ' && name[i] < 0x7f && !(name[i] >= 'A' && name[i] <= 'Z'));
		CHECK(name[i] != '.' || (i && name[i - 1] != '.'));
	}
	CHECK(!n || label);
}

static void check_record(const struct dns_record *r, uint16_t type)
{
	CHECK(r->ttl_s <= 0x7fffffff);
	if (type == DNS_SRV)
		check_name(r->srv.target);
	else if (type == DNS_NAPTR) {
		check_name(r->naptr.replacement);
		CHECK(strnlen(r->naptr.flags, sizeof(r->naptr.flags)) < sizeof(r->naptr.flags));
		CHECK(strnlen(r->naptr.service, sizeof(r->naptr.service)) < sizeof(r->naptr.service));
	} else {
		CHECK(r->ip.family == (type == DNS_A ? IP_V4 : IP_V6));
	}
}

static void try_type(const uint8_t *data, size_t size, const char *name, uint16_t type)
{
	struct dns_answer *a, *again;

	if (dns_answer_read(data, size, name, type, &a))
		return;
	CHECK(a->count <= DNS_RECORDS_MAX && (a->outcome == DNS_RECORDS) == (a->count > 0));
	CHECK(a->ttl_s <= 0x7fffffff);
	check_name(a->name);
	for (unsigned i = 0; i < a->count; i++) {
		check_record(&a->records[i], type);
		CHECK(a->records[i].ttl_s >= a->ttl_s);
	}
	CHECK(dns_answer_read(data, size, name, type, &again) == 0);
	CHECK(again->count == a->count && again->ttl_s == a->ttl_s && strcmp(again->name, a->name) == 0);
	CHECK(memcmp(again->records, a->records, a->count * sizeof(a->records[0])) == 0);
	free(a);
	free(again);
}

/* The name of the question as it stands there, without compression; else one that will not match. */
static void question_name(const uint8_t *p, size_t n, char out[DNS_TEXT_MAX])
{
	size_t at = 12, used = 0;

	while (at < n && p[at] && p[at] < 64 && at + 1 + p[at] <= n && used + p[at] + 2 < DNS_TEXT_MAX) {
		if (used)
			out[used++] = '.';
		for (unsigned i = 0; i < p[at]; i++)
			out[used++] = (char)(p[at + 1 + i] >= 'A' && p[at + 1 + i] <= 'Z' ? p[at + 1 + i] + 32 : p[at + 1 + i]);
		at += 1u + p[at];
	}
	out[used] = 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char name[DNS_TEXT_MAX];

	if (size < 1)
		return 0;
	question_name(data + 1, size - 1, name);
	try_type(data + 1, size - 1, name, types[*data % 4]);
	return 0;
}
