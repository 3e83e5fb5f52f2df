/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdint.h>

/* Single values as they are written, into what they mean; an error says "PATH.KEY: what is wrong". */

/* *given, or otherwise where given is NULL. 0; -ERR_INVALID when it is outside min..max. */
int field_integer(const int64_t *given, int64_t otherwise, int64_t min, int64_t max, const char *path, const char *key, int64_t *ret,
		  char *error);

/* A copy of given (NULL: empty) into ret of `bytes` bytes. 0; -ERR_INVALID when it does not fit. */
int field_text(const char *given, const char *path, const char *key, char *ret, unsigned bytes, char *error);

/* A name of a trunk, profile ... by the rule of model_name_valid; NULL: empty. */
int field_name(const char *given, const char *path, const char *key, char ret[64], char *error);

/* An absolute path, as field_text; the parent must not be guessed from the working directory. path NULL: the key stands at the top. */
int field_path(const char *given, const char *path, const char *key, char *ret, unsigned bytes, char *error);

/* One of several whole numbers. */
struct field_row {
	const char *key;
	const int64_t *given;
	int64_t min, max;
	uint32_t *value; /* holds the default before */
};
/* 0; -ERR_INVALID at the first that is outside its range. A default is not looked at. */
int field_rows(const struct field_row *rows, unsigned n, const char *path, char *error);

/* The index of given among words ("failover, round_robin"), a list ended by NULL; `otherwise` where given is NULL. */
int field_choice(const char *given, int otherwise, const char *const *words, const char *path, const char *key, int *ret, char *error);
