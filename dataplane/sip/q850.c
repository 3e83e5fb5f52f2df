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

/* The cause where a value begins as most do, "Q.850;cause=16": whatever follows says no more. 0: look closer. */
static uint8_t cause_look(struct span value)
{
	static const char begin[] = "Q.850;cause=";
	const uint32_t n = sizeof(begin) - 1;
	uint32_t at = n;
	unsigned cause = 0;

	if (value.n <= n || memcmp(value.p, begin, n) != 0)
		return 0;
	for (; at < value.n && at < n + 3 && (uint8_t)(value.p[at] - '0') < 10; at++)
		cause = cause * 10 + (value.p[at] - '0');
	return (at == value.n || value.p[at] == ';') && cause <= 127 ? (uint8_t)cause : 0;
}

uint8_t q850_cause(const struct sip_message *m)
{
	uint8_t cause = 0;

	for (int line = m->first[SIP_H_REASON]; line >= 0 && !cause; line = m->headers[line].next) {
		struct span rest = sip_value(m, line);

		cause = cause_look(rest);
		while (rest.n && !cause)
			cause = cause_of(part(&rest, ','));
	}
	return cause;
}
