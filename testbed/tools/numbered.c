/* SPDX-License-Identifier: Apache-2.0 */
#include "numbered.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/siphash.h"

#define HEAD_MOST  8192
#define BODY_LEAST 20
#define BODY_MORE  600
#define LONG_EACH  16 /* one of so many is longer than a segment */
#define LONG_MORE  4000

static uint32_t body_of(uint64_t serial, enum numbered_way way, char *out)
{
	uint64_t random = mix64(serial * 2 + way);
	uint32_t n = BODY_LEAST + (uint32_t)(random >> 8) % (random % LONG_EACH ? BODY_MORE : LONG_MORE);

	for (uint32_t i = 0; i < n; i++) {
		if (i % 10 == 0)
			random = mix64(random);
		out[i] = i % 64 == 63 ? '\n' : (char)(' ' + (random >> (i % 10 * 6)) % 64);
	}
	return n;
}

static unsigned mark_of(uint64_t serial)
{
	return (unsigned)(mix64(serial ^ 0x5742) & 0xffffff);
}

/* ---- reading */

/* The value of the next header of that name behind `from`, up to its line's end; NULL: none. */
static const char *next_header(const char *from, const char *name, int *ret_length)
{
	size_t n = strlen(name);

	for (;;) {
		from = strstr(from, "\r\n");
		if (!from || !strncmp(from, "\r\n\r\n", 4))
			return NULL;
		from += 2;
		if (!strncasecmp(from, name, n) && from[n] == ':') {
			const char *value = from + n + 1 + strspn(from + n + 1, " \t"), *end = strstr(value, "\r\n");

			if (!end)
				return NULL;
			*ret_length = (int)(end - value);
			return value;
		}
	}
}

int64_t numbered_length(const char *bytes, uint32_t n)
{
	const char *end = memmem(bytes, n, "\r\n\r\n", 4), *value;
	unsigned long length;
	int word;

	if (!end)
		return n >= HEAD_MOST ? -1 : 0;
	value = next_header(bytes, "Content-Length", &word);
	if (!value || value > end)
		return -1;
	length = strtoul(value, NULL, 10);
	if (length > NUMBERED_MAX - HEAD_MOST)
		return -1;
	length += (unsigned long)(end + 4 - bytes);
	return length <= n ? (int64_t)length : 0;
}

static bool body_right(const char *message, uint32_t bytes, uint64_t serial, enum numbered_way way)
{
	const char *body = strstr(message, "\r\n\r\n") + 4;
	uint32_t n = bytes - (uint32_t)(body - message);
	char expected[BODY_LEAST + LONG_MORE];

	return n == body_of(serial, way, expected) && !memcmp(body, expected, n);
}

static bool read_call_id(const char *message, const char *seed, uint64_t *ret_serial)
{
	int length;
	const char *id = next_header(message, "Call-ID", &length);
	size_t n = strlen(seed);
	char *end;

	if (!id)
		return false;
	*ret_serial = strtoull(id, &end, 10);
	return end > id && *end == '-' && end + 1 + n == id + length && !strncmp(end + 1, seed, n);
}

bool numbered_read(const struct numbered *n, const char *message, uint32_t bytes, struct numbered_view *view)
{
	const char *mark, *sequence;
	bool bare;
	int length;

	memset(view, 0, sizeof(*view));
	view->request = strncmp(message, "SIP/2.0 ", 8) != 0;
	sequence = next_header(message, "CSeq", &length);
	if (!sequence || !strstr(message, "\r\n\r\n") || !read_call_id(message, n->seed, &view->serial))
		return false;
	sscanf(sequence, "%*u %15[A-Z]", view->method);
	if (!view->request)
		view->status = (unsigned)strtoul(message + 8, NULL, 10);
	bare = !strcmp(view->method, "ACK") || !strcmp(view->method, "BYE");
	mark = next_header(message, "X-Mark", &length);
	view->whole = bare || (mark && strtoul(mark, NULL, 16) == mark_of(view->serial) &&
			       body_right(message, bytes, view->serial, view->request ? NUMBERED_THERE : NUMBERED_BACK));
	if (view->request && strncmp(message, view->method, strlen(view->method)))
		view->whole = false;
	return true;
}

/* ---- writing */

struct text {
	char *at, *end;
};

static void __attribute__((format(printf, 2, 3))) add(struct text *t, const char *format, ...)
{
	va_list words;
	int n;

	va_start(words, format);
	n = vsnprintf(t->at, (size_t)(t->end - t->at), format, words);
	va_end(words);
	t->at = n < 0 || n >= t->end - t->at ? t->end : t->at + n;
}

