/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "error.h"
#include "model/model.h"
#include "model/number_lines.h"
#include "model/number_map.h"

/* Lines out of any bytes, in pieces of any size: the same numbers, or the same error. The first byte says how long the pieces are. */

static struct model *profiles(void)
{
	static const char *const names[] = { "in", "london" };
	struct model *m = model_new();
	char error[ERROR_TEXT_MAX];

	m->profiles = calloc(2, sizeof(*m->profiles));
	m->profile_count = 2;
	for (unsigned i = 0; i < 2; i++) {
		strcpy(m->profiles[i].name, names[i]);
		m->profiles[i].id = trunk_id(span_str(names[i]));
	}
	CHECK(model_reindex(m, error) == 0);
	return m;
}

static int take(struct number_lines *l, const uint8_t *data, size_t size, size_t piece, char *error)
{
	int err = 0;

	for (size_t at = 0, n; at < size && !err; at += n) {
		char *exact;

		n = size - at < piece ? size - at : piece;
		exact = malloc(n);
		memcpy(exact, data + at, n);
		err = number_lines_take(l, exact, n, error);
		free(exact);
	}
	return err ? err : number_lines_end(l, error);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct model_limits limits = { .numbers = 100, .prefixes = 10, .profiles = 2, .trunks = 1, .endpoints = 1 };
	static struct model *m;
	struct number_lines *whole, *pieces;
	char a[ERROR_TEXT_MAX] = "", b[ERROR_TEXT_MAX] = "";
	int err;

	if (!size)
		return 0;
	m = m ? m : profiles();
	whole = number_lines_new(m, &limits, 0);
	pieces = number_lines_new(m, &limits, 0);
	err = take(whole, data + 1, size - 1, size, a);
	CHECK(take(pieces, data + 1, size - 1, 1 + data[0] % 37, b) == err);
	CHECK(strcmp(a, b) == 0 && (err == 0) == (a[0] == 0));
	CHECK(number_lines_count(whole) == number_lines_count(pieces) && number_lines_count(whole) <= 110);
	number_lines_free(whole);
	number_lines_free(pieces);
	return 0;
}
