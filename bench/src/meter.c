/* SPDX-License-Identifier: Apache-2.0 */
#include "meter.h"

#include <stdlib.h>
#include <string.h>

void meter_add(struct meter *m, double ns)
{
	if (m->count == m->room) {
		m->room = m->room ? 2 * m->room : 1024;
		m->ns = realloc(m->ns, m->room * sizeof(*m->ns));
		if (!m->ns)
			abort();
	}
	m->ns[m->count++] = ns;
}

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double mean_below(const double *ns, uint32_t count, double limit, uint32_t *ret_left_out)
{
	double sum = 0;
	uint32_t n = 0;

	for (uint32_t i = 0; i < count; i++)
		if (ns[i] <= limit)
			sum += ns[i], n++;
	*ret_left_out = count - n;
	return n ? sum / n : 0;
}

void meter_summary(const struct meter *m, struct meter_summary *ret)
{
	double *sorted = malloc((m->count + 1) * sizeof(*sorted));
	uint32_t ignored;

	memset(ret, 0, sizeof(*ret));
	if (!m->count || !sorted) {
		free(sorted);
		return;
	}
	memcpy(sorted, m->ns, m->count * sizeof(*sorted));
	qsort(sorted, m->count, sizeof(*sorted), ascending);
	ret->batches = m->count;
	ret->median = sorted[m->count / 2];
	ret->p99 = sorted[(uint64_t)m->count * 99 / 100];
	ret->mean = mean_below(m->ns, m->count, 4 * ret->median, &ret->interrupted);
	for (uint32_t i = 0; i < METER_WINDOWS; i++) {
		uint32_t from = m->count * i / METER_WINDOWS, to = m->count * (i + 1) / METER_WINDOWS;

		if (to > from)
			ret->window[i] = mean_below(m->ns + from, to - from, 4 * ret->median, &ignored);
		if (ret->window[i] <= 0) /* none of it was left alone */
			ret->window[i] = ret->mean;
	}
	free(sorted);
}
