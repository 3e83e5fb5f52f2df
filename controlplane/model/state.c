/* SPDX-License-Identifier: Apache-2.0 */
#include "model/state.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "error.h"
#include "model/model.h"
#include "model/model_json.h"
#include "model/number_map.h"
#include "model/state_read.h"

#define APPENDED_MAX 10000 /* or as many as the file has numbers, so that rewriting it whole stays a small part of the work */

struct state {
	char *path, *temporary;
	int fd;	      /* of the file, for appending; -1: not open */
	off_t length; /* of what counts in it */
	uint32_t appended, appended_max;
	bool torn;     /* there may be something behind length */
	bool unsynced; /* lines were appended that a power cut may still take */
	uint64_t accepted; /* the version that the file says, and that the next change will be */
	enum { STATE_IDLE, STATE_MODEL, STATE_LINE } begun;
	off_t grown; /* STATE_LINE: length with the new line */
};

struct state *state_new(const char *path)
{
	struct state *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->fd = -1;
	s->appended_max = APPENDED_MAX;
	s->path = strdup(path);
	if (!s->path || asprintf(&s->temporary, "%s.new", path) < 0) {
		s->temporary = NULL;
		state_free(s);
		return NULL;
	}
	return s;
}

void state_free(struct state *s)
{
	if (!s)
		return;
	if (s->fd >= 0)
		close(s->fd);
	free(s->path);
	free(s->temporary);
	free(s);
}

static int io_error(char *error, const char *path)
{
	return error_set(error, -ERR_IO, "%s: %s", path, strerror(errno));
}

uint64_t state_accepted(const struct state *s)
{
	return s->accepted;
}

void state_accept(struct state *s, uint64_t version)
{
	s->accepted = version;
}

static void bound_appending(struct state *s, const struct model *m)
{
	uint32_t numbers = number_map_count(m->numbers) + number_map_count(m->prefixes);

	s->appended_max = numbers > APPENDED_MAX ? numbers : APPENDED_MAX;
}

int state_load(struct state *s, const struct model_limits *limits, struct model **ret_model, char *error)
{
	uint64_t length;
	int err = state_read(s->path, limits, ret_model, &length, &s->appended, &s->accepted, error);

	if (err)
		return err;
	s->length = (off_t)length;
	s->torn = true;
	s->fd = open(s->path, O_WRONLY | O_CLOEXEC);
	bound_appending(s, *ret_model);
	return 0;
}

static int write_line(FILE *f, json_t *line)
{
	char *text = line ? json_dumps(line, JSON_COMPACT) : NULL;
	int err = !text || fputs(text, f) < 0 || fputc('\n', f) < 0 ? -ERR_IO : 0;

	free(text);
	json_decref(line);
	return err;
}

static int write_numbers(FILE *f, const struct model *m, bool prefixes)
{
	const struct number_map *map = prefixes ? m->prefixes : m->numbers;
	uint64_t cursor = 0;
	uint32_t profile;
	e164 number;

	/* Written by hand: there may be millions. Names and numbers hold nothing that JSON escapes. */
	while (number_map_next(map, &cursor, &number, &profile)) {
		char text[E164_TEXT_MAX];

		e164_format(number, text);
		if (fprintf(f, "{\"%s\":\"%s\",\"profile\":\"%s\"}\n", prefixes ? "prefix" : "number", text,
			    model_profile_name(m, profile)) < 0)
			return -ERR_IO;
	}
	return 0;
}

static int write_model(FILE *f, const struct model *m, uint64_t accepted)
{
	int err = write_line(f, json_pack("{s:s, s:i, s:I}", "strowger", STATE_FORMAT, "version", STATE_VERSION, "accepted", (json_int_t)accepted));

	for (uint32_t i = 0; !err && i < m->trunk_count; i++)
		err = write_line(f, json_pack("{s:o}", "trunk", model_trunk_json(&m->trunks[i])));
	for (uint32_t i = 0; !err && i < m->profile_count; i++)
		err = write_line(f, json_pack("{s:o}", "profile", model_profile_json(&m->profiles[i])));
	for (uint32_t i = 0; !err && i < m->domain_count; i++)
		err = write_line(f, model_domain_json(m, &m->domains[i]));
	if (!err)
		err = write_numbers(f, m, true);
	return err ? err : write_numbers(f, m, false);
}

