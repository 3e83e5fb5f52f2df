/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <jansson.h>
#include <stddef.h>

struct config;
struct yaml_file;

/* What a process reads of its file at the start alone: everything but the routing sections. Whoever edits the rest and sends SIGHUP
 * is to be told that it is not in force. */

/* Those sections of a file that config_schema accepted, for struct config; NULL: no memory. control-only */
json_t *config_stale_keep(const struct yaml_file *y, char *error);

#define CONFIG_STALE_MAX 256

/* Names the sections of the file, as it is now, that are not as they were when c was loaded: "ejection, quality"; empty: none.
 * 0; -ERR_IO, -ERR_INVALID, -ERR_NOMEM with an error that names file and line. control-only */
int config_stale(const struct config *c, char out[CONFIG_STALE_MAX], char *error);
