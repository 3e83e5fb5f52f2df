/* SPDX-License-Identifier: Apache-2.0 */
#include "certs/ticket_keys.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "alarms/alarms.h"
#include "base/err.h"
#include "base/random.h"
#include "error.h"
#include "log.h"

#define FILE_BYTES_MAX 4096
#define AGAIN_S	       60

static int io_error(char *error, const char *path)
{
	return error_set(error, -ERR_IO, "%s: %s", path, strerror(errno));
}

static int digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool read_line(const char *line, struct ticket_key *ret)
{
	char *end;

	errno = 0;
	ret->made_s = strtoll(line, &end, 10);
	if (end == line || errno || *end != ' ' || ret->made_s < 0)
		return false;
	end++;
	for (unsigned i = 0; i < TLS_TICKET_KEY_BYTES; i++) {
		int high = digit(end[2 * i]), low = high < 0 ? -1 : digit(end[2 * i + 1]);

		if (low < 0)
			return false;
		ret->bytes[i] = (uint8_t)(high << 4 | low);
	}
	return !end[2 * TLS_TICKET_KEY_BYTES];
}

/* The keys of a file's text, which is changed. */
static int parse(char *text, const char *path, struct ticket_key list[TLS_TICKET_KEYS], unsigned *ret_count, char *error)
{
	unsigned n = 0, number = 0;

	for (char *line = text, *next; line; line = next) {
		next = strchr(line, '\n');
		if (next)
			*next++ = 0;
		number++;
		if (!*line || *line == '#')
			continue;
		if (n == TLS_TICKET_KEYS)
			return error_set(error, -ERR_INVALID, "%s: more than %d keys", path, TLS_TICKET_KEYS);
		if (!read_line(line, &list[n]))
			return error_set(error, -ERR_INVALID, "%s:%u: a line is the time when a key was made (Unix seconds), a space and %d hexadecimal digits", path,
					 number, 2 * TLS_TICKET_KEY_BYTES);
		for (unsigned i = 0; i < n; i++)
			if (memcmp(list[i].bytes, list[n].bytes, 16) == 0)
				return error_set(error, -ERR_INVALID, "%s:%u: a key with this name (its first 32 digits) is there already", path, number);
		n++;
	}
	if (!n)
		return error_set(error, -ERR_INVALID, "%s: holds no key", path);
	*ret_count = n;
	return 0;
}

/* -ERR_NOT_FOUND without an error: there is no file. */
static int read_file(const char *path, struct ticket_key list[TLS_TICKET_KEYS], unsigned *ret_count, struct stat *ret_st, char *error)
{
	char text[FILE_BYTES_MAX + 1];
	int fd = open(path, O_RDONLY | O_CLOEXEC), err = 0;
	ssize_t n = 0;

	if (fd < 0)
		return errno == ENOENT ? -ERR_NOT_FOUND : io_error(error, path);
	if (fstat(fd, ret_st) || (n = read(fd, text, sizeof(text))) < 0)
		err = io_error(error, path);
	else if (ret_st->st_mode & 077)
		err = error_set(error, -ERR_INVALID, "%s may be read by others (mode %03o): chmod 600 it", path, (unsigned)ret_st->st_mode & 0777);
	else if (n < 0 || n > FILE_BYTES_MAX)
		err = error_set(error, -ERR_INVALID, "%s: longer than %d bytes", path, FILE_BYTES_MAX);
	close(fd);
	if (!err && n <= FILE_BYTES_MAX) {
		text[n] = 0;
		err = strlen(text) == (size_t)n ? parse(text, path, list, ret_count, error) : error_set(error, -ERR_INVALID, "%s: is no text", path);
	}
	explicit_bzero(text, sizeof(text));
	return err;
}

static size_t write_text(const struct ticket_key *list, unsigned count, char *text)
{
	size_t n = 0;

	for (unsigned i = 0; i < count; i++) {
		n += (size_t)sprintf(text + n, "%lld ", (long long)list[i].made_s);
		for (unsigned b = 0; b < TLS_TICKET_KEY_BYTES; b++)
			n += (size_t)sprintf(text + n, "%02x", list[i].bytes[b]);
		text[n++] = '\n';
	}
	return n;
}

/* Written beside it and moved into its place, so that nobody ever reads half of it; `fresh`: only where nothing is there (-ERR_EXISTS:
 * another node was faster). */
static int write_file(const char *path, const struct ticket_key *list, unsigned count, bool fresh, char *error)
{
	char temporary[512], text[FILE_BYTES_MAX];
	size_t n = write_text(list, count, text);
	int fd, err = 0;

	snprintf(temporary, sizeof(temporary), "%s.%d", path, (int)getpid());
	unlink(temporary);
	fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0) {
		err = io_error(error, temporary);
	} else {
		if (write(fd, text, n) != (ssize_t)n || fsync(fd))
			err = io_error(error, temporary);
		close(fd);
		if (!err && fresh && link(temporary, path))
			err = errno == EEXIST ? -ERR_EXISTS : io_error(error, path);
		if (!err && !fresh && rename(temporary, path))
			err = io_error(error, path);
		unlink(temporary);
	}
	explicit_bzero(text, sizeof(text));
	return err;
}

