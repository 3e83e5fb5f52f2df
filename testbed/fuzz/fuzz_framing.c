/* SPDX-License-Identifier: Apache-2.0 */
#include "check.h"
#include "transport/framing.h"

/* A stream of any bytes: what is found does not depend on the pieces that it comes in, and never lies beyond what has come. The first byte says how long pieces are. */

#define FOUND_MAX 4096

struct found {
	uint32_t verdict, bytes;
};

/* Returns how many were found. */
static unsigned cut(const uint8_t *data, uint32_t size, uint32_t piece, struct found *ret)
{
	struct framing f = { 0 };
	uint32_t from = 0, to = 0;
	unsigned n = 0;

	while (to < size || from < to) {
		uint32_t bytes, step = size - to < piece ? size - to : piece;
		enum framing_verdict v;
		uint8_t *copy;

		to += step;
		copy = malloc(to - from + 1);
		memcpy(copy, data + from, to - from);
		v = framing_next(&f, copy, to - from, &bytes);
		free(copy);
		if (v == FRAMING_MORE) {
			CHECK(bytes == 0);
			if (to == size)
				break;
			continue;
		}
		CHECK(bytes <= to - from);
		CHECK(v > FRAMING_PING || bytes > 0);
		if (n < FOUND_MAX)
			ret[n++] = (struct found){ v, bytes };
		if (v > FRAMING_PING)
			break;
		from += bytes;
	}
	return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct found whole[FOUND_MAX], parts[FOUND_MAX];
	unsigned n;

	if (size < 2 || size > 100000)
		return 0;
	n = cut(data + 1, (uint32_t)size - 1, (uint32_t)size, whole);
	CHECK(cut(data + 1, (uint32_t)size - 1, data[0] + 1u, parts) == n);
	for (unsigned i = 0; i < n; i++)
		CHECK(whole[i].verdict == parts[i].verdict && whole[i].bytes == parts[i].bytes);
	return 0;
}
