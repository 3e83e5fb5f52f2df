/* SPDX-License-Identifier: Apache-2.0 */
/* A peer's parser, apart from our headers: both use names that begin with SIP_. */
#include <sys/time.h>

#include <osipparser2/osip_parser.h>

#include "micro.h"

static int ready(void)
{
	return parser_init() == 0;
}

static uint64_t parse(uint32_t i)
{
	osip_message_t *o;
	uint32_t len;
	const uint8_t *m = corpus_invite(i, &len);
	uint64_t good;

	osip_message_init(&o);
	good = osip_message_parse(o, (const char *)m, len) == 0 && o->call_id && o->cseq;
	osip_message_free(o);
	return good;
}

const struct micro_step osip_steps[] = { { .name = "peer/libosip2_parse", .run = parse, .prepare = ready }, { .name = NULL } };
