/* SPDX-License-Identifier: Apache-2.0 */
#include "linux_bed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "relay.h"
#include "tun.h"

enum { OURS, KERNELS }; /* the relay's ends */

struct bed bed;

uint64_t bed_clock_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

/* ---- packets */

void bed_deliver(void)
{
	struct tcp_packet packet;
	const uint8_t *p;
	uint32_t bytes;
	unsigned end;

	while ((p = relay_take(bed.relay, bed.now_us, &end, &bytes))) {
		if (end == OURS) {
			if (write(bed.tun, p, bytes) < 0)
				assert_true(errno == EAGAIN || errno == ENOBUFS);
		} else if (tun_unwrap(p, bytes, &packet)) {
			packet.hash = tcp_packet_hash(&bed.tcp->config.tuple_key, &packet);
			tcp_input(bed.tcp, &packet, bed.now_us);
		}
	}
}

/* ---- the endpoint's handlers */

static uint8_t *reserve(void *ctx, uint32_t bytes)
{
	return bed.room + TUN_HEADROOM;
}

static int commit(void *ctx, uint32_t bytes, const struct ip_port *source, const struct ip_port *destination)
{
	uint32_t header = tun_wrap(bed.room + TUN_HEADROOM, bytes, source, destination);

	relay_put(bed.relay, OURS, bed.room + TUN_HEADROOM - header, header + bytes, 0, bed.now_us);
	return 0;
}

static struct stream *stream_of(const struct tcp_connection *c)
{
	return tcp_user(c);
}

static void opened(void *ctx, struct tcp_connection *c)
{
	/* Of those that the kernel calls, by its port. */
	for (unsigned i = 0; i < bed.count && !tcp_user(c); i++) {
		struct sockaddr_storage name = { 0 };
		socklen_t size = sizeof(name);

		if (bed.stream[i].fd < 0 || bed.stream[i].c || getsockname(bed.stream[i].fd, (struct sockaddr *)&name, &size))
			continue;
		/* The port stands in the same place for both families. */
		if (ntohs(((struct sockaddr_in *)&name)->sin_port) == tcp_remote(c)->port) {
			bed.stream[i].c = c;
			tcp_set_user(c, &bed.stream[i]);
		}
	}
	assert_non_null(tcp_user(c));
	bed.accepted++;
}

static uint32_t data(void *ctx, struct tcp_connection *c, struct span bytes)
{
	struct stream *s = stream_of(c);

	for (uint32_t i = 0; i < bytes.n; i++)
		bed.wrong += bytes.p[i] != wire_byte(0, s->received[1] + i);
	s->received[1] += bytes.n;
	return bytes.n;
}

static void writable(void *ctx, struct tcp_connection *c)
{
}

static void peer_closed(void *ctx, struct tcp_connection *c)
{
}

static void closed(void *ctx, struct tcp_connection *c, enum tcp_end why)
{
	struct stream *s = stream_of(c);

	if (!s)
		return;
	s->closed = true;
	s->why = why;
	s->c = NULL;
}

static const struct tcp_handlers handlers = {
	.reserve = reserve, .commit = commit, .opened = opened, .data = data, .writable = writable, .peer_closed = peer_closed, .closed = closed,
};

/* ---- streams */

static struct ip_port address(bool kernel, uint16_t port)
{
	if (bed.v6)
		return (struct ip_port){ { { 0xfd, 0x78, [15] = kernel ? 1 : 2 }, IP_V6 }, port };
	return (struct ip_port){ { { 10, 78, 0, kernel ? 1 : 2 }, IP_V4 }, port };
}

static socklen_t kernel_address(const struct ip_port *from, struct sockaddr_storage *to)
{
	memset(to, 0, sizeof(*to));
	if (from->ip.family == IP_V6) {
		struct sockaddr_in6 *a = (struct sockaddr_in6 *)to;

		a->sin6_family = AF_INET6;
		a->sin6_port = htons(from->port);
		memcpy(&a->sin6_addr, from->ip.bytes, 16);
		return sizeof(*a);
	}
	((struct sockaddr_in *)to)->sin_family = AF_INET;
	((struct sockaddr_in *)to)->sin_port = htons(from->port);
	memcpy(&((struct sockaddr_in *)to)->sin_addr, from->ip.bytes, 4);
	return sizeof(struct sockaddr_in);
}

static int kernel_socket(void)
{
	int fd = socket(bed.v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), on = 1;

	assert_true(fd >= 0);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	return fd;
}

static void push_kernel(struct stream *s)
{
	uint8_t block[8192];
	ssize_t n;

	while (s->sent[0] < bed.bytes) {
		size_t want = bed.bytes - s->sent[0] < sizeof(block) ? bed.bytes - s->sent[0] : sizeof(block);

		for (size_t i = 0; i < want; i++)
			block[i] = wire_byte(0, s->sent[0] + i);
		n = send(s->fd, block, want, MSG_NOSIGNAL);
		if (n <= 0)
			break;
		s->sent[0] += (uint64_t)n;
	}
	if (s->sent[0] == bed.bytes && !s->fin_sent && s->received[0] == bed.bytes) {
		s->fin_sent = true;
		shutdown(s->fd, SHUT_WR);
	}
	while ((n = recv(s->fd, block, sizeof(block), 0)) > 0) {
		for (ssize_t i = 0; i < n; i++)
			bed.wrong += block[i] != wire_byte(1, s->received[0] + (uint64_t)i);
		s->received[0] += (uint64_t)n;
	}
	if (n == 0)
		s->fin_seen = true;
}

