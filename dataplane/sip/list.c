/* SPDX-License-Identifier: Apache-2.0 */
#include "sip/lex.h"
#include "sip/message.h"

bool sip_list_next(const struct sip_message *m, enum sip_header_id id, struct sip_list_cursor *cursor, struct span *ret_value)
{
	if (!cursor->started) {
		cursor->started = true;
		cursor->line = m->first[id];
		cursor->rest = sip_value(m, cursor->line);
	}
	while (cursor->line >= 0) {
		const uint8_t *p = cursor->rest.p, *end = span_end(cursor->rest), *from, *comma;

		while ((p = lex_space(p, end)) < end && *p == ',')
			p++;
		if (p < end) {
			from = p;
			while (p < end && *p != ',')
				p++;
			comma = p;
			*ret_value = lex_span(from, lex_space_back(from, comma));
			cursor->rest = lex_span(comma, end);
			return true;
		}
		cursor->line = m->headers[cursor->line].next;
		cursor->rest = sip_value(m, cursor->line);
	}
	return false;
}
