/* SPDX-License-Identifier: Apache-2.0 */
#include "sip/quick_vector.h"

#include "sip/lex.h"
#include "sip/message.h"
#include "sip/scan.h"
#include "sip/start_line.h"
#include "sip/via.h"

#define LINES 8 /* looked at per step: Via and Call-ID are nearly always among the first */

/* The value of a header line, trimmed, and which header it is. */
static enum sip_header_id line_value(const uint8_t *data, const struct scan_line *line, struct span *ret_value)
{
	const uint8_t *name = data + line->start, *end, *value;

	if (line->colon == UINT32_MAX)
		return SIP_H_OTHER;
	end = data + line->colon;
	while (end > name && (end[-1] == ' ' || end[-1] == '\t'))
		end--;
	value = lex_space(data + line->colon + 1, data + line->end);
	*ret_value = lex_span(value, lex_space_back(value, data + line->end));
	return sip_header_lookup(lex_span(name, end));
}

static void take_branch(struct span value, struct quick *look)
{
	struct via via;

	if (via_next(&value, &via) == 1 && via.branch.n)
		look->top_branch = via.branch;
}

/* true: what was looked for has been found. */
static bool take_line(const uint8_t *data, const struct scan_line *line, bool response, bool *via_seen, struct quick *look)
{
	struct span value = { 0, 0 };

	switch (line_value(data, line, &value)) {
	case SIP_H_VIA:
		if (response && !*via_seen)
			take_branch(value, look);
		*via_seen = true;
		break;
	case SIP_H_CALL_ID:
		if (!look->call_id.p)
			look->call_id = value;
		break;
	default:
		return false;
	}
	if (look->top_branch.p)
		return true;
	return look->call_id.p && (!response || *via_seen);
}

void quick_look_careful(const uint8_t *data, uint32_t len, struct quick *ret_look)
{
	struct scan_line lines[LINES];
	bool response, first = true, via_seen = false, found = false;
	uint32_t count, head;
	enum scan_end end;

	*ret_look = (struct quick){ .kind = QUICK_NONE };
	while (len && (*data == '\r' || *data == '\n'))
		data++, len--;
	if (!start_line_plausible(data, len))
		return;
	response = len >= 4 && lex_ieq(data, "sip/", 4);
	do {
		end = scan_lines(data, len, lines, LINES, &count, &head);
		for (uint32_t i = first; i < count && !found; i++)
			found = take_line(data, &lines[i], response, &via_seen, ret_look);
		if (!count)
			break;
		first = false;
		data += lines[count - 1].end;
		len -= lines[count - 1].end;
	} while (end == SCAN_TOO_MANY && !found);
	if (ret_look->top_branch.p)
		ret_look->call_id = (struct span){ 0, 0 };
	else if (!ret_look->call_id.n)
		return;
	ret_look->kind = response ? QUICK_RESPONSE : QUICK_REQUEST;
}

void quick_look(const uint8_t *data, uint32_t len, struct quick *ret_look)
{
#if CPU_X86
	if (cpu_level >= CPU_AVX2 && quick_look_vector(data, len, ret_look))
		return;
#endif
	quick_look_careful(data, len, ret_look);
}
