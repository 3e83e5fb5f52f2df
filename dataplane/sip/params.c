/* SPDX-License-Identifier: Apache-2.0 */
#include "sip/lex.h"
#include "sip/uri.h"

bool param_next(struct span *rest, struct span *ret_name, struct span *ret_value, struct span *ret_whole)
{
	const uint8_t *p = rest->p, *end = span_end(*rest);
	struct lex_param param;

	if (!rest->n)
		return false;
	do {
		p = lex_space(p, end);
		if (p == end || *p != ';')
			return false;
		p = lex_param(p, end, &param);
		if (!p)
			return false;
	} while (!param.name.n);
	*rest = lex_span(p, end);
	*ret_name = param.name;
	*ret_value = param.value;
	*ret_whole = param.whole;
	return true;
}

bool param_find(struct span params, const char *name, struct span *ret_value)
{
	uint32_t n = (uint32_t)strlen(name);
	struct span found, value, whole;

	while (param_next(&params, &found, &value, &whole)) {
		if (found.n != n)
			continue;
		for (uint32_t i = 0; ascii_lower(found.p[i]) == ascii_lower((uint8_t)name[i]);) {
			if (++i < n)
				continue;
			if (ret_value)
				*ret_value = value;
			return true;
		}
	}
	return false;
}
