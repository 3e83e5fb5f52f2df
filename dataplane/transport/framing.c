/* SPDX-License-Identifier: Apache-2.0 */
#include "transport/framing.h"

#include <stdbool.h>
#include <string.h>

#include "base/span.h"

#define VERSION_BYTES 7 /* of "SIP/2.0" */

/* RFC 3261 §25.1: what a method or a version begins with. */
static bool token_char(uint8_t c)
{
	return (uint8_t)(ascii_lower(c) - 'a') < 26 || (uint8_t)(c - '0') < 10 || (c && strchr("-.!%*_+`'~", c));
}

/* Line ends in front of a message; the second of two CRLFs is what makes a ping. */
static enum framing_verdict line_ends(struct framing *f, const uint8_t *data, uint32_t len, uint32_t *ret_bytes)
{
	bool second = f->line_end;

	if (data[0] == '\r' && len == 1)
		return FRAMING_MORE;
	if (data[0] == '\r' && data[1] != '\n')
		return FRAMING_NOISE;
	*ret_bytes = data[0] == '\r' ? 2 : 1;
	f->line_end = *ret_bytes == 2 && !second;
	return second && *ret_bytes == 2 ? FRAMING_PING : FRAMING_IDLE;
}

/* The first bytes of what follows the head; 0: it has no end yet. Looks at what is new, and at the last line end before it. */
static uint32_t head_end(struct framing *f, const uint8_t *data, uint32_t len)
{
	const uint8_t *end = data + len, *at = data + f->looked;

	while ((at = memchr(at, '\n', (size_t)(end - at)))) {
		const uint8_t *next = at + 1;

		if (next < end && *next == '\r')
			next++;
		if (next == end)
			break;
		if (*next == '\n')
			return (uint32_t)(next + 1 - data);
		at++;
	}
	f->looked = at ? (uint32_t)(at - data) : len;
	return 0;
}

static struct span line_of(const uint8_t *from, const uint8_t *end)
{
	const uint8_t *stop = memchr(from, '\n', (size_t)(end - from));

	return span_of(from, (uint32_t)((stop ? stop + 1 : end) - from));
}

static bool start_line_good(struct span line)
{
	static const char version[] = "SIP/2.0";
	uint32_t n = line.n;

	while (n && (line.p[n - 1] == '\n' || line.p[n - 1] == '\r'))
		n--;
	if (n < VERSION_BYTES + 1)
		return false;
	return (memcmp(line.p, version, VERSION_BYTES) == 0 && line.p[VERSION_BYTES] == ' ') ||
	       (span_ieq(span_of(line.p + n - VERSION_BYTES, VERSION_BYTES), SPAN_LIT(version)) && line.p[n - VERSION_BYTES - 1] == ' ');
}

/* The value of a Content-Length line, what is folded onto it included; p == NULL: it is another header's. */
static struct span length_value(struct span line, const uint8_t *head_end)
{
	const uint8_t *colon = memchr(line.p, ':', line.n), *stop = span_end(line);
	struct span name;

	if (!colon)
		return (struct span){ 0, 0 };
	name = span_trim(span_of(line.p, (uint32_t)(colon - line.p)));
	if (!span_ieq(name, SPAN_LIT("Content-Length")) && !span_ieq(name, SPAN_LIT("l")))
		return (struct span){ 0, 0 };
	while (stop < head_end && (*stop == ' ' || *stop == '\t'))
		stop = span_end(line_of(stop, head_end));
	return span_trim(span_of(colon + 1, (uint32_t)(stop - colon - 1)));
}

/* FRAMING_MESSAGE: *ret_bytes is the body's length. A number that does not fit is larger than any bound. */
static enum framing_verdict body_bytes(const uint8_t *data, uint32_t head, uint64_t *ret_bytes)
{
	const uint8_t *end = data + head;
	struct span line = line_of(data, end);
	bool found = false;

	if (!start_line_good(line))
		return FRAMING_NOISE;
	for (line = line_of(span_end(line), end); line.n; line = line_of(span_end(line), end)) {
		struct span value;
		uint64_t n;

		/* Neither its name nor its compact form; what is folded begins with a blank. */
		if (ascii_lower(line.p[0]) != 'c' && ascii_lower(line.p[0]) != 'l')
			continue;
		value = length_value(line, end);
		if (!value.p)
			continue;
		for (uint32_t i = 0; i < value.n; i++)
			if ((uint8_t)(value.p[i] - '0') > 9)
				return FRAMING_BAD_LENGTH;
		if (!value.n)
			return FRAMING_BAD_LENGTH;
		if (!span_to_u64(value, UINT32_MAX, &n))
			n = (uint64_t)UINT32_MAX + 1;
		if (found && n != *ret_bytes)
			return FRAMING_BAD_LENGTH;
		found = true;
		*ret_bytes = n;
	}
	return found ? FRAMING_MESSAGE : FRAMING_NO_LENGTH;
}

static enum framing_verdict whole(struct framing *f, uint32_t len, uint32_t *ret_bytes)
{
	if (len < f->total)
		return FRAMING_MORE;
	*ret_bytes = f->total;
	*f = (struct framing){ 0 };
	return FRAMING_MESSAGE;
}

enum framing_verdict framing_next(struct framing *f, const uint8_t *data, uint32_t len, uint32_t *ret_bytes)
{
	enum framing_verdict verdict;
	uint64_t body = 0;
	uint32_t head;

	*ret_bytes = 0;
	if (f->total)
		return whole(f, len, ret_bytes);
	if (!len)
		return FRAMING_MORE;
	if (data[0] == '\r' || data[0] == '\n')
		return line_ends(f, data, len, ret_bytes);
	if (!token_char(data[0]))
		return FRAMING_NOISE;
	head = head_end(f, data, len);
	if (!head)
		return len > FRAMING_HEAD_MAX ? FRAMING_TOO_LARGE : FRAMING_MORE;
	if (head > FRAMING_HEAD_MAX)
		return FRAMING_TOO_LARGE;
	verdict = body_bytes(data, head, &body);
	if (verdict == FRAMING_MESSAGE && body > FRAMING_MESSAGE_MAX - head)
		verdict = FRAMING_TOO_LARGE;
	if (verdict != FRAMING_MESSAGE) {
		*ret_bytes = head;
		return verdict;
	}
	f->total = head + (uint32_t)body;
	return whole(f, len, ret_bytes);
}