int state_begin_model(struct state *s, const struct model *m, char *error)
{
	int fd = open(s->temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
	FILE *f = fd >= 0 ? fdopen(fd, "w") : NULL;
	int err;

	if (!f) {
		err = io_error(error, s->temporary);
		if (fd >= 0)
			close(fd);
		return err;
	}
	errno = 0;
	err = write_model(f, m, s->accepted);
	if (!err && (fflush(f) || fsync(fd)))
		err = -ERR_IO;
	if (err)
		err = io_error(error, s->temporary);
	if (fclose(f) && !err)
		err = io_error(error, s->temporary);
	if (err)
		unlink(s->temporary);
	else
		s->begun = STATE_MODEL;
	bound_appending(s, m);
	return err;
}

/* One line with its newline, in the page cache: a SIGKILL does not take it, a power cut may until it is synced. */
static int append(struct state *s, const char *text, size_t n, char *error)
{
	errno = ENOSPC; /* what a write that stops half way means */
	/* Whatever a torn append left behind goes first. */
	if (s->fd < 0 || (s->torn && ftruncate(s->fd, s->length)) || pwrite(s->fd, text, n, s->length) != (ssize_t)n) {
		int err = io_error(error, s->path);

		s->torn = true;
		if (s->fd >= 0 && ftruncate(s->fd, s->length))
			s->appended = s->appended_max; /* what is there is in doubt: write it whole next time */
		return err;
	}
	s->torn = false;
	s->begun = STATE_LINE;
	s->grown = s->length + (off_t)n;
	return 0;
}

/* Written by hand: there may be ten thousand a second. Names and numbers hold nothing that JSON escapes. */
int state_begin_number(struct state *s, e164 number, bool prefix, const char *profile, char *error)
{
	const char *kind = prefix ? "prefix" : "number";
	char text[E164_TEXT_MAX], line[96 + E164_TEXT_MAX + PROFILE_NAME_MAX];
	unsigned long long accepted = s->accepted;
	int n, err;

	e164_format(number, text);
	if (profile)
		n = snprintf(line, sizeof(line), "{\"%s\":\"%s\",\"profile\":\"%s\",\"accepted\":%llu}\n", kind, text, profile, accepted);
	else
		n = snprintf(line, sizeof(line), "{\"%s\":\"%s\",\"profile\":null,\"accepted\":%llu}\n", kind, text, accepted);
	err = append(s, line, (size_t)n, error);
	s->unsynced |= !err;
	return err;
}

int state_begin_profile(struct state *s, const struct model_profile *profile, char *error)
{
	json_t *json = json_pack("{s:o, s:I}", "profile", model_profile_json(profile), "accepted", (json_int_t)s->accepted);
	char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;
	size_t n;
	int err;

	json_decref(json);
	if (!text)
		return error_set(error, -ERR_NOMEM, "out of memory");
	n = strlen(text);
	text[n++] = '\n'; /* in place of the NUL */
	err = append(s, text, n, error);
	free(text);
	if (!err && fdatasync(s->fd)) {
		err = io_error(error, s->path);
		state_forget(s);
	}
	return err;
}

int state_settle(struct state *s, char *error)
{
	if (!s->unsynced)
		return 0;
	s->unsynced = false;
	if (s->fd >= 0 && fdatasync(s->fd) == 0)
		return 0;
	s->appended = s->appended_max; /* nobody knows what reached the disk: write it whole next time */
	return io_error(error, s->path);
}

/* The rename itself must survive a power cut too. */
static void sync_directory(const char *path)
{
	char *copy = strdup(path);
	int fd = copy ? open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

	if (fd >= 0) {
		fsync(fd);
		close(fd);
	}
	free(copy);
}

static int keep_model(struct state *s, char *error)
{
	struct stat st;

	if (rename(s->temporary, s->path))
		return io_error(error, s->path);
	sync_directory(s->path);
	if (s->fd >= 0)
		close(s->fd);
	s->fd = open(s->path, O_WRONLY | O_CLOEXEC);
	s->appended = 0;
	s->torn = s->unsynced = false;
	s->length = s->fd >= 0 && fstat(s->fd, &st) == 0 ? st.st_size : 0;
	return 0;
}

int state_keep(struct state *s, char *error)
{
	int err = 0;

	if (s->begun == STATE_MODEL) {
		err = keep_model(s, error);
		if (err)
			unlink(s->temporary);
	} else if (s->begun == STATE_LINE) {
		s->length = s->grown;
		s->appended++;
	}
	s->begun = STATE_IDLE;
	return err;
}

void state_forget(struct state *s)
{
	if (s->begun == STATE_MODEL)
		unlink(s->temporary);
	else if (s->begun == STATE_LINE && ftruncate(s->fd, s->length) == 0)
		fdatasync(s->fd);
	else
		s->torn = true;
	s->begun = STATE_IDLE;
}

bool state_wants_model(const struct state *s)
{
	return s->fd < 0 || s->appended >= s->appended_max;
}
