/* SPDX-License-Identifier: Apache-2.0 */
#include "sip/message.h"

#include "sip/level.h"

enum sip_verdict sip_parse(const uint8_t *data, uint32_t len, struct sip_message *m)
{
	return sip_level()->parse(data, len, m);
}

bool sip_answerable(const struct sip_message *m)
{
	return m->is_request && m->first[SIP_H_FROM] >= 0 && m->first[SIP_H_TO] >= 0 && m->first[SIP_H_CALL_ID] >= 0 &&
	       m->first[SIP_H_CSEQ] >= 0 && m->top_via.whole.p;
}