static void push_ours(struct stream *s)
{
	uint8_t block[8192];

	while (s->c && s->sent[1] < bed.bytes) {
		uint32_t want = bed.bytes - s->sent[1] < sizeof(block) ? (uint32_t)(bed.bytes - s->sent[1]) : (uint32_t)sizeof(block), n;

		for (uint32_t i = 0; i < want; i++)
			block[i] = wire_byte(1, s->sent[1] + i);
		n = tcp_send(bed.tcp, s->c, span_of(block, want));
		s->sent[1] += n;
		if (n < want)
			return;
	}
	if (s->c && s->sent[1] == bed.bytes && s->received[1] == bed.bytes && tcp_state(s->c) >= TCP_STATE_ESTABLISHED)
		tcp_close(bed.tcp, s->c);
}

static void accept_kernel(void)
{
	struct sockaddr_storage name;
	socklen_t size = sizeof(name);
	int fd = accept4(bed.listener, (struct sockaddr *)&name, &size, SOCK_NONBLOCK);

	if (fd < 0)
		return;
	for (unsigned i = 0; i < bed.count; i++)
		if (bed.stream[i].fd < 0 && bed.stream[i].c && tcp_local(bed.stream[i].c)->port == ntohs(((struct sockaddr_in *)&name)->sin_port)) {
			bed.stream[i].fd = fd;
			return;
		}
	close(fd);
}

void bed_turn(void)
{
	struct pollfd polled[2 + STREAMS] = { { bed.tun, POLLIN, 0 }, { bed.listener, POLLIN, 0 } };
	uint8_t packet[RELAY_PACKET_MAX];
	ssize_t n;

	for (unsigned i = 0; i < bed.count; i++)
		polled[2 + i] = (struct pollfd){ bed.stream[i].fd, POLLIN, 0 };
	poll(polled, 2 + bed.count, 1);
	bed.now_us = bed_clock_us();
	tcp_advance(bed.tcp, bed.now_us);
	for (unsigned i = 0; i < 64 && (n = read(bed.tun, packet, sizeof(packet))) > 0; i++)
		relay_put(bed.relay, KERNELS, packet, (uint32_t)n, 0, bed.now_us);
	bed_deliver();
	accept_kernel();
	for (unsigned i = 0; i < bed.count; i++) {
		if (bed.stream[i].fd >= 0)
			push_kernel(&bed.stream[i]);
		push_ours(&bed.stream[i]);
		if (bed.stream[i].c && !tcp_sound(bed.tcp, bed.stream[i].c))
			fail_msg("what the connection holds is not consistent (%s)", tcp_state_name(tcp_state(bed.stream[i].c)));
	}
	tcp_flush(bed.tcp, bed.now_us);
	bed_deliver();
}

bool bed_all_done(void)
{
	for (unsigned i = 0; i < bed.count; i++)
		if (!bed.stream[i].closed || !bed.stream[i].fin_seen)
			return false;
	return true;
}

void bed_begin(bool v6, uint64_t bytes, unsigned loss_permille, unsigned streams, uint32_t half_open)
{
	/* Late enough for those behind to be first. */
	struct relay_rules rules = { .seed = 42, .lose = 10 * loss_permille, .reorder = 10 * loss_permille, .duplicate = 10 * loss_permille,
				     .late_us = 3000 };
	struct tcp_config c = tcp_config_default();
	struct sockaddr_storage name;
	struct ip_port at;

	bed.relay = relay_new(&rules);
	assert_non_null(bed.relay);
	bed.v6 = v6;
	bed.bytes = bytes;
	bed.count = streams;
	bed.wrong = bed.accepted = 0;
	memset(&bed.counters, 0, sizeof(bed.counters));
	memset(bed.stream, 0, sizeof(bed.stream));
	for (unsigned i = 0; i < STREAMS; i++)
		bed.stream[i].fd = -1;
	c.connections = 64;
	c.half_open = half_open;
	c.buffer_bytes = 8 << 20;
	c.handlers = &handlers;
	c.counters = &bed.counters;
	c.tuple_key = (struct hash_key){ 5, 6 };
	c.secret = (struct hash_key){ bed_clock_us(), 8 };
	bed.now_us = bed_clock_us();
	assert_int_equal(tcp_new(&c, bed.now_us, &bed.tcp), 0);
	at = address(false, PORT);
	assert_int_equal(tcp_listen(bed.tcp, &at), 0);
	bed.listener = kernel_socket();
	at = address(true, PORT);
	assert_int_equal(bind(bed.listener, (struct sockaddr *)&name, kernel_address(&at, &name)), 0);
	assert_int_equal(listen(bed.listener, 16), 0);
}

void bed_finish(void)
{
	for (unsigned i = 0; i < bed.count; i++)
		if (bed.stream[i].fd >= 0)
			close(bed.stream[i].fd);
	close(bed.listener);
	tcp_free(bed.tcp);
	relay_free(bed.relay);
}

void bed_kernel_calls(struct stream *s)
{
	struct ip_port at = address(false, PORT);
	struct sockaddr_storage name;
	socklen_t size = kernel_address(&at, &name);

	s->fd = kernel_socket();
	assert_true(connect(s->fd, (struct sockaddr *)&name, size) == 0 || errno == EINPROGRESS);
}

void bed_we_call(struct stream *s, uint16_t port)
{
	struct ip_port from = address(false, 0), to = address(true, port);

	assert_int_equal(tcp_connect(bed.tcp, &from, &to, s, &s->c), 0);
}

int bed_set_up(void **state)
{
	if (unshare(CLONE_NEWNET)) {
		print_message("needs root\n");
		exit(77);
	}
	bed.tun = tun_open("tcp0");
	assert_true(bed.tun >= 0);
	assert_int_equal(system("ip link set lo up && ip addr add 10.78.0.1/24 dev tcp0 && ip addr add fd78::1/64 dev tcp0 nodad && "
				"ip link set tcp0 up txqueuelen 5000"), 0);
	return 0;
}
