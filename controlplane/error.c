/* SPDX-License-Identifier: Apache-2.0 */
#include "error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void one_line(char *text)
{
	for (; *text; text++)
		if (*text == '\n' || *text == '\r')
			*text = ' ';
}

int error_set(char *error, int err, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(error, ERROR_TEXT_MAX, format, args);
	va_end(args);
	one_line(error);
	return err;
}

void error_prefix(char *error, const char *format, ...)
{
	char whole[2 * ERROR_TEXT_MAX];
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(whole, ERROR_TEXT_MAX, format, args);
	va_end(args);
	if (n < 0 || n >= ERROR_TEXT_MAX)
		n = ERROR_TEXT_MAX - 1;
	snprintf(whole + n, sizeof(whole) - n, ": %s", error);
	memcpy(error, whole, ERROR_TEXT_MAX - 1);
	error[ERROR_TEXT_MAX - 1] = 0;
}
