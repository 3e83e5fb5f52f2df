/* SPDX-License-Identifier: Apache-2.0 */
/* The one file that knows libosip2, whose names clash with those of sip/. */
#include "health/options.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/time.h>
#include <time.h>

#include <osipparser2/osip_parser.h>

#define ADDRESS_MAX 400
#define HEAD_MAX    1024

static int fill(osip_message_t *m, const struct options_request *r)
{
	char from[ADDRESS_MAX], to[ADDRESS_MAX], contact[ADDRESS_MAX], hops[8];
	osip_uri_t *uri = NULL;
	int err = osip_uri_init(&uri);

	if (err)
		return err;
	err = osip_uri_parse(uri, r->uri);
	osip_message_set_uri(m, uri);
	osip_message_set_method(m, osip_strdup("OPTIONS"));
	osip_message_set_version(m, osip_strdup("SIP/2.0"));
	if (err || !m->sip_method || !m->sip_version || snprintf(from, sizeof(from), "<%s>;tag=%s", r->from, r->tag) >= ADDRESS_MAX ||
	    snprintf(to, sizeof(to), "<%s>", r->to) >= ADDRESS_MAX || snprintf(contact, sizeof(contact), "<%s>", r->own) >= ADDRESS_MAX)
		return -1;
	snprintf(hops, sizeof(hops), "%u", r->max_forwards);
	err = osip_message_set_from(m, from);
	if (!err)
		err = osip_message_set_to(m, to);
	if (!err)
		err = osip_message_set_call_id(m, r->call_id);
	if (!err)
		err = osip_message_set_cseq(m, "1 OPTIONS");
	if (!err)
		err = osip_message_set_max_forwards(m, hops);
	if (!err)
		err = osip_message_set_contact(m, contact);
	if (!err && r->user_agent[0])
		err = osip_message_set_user_agent(m, r->user_agent);
	return err;
}

/* What a peer sends wrong is not for our log. */
static void say_nothing(const char *file, int line, osip_trace_level_t level, const char *format, va_list args)
{
}

static void ready(void)
{
	static bool done;

	if (!done) {
		parser_init();
		osip_trace_initialize_func(END_TRACE_LEVEL, say_nothing);
	}
	done = true;
}

size_t options_write(const struct options_request *r, char *out, size_t bytes)
{
	osip_message_t *m = NULL;
	char *text = NULL;
	size_t n = 0;

	ready();
	if (osip_message_init(&m))
		return 0;
	if (fill(m, r) || osip_message_to_str(m, &text, &n) || n > bytes)
		n = 0;
	if (n)
		memcpy(out, text, n);
	osip_free(text);
	osip_message_free(m);
	return n;
}

static bool begins(const char *line, size_t n, const char *word)
{
	size_t length = strlen(word);

	return n > length && strncasecmp(line, word, length) == 0;
}

/* The status line, and the lines that we want to read: libosip2 need not see what else a peer may send. 0: no status line. */
static size_t lines_for_us(const char *head, size_t bytes, char *out, size_t room)
{
	static const char end[] = "Content-Length: 0\r\n\r\n";
	size_t n = 0;

	if (!begins(head, bytes, "SIP/2.0 "))
		return 0;
	while (bytes) {
		const char *newline = memchr(head, '\n', bytes);
		size_t line = newline ? (size_t)(newline - head) + 1 : bytes;

		if (!newline || n + line + sizeof(end) > room)
			break;
		if (!n || begins(head, line, "Retry-After:") || begins(head, line, "Warning:")) {
			memcpy(out + n, head, line);
			n += line;
		}
		head += line;
		bytes -= line;
	}
	if (!n)
		return 0;
	memcpy(out + n, end, sizeof(end) - 1);
	return n + sizeof(end) - 1;
}

static void append(char *out, size_t room, const char *word, const char *value)
{
	size_t n = strlen(out);

	if (value && value[0])
		snprintf(out + n, room - n, "%s%s%s", n ? "; " : "", word, value);
}

static const char *value_of(const osip_message_t *m, const char *name)
{
	osip_header_t *header = NULL;

	return osip_message_header_get_byname(m, name, 0, &header) >= 0 && header ? header->hvalue : NULL;
}

size_t options_said(const char *head, size_t bytes, char *out, size_t out_bytes)
{
	osip_message_t *m = NULL;
	char text[HEAD_MAX];
	size_t n;

	out[0] = 0;
	ready();
	n = lines_for_us(head, bytes, text, sizeof(text));
	if (!n || osip_message_init(&m))
		return 0;
	if (osip_message_parse(m, text, n) == OSIP_SUCCESS && MSG_IS_RESPONSE(m)) {
		append(out, out_bytes, "", m->reason_phrase);
		append(out, out_bytes, "Retry-After ", value_of(m, "retry-after"));
		append(out, out_bytes, "Warning ", value_of(m, "warning"));
	}
	osip_message_free(m);
	for (n = 0; out[n]; n++)
		if (out[n] < ' ' || out[n] > '~')
			out[n] = '?';
	return n;
}
