/* SPDX-License-Identifier: Apache-2.0 */
#include "versions/versions.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "error.h"
#include "tables/profiles.h"
#include "versions/record.h"
#include "wall_clock.h"

#define HEADER	  "{\"strowger\":\"versions\",\"version\":1}\n"
#define HEADER_BYTES ((off_t)sizeof(HEADER) - 1)
#define LINE_BEGIN "{\"version\":"
#define COPY_BYTES (1u << 20)

struct versions {
	char *path, *temporary; /* NULL: in memory */
	int fd;
	off_t length; /* of what counts in it */
	bool torn;     /* there may be something behind length */
	bool unsynced; /* a power cut may still take the last lines */
	struct versions_limits limits;
	uint64_t first; /* number of the first line */
	uint32_t count, room;
	off_t *offsets; /* of each line */
	off_t grown;	/* begun: length with the new line; 0: nothing is begun */
	uint64_t base;	/* the last number that was ever used, where no line says it */
};

static int io_error(const struct versions *v, char *error)
{
	return error_set(error, -ERR_IO, "%s: %s", v->path ? v->path : "log of versions", strerror(errno));
}

void versions_free(struct versions *v)
{
	if (!v)
		return;
	if (v->fd >= 0)
		close(v->fd);
	free(v->path);
	free(v->temporary);
	free(v->offsets);
	free(v);
}

uint64_t versions_first(const struct versions *v)
{
	return v->count ? v->first : 0;
}

uint64_t versions_last(const struct versions *v)
{
	return v->count ? v->first + v->count - 1 : 0;
}

uint64_t versions_next(const struct versions *v)
{
	return (v->count ? versions_last(v) : v->base) + 1;
}

static int make_room(struct versions *v)
{
	uint32_t room = v->room ? 2 * v->room : 1024;
	off_t *more;

	if (v->count < v->room)
		return 0;
	more = realloc(v->offsets, room * sizeof(*more));
	if (!more)
		return -ERR_NOMEM;
	v->offsets = more;
	v->room = room;
	return 0;
}

/* ---- opening */

static int write_header(struct versions *v, char *error)
{
	if (ftruncate(v->fd, 0) || pwrite(v->fd, HEADER, (size_t)HEADER_BYTES, 0) != HEADER_BYTES)
		return io_error(v, error);
	v->length = HEADER_BYTES;
	v->count = 0;
	v->torn = false;
	return 0;
}

/* The number that a line begins with; 0: it is none of ours. What is behind it is looked at when it is asked for. */
static uint64_t line_version(const char *line, size_t bytes)
{
	uint64_t n = 0;
	size_t i = sizeof(LINE_BEGIN) - 1;

	if (bytes < i || memcmp(line, LINE_BEGIN, i) != 0)
		return 0;
	for (; i < bytes && line[i] >= '0' && line[i] <= '9' && n < UINT64_MAX / 10 - 10; i++)
		n = 10 * n + (uint64_t)(line[i] - '0');
	return i + 1 < bytes && line[i] == ',' && line[bytes - 1] == '}' ? n : 0;
}

/* A last line without its newline was never accepted. 0; -ERR_INVALID: it is no log, or has a gap. */
static int index_lines(struct versions *v, const char *text, size_t bytes)
{
	size_t at = (size_t)HEADER_BYTES;

	if (bytes < at || memcmp(text, HEADER, at) != 0)
		return -ERR_INVALID;
	while (at < bytes) {
		const char *end = memchr(text + at, '\n', bytes - at);
		uint64_t n = end ? line_version(text + at, (size_t)(end - text) - at) : 0;

		if (!end)
			break;
		if (!n || (v->count && n != versions_next(v)))
			return -ERR_INVALID;
		if (make_room(v))
			return -ERR_NOMEM;
		if (!v->count)
			v->first = n;
		v->offsets[v->count++] = (off_t)at;
		at = (size_t)(end - text) + 1;
	}
	v->length = (off_t)at;
	v->torn = at < bytes;
	return 0;
}

static int read_file(struct versions *v, char *error)
{
	struct stat st;
	char *text;
	int err;

	if (fstat(v->fd, &st))
		return io_error(v, error);
	if (st.st_size == 0)
		return write_header(v, error);
	text = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, v->fd, 0);
	if (text == MAP_FAILED)
		return io_error(v, error);
	err = index_lines(v, text, (size_t)st.st_size);
	munmap(text, (size_t)st.st_size);
	return err == -ERR_NOMEM ? error_set(error, err, "out of memory") : err;
}

static int open_file(struct versions *v, char *error)
{
	v->fd = v->path ? open(v->path, O_RDWR | O_CREAT | O_CLOEXEC, 0640) : memfd_create("versions", MFD_CLOEXEC);
	return v->fd < 0 ? io_error(v, error) : 0;
}

