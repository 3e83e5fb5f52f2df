/* SPDX-License-Identifier: Apache-2.0 */
#include "records.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mailbox.h"
#include "base/pages.h"
#include "tables/call_record.h"

#define RECORDS_PER_WORKER 2048

struct records {
	unsigned workers, turn;
	size_t bytes, each;
	int fd; /* locked while open; -1: plain memory */
	uint8_t *memory;
	struct mailbox *mailbox[];
};

static int refused(char *error_text, const char *path, const char *what)
{
	snprintf(error_text, 256, "%.180s: %s: %.40s", path, what, strerror(errno));
	return -1;
}

/* Opens and locks the file and gives it its size. The descriptor, or -1. */
static int file_open(const char *path, size_t bytes, char *error_text)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	char old[300];
	struct stat st;

	if (fd < 0)
		return refused(error_text, path, "cannot be opened");
	if (flock(fd, LOCK_EX | LOCK_NB) < 0 || fstat(fd, &st) < 0) {
		refused(error_text, path, "is another strowgerd's");
		close(fd);
		return -1;
	}
	if (st.st_size && (size_t)st.st_size != bytes) {
		snprintf(old, sizeof(old), "%.280s.old", path);
		close(fd);
		if (rename(path, old) < 0)
			return refused(error_text, path, "cannot be moved aside");
		return file_open(path, bytes, error_text);
	}
	/* Blocks, not a hole: a full disk must show now, not as SIGBUS in a worker. */
	errno = posix_fallocate(fd, 0, (off_t)bytes);
	if (errno) {
		refused(error_text, path, "no room");
		close(fd);
		return -1;
	}
	return fd;
}

struct records *records_open(const char *path, unsigned workers, char *error_text)
{
	size_t each = (mailbox_bytes(RECORDS_PER_WORKER, sizeof(struct call_record)) + 4095) & ~(size_t)4095;
	struct records *r = calloc(1, sizeof(*r) + workers * sizeof(r->mailbox[0]));
	bool mapped = path && path[0];

	snprintf(error_text, 256, "out of memory for call records");
	if (!r)
		return NULL;
	r->workers = workers;
	r->each = each;
	r->bytes = each * workers;
	r->fd = mapped ? file_open(path, r->bytes, error_text) : -1;
	if (mapped && r->fd < 0)
		goto fail;
	r->memory = mapped ? mmap(NULL, r->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, r->fd, 0) : pages_new(r->bytes);
	if (!r->memory || r->memory == MAP_FAILED)
		goto fail_fd;
	pages_touch(r->memory, r->bytes); /* so that no worker waits for a page when it posts there first */
	for (unsigned i = 0; i < workers; i++) {
		uint32_t pending;

		r->mailbox[i] = mailbox_in(r->memory + i * each, RECORDS_PER_WORKER, sizeof(struct call_record), &pending);
	}
	return r;
fail_fd:
	if (r->fd >= 0)
		close(r->fd);
fail:
	free(r);
	return NULL;
}

void records_close(struct records *r)
{
	if (!r)
		return;
	if (r->fd >= 0) {
		munmap(r->memory, r->bytes);
		close(r->fd);
	} else {
		pages_free(r->memory, r->bytes);
	}
	free(r);
}

struct mailbox *records_mailbox(const struct records *r, unsigned worker)
{
	return r->mailbox[worker];
}

const struct call_record *records_peek(struct records *r)
{
	for (unsigned i = 0; i < r->workers; i++) {
		const struct call_record *record = mailbox_peek(r->mailbox[r->turn]);

		if (record)
			return record;
		r->turn = (r->turn + 1) % r->workers;
	}
	return NULL;
}

void records_drop(struct records *r)
{
	mailbox_drop(r->mailbox[r->turn]);
}
