/* SPDX-License-Identifier: Apache-2.0 */
#include "sip/scan.h"

#include "sip/level.h"

bool scan_select(enum scan_kind kind)
{
	return cpu_select((enum cpu_level)kind);
}

enum scan_end scan_lines(const uint8_t *data, uint32_t len, struct scan_line *lines, uint32_t max_lines,
			 uint32_t *ret_count, uint32_t *ret_head)
{
	return sip_level()->scan_lines(data, len, lines, max_lines, ret_count, ret_head);
}
