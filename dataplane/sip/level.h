/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/cpu.h"
#include "sip/message.h"
#include "sip/name_addr.h"
#include "sip/scan.h"
#include "sip/uri.h"
#include "sip/via.h"

/* The readers of this floor, one set for each instruction set of base/cpu.h; the public functions call the set in use. The quick ones
 * read what messages usually look like and leave everything else, errors included, to the careful ones, so that all sets
 * give the same verdicts and spans. Not for other floors. */

struct sip_level {
	enum scan_end (*scan_lines)(const uint8_t *data, uint32_t len, struct scan_line *lines, uint32_t max_lines,
				    uint32_t *ret_count, uint32_t *ret_head);
	enum sip_verdict (*parse)(const uint8_t *data, uint32_t len, struct sip_message *m);
	int (*via_next)(struct span *rest, struct via *ret_via);
	int (*name_addr_read)(struct span *rest, struct name_addr *ret_element, struct span *ret_tag);
	int (*uri_parse)(struct span text, struct sip_uri *ret_uri);
};

extern const struct sip_level sip_level_scalar;
#if CPU_X86
extern const struct sip_level sip_level_avx2, sip_level_avx512;
#endif

static inline const struct sip_level *sip_level(void)
{
#if CPU_X86
	static const struct sip_level *const levels[CPU_LEVELS] = { &sip_level_scalar, &sip_level_avx2, &sip_level_avx512 };

	return levels[cpu_level];
#else
	return &sip_level_scalar;
#endif
}

/* The careful readers: the scalar set, and what the others fall back to. */
int via_next_careful(struct span *rest, struct via *ret_via);
int name_addr_read_careful(struct span *rest, struct name_addr *ret_element, struct span *ret_tag);
int uri_parse_careful(struct span text, struct sip_uri *ret_uri);
