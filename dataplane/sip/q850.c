/* SPDX-License-Identifier: Apache-2.0 */
#include "sip/q850.h"

#include "base/span.h"
#include "sip/message.h"

/* Up to the next separator outside quotes, trimmed; *rest moves behind it. */
static struct span part(struct span *rest, uint8_t separator)
{
	struct span s = *rest;
	bool quoted = false;
	uint32_t n = 0;

	for (; n < s.n && (quoted || s.p[n] != separator); n++) {
		if (s.p[n] == '"')
			quoted = !quoted;
		else if (quoted && s.p[n] == '\\' && n + 1 < s.n)
			n++;
	}
	*rest = n < s.n ? span_of(s.p + n + 1, s.n - n - 1) : (struct span){ 0, 0 };
	return span_trim(span_of(s.p, n));
}

static uint8_t cause_of(struct span value)
{
	uint64_t cause;

	if (!span_ieq_str(part(&value, ';'), "Q.850"))
		return 0;
	while (value.n) {
		struct span p = part(&value, ';');
		uint32_t at = 0;

		while (at < p.n && p.p[at] != '=')
			at++;
		if (at == p.n || !span_ieq_str(span_trim(span_of(p.p, at)), "cause"))
			continue;
		return span_to_u64(span_trim(span_of(p.p + at + 1, p.n - at - 1)), 127, &cause) ? (uint8_t)cause : 0;
	}
	return 0;
}

uint8_t q850_cause(const struct sip_message *m)
{
	uint8_t cause = 0;

	for (int line = m->first[SIP_H_REASON]; line >= 0 && !cause; line = m->headers[line].next) {
		struct span rest = sip_value(m, line);

		while (rest.n && !cause)
			cause = cause_of(part(&rest, ','));
	}
	return cause;
}
