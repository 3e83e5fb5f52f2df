/* SPDX-License-Identifier: Apache-2.0 */
#include "base/counters.h"

const char *counter_name(enum counter which)
{
	static const char *const names[COUNTER_COUNT] = {
#define X(name) [COUNTER_##name] = #name,
		COUNTERS(X)
#undef X
	};

	return (unsigned)which < COUNTER_COUNT ? names[which] : "unknown";
}
