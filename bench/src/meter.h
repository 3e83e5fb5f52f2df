/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdint.h>

/* Times of many batches into one figure. A virtual core is taken away for milliseconds at a time; a batch that took more than four times the
 * median was interrupted, is counted, and is left out. What is slow now and then by itself stays in: no batch is four times its like. */

struct meter {
	double *ns; /* per unit, batch by batch */
	uint32_t count, room;
};

void meter_add(struct meter *m, double ns);

#define METER_WINDOWS 9

struct meter_summary {
	double mean;			/* of what is left */
	double window[METER_WINDOWS];	/* the same for each ninth of the run */
	double median, p99;		/* of batches */
	uint32_t interrupted, batches;
};
void meter_summary(const struct meter *m, struct meter_summary *ret);