static int move_aside(struct versions *v, char *note, char *error)
{
	char aside[4096];

	if (snprintf(aside, sizeof(aside), "%s.damaged", v->path) >= (int)sizeof(aside) || rename(v->path, aside))
		return io_error(v, error);
	error_set(note, 0, "%s is no log of versions, or is damaged at version %llu: it is kept as %s, and a new one begins", v->path,
		  (unsigned long long)versions_next(v), aside);
	v->base = versions_last(v);
	v->count = 0;
	close(v->fd);
	v->fd = -1;
	if (open_file(v, error))
		return -ERR_IO;
	return write_header(v, error);
}

int versions_open(const char *path, const struct versions_limits *limits, struct versions **ret_versions, char *note, char *error)
{
	struct versions *v = calloc(1, sizeof(*v));
	int err;

	note[0] = 0;
	if (!v)
		return error_set(error, -ERR_NOMEM, "out of memory");
	v->fd = -1;
	v->limits = *limits;
	if (path && (!(v->path = strdup(path)) || asprintf(&v->temporary, "%s.new", path) < 0)) {
		v->temporary = NULL;
		versions_free(v);
		return error_set(error, -ERR_NOMEM, "out of memory");
	}
	err = open_file(v, error);
	if (!err)
		err = read_file(v, error);
	if (err == -ERR_INVALID)
		err = move_aside(v, note, error);
	if (err)
		versions_free(v);
	else
		*ret_versions = v;
	return err;
}

/* ---- appending */

/* A line with its newline; its first bytes say its number. */
static int append(struct versions *v, const char *line, size_t n, char *error)
{
	if (make_room(v))
		return error_set(error, -ERR_NOMEM, "out of memory");
	errno = ENOSPC; /* what a write that stops half way means */
	if ((v->torn && ftruncate(v->fd, v->length)) || pwrite(v->fd, line, n, v->length) != (ssize_t)n) {
		int err = io_error(v, error);

		v->torn = ftruncate(v->fd, v->length) != 0;
		return err;
	}
	v->torn = false;
	v->grown = v->length + (off_t)n;
	return 0;
}

static int append_json(struct versions *v, json_t *line, char *error)
{
	char *text = line ? json_dumps(line, JSON_COMPACT) : NULL;
	size_t n = text ? strlen(text) : 0;
	int err;

	json_decref(line);
	if (!text)
		return error_set(error, -ERR_NOMEM, "out of memory");
	text[n++] = '\n'; /* in place of the NUL */
	err = append(v, text, n, error);
	free(text);
	return err;
}

int versions_begin_model(struct versions *v, const struct model *from, const struct model *to, const struct origin *origin, char *error)
{
	int err = append_json(v, record_model(versions_next(v), wall_ms(), from, to, origin), error);

	if (!err && v->path && fdatasync(v->fd)) {
		err = io_error(v, error);
		versions_forget(v);
	}
	return err;
}

static int number_line(struct versions *v, e164 number, bool prefix, const char *was, const char *is, const struct origin *origin, char *out,
		       size_t room)
{
	static const char format[] = LINE_BEGIN "%llu,\"time\":%llu,\"who\":\"%s\",\"operation\":\"%s\",\"total\":1,\"%s\":[[\"%s\",%s%s%s,%s%s%s]]}\n";
	char text[E164_TEXT_MAX];

	e164_format(number, text);
	return snprintf(out, room, format, (unsigned long long)versions_next(v), (unsigned long long)wall_ms(), origin->who, origin->operation,
			prefix ? "prefixes" : "numbers", text, was ? "\"" : "", was ? was : "null", was ? "\"" : "", is ? "\"" : "",
			is ? is : "null", is ? "\"" : "");
}

static bool plain(const char *text)
{
	return strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_. @") == strlen(text);
}

/* By hand, since there may be ten thousand a second; what JSON would escape takes the long way. */
int versions_begin_number(struct versions *v, e164 number, bool prefix, const char *was, const char *is, const struct origin *origin,
			  char *error)
{
	char text[E164_TEXT_MAX], line[512 + 2 * PROFILE_NAME_MAX];
	json_t *json;
	int n = !origin->comment && plain(origin->who) && plain(origin->operation) ?
			number_line(v, number, prefix, was, is, origin, line, sizeof(line)) : -1;

	if (n > 0 && n < (int)sizeof(line))
		return append(v, line, (size_t)n, error);
	e164_format(number, text);
	json = json_pack("{s:I, s:I, s:s, s:s, s:s*, s:i, s:[[s, s?, s?]]}", "version", (json_int_t)versions_next(v), "time", (json_int_t)wall_ms(),
			 "who", origin->who, "operation", origin->operation, "comment", origin->comment, "total", 1,
			 prefix ? "prefixes" : "numbers", text, was, is);
	return append_json(v, json, error);
}

