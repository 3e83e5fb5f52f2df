/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* The file of call records, one JSON object per line, and its older generations PATH.1 (the youngest) ... PATH.keep. Every function is
 * control-only. */

struct cdr_file_config {
	char path[240];	       /* absolute; empty: none */
	uint64_t rotate_bytes; /* a line that would make the file longer begins a new one; 0: somebody else rotates (SIGHUP) */
	unsigned keep;	       /* older generations, 1 or more */
};

struct cdr_file;

/* Makes the directory (not its parents) where it is missing. 0, -ERR_IO with an error. */
int cdr_file_directory(const char *path, char *error);

/* Opens (or makes, mode 0640) the file. A last line that was cut short by a crash is removed. config is copied.
 * 0; -ERR_IO, -ERR_NOMEM with an error. */
int cdr_file_open(const struct cdr_file_config *config, struct cdr_file **ret_file, char *error);
/* NULL is ignored. */
void cdr_file_close(struct cdr_file *f);

/* Appends one line (with its newline), whole or not at all; rotates before where it is due. 0; -ERR_IO with errno. */
int cdr_file_append(struct cdr_file *f, const char *line, size_t bytes);

/* Somebody renamed the file: goes on in a new one of the name. 0; -ERR_IO with errno, and the old one is written on. */
int cdr_file_reopen(struct cdr_file *f);

/* Reopens when the file has been removed or replaced under its name. 0 or as cdr_file_reopen. */
int cdr_file_check(struct cdr_file *f);

struct cdr_file_stats {
	uint64_t lines, bytes, rotations, rotations_failed;
};
void cdr_file_stats(const struct cdr_file *f, struct cdr_file_stats *ret);

/* Hands the last lines of the file (and of PATH.1 before it), at most `bytes` of each, oldest first, to fn. */
void cdr_file_tail(const struct cdr_file_config *config, size_t bytes, void (*fn)(void *ctx, const char *line, size_t bytes), void *ctx);
