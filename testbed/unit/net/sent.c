/* SPDX-License-Identifier: Apache-2.0 */
#include "sent.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdbool.h>
#include <string.h>

#include <cmocka.h>

#include "frames.h"

uint32_t sent_number(const uint8_t *p, unsigned bytes)
{
	uint32_t v = 0;

	while (bytes--)
		v = v << 8 | *p++;
	return v;
}

void sent_check(const uint8_t *ip, uint32_t length, uint32_t payload)
{
	bool v4 = ip[0] >> 4 == 4;
	const uint8_t *udp = ip + (v4 ? 20 : 40);

	if (v4) {
		assert_int_equal(ip[0], 0x45);
		assert_int_equal(sent_number(ip + 2, 2), length);
		assert_int_equal(sent_number(ip + 6, 2), 0);
		assert_int_equal(ip[9], 17);
		assert_int_equal(sum_plain(0, ip, 20), 0xffff);
	} else {
		assert_int_equal(sent_number(ip, 4), 0x60000000);
		assert_int_equal(sent_number(ip + 4, 2), length - 40);
		assert_int_equal(ip[6], 17);
	}
	assert_int_equal(length, (v4 ? 28 : 48) + payload);
	assert_int_equal(sent_number(udp, 2), 5060);
	assert_int_equal(sent_number(udp + 4, 2), 8 + payload);
	assert_int_not_equal(sent_number(udp + 6, 2), 0);
	assert_true(sum_l4_right(ip, udp, 8 + payload, 17));
	for (uint32_t i = 0; i < payload; i++)
		if (udp[8 + i] != (uint8_t)(i + 1))
			fail_msg("payload byte %u", i);
}

uint32_t sent_put_together(uint8_t *const *packets, const uint32_t *lengths, unsigned count, uint32_t mtu, uint8_t *whole)
{
	uint32_t total = 0, covered = 0, first_id = 0;

	for (unsigned i = 0; i < count; i++) {
		const uint8_t *ip = packets[i];
		bool v4 = ip[0] >> 4 == 4;
		uint32_t header = v4 ? 20 : 48, bytes = lengths[i] - header;
		uint32_t offset = v4 ? (sent_number(ip + 6, 2) & 0x1fff) * 8 : sent_number(ip + 42, 2) & 0xfff8;
		uint32_t id = v4 ? sent_number(ip + 4, 2) : sent_number(ip + 44, 4);
		bool more = v4 ? ip[6] & 0x20 : ip[43] & 1;

		assert_true(lengths[i] <= mtu);
		if (v4) {
			assert_int_equal(sum_plain(0, ip, 20), 0xffff);
			assert_int_equal(sent_number(ip + 2, 2), lengths[i]);
			assert_int_equal(ip[6] & 0xc0, 0);
		} else {
			assert_int_equal(sent_number(ip + 4, 2), lengths[i] - 40);
			assert_int_equal(ip[6], 44);
			assert_int_equal(ip[40], 17);
		}
		if (!i)
			first_id = id;
		assert_int_equal(id, first_id);
		assert_int_equal(offset, covered);
		if (more)
			assert_int_equal(bytes % 8, 0);
		else
			total = offset + bytes;
		memcpy(whole + offset, ip + header, bytes);
		covered += bytes;
	}
	assert_int_equal(covered, total);
	return total;
}
