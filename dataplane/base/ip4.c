/* SPDX-License-Identifier: Apache-2.0 */
#include "base/ip4.h"

#if CPU_X86
#include <assert.h>
#include <string.h>

struct ip4_shape ip4_shapes[IP4_SHAPES];

const struct ip4_constants ip4_constants = {
	.zeros = { '0', '0', '0', '0', '0', '0', '0', '0', '0', '0', '0', '0', '0', '0', '0', '0' },
	.nines = { 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9 },
	.dots = { '.', '.', '.', '.', '.', '.', '.', '.', '.', '.', '.', '.', '.', '.', '.', '.' },
	.ones = { 1, 1, 1, 1, 1, 1, 1, 1 },
	.most = { 255, 255, 255, 255 },
};

/* Octets of as many digits, 1 to 3 each. */
static void shape_fill(const unsigned digits[4])
{
	static const uint8_t least[] = { 0, 0, 10, 100 };
	struct ip4_shape shape;
	unsigned end = 0;

	memset(&shape, 0, sizeof(shape));
	memset(shape.spread, 0x80, sizeof(shape.spread));
	for (unsigned octet = 0; octet < 4; octet++, end++) {
		end += digits[octet];
		shape.ends |= (uint16_t)(1u << end);
		shape.least[octet] = least[digits[octet]];
		for (unsigned i = 1; i <= digits[octet]; i++)
			shape.spread[4 * octet + 4 - i] = (uint8_t)(end - i);
	}
	assert(!ip4_shapes[IP4_SHAPE_OF(shape.ends)].ends); /* else IP4_SHAPE_OF must have another factor */
	ip4_shapes[IP4_SHAPE_OF(shape.ends)] = shape;
}

static __attribute__((constructor)) void shapes_fill(void)
{
	unsigned d[4];

	for (d[0] = 1; d[0] <= 3; d[0]++)
		for (d[1] = 1; d[1] <= 3; d[1]++)
			for (d[2] = 1; d[2] <= 3; d[2]++)
				for (d[3] = 1; d[3] <= 3; d[3]++)
					shape_fill(d);
}
#endif
