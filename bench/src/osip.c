/* SPDX-License-Identifier: Apache-2.0 */
/* The peer parser, apart from our headers: both use names that begin with SIP_. */
#include <sys/time.h>

#include <osipparser2/osip_parser.h>

#include "shim.h"

uint32_t bench_osip_parse(unsigned i)
{
	static int ready;
	osip_message_t *o;
	uint32_t len, ok;
	const uint8_t *m = bench_message(i, &len);

	if (!ready) {
		parser_init();
		ready = 1;
	}
	osip_message_init(&o);
	ok = osip_message_parse(o, (const char *)m, len) == 0;
	osip_message_free(o);
	return ok;
}
