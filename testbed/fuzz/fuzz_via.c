/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit/sip/same.h"
#include "check.h"
#include "sip/branch.h"
#include "sip/level.h"
#include "sip/via.h"

/* Via values out of any bytes lie inside them, one behind the other, and each reads the same when it stands alone. */

static void try_branch(struct span branch)
{
	static struct cmac mac;
	char text[BRANCH_TEXT];
	struct branch b;

	if (!mac.whole[0])
		branch_key(&mac, &(struct hash_key){ 1, 2 });
	if (branch_decode(&mac, branch, &b) == 0) {
		branch_encode(&mac, &b, text);
		CHECK(span_ieq(branch, span_of(text, BRANCH_TEXT)));
	}
}

/* Every instruction set against the scalar readers. */
static void check_levels(struct span s)
{
	for (int level = CPU_SCALAR; level < CPU_LEVELS; level++) {
		struct span rest = s, again = s;
		struct via v, w;
		int r;

		if (!cpu_select((enum cpu_level)level))
			continue;
		do {
			r = sip_level_scalar.via_next(&rest, &v);
			CHECK(via_next(&again, &w) == r && (r != 1 || (same_via(&v, &w) && same_span(rest, again))));
		} while (r == 1);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span s = span_of(data, (uint32_t)size), rest = s;
	const uint8_t *at = data;
	struct via v, alone;
	struct ip_port addr;

	check_levels(s);
	try_branch(s);
	while (via_next(&rest, &v) == 1) {
		struct span whole = v.whole;

		CHECK(whole.n && inside(whole, s) && whole.p >= at && inside(rest, s));
		at = whole.p + whole.n;
		CHECK(inside(v.transport_name, whole) && inside(v.sent_by, whole) && inside(v.host, v.sent_by));
		CHECK(inside(v.params, whole) && inside(v.branch, v.params) && inside(v.received_whole, v.params));
		CHECK(inside(v.received, v.received_whole) && inside(v.maddr, v.params) && inside(v.rport_whole, v.params));
		CHECK(inside(v.rport_value, v.rport_whole) && v.rport == (v.rport_whole.p != NULL));
		CHECK(v.host.n && v.transport_name.n);
		if (via_response_addr(&v, &addr) == 0)
			CHECK(addr.port && addr.ip.family != IP_NONE);
		try_branch(v.branch);
		CHECK(via_next(&whole, &alone) == 1 && span_eq(alone.whole, v.whole) && span_eq(alone.branch, v.branch));
	}
	return 0;
}
