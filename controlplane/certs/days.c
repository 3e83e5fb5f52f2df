/* SPDX-License-Identifier: Apache-2.0 */
#include "certs/days.h"

#include <string.h>
#include <time.h>

void day_text(int64_t unix_s, char ret[16])
{
	time_t t = (time_t)unix_s;
	struct tm day;

	if (!gmtime_r(&t, &day) || !strftime(ret, 16, "%Y-%m-%d", &day))
		strcpy(ret, "?");
}

int64_t days_left(int64_t not_after_s, int64_t now_s)
{
	int64_t s = not_after_s - now_s;

	return s >= 0 ? s / 86400 : -((-s + 86399) / 86400);
}
