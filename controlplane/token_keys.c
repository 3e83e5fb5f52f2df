/* SPDX-License-Identifier: Apache-2.0 */
#include "token_keys.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/random.h"
#include "error.h"

static int io_error(char *error, const char *path)
{
	return error_set(error, -ERR_IO, "token_key_file: %s: %s", path, strerror(errno));
}

/* Written beside and linked into place, so that a crash leaves no half key and two starts do not make two. */
static int make_file(const char *path, const struct hash_key *key, char *error)
{
	char temporary[512], line[64];
	int n = snprintf(line, sizeof(line), "0 %016" PRIx64 "%016" PRIx64 "\n", key->k0, key->k1), err = 0, fd;

	snprintf(temporary, sizeof(temporary), "%s.%d", path, (int)getpid());
	fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return io_error(error, temporary);
	if (write(fd, line, (size_t)n) != n || fsync(fd) || link(temporary, path))
		err = io_error(error, path);
	close(fd);
	unlink(temporary);
	return err;
}

static int read_line(const char *line, bool first, struct token_keys *keys)
{
	unsigned id;
	uint64_t k0, k1;
	int used = 0;

	if (sscanf(line, "%u %16" SCNx64 "%16" SCNx64 " %n", &id, &k0, &k1, &used) != 3 || line[used] || id >= TOKEN_KEYS_MAX ||
	    keys->present[id])
		return -ERR_INVALID;
	keys->key[id] = (struct hash_key){ k0, k1 };
	keys->present[id] = true;
	if (first)
		keys->signing = (uint8_t)id;
	return 0;
}

static int read_file(FILE *f, const char *path, struct token_keys *keys, char *error)
{
	char line[128];
	struct stat st;
	unsigned n = 0;

	if (fstat(fileno(f), &st))
		return io_error(error, path);
	if (st.st_mode & 077)
		return error_set(error, -ERR_INVALID, "token_key_file: %s may be read by others (mode %03o): chmod 600 it", path,
				 (unsigned)st.st_mode & 0777);
	memset(keys, 0, sizeof(*keys));
	while (fgets(line, sizeof(line), f)) {
		if (line[0] == '\n' || line[0] == '#')
			continue;
		if (read_line(line, n++ == 0, keys))
			return error_set(error, -ERR_INVALID, "token_key_file: %s: key %u is not ID (0..%d) and 32 hex digits", path, n,
					 TOKEN_KEYS_MAX - 1);
	}
	return n ? 0 : error_set(error, -ERR_INVALID, "token_key_file: %s holds no key", path);
}

int token_keys_load(const char *path, struct token_keys *ret_keys, char *error)
{
	struct token_keys keys = { .present = { true } };
	FILE *f = path[0] ? fopen(path, "re") : NULL;
	int err = 0;

	if (f) {
		err = read_file(f, path, &keys, error);
		fclose(f);
	} else if (path[0] && errno != ENOENT) {
		err = io_error(error, path);
	} else {
		random_secret(&keys.key[0], sizeof(keys.key[0]));
		err = path[0] ? make_file(path, &keys.key[0], error) : 0;
	}
	if (!err)
		*ret_keys = keys;
	return err;
}