/* All headers of that name as they came. */
static void copy_all(struct text *t, const char *message, const char *name)
{
	int length;

	while ((message = next_header(message, name, &length)))
		add(t, "%s: %.*s\r\n", name, length, message);
}

static uint32_t finish(struct text *t, char *out, const char *body, uint32_t bytes)
{
	add(t, "Content-Length: %u\r\n\r\n", bytes);
	if (t->end - t->at <= (long)bytes)
		return 0;
	memcpy(t->at, body, bytes);
	t->at += bytes;
	*t->at = 0;
	return (uint32_t)(t->at - out);
}

uint32_t numbered_request(const struct numbered *n, const char *method, uint64_t serial, char *out)
{
	struct text t = { out, out + NUMBERED_MAX };
	char body[BODY_LEAST + LONG_MORE];
	uint32_t bytes = body_of(serial, NUMBERED_THERE, body);

	add(&t, "%s sip:%s SIP/2.0\r\nVia: SIP/2.0/TCP %s;branch=z9hG4bK-%llu-%s\r\nMax-Forwards: 70\r\n", method, n->target, n->us,
	    (unsigned long long)serial, n->seed);
	add(&t, "From: <sip:caller@%s>;tag=f%llu\r\nTo: <sip:%s>\r\nCall-ID: %llu-%s\r\nCSeq: 1 %s\r\n", n->us, (unsigned long long)serial,
	    n->target, (unsigned long long)serial, n->seed, method);
	add(&t, "Contact: <sip:caller@%s;transport=tcp>\r\nX-Mark: %06x\r\nContent-Type: text/plain\r\n", n->us, mark_of(serial));
	return finish(&t, out, body, bytes);
}

uint32_t numbered_answer(const struct numbered *n, const char *request, char *out)
{
	struct text t = { out, out + NUMBERED_MAX };
	char body[BODY_LEAST + LONG_MORE];
	uint32_t bytes = 0;
	uint64_t serial;
	const char *to;
	int length;

	to = next_header(request, "To", &length);
	if (!to || !read_call_id(request, n->seed, &serial))
		return 0;
	add(&t, "SIP/2.0 200 OK\r\n");
	copy_all(&t, request, "Via");
	copy_all(&t, request, "Record-Route");
	copy_all(&t, request, "From");
	add(&t, "To: %.*s", length, to);
	if (!memmem(to, (size_t)length, ";tag=", 5))
		add(&t, ";tag=t%llu", (unsigned long long)serial);
	add(&t, "\r\n");
	copy_all(&t, request, "Call-ID");
	copy_all(&t, request, "CSeq");
	add(&t, "Contact: <sip:callee@%s;transport=tcp>\r\n", n->us);
	if (strncmp(request, "BYE ", 4)) {
		bytes = body_of(serial, NUMBERED_BACK, body);
		add(&t, "X-Mark: %06x\r\nContent-Type: text/plain\r\n", mark_of(serial));
	}
	return finish(&t, out, body, bytes);
}

/* The Record-Route set of a response, the last first (RFC 3261 §12.1.2). */
static void add_routes(struct text *t, const char *answer)
{
	const char *values[8];
	int lengths[8], count = 0;

	while (count < 8 && (answer = next_header(answer, "Record-Route", &lengths[count])))
		values[count++] = answer;
	while (count--)
		add(t, "Route: %.*s\r\n", lengths[count], values[count]);
}

uint32_t numbered_follow(const struct numbered *n, const char *method, const char *answer, char *out)
{
	struct text t = { out, out + NUMBERED_MAX };
	const char *contact, *end;
	uint64_t serial;
	int length;

	contact = next_header(answer, "Contact", &length);
	contact = contact ? memchr(contact, '<', (size_t)length) : NULL;
	end = contact ? strpbrk(contact, ">\r") : NULL;
	if (!end || *end != '>' || !read_call_id(answer, n->seed, &serial))
		return 0;
	add(&t, "%s %.*s SIP/2.0\r\nVia: SIP/2.0/TCP %s;branch=z9hG4bK-%c%llu-%s\r\nMax-Forwards: 70\r\n", method, (int)(end - contact - 1),
	    contact + 1, n->us, *method, (unsigned long long)serial, n->seed);
	add_routes(&t, answer);
	copy_all(&t, answer, "From");
	copy_all(&t, answer, "To");
	copy_all(&t, answer, "Call-ID");
	add(&t, "CSeq: %d %s\r\n", *method == 'A' ? 1 : 2, method);
	return finish(&t, out, "", 0);
}
