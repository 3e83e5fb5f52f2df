/* SPDX-License-Identifier: Apache-2.0 */
#include "privileges.h"

#include <sched.h>
#include <cap-ng.h>
#include <errno.h>
#include <string.h>
#include <sys/prctl.h>

#include "base/err.h"
#include "error.h"

int privileges_seal(char *error)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return error_set(error, -ERR_IO, "no_new_privs: %s", strerror(errno));
	return 0;
}

/* What stays: addresses and routes of the kernel interfaces and detaching an XDP program (NET_ADMIN, BPF), raw sockets (NET_RAW), the
 * state file and the call records wherever they lie (DAC_OVERRIDE) and the socket's group (CHOWN). */
int privileges_drop(char *error)
{
	static const capng_type_t sets = CAPNG_EFFECTIVE | CAPNG_PERMITTED;

	if (capng_get_caps_process())
		return error_set(error, -ERR_IO, "capabilities cannot be read");
	for (int c = 0; c <= CAP_LAST_CAP; c++) {
		if (c == CAP_NET_ADMIN || c == CAP_NET_RAW || c == CAP_BPF || c == CAP_DAC_OVERRIDE || c == CAP_CHOWN)
			continue;
		capng_update(CAPNG_DROP, sets | CAPNG_INHERITABLE, (unsigned)c);
	}
	if (capng_apply(CAPNG_SELECT_CAPS))
		return error_set(error, -ERR_IO, "capabilities cannot be dropped: %s", strerror(errno));
	return 0;
}

void privileges_leave_cores(const int *cores, unsigned count)
{
	cpu_set_t may;

	if (sched_getaffinity(0, sizeof(may), &may))
		return;
	for (unsigned i = 0; i < count; i++)
		if (cores[i] >= 0 && cores[i] < CPU_SETSIZE)
			CPU_CLR((size_t)cores[i], &may);
	if (CPU_COUNT(&may))
		sched_setaffinity(0, sizeof(may), &may); /* refused: it stays where it was */
}
