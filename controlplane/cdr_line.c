/* SPDX-License-Identifier: Apache-2.0 */
#include "cdr_line.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "tables/call_record.h"
#include "tables/trunks.h"
#include "utf8.h"

#define COUNT(words) (sizeof(words) / sizeof((words)[0]))

static const char *const kinds[] = {
	[RECORD_START] = "start", [RECORD_END] = "end", [RECORD_FAILED] = "failed", [RECORD_FOREIGN_END] = "foreign_end",
};

static const char *const ends[] = {
	[RECORD_ENDED_BY_CALLER] = "caller", [RECORD_ENDED_BY_TARGET] = "target", [RECORD_EXPIRED] = "expired",
	[RECORD_CANCELLED] = "cancelled",    [RECORD_REJECTED] = "rejected",	  [RECORD_EXHAUSTED] = "exhausted",
};

static const char *const results[] = {
	[ATTEMPT_RECORD_PENDING] = "pending",
	[ATTEMPT_RECORD_ANSWERED] = "answered",
	[ATTEMPT_RECORD_REJECTED] = "rejected",
	[ATTEMPT_RECORD_CODE] = "retry_code",
	[ATTEMPT_RECORD_RESPONSE_TIMEOUT] = "response_timeout",
	[ATTEMPT_RECORD_PROGRESS_TIMEOUT] = "progress_timeout",
	[ATTEMPT_RECORD_RING_TIMEOUT] = "ring_timeout",
	[ATTEMPT_RECORD_TIMEOUT] = "timeout",
	[ATTEMPT_RECORD_TRANSPORT] = "transport",
	[ATTEMPT_RECORD_CANCELLED] = "cancelled",
	[ATTEMPT_RECORD_TLS] = "tls",
};

/* A record comes out of a mapped file: what is out of range there must not be followed. */
static const char *word(const char *const *words, size_t count, unsigned i)
{
	return i < count ? words[i] : "unknown";
}

struct text {
	char *at, *end;
};

