/* SPDX-License-Identifier: Apache-2.0 */
#include "sip/value.h"

#include "sip/lex.h"

bool value_next(struct span *rest, struct span *ret_value)
{
	const uint8_t *p = rest->p, *end = span_end(*rest), *from;
	bool angle = false;

	if (!rest->n)
		return false;
	while ((p = lex_space(p, end)) < end && *p == ',')
		p++;
	from = p;
	for (; p < end && (*p != ',' || angle); p++) {
		if (*p == '"' && !angle) {
			p = lex_quoted(p, end);
			if (!p) {
				p = end;
				break;
			}
			p--;
		} else if (*p == '<') {
			angle = true;
		} else if (*p == '>') {
			angle = false;
		}
	}
	*ret_value = lex_span(from, lex_space_back(from, p));
	*rest = lex_span(p, end);
	return ret_value->n > 0;
}