static int copy_bytes(int from, off_t at, off_t end, int to)
{
	char *block = malloc(COPY_BYTES);
	int err = block ? 0 : -1;

	while (!err && at < end) {
		size_t most = (size_t)(end - at) < COPY_BYTES ? (size_t)(end - at) : COPY_BYTES;
		ssize_t n = pread(from, block, most, at);

		err = n > 0 && write(to, block, (size_t)n) == n ? 0 : -1;
		at += n > 0 ? n : 0;
	}
	free(block);
	return err;
}

/* Drops the older half. Where that fails the log stays as it is, and it is tried again with the next version. */
static void drop_oldest(struct versions *v)
{
	uint32_t gone = v->count / 2;
	off_t from;
	int fd;

	while (gone + 1 < v->count && v->length - v->offsets[gone] > (off_t)(v->limits.bytes / 2))
		gone++;
	from = v->offsets[gone];
	fd = v->path ? open(v->temporary, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0640) : memfd_create("versions", MFD_CLOEXEC);
	if (fd < 0)
		return;
	if (write(fd, HEADER, (size_t)HEADER_BYTES) != HEADER_BYTES || copy_bytes(v->fd, from, v->length, fd) ||
	    (v->path && (fdatasync(fd) || rename(v->temporary, v->path)))) {
		close(fd);
		if (v->path)
			unlink(v->temporary);
		return;
	}
	close(v->fd);
	v->fd = fd;
	v->first += gone;
	v->count -= gone;
	for (uint32_t i = 0; i < v->count; i++)
		v->offsets[i] = v->offsets[i + gone] - from + HEADER_BYTES;
	v->length = v->length - from + HEADER_BYTES;
	v->torn = v->unsynced = false;
}

void versions_keep(struct versions *v)
{
	if (!v->grown)
		return;
	if (!v->count)
		v->first = v->base + 1;
	v->offsets[v->count++] = v->length; /* append has made room */
	v->length = v->grown;
	v->grown = 0;
	v->unsynced = true;
	if (v->count > v->limits.keep || v->length > (off_t)v->limits.bytes)
		drop_oldest(v);
}

void versions_forget(struct versions *v)
{
	if (v->grown)
		v->torn = ftruncate(v->fd, v->length) != 0;
	v->grown = 0;
}

int versions_settle(struct versions *v, char *error)
{
	if (!v->unsynced)
		return 0;
	v->unsynced = false;
	return !v->path || fdatasync(v->fd) == 0 ? 0 : io_error(v, error);
}

/* Does the last version say that the process began with this very routing? */
static bool began_so(const struct versions *v, const char *print)
{
	char ignored[ERROR_TEXT_MAX];
	const char *was;
	json_t *line;
	bool same;

	if (!v->count || versions_read(v, versions_last(v), &line, ignored))
		return false;
	was = json_string_value(json_object_get(line, "print"));
	same = was && strcmp(was, print) == 0;
	json_decref(line);
	return same;
}

int versions_start(struct versions *v, uint64_t accepted, const struct model *model, const struct origin *origin, uint64_t *ret_dropped,
		   char *error)
{
	uint64_t last = versions_last(v);
	char print[RECORD_PRINT_MAX];
	int err;

	*ret_dropped = 0;
	if (v->count && accepted >= v->first && accepted <= last) {
		*ret_dropped = last - accepted;
		if (last == accepted)
			return 0;
		v->length = v->offsets[accepted + 1 - v->first];
		v->count -= (uint32_t)(last - accepted);
		v->torn = true;
		return 0;
	}
	record_print(model, print);
	if (began_so(v, print))
		return 0;
	if (!v->count && v->base < accepted)
		v->base = accepted; /* the log is gone, its numbers are not given again */
	err = append_json(v, record_start(versions_next(v), wall_ms(), print, v->count || v->base, origin), error);
	if (!err)
		versions_keep(v);
	return err;
}

/* ---- reading */

int versions_read(const struct versions *v, uint64_t version, json_t **ret_line, char *error)
{
	off_t at, end;
	char *text;
	json_t *line;

	if (!v->count || version < v->first || version > versions_last(v))
		return error_set(error, -ERR_NOT_FOUND, "version %llu is not kept: %llu to %llu are", (unsigned long long)version,
				 (unsigned long long)versions_first(v), (unsigned long long)versions_last(v));
	at = v->offsets[version - v->first];
	end = version == versions_last(v) ? v->length : v->offsets[version + 1 - v->first];
	text = malloc((size_t)(end - at));
	if (!text)
		return error_set(error, -ERR_NOMEM, "out of memory");
	if (pread(v->fd, text, (size_t)(end - at), at) != end - at) {
		free(text);
		return io_error(v, error);
	}
	line = json_loadb(text, (size_t)(end - at), JSON_REJECT_DUPLICATES, NULL);
	free(text);
	if (!line || !json_is_string(json_object_get(line, "who")) || !json_is_string(json_object_get(line, "operation"))) {
		json_decref(line);
		return error_set(error, -ERR_INVALID, "version %llu is damaged in %s", (unsigned long long)version, v->path ? v->path : "memory");
	}
	*ret_line = line;
	return 0;
}