static int give(struct ticket_keys *k, char *error)
{
	uint8_t keys[TLS_TICKET_KEYS][TLS_TICKET_KEY_BYTES];
	int err;

	for (unsigned i = 0; i < k->count; i++)
		memcpy(keys[i], k->list[i].bytes, sizeof(keys[i]));
	err = tls_store_set_ticket_keys(k->store, (const uint8_t (*)[TLS_TICKET_KEY_BYTES])keys, k->count);
	explicit_bzero(keys, sizeof(keys));
	return err ? error_set(error, err, "ticket keys: %s", err_name(err)) : 0;
}

static struct ticket_key new_key(int64_t now_s)
{
	struct ticket_key key = { .made_s = now_s };

	random_secret(key.bytes, sizeof(key.bytes));
	return key;
}

/* Takes over what the file says. -ERR_NOT_FOUND: there is none. */
static int load(struct ticket_keys *k, char *error)
{
	struct ticket_key list[TLS_TICKET_KEYS];
	unsigned count = 0;
	struct stat st;
	int err = read_file(k->path, list, &count, &st, error);

	if (err)
		return err;
	memcpy(k->list, list, sizeof(k->list));
	k->count = count;
	k->seen = st;
	explicit_bzero(list, sizeof(list));
	return give(k, error);
}

int ticket_keys_start(struct ticket_keys *k, int64_t now_s, char *error)
{
	int err = k->path ? load(k, error) : -ERR_NOT_FOUND;

	if (err != -ERR_NOT_FOUND)
		goto out;
	k->list[0] = new_key(now_s);
	k->count = 1;
	if (!k->path)
		return give(k, error);
	err = write_file(k->path, k->list, 1, true, error);
	if (!err || err == -ERR_EXISTS)
		err = load(k, error);
out:
	if (err && err != -ERR_NOT_FOUND)
		error_prefix(error, "tls.ticket_keys");
	return err;
}

static void tell(struct ticket_keys *k, const char *error)
{
	if (error && strcmp(k->broken, error) != 0)
		alarm_raise(k->alarms, ALARM_TICKET_KEYS, k->path, "%s", error);
	else if (!error)
		alarm_clear(k->alarms, ALARM_TICKET_KEYS, k->path, "%u keys are in use", k->count);
	snprintf(k->broken, sizeof(k->broken), "%s", error ? error : "");
}

static void rotate(struct ticket_keys *k, int64_t now_s, char *error)
{
	struct ticket_key next[TLS_TICKET_KEYS];
	unsigned count = k->count < k->keep + 1 ? k->count + 1 : k->keep + 1;

	next[0] = new_key(now_s);
	memcpy(next + 1, k->list, (count - 1) * sizeof(next[0]));
	if (k->path && write_file(k->path, next, count, false, error)) {
		tell(k, error);
		k->again_s = now_s + AGAIN_S;
		return;
	}
	memcpy(k->list, next, count * sizeof(next[0]));
	k->count = count;
	explicit_bzero(next, sizeof(next));
	if (k->path && stat(k->path, &k->seen))
		memset(&k->seen, 0, sizeof(k->seen));
	if (give(k, error))
		log_line(LOG_LEVEL_ERROR, "%s", error);
	else if (k->path)
		tell(k, NULL);
}

void ticket_keys_reload(struct ticket_keys *k, int64_t now_s)
{
	char error[ERROR_TEXT_MAX];
	int err;

	if (!k->path)
		return;
	err = load(k, error);
	if (err == -ERR_NOT_FOUND)
		error_set(error, err, "%s: it is gone", k->path);
	tell(k, err ? error : NULL);
	k->unread = err != 0;
	if (stat(k->path, &k->seen))
		memset(&k->seen, 0, sizeof(k->seen));
}

static bool changed(const struct ticket_keys *k)
{
	struct stat st;

	if (stat(k->path, &st))
		return !k->unread;
	return st.st_ino != k->seen.st_ino || st.st_size != k->seen.st_size || st.st_mode != k->seen.st_mode ||
	       st.st_mtim.tv_sec != k->seen.st_mtim.tv_sec || st.st_mtim.tv_nsec != k->seen.st_mtim.tv_nsec;
}

void ticket_keys_look(struct ticket_keys *k, int64_t now_s)
{
	char error[ERROR_TEXT_MAX];

	if (k->path && changed(k))
		ticket_keys_reload(k, now_s);
	if (k->rotate_s && !k->unread && now_s >= k->again_s && now_s - k->list[0].made_s >= (int64_t)k->rotate_s)
		rotate(k, now_s, error);
}
