/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdint.h>

struct follow;

/* The last good answers on disk, so that a node that starts while DNS is dead can still route. */

/* Writes all of a list of follows that know something, beside the file, and renames it over it. 0; -ERR_IO, -ERR_NOMEM with an error. */
int kept_write(const char *path, const struct follow *list, char *error);

struct kept;

/* NULL: there is no file, or (with an error that is not empty) it cannot be read or is damaged. */
struct kept *kept_read(const char *path, char *error);
void kept_free(struct kept *k);

/* Gives f what the file knows of its target. */
void kept_remember(const struct kept *k, struct follow *f);
