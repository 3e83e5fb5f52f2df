/* SPDX-License-Identifier: Apache-2.0 */
/* The endpoint against the kernel's TCP. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "linux_bed.h"

static void set(const char *name, const char *value)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "/proc/sys/net/ipv4/%s", name);
	fd = open(path, O_WRONLY);
	assert_true(fd >= 0 && write(fd, value, strlen(value)) > 0);
	close(fd);
}

static void test_transfers(void **state)
{
	static const struct {
		const char *what;
		bool v6;
		unsigned loss_permille;
		uint64_t bytes;
		uint32_t half_open;
		const char *sack, *timestamps, *scaling;
	} cases[] = {
		{ "IPv4", false, 0, 4 << 20, 16, "1", "1", "1" },
		{ "IPv6", true, 0, 4 << 20, 16, "1", "1", "1" },
		{ "cookies", false, 0, 300000, 0, "1", "1", "1" },
		{ "1 % lost, swapped, duplicated", false, 10, 1 << 20, 16, "1", "1", "1" },
		{ "5 %, IPv6", true, 50, 200000, 16, "1", "1", "1" },
		{ "5 %, cookies", false, 50, 100000, 0, "1", "1", "1" },
		{ "no SACK, 1 %", false, 10, 500000, 16, "0", "1", "1" },
		{ "no timestamps, 1 %", false, 10, 500000, 16, "1", "0", "1" },
		{ "no option at all, 1 %", false, 10, 300000, 16, "0", "0", "0" },
	};

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t start = bed_clock_us();

		set("tcp_sack", cases[i].sack);
		set("tcp_timestamps", cases[i].timestamps);
		set("tcp_window_scaling", cases[i].scaling);
		bed_begin(cases[i].v6, cases[i].bytes, cases[i].loss_permille, STREAMS, cases[i].half_open);
		for (unsigned s = 0; s < STREAMS; s++) {
			if (s & 1)
				bed_we_call(&bed.stream[s], PORT);
			else
				bed_kernel_calls(&bed.stream[s]);
		}
		while (!bed_all_done() && bed_clock_us() - start < LIMIT_US)
			bed_turn();
		for (unsigned s = 0; s < STREAMS; s++) {
			struct stream *x = &bed.stream[s];

			if (!x->closed || x->why != TCP_END_CLOSED || x->received[0] != bed.bytes || x->received[1] != bed.bytes || bed.wrong)
				fail_msg("%s, stream %u: %llu and %llu of %llu bytes, %u wrong, %s (%s)", cases[i].what, s,
					 (unsigned long long)x->received[0], (unsigned long long)x->received[1], (unsigned long long)bed.bytes,
					 bed.wrong, x->closed ? "closed" : "open", tcp_end_name(x->why));
		}
		print_message("%s: %.2f s, %llu segments, %llu sent again, %llu timeouts, %llu recoveries, %llu cookies\n", cases[i].what,
			      (double)(bed_clock_us() - start) / 1e6, (unsigned long long)counter_read(&bed.counters, COUNTER_tcp_segments_out),
			      (unsigned long long)counter_read(&bed.counters, COUNTER_tcp_retransmitted),
			      (unsigned long long)counter_read(&bed.counters, COUNTER_tcp_timeouts),
			      (unsigned long long)counter_read(&bed.counters, COUNTER_tcp_recoveries),
			      (unsigned long long)counter_read(&bed.counters, COUNTER_tcp_cookies_good));
		assert_int_equal(counter_read(&bed.counters, COUNTER_tcp_bad_checksum), 0);
		if (!cases[i].half_open)
			assert_int_equal(counter_read(&bed.counters, COUNTER_tcp_cookies_good), STREAMS / 2);
		bed_finish();
	}
	set("tcp_sack", "1");
	set("tcp_timestamps", "1");
	set("tcp_window_scaling", "1");
}

static void test_refused(void **state)
{
	uint64_t start = bed_clock_us();

	bed_begin(false, 1000, 0, 1, 16);
	bed_we_call(&bed.stream[0], PORT + 1);
	while (!bed.stream[0].closed && bed_clock_us() - start < LIMIT_US)
		bed_turn();
	assert_true(bed.stream[0].closed);
	assert_int_equal(bed.stream[0].why, TCP_END_REFUSED);
	bed_finish();
}

/* The kernel's side is closed with unread data, or with SO_LINGER of nothing: a reset comes. */
static void test_reset(void **state)
{
	struct linger hard = { 1, 0 };
	uint64_t start = bed_clock_us();

	bed_begin(false, 1, 0, 1, 16);
	bed_kernel_calls(&bed.stream[0]);
	while (!bed.stream[0].c && bed_clock_us() - start < LIMIT_US)
		bed_turn();
	assert_non_null(bed.stream[0].c);
	setsockopt(bed.stream[0].fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
	close(bed.stream[0].fd);
	bed.stream[0].fd = -1;
	while (!bed.stream[0].closed && bed_clock_us() - start < LIMIT_US)
		bed_turn();
	assert_true(bed.stream[0].closed);
	assert_int_equal(bed.stream[0].why, TCP_END_RESET);
	bed_finish();
}

/* And the other way round: what tcp_abort sends ends the kernel's connection. */
static void test_abort(void **state)
{
	uint64_t start = bed_clock_us();
	char byte;
	ssize_t n = -1;

	bed_begin(true, 1 << 30, 0, 1, 16);
	bed_kernel_calls(&bed.stream[0]);
	while (!bed.stream[0].c && bed_clock_us() - start < LIMIT_US)
		bed_turn();
	assert_non_null(bed.stream[0].c);
	tcp_abort(bed.tcp, bed.stream[0].c);
	bed_deliver();
	bed.stream[0].c = NULL;
	errno = 0;
	while (bed_clock_us() - start < LIMIT_US) {
		struct pollfd p = { bed.stream[0].fd, POLLIN, 0 };

		poll(&p, 1, 10);
		do
			n = recv(bed.stream[0].fd, &byte, 1, 0);
		while (n == 1);
		if (n == 0 || errno != EAGAIN)
			break;
	}
	assert_int_equal(n, -1);
	assert_int_equal(errno, ECONNRESET);
	bed_finish();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_transfers),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_reset),
		cmocka_unit_test(test_abort),
	};

	return cmocka_run_group_tests(tests, bed_set_up, NULL);
}
