/* SPDX-License-Identifier: Apache-2.0 */
/* A peer's parser, apart from our headers: both use names that begin with sip_. */
#include <sofia-sip/msg.h>
#include <sofia-sip/msg_addr.h>
#include <sofia-sip/sip.h>
#include <sofia-sip/sip_parser.h>

#include "micro.h"

static uint64_t parse(uint32_t i)
{
	uint32_t len;
	const uint8_t *m = corpus_invite(i, &len);
	msg_t *message = msg_make(sip_default_mclass(), 0, m, (ssize_t)len);
	sip_t *sip = message ? sip_object(message) : NULL;
	uint64_t good = sip && !sip->sip_error && sip->sip_call_id && sip->sip_cseq;

	if (message)
		msg_destroy(message);
	return good;
}

const struct micro_step sofia_steps[] = { { .name = "peer/sofia_parse", .run = parse }, { .name = NULL } };
