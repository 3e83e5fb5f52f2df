/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "sip/token.h"

/* The keys under which dialogs are signed, kept so that dialogs survive a restart. The file has one key per line, "ID HEX" (ID 0..3, 32 hex
 * digits): the first line signs, all verify. */

/* Reads path, or makes it with one fresh key (mode 0600); an empty path makes a key that lasts until the end.
 * 0; -ERR_INVALID (also: others may read it), -ERR_IO with an error. control-only */
int token_keys_load(const char *path, struct token_keys *ret_keys, char *error);
