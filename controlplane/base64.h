/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stddef.h>

/* Bytes inside JSON (RFC 4648 §4). any */

#define BASE64_BYTES(n) (((n) + 2) / 3 * 4 + 1) /* with its NUL */

/* out has BASE64_BYTES(n) bytes. Returns the length without the NUL. */
size_t base64_encode(const void *bytes, size_t n, char *out);

/* Decodes text of n characters into out, which has room for n / 4 * 3 bytes; *ret_bytes is what they were. 0, -ERR_INVALID. */
int base64_decode(const char *text, size_t n, void *out, size_t *ret_bytes);