static void put(struct text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void put(struct text *t, const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(t->at, (size_t)(t->end - t->at), format, args);
	va_end(args);
	t->at = n < t->end - t->at ? t->at + n : t->end - 1;
}

static void put_bytes(struct text *t, const void *bytes, size_t n)
{
	if (n >= (size_t)(t->end - t->at))
		n = (size_t)(t->end - t->at) - 1;
	memcpy(t->at, bytes, n);
	t->at += n;
}

static void put_string(struct text *t, const char *text, size_t n)
{
	put_bytes(t, "\"", 1);
	for (size_t i = 0; i < n;) {
		char c[UTF8_CHARACTER_MAX];
		unsigned bytes;

		i += utf8_next((const uint8_t *)text + i, n - i, c, &bytes);
		if ((uint8_t)c[0] < 0x20 || c[0] == 0x7f)
			put(t, "\\u%04x", c[0]);
		else if (c[0] == '"' || c[0] == '\\')
			put(t, "\\%c", c[0]);
		else
			put_bytes(t, c, bytes);
	}
	put_bytes(t, "\"", 1);
}

static void put_key_string(struct text *t, const char *key, const char *text, size_t n)
{
	put(t, ",\"%s\":", key);
	put_string(t, text, n);
}

/* NULL: null */
static void put_key_text(struct text *t, const char *key, const char *text)
{
	if (text)
		put_key_string(t, key, text, strlen(text));
	else
		put(t, ",\"%s\":null", key);
}

/* 0: it did not happen */
static void put_key_ms(struct text *t, const char *key, uint32_t ms)
{
	if (ms)
		put(t, ",\"%s\":%" PRIu32, key, ms);
	else
		put(t, ",\"%s\":null", key);
}

const char *cdr_trunk_name(const struct trunks *trunks, uint32_t id, char *out)
{
	uint32_t slot = id ? trunks_find(trunks, id) : TRUNK_NONE;
	const struct trunk *trunk = slot == TRUNK_NONE ? NULL : trunks_get(trunks, slot);

	if (!id)
		return NULL;
	if (trunk)
		memcpy(out, trunk->name, TRUNK_NAME_MAX);
	else
		snprintf(out, TRUNK_NAME_MAX, "%08" PRIx32, id);
	return out;
}

void cdr_time(uint64_t unix_ms, char *out)
{
	time_t seconds = (time_t)(unix_ms / 1000);
	struct tm utc;
	size_t n;

	if (!gmtime_r(&seconds, &utc))
		memset(&utc, 0, sizeof(utc));
	n = strftime(out, CDR_TIME_MAX - 5, "%Y-%m-%dT%H:%M:%S", &utc);
	snprintf(out + n, CDR_TIME_MAX - n, ".%03uZ", (unsigned)(unix_ms % 1000));
}

static const char *address(const struct ip_port *a, char out[IP_PORT_TEXT_MAX])
{
	if (a->ip.family == IP_NONE)
		return NULL;
	ip_port_format(a, out);
	return out;
}

static void put_attempt(struct text *t, const struct call_record *r, const struct attempt_record *a, const struct trunks *trunks)
{
	char name[TRUNK_NAME_MAX], target[PROFILE_NAME_MAX + TRUNK_NAME_MAX + 1], endpoint[IP_PORT_TEXT_MAX];
	const char *trunk = cdr_trunk_name(trunks, a->trunk_id, name);

	snprintf(target, sizeof(target), "%.*s/%s", PROFILE_NAME_MAX - 1, r->profile, trunk ? trunk : "");
	put(t, "{\"result\":\"%s\"", word(results, COUNT(results), a->result));
	put_key_text(t, "target", trunk && r->profile[0] ? target : NULL);
	put_key_text(t, "trunk", trunk);
	put_key_text(t, "endpoint", address(&a->endpoint, endpoint));
	put_key_ms(t, "code", a->code);
	put_key_ms(t, "q850", a->cause);
	put(t, ",\"started_ms\":%" PRIu32 ",\"duration_ms\":%" PRIu32 "}", a->started_ms, a->duration_ms);
}

static void put_attempts(struct text *t, const struct call_record *r, const struct trunks *trunks)
{
	unsigned n = r->attempt_count < ATTEMPTS_MAX ? r->attempt_count : ATTEMPTS_MAX;

	put(t, ",\"attempts\":[");
	for (unsigned i = 0; i < n; i++) {
		if (i)
			put_bytes(t, ",", 1);
		put_attempt(t, r, &r->attempts[i], trunks);
	}
	put(t, "]");
}

static size_t bounded(uint8_t n, size_t most)
{
	return n < most ? n : most;
}

size_t cdr_line(const struct call_record *r, const struct trunks *trunks, char *out)
{
	struct text t = { out, out + CDR_LINE_MAX };
	char name[TRUNK_NAME_MAX], from[IP_PORT_TEXT_MAX], number[E164_TEXT_MAX], when[CDR_TIME_MAX];
	bool ended = r->kind != RECORD_START;

	/* Type and id stand first: cdr_line_identity reads them there. */
	put(&t, "{\"type\":\"%s\",\"id\":\"%016" PRIx64 "\"", word(kinds, COUNT(kinds), r->kind), r->id);
	put_key_string(&t, "call_id", r->call_id, bounded(r->call_id_len, sizeof(r->call_id)));
	put_key_string(&t, "from", r->from, bounded(r->from_len, sizeof(r->from)));
	put_key_string(&t, "to", r->to, bounded(r->to_len, sizeof(r->to)));
	if (r->number)
		e164_format(r->number, number);
	put_key_text(&t, "number", r->number ? number : NULL);
	put(&t, ",\"source\":{\"address\":");
	if (address(&r->source, from))
		put_string(&t, from, strlen(from));
	else
		put(&t, "null");
	put_key_text(&t, "trunk", cdr_trunk_name(trunks, r->source_trunk_id, name));
	put(&t, "}");
	if (r->profile[0])
		put_key_string(&t, "profile", r->profile, strnlen(r->profile, sizeof(r->profile)));
	else
		put(&t, ",\"profile\":null");
	cdr_time(r->arrived_unix_ms, when);
	put(&t, ",\"node\":%u,\"worker\":%u,\"arrived\":\"%s\"", r->node, r->worker, when);
	put_key_ms(&t, "progress_ms", r->progress_ms);
	put_key_ms(&t, "answered_ms", r->answered_ms);
	put_key_ms(&t, "ended_ms", ended ? r->ended_ms : 0);
	if (ended && r->answered_ms && r->ended_ms >= r->answered_ms)
		put(&t, ",\"duration_ms\":%" PRIu32, r->ended_ms - r->answered_ms);
	else
		put(&t, ",\"duration_ms\":null");
	put_key_ms(&t, "status", r->status);
	put_key_text(&t, "end", ended ? word(ends, COUNT(ends), r->end) : NULL);
	put_key_ms(&t, "q850", ended ? r->cause : 0);
	put_attempts(&t, r, trunks);
	put(&t, "}\n");
	return (size_t)(t.at - out);
}

bool cdr_line_identity(const char *line, size_t bytes, uint64_t *ret_id, uint8_t *ret_kind)
{
	char head[64], kind[16];
	size_t n = bytes < sizeof(head) - 1 ? bytes : sizeof(head) - 1;

	memcpy(head, line, n);
	head[n] = 0;
	if (sscanf(head, "{\"type\":\"%15[a-z_]\",\"id\":\"%16" SCNx64 "\"", kind, ret_id) != 2)
		return false;
	for (unsigned i = 0; i < COUNT(kinds); i++) {
		if (strcmp(kinds[i], kind) == 0) {
			*ret_kind = (uint8_t)i;
			return true;
		}
	}
	return false;
}
