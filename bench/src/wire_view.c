/* SPDX-License-Identifier: Apache-2.0 */
#include "wire_view.h"

#include <string.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "wire_template.h"

/* Line feeds among up to 64 bytes at p, as bits. */
static uint64_t feeds(const uint8_t *p, uint32_t n)
{
	uint64_t bits = 0;

#ifdef __SSE2__
	if (n >= 64) {
		const __m128i feed = _mm_set1_epi8('\n');

		for (unsigned i = 0; i < 4; i++)
			bits |= (uint64_t)(uint32_t)_mm_movemask_epi8(
					_mm_cmpeq_epi8(_mm_loadu_si128((const __m128i *)(p + 16 * i)), feed))
				<< 16 * i;
		return bits;
	}
#endif
	for (unsigned i = 0; i < n && i < 64; i++)
		bits |= (uint64_t)(p[i] == '\n') << i;
	return bits;
}

static bool named(const uint8_t *p, uint32_t n, const char *name, uint32_t length, uint32_t *ret_value)
{
	if (n <= length || p[length] != ':' || memcmp(p, name, length))
		return false;
	*ret_value = length + 1;
	return true;
}

#define NAMED(p, n, name, ret_value) named(p, n, name, sizeof(name) - 1, ret_value)

/* Only the spellings that our callers and targets use, and the devices between them leave as they are or write themselves. */
static enum line_kind kind_of(const uint8_t *p, uint32_t n, uint32_t *ret_value)
{
	switch (p[0]) {
	case 'V': return NAMED(p, n, "Via", ret_value) ? LINE_VIA : LINE_OTHER;
	case 'F': return NAMED(p, n, "From", ret_value) ? LINE_FROM : LINE_OTHER;
	case 'T': return NAMED(p, n, "To", ret_value) ? LINE_TO : LINE_OTHER;
	case 'C':
		if (NAMED(p, n, "Call-ID", ret_value))
			return LINE_CALL_ID;
		return NAMED(p, n, "CSeq", ret_value) ? LINE_CSEQ : LINE_OTHER;
	case 'R':
		if (NAMED(p, n, "Record-Route", ret_value))
			return LINE_RECORD_ROUTE;
		return NAMED(p, n, "Route", ret_value) ? LINE_ROUTE : LINE_OTHER;
	case 'M':
		if (NAMED(p, n, "Max-Forwards", ret_value))
			return LINE_MAX_FORWARDS;
		return NAMED(p, n, "Max-Breadth", ret_value) ? LINE_MAX_BREADTH : LINE_OTHER;
	default: return LINE_OTHER;
	}
}

static bool start_line(struct view *v, uint32_t n)
{
	const uint8_t *p = v->data;

	v->start_len = (uint16_t)n;
	if (n < 14)
		return false;
	v->status = 0;
	if (memcmp(p, "SIP/2.0 ", 8))
		return memcmp(p + n - 10, " SIP/2.0\r\n", 10) == 0;
	for (unsigned i = 8; i < 11; i++) {
		if (p[i] < '0' || p[i] > '9')
			return false;
		v->status = (uint16_t)(v->status * 10 + p[i] - '0');
	}
	return v->status >= 100;
}

/* One header line, at .. end. false: too many. */
static bool add_line(struct view *v, uint32_t at, uint32_t end)
{
	struct view_line *l = &v->line[v->lines];
	uint32_t value = 0;

	if (v->lines == VIEW_LINES_MAX)
		return false;
	l->kind = kind_of(v->data + at, end - at, &value);
	while (value && at + value < end && v->data[at + value] == ' ')
		value++;
	l->at = (uint16_t)at;
	l->value = (uint16_t)(at + value);
	l->len = (uint16_t)(end - at);
	v->vias = (uint16_t)(v->vias + (l->kind == LINE_VIA));
	if (v->first[l->kind] == 255)
		v->first[l->kind] = (uint8_t)v->lines;
	v->lines++;
	return true;
}

/* What tells whose it is; of a request also what its responses repeat. */
static bool enough(const struct view *v)
{
	return v->vias && v->first[LINE_CALL_ID] != 255 &&
	       (v->status || (v->first[LINE_FROM] != 255 && v->first[LINE_TO] != 255 && v->first[LINE_CSEQ] != 255));
}

bool view_read(struct view *v, const uint8_t *data, uint32_t len, bool quick)
{
	uint32_t begin = 0;

	v->data = data;
	v->len = len;
	v->lines = v->vias = 0;
	v->body = 0;
	memset(v->first, 255, sizeof(v->first));
	if (len > UINT16_MAX)
		return false;
	for (uint32_t at = 0; at < len; at += 64) {
		for (uint64_t bits = feeds(data + at, len - at); bits; bits &= bits - 1) {
			uint32_t end = at + (uint32_t)__builtin_ctzll(bits) + 1;

			if (!begin) {
				if (!start_line(v, end))
					return false;
			} else if (end - begin == 2) {
				v->body = end;
				return data[begin] == '\r' && v->first[LINE_CALL_ID] != 255 && v->first[LINE_CSEQ] != 255 &&
				       v->vias;
			} else if (!add_line(v, begin, end)) {
				return false;
			}
			begin = end;
		}
		if (quick && enough(v))
			return true;
	}
	return false;
}

bool view_id(const struct view *v, uint64_t *ret_id)
{
	const struct view_line *l = view_first(v, LINE_CALL_ID);

	return l && l->at + l->len - l->value >= 18 && read_hex16(v->data + l->value, ret_id);
}

bool view_branch(const struct view *v, unsigned n, uint64_t *ret_branch)
{
	for (unsigned i = v->first[LINE_VIA]; i < v->lines; i++) {
		const struct view_line *l = &v->line[i];
		const uint8_t *p;

		if (l->kind != LINE_VIA || n--)
			continue;
		/* It leaves us as the first parameter; a proxy may put `received` before it. */
		p = memchr(v->data + l->value, ';', (size_t)(l->at + l->len - l->value));
		if (p && p + 31 <= v->data + l->at + l->len && memcmp(p, ";branch=z9hG4bK", 15) != 0)
			p = memmem(p, (size_t)(v->data + l->at + l->len - p), ";branch=z9hG4bK", 15);
		return p && p + 31 <= v->data + l->at + l->len && !memcmp(p, ";branch=z9hG4bK", 15) &&
		       read_hex16(p + 15, ret_branch);
	}
	return false;
}

uint32_t view_cseq(const struct view *v)
{
	const struct view_line *l = view_first(v, LINE_CSEQ);
	uint32_t n = 0;

	for (const uint8_t *p = v->data + (l ? l->value : 0); l && *p >= '0' && *p <= '9'; p++)
		n = n * 10 + (uint32_t)(*p - '0');
	return n;
}
