/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "health/options.h"

/* What a peer answers to OPTIONS reaches libosip2 in the control thread: whatever it is, a short line of printable text comes of it. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char out[96], *exact = malloc(size + !size);
	size_t n;

	memcpy(exact, data, size);
	memset(out, 'x', sizeof(out));
	n = options_said(exact, size, out, sizeof(out));
	CHECK(n < sizeof(out) && !out[n] && strlen(out) == n);
	for (size_t i = 0; i < n; i++)
		CHECK(out[i] >= ' ' && out[i] <= '~');
	free(exact);
	return 0;
}
