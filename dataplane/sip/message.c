/* SPDX-License-Identifier: Apache-2.0 */
#include "sip/message.h"

#include "sip/level.h"
#include "sip/lex.h"

enum sip_verdict sip_parse(const uint8_t *data, uint32_t len, struct sip_message *m)
{
	return sip_level()->parse(data, len, m);
}

bool sip_answerable(const struct sip_message *m)
{
	return m->is_request && m->first[SIP_H_FROM] >= 0 && m->first[SIP_H_TO] >= 0 && m->first[SIP_H_CALL_ID] >= 0 &&
	       m->first[SIP_H_CSEQ] >= 0 && m->top_via.whole.p;
}

struct span sip_value_closely(const struct sip_message *m, int index)
{
	const struct sip_header *h = &m->headers[index];
	const uint8_t *p = m->data + h->start + h->name_len, *end = m->data + h->end - 1, *colon;

	while (*p != ':') /* white space may stand before it */
		p++;
	colon = p++;
	p = lex_space(p, end);
	if (p < end && end[-1] == '\r')
		end--;
	end = lex_space_back(p, end);
	return p < end ? lex_span(p, end) : span_of(colon + 1, 0);
}
