/* SPDX-License-Identifier: Apache-2.0 */
#include "cdr_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "error.h"

#define LINE_BEGINS "{\"type\":\""
#define PATH_BYTES  (sizeof(((struct cdr_file_config *)0)->path) + 12)

struct cdr_file {
	struct cdr_file_config config;
	int fd;
	uint64_t size, rotate_at; /* rotate_at: size that is too much; UINT64_MAX: never */
	struct cdr_file_stats stats;
};

static int io_error(char *error, const char *path)
{
	return error_set(error, -ERR_IO, "cdr.file: %s: %s", path, strerror(errno));
}

int cdr_file_directory(const char *path, char *error)
{
	char directory[PATH_BYTES];
	const char *slash = strrchr(path, '/');

	snprintf(directory, sizeof(directory), "%.*s", (int)(slash - path), path);
	if (directory[0] && mkdir(directory, 0750) && errno != EEXIST)
		return io_error(error, directory);
	return 0;
}

/* A crash or a power cut left half a line: that record comes again, or was never whole. What does not look like ours is left alone, and our
 * first line begins behind it. */
static int mend_end(int fd, off_t *size)
{
	char tail[16384];
	off_t from = *size > (off_t)sizeof(tail) ? *size - (off_t)sizeof(tail) : 0;
	ssize_t n = pread(fd, tail, (size_t)(*size - from), from);
	const char *newline;
	size_t begin, compare;

	if (n <= 0 || tail[n - 1] == '\n')
		return n < 0 ? -1 : 0;
	newline = memrchr(tail, '\n', (size_t)n);
	begin = newline ? (size_t)(newline + 1 - tail) : 0;
	compare = (size_t)n - begin < sizeof(LINE_BEGINS) - 1 ? (size_t)n - begin : sizeof(LINE_BEGINS) - 1;
	if ((newline || from == 0) && memcmp(tail + begin, LINE_BEGINS, compare) == 0) {
		*size = from + (off_t)begin;
		return ftruncate(fd, *size);
	}
	*size += 1;
	return write(fd, "\n", 1) == 1 ? 0 : -1;
}

/* A descriptor for appending, its end whole; -1 with errno. */
static int open_path(const char *path, uint64_t *ret_size)
{
	int fd = open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0640);
	struct stat st;

	if (fd < 0)
		return -1;
	if (fstat(fd, &st))
		goto fail;
	if (!S_ISREG(st.st_mode)) {
		errno = EINVAL;
		goto fail;
	}
	if (mend_end(fd, &st.st_size))
		goto fail;
	*ret_size = (uint64_t)st.st_size;
	return fd;
fail:
	close(fd);
	return -1;
}

static uint64_t rotation_due(const struct cdr_file *f)
{
	return f->config.rotate_bytes ? f->config.rotate_bytes : UINT64_MAX;
}

int cdr_file_open(const struct cdr_file_config *config, struct cdr_file **ret_file, char *error)
{
	struct cdr_file *f = calloc(1, sizeof(*f));

	if (!f)
		return error_set(error, -ERR_NOMEM, "out of memory");
	f->config = *config;
	f->rotate_at = rotation_due(f);
	f->fd = open_path(config->path, &f->size);
	if (f->fd < 0) {
		free(f);
		return io_error(error, config->path);
	}
	*ret_file = f;
	return 0;
}

void cdr_file_close(struct cdr_file *f)
{
	if (!f)
		return;
	close(f->fd);
	free(f);
}

int cdr_file_reopen(struct cdr_file *f)
{
	uint64_t size;
	int fd = open_path(f->config.path, &size);

	if (fd < 0)
		return -ERR_IO;
	close(f->fd);
	f->fd = fd;
	f->size = size;
	f->rotate_at = rotation_due(f);
	return 0;
}

int cdr_file_check(struct cdr_file *f)
{
	struct stat ours, named;

	if (fstat(f->fd, &ours))
		return -ERR_IO;
	if (stat(f->config.path, &named) || named.st_ino != ours.st_ino || named.st_dev != ours.st_dev)
		return cdr_file_reopen(f);
	f->size = (uint64_t)ours.st_size; /* somebody may have emptied it (copytruncate) */
	return 0;
}

/* Every generation grows a year older; the oldest is no more. 0, or -1 with errno. */
static int rename_all(const struct cdr_file_config *c)
{
	char older[PATH_BYTES], younger[PATH_BYTES];

	for (unsigned i = c->keep; i > 0; i--) {
		snprintf(older, sizeof(older), "%s.%u", c->path, i);
		if (i > 1)
			snprintf(younger, sizeof(younger), "%s.%u", c->path, i - 1);
		else
			snprintf(younger, sizeof(younger), "%s", c->path);
		if (rename(younger, older) && errno != ENOENT)
			return -1;
	}
	return 0;
}

/* Where it fails, the file just goes on growing, and it is tried again after as much once more. */
static void rotate(struct cdr_file *f)
{
	if (rename_all(&f->config) == 0 && cdr_file_reopen(f) == 0) {
		f->stats.rotations++;
		return;
	}
	f->stats.rotations_failed++;
	f->rotate_at = f->size + f->config.rotate_bytes;
}

int cdr_file_append(struct cdr_file *f, const char *line, size_t bytes)
{
	ssize_t n;

	if (f->size && f->size + bytes > f->rotate_at)
		rotate(f);
	n = write(f->fd, line, bytes);
	if (n == (ssize_t)bytes) {
		f->size += bytes;
		f->stats.lines++;
		f->stats.bytes += bytes;
		return 0;
	}
	if (n > 0) { /* the disk took a part: away with it, for nobody should read half a line */
		off_t end = lseek(f->fd, 0, SEEK_END);

		if (end >= n && ftruncate(f->fd, end - n) == 0)
			errno = ENOSPC;
	}
	return -ERR_IO;
}

void cdr_file_stats(const struct cdr_file *f, struct cdr_file_stats *ret)
{
	*ret = f->stats;
}

static void tail_of(const char *path, size_t bytes, void (*fn)(void *ctx, const char *line, size_t bytes), void *ctx)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	off_t size = fd < 0 ? 0 : lseek(fd, 0, SEEK_END), from = size > (off_t)bytes ? size - (off_t)bytes : 0;
	char *text = size > 0 ? malloc((size_t)(size - from)) : NULL, *at = text, *newline;
	ssize_t n = text ? pread(fd, text, (size_t)(size - from), from) : 0;
	char *end = text + (n > 0 ? n : 0);

	if (from && at < end) { /* the first line is not whole */
		newline = memchr(at, '\n', (size_t)(end - at));
		at = newline ? newline + 1 : end;
	}
	while (at < end && (newline = memchr(at, '\n', (size_t)(end - at))) != NULL) {
		fn(ctx, at, (size_t)(newline - at));
		at = newline + 1;
	}
	free(text);
	if (fd >= 0)
		close(fd);
}

void cdr_file_tail(const struct cdr_file_config *config, size_t bytes, void (*fn)(void *ctx, const char *line, size_t bytes), void *ctx)
{
	char older[PATH_BYTES];

	snprintf(older, sizeof(older), "%s.1", config->path);
	tail_of(older, bytes, fn, ctx);
	tail_of(config->path, bytes, fn, ctx);
}
