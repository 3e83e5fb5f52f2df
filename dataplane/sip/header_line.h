/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "sip/lex.h"
#include "sip/message.h"
#include "sip/scan.h"

/* Reads one scanned line into *h, all but its link. Its id, or -1 when it is no header line. */
static __attribute__((noinline)) int header_line_read(const uint8_t *data, struct scan_line line, struct sip_header *h)
{
	const uint8_t *name = data + line.start, *name_end = data + line.colon;
	enum sip_header_id id;
	uint32_t n;

	if (line.colon == UINT32_MAX)
		return -1;
	while (name_end > name && (name_end[-1] == ' ' || name_end[-1] == '\t'))
		name_end--;
	if (name_end == name || name_end - name > UINT16_MAX)
		return -1;
	n = (uint32_t)(name_end - name);
	id = sip_header_lookup(span_of(name, n));
	if (id == SIP_H_OTHER && lex_run(name, name_end, LEX_TOKEN) != name_end)
		return -1;
	*h = (struct sip_header){ .start = line.start, .end = line.end, .name_len = (uint16_t)n, .next = -1, .id = (uint8_t)id };
	return id;
}
