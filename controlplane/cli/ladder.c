/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/ladder.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "cli/table.h"

#define PARTIES_MAX 24
#define APART_MIN   14
#define OURSELVES   "strowger"

/* Columns: the first remote party, Strowger, the others in the order of their first message. */
struct ladder {
	const char *parties[PARTIES_MAX];
	unsigned count;
	int apart; /* from one column to the next */
};

static const char *text_at(const json_t *message, const char *key)
{
	const char *text = json_string_value(json_object_get(message, key));

	return text ? text : "";
}

static unsigned column_of(const struct ladder *l, const char *party)
{
	unsigned i = 0;

	while (i < l->count && strcmp(l->parties[i], party) != 0)
		i++;
	return i < PARTIES_MAX ? i : PARTIES_MAX - 1; /* the last column is shared by those that found no place */
}

static void find_parties(struct ladder *l, const json_t *messages)
{
	json_t *message;
	size_t k;

	json_array_foreach(messages, k, message) {
		const char *remote = text_at(message, "remote");

		if (l->count == 1)
			l->parties[l->count++] = OURSELVES;
		if (column_of(l, remote) == l->count && l->count < PARTIES_MAX)
			l->parties[l->count++] = remote;
	}
	if (l->count == 1)
		l->parties[l->count++] = OURSELVES;
	l->apart = APART_MIN;
	for (unsigned i = 0; i < l->count; i++)
		if ((int)strlen(l->parties[i]) + 2 > l->apart)
			l->apart = (int)strlen(l->parties[i]) + 2;
}

/* "INVITE", or "180" of a status line. */
static void label_of(const char *first_line, char *out, size_t room)
{
	const char *at = first_line;

	if (strncasecmp(at, "SIP/2.0 ", 8) == 0)
		at += 8;
	snprintf(out, room, "%.*s", (int)strcspn(at, " "), at);
	text_printable(out);
}

/* One line of columns: `from` to `to` carry an arrow with a label in its middle; from == to: none. */
static void draw(const struct ladder *l, unsigned from, unsigned to, const char *label, FILE *f)
{
	unsigned left = from < to ? from : to, right = from < to ? to : from;
	int length = (int)(right - left) * l->apart - 1, before, label_bytes = (int)strlen(label);

	if (label_bytes > length - 4)
		label_bytes = length - 4 > 0 ? length - 4 : 0;
	before = (length - label_bytes) / 2;
	for (unsigned i = 0; i < l->count; i++) {
		fputs("│", f);
		if (i < left || i >= right) {
			if (i + 1 < l->count)
				fprintf(f, "%*s", l->apart - 1, "");
			continue;
		}
		for (int k = 0; k < length; k++) {
			if (k == 0 && to < from)
				fputs("◀", f);
			else if (k == length - 1 && to > from)
				fputs("▶", f);
			else if (k >= before && k < before + label_bytes)
				fputc(label[k - before], f);
			else
				fputs("─", f);
		}
		i = right - 1;
	}
}

/* Names over their columns, each in the middle of its line. */
static void print_heads(const struct ladder *l, int margin, FILE *f)
{
	int at = 0;

	for (unsigned i = 0; i < l->count; i++) {
		int begin = margin + (int)i * l->apart - (int)strlen(l->parties[i]) / 2;

		if (begin < at + (at > 0))
			begin = at + (at > 0);
		fprintf(f, "%*s%s", begin - at, "", l->parties[i]);
		at = begin + (int)strlen(l->parties[i]);
	}
	fputc('\n', f);
}

/* Dates: the first day on a line of its own, then clock times. */
static void print_time(const char *time, char day[11], int margin, FILE *f)
{
	if (strncmp(time, day, 10) != 0) {
		snprintf(day, 11, "%.10s", time);
		fprintf(f, "%s (UTC)\n", day);
	}
	fprintf(f, "%-*.12s", margin, strlen(time) > 11 ? time + 11 : time);
}

void ladder_print(const json_t *messages, FILE *f)
{
	struct ladder l = { 0 };
	char day[11] = "";
	json_t *message;
	size_t k;
	int margin;

	find_parties(&l, messages);
	margin = l.count && (int)strlen(l.parties[0]) / 2 > 14 ? (int)strlen(l.parties[0]) / 2 : 14;
	print_heads(&l, margin, f);
	json_array_foreach(messages, k, message) {
		unsigned peer = column_of(&l, text_at(message, "remote")), self = 1;
		bool out = strcmp(text_at(message, "direction"), "out") == 0;
		char label[24], *line = strdup(text_at(message, "first_line"));

		if (!line)
			return;
		text_printable(line);
		label_of(line, label, sizeof(label));
		print_time(text_at(message, "time"), day, margin, f);
		draw(&l, out ? self : peer, out ? peer : self, label, f);
		fprintf(f, "   %s\n", line);
		free(line);
	}
}
