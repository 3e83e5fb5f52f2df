/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Text from the network, for JSON and for people: always valid UTF-8. any, both */

#define UTF8_CHARACTER_MAX 4

/* The first character of n > 0 bytes, as UTF-8 in out; *ret_bytes is its length there. A byte that belongs to no well-formed character becomes
 * the character of its value (Latin-1), a NUL U+FFFD. Returns how many bytes it took. */
size_t utf8_next(const uint8_t *text, size_t n, char out[UTF8_CHARACTER_MAX], unsigned *ret_bytes);

/* The same of a whole text; out has 3 * n + 1 bytes. Returns the length without the NUL that is put behind it. */
size_t utf8_text(const void *text, size_t n, char *out);
