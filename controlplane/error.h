/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Error texts for people: one line that names the field at fault, in a buffer of ERROR_TEXT_MAX bytes that the caller owns. */

#define ERROR_TEXT_MAX 512

/* Writes the line (cut where it is too long, newlines become spaces) and returns err, so that a caller may return the call. any */
int error_set(char *error, int err, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Puts "where: " in front of the text that is there. any */
void error_prefix(char *error, const char *format, ...) __attribute__((format(printf, 2, 3)));
