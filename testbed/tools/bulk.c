/* SPDX-License-Identifier: Apache-2.0 */
/* Bulk transfers over one bad link, side by side: from Linux to Linux, from Linux to the data plane's TCP, and from that to Linux.
 *
 *     the kernel, 10.78.0.1 ── near (TUN) ══ the relay ══╦══ far (TUN) ── the kernel of another namespace, 10.78.1.1
 *                                                        ╚══ the endpoint under test, 10.78.2.1
 *
 * All three at once and for the same time, over relays of the same rules and the same seed; what arrived is compared. The last line is JSON:
 * bytes per second by case, the ratios to Linux, and what the endpoint says of itself. Exit status 1: bytes were wrong, a connection ended, or it was
 * slower than --at-least asks. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/counters.h"
#include "clock.h"
#include "relay.h"
#include "tun.h"

#define STREAMS_MAX 64
#define PORT	    5060
#define TCP_CONGESTION 13 /* of <linux/tcp.h>, which has a tcp_info too */
#define BLOCK	    16384
#define TURN_READS  256 /* packets of a device in one turn */

enum place { LINUX_LINUX, LINUX_ENDPOINT, ENDPOINT_LINUX, PLACES };

static const char *const place_names[PLACES] = { "linux_to_linux", "linux_to_endpoint", "endpoint_to_linux" };

struct stream {
	enum place place;
	int sender, receiver; /* the kernel's sockets; -1: the endpoint's end, or not there yet */
	struct tcp_connection *c;
	uint64_t sent, received;
};

static struct {
	struct relay_rules rules;
	unsigned streams; /* of each place */
	const char *congestion; /* of the kernel's */
	unsigned at_least; /* per cent of what goes from Linux to Linux */
	uint64_t warm_us, measure_us;
	int near, far;	/* TUN devices */
	int near_space, far_space;
	int near_listener, far_listener;
	struct relay *relay[PLACES];
	struct tcp *tcp;
	struct counters counters;
	uint8_t room[TUN_HEADROOM + 65536];
	uint8_t block[BLOCK + 256];
	struct stream stream[PLACES * STREAMS_MAX];
	unsigned count;
	uint64_t now_us, begin_us, base[PLACES];
	unsigned wrong, ended;
} b = { .rules = { .seed = 1, .lose = 100, .delay_us = 25000, .bytes_per_s = 12500000, .queue_us = 50000 },
	.streams = 8, .congestion = "cubic", .warm_us = 2000000, .measure_us = 8000000 };

static void __attribute__((noreturn, format(printf, 1, 2))) die(const char *format, ...)
{
	va_list words;

	va_start(words, format);
	fputs("bulk: ", stderr);
	vfprintf(stderr, format, words);
	fputc('\n', stderr);
	va_end(words);
	exit(errno == EPERM ? 77 : 2);
}

/* What stands at a place of a stream; no period of it is a power of two. */
static uint8_t byte_at(uint64_t position)
{
	return (uint8_t)(position % 251);
}

static void check(struct stream *s, const uint8_t *bytes, uint32_t n)
{
	uint32_t from = (uint32_t)(s->received % 251);

	for (uint32_t done = 0; done < n;) {
		uint32_t piece = n - done < BLOCK ? n - done : BLOCK;

		b.wrong += memcmp(bytes + done, b.block + from, piece) != 0;
		from = (from + piece) % 251;
		done += piece;
	}
	s->received += n;
}

/* ---- the endpoint */

static uint8_t *reserve(void *ctx, uint32_t bytes)
{
	return b.room + TUN_HEADROOM;
}

/* A port tells which of the endpoint's two places a segment belongs to: it listens on PORT, and calls from others. */
static struct relay *endpoint_relay(uint16_t port)
{
	return b.relay[port == PORT ? LINUX_ENDPOINT : ENDPOINT_LINUX];
}

static int commit(void *ctx, uint32_t bytes, const struct ip_port *source, const struct ip_port *destination)
{
	uint32_t header = tun_wrap(b.room + TUN_HEADROOM, bytes, source, destination);

	relay_put(endpoint_relay(source->port), 1, b.room + TUN_HEADROOM - header, header + bytes, 0, b.now_us);
	return 0;
}

static void opened(void *ctx, struct tcp_connection *c)
{
	if (tcp_user(c))
		return;
	for (unsigned i = 0; i < b.count && !tcp_user(c); i++) {
		struct sockaddr_in name;
		socklen_t size = sizeof(name);

		if (b.stream[i].place == LINUX_ENDPOINT && !getsockname(b.stream[i].sender, (struct sockaddr *)&name, &size) &&
		    ntohs(name.sin_port) == tcp_remote(c)->port) {
			b.stream[i].c = c;
			tcp_set_user(c, &b.stream[i]);
		}
	}
}

static uint32_t data(void *ctx, struct tcp_connection *c, struct span bytes)
{
	struct stream *s = tcp_user(c);

	if (s)
		check(s, bytes.p, bytes.n);
	return bytes.n;
}

static void closed(void *ctx, struct tcp_connection *c, enum tcp_end why)
{
	struct stream *s = tcp_user(c);

	fprintf(stderr, "bulk: a connection ended: %s\n", tcp_end_name(why));
	b.ended++;
	if (s)
		s->c = NULL;
}

static void push_endpoint(struct stream *s)
{
	uint32_t n = 1;

	while (s->c && n) {
		n = tcp_send(b.tcp, s->c, span_of(b.block + s->sent % 251, BLOCK));
		s->sent += n;
	}
}

static void nothing(void *ctx, struct tcp_connection *c)
{
}

static void writable(void *ctx, struct tcp_connection *c)
{
	push_endpoint(tcp_user(c));
}

static const struct tcp_handlers handlers = {
	.reserve = reserve, .commit = commit, .opened = opened, .data = data, .writable = writable, .peer_closed = nothing, .closed = closed,
};

static void make_endpoint(void)
{
	struct ip_port at = { { { 10, 78, 2, 1 }, IP_V4 }, PORT };
	struct tcp_config c = tcp_config_default();

	c.connections = c.half_open = 4 * STREAMS_MAX;
	c.buffer_bytes = 256 << 20;
	c.handlers = &handlers;
	c.counters = &b.counters;
	c.tuple_key = (struct hash_key){ 5, 6 };
	c.secret = (struct hash_key){ b.now_us, 8 };
	if (tcp_new(&c, b.now_us, &b.tcp) || tcp_listen(b.tcp, &at))
		die("no endpoint");
}

/* ---- the kernel's side */

static void enter(int space)
{
	if (setns(space, CLONE_NEWNET))
		die("network namespace: %s", strerror(errno));
}

static int new_space(const char *device, const char *address, int *ret_tun)
{
	char command[512];
	int space;

	if (unshare(CLONE_NEWNET))
		die("network namespaces need root");
	space = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	*ret_tun = tun_open(device);
	if (space < 0 || *ret_tun < 0)
		die("%s: %s", device, strerror(errno));
	/* No connection learns from the one before. */
	snprintf(command, sizeof(command), "sysctl -q net.ipv4.tcp_no_metrics_save=1; ip link set lo up && ip addr add %s/16 dev %s && "
					   "ip link set %s mtu 1500 up txqueuelen 5000", address, device, device);
	if (system(command))
		die("%s cannot be set up", device);
	return space;
}

static struct sockaddr_in kernel_address(const char *ip, uint16_t port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port) };

	inet_pton(AF_INET, ip, &a.sin_addr);
	return a;
}

static int kernel_listener(int space, const char *ip)
{
	struct sockaddr_in at = kernel_address(ip, PORT);
	int fd, on = 1;

	enter(space);
	fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&at, sizeof(at)) || listen(fd, 256))
		die("listening: %s", strerror(errno));
	return fd;
}

static void call(struct stream *s)
{
	struct ip_port from = { { { 10, 78, 2, 1 }, IP_V4 }, 0 }, to = { { { 10, 78, 0, 1 }, IP_V4 }, PORT };
	struct sockaddr_in at = kernel_address(s->place == LINUX_LINUX ? "10.78.1.1" : "10.78.2.1", PORT);

	s->sender = s->receiver = -1;
	if (s->place == ENDPOINT_LINUX) {
		if (tcp_connect(b.tcp, &from, &to, s, &s->c))
			die("the endpoint does not call");
		return;
	}
	enter(b.near_space);
	s->sender = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (setsockopt(s->sender, IPPROTO_TCP, TCP_CONGESTION, b.congestion, (socklen_t)strlen(b.congestion)))
		die("congestion control %s: %s", b.congestion, strerror(errno));
	if (connect(s->sender, (struct sockaddr *)&at, sizeof(at)) && errno != EINPROGRESS)
		die("connecting: %s", strerror(errno));
}

static bool is_peer(const struct stream *s, uint16_t port)
{
	struct sockaddr_in name;
	socklen_t size = sizeof(name);

	if (s->place == ENDPOINT_LINUX)
		return s->c && tcp_local(s->c)->port == port;
	return !getsockname(s->sender, (struct sockaddr *)&name, &size) && ntohs(name.sin_port) == port;
}

static void accept_all(int listener, enum place place)
{
	struct sockaddr_in name;
	socklen_t size = sizeof(name);
	int fd;

	while ((fd = accept4(listener, (struct sockaddr *)&name, &size, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0)
		for (unsigned i = 0; i < b.count; i++)
			if (b.stream[i].place == place && b.stream[i].receiver < 0 && is_peer(&b.stream[i], ntohs(name.sin_port)))
				b.stream[i].receiver = fd;
}

static void push_kernel(struct stream *s)
{
	static uint8_t got[4 * BLOCK];
	ssize_t n = 0;

	while (s->sender >= 0 && (n = send(s->sender, b.block + s->sent % 251, BLOCK, MSG_NOSIGNAL)) > 0)
		s->sent += (uint64_t)n;
	while (s->receiver >= 0 && (n = recv(s->receiver, got, sizeof(got), 0)) > 0)
		check(s, got, (uint32_t)n);
	if (n < 0 && errno != EAGAIN && errno != ENOTCONN)
		b.ended++;
}

/* ---- packets */

static enum place place_of(const uint8_t *packet, uint32_t bytes, bool from_near)
{
	const uint8_t *other = packet + (from_near ? 16 : 12);
	uint16_t port;

	if (bytes < 40 || packet[0] != 0x45 || packet[9] != 6)
		return PLACES;
	if (other[2] == 1)
		return LINUX_LINUX;
	port = (uint16_t)(packet[22] << 8 | packet[23]);
	return port == PORT ? LINUX_ENDPOINT : ENDPOINT_LINUX;
}

static void read_device(int tun, bool near)
{
	uint8_t packet[RELAY_PACKET_MAX];
	ssize_t n;

	for (unsigned i = 0; i < TURN_READS && (n = read(tun, packet, sizeof(packet))) > 0; i++) {
		enum place place = place_of(packet, (uint32_t)n, near);

		if (place != PLACES)
			relay_put(b.relay[place], near ? 0 : 1, packet, (uint32_t)n, 0, b.now_us);
	}
}

static void deliver(enum place place)
{
	struct tcp_packet p;
	const uint8_t *packet;
	unsigned end;
	uint32_t bytes;

	while ((packet = relay_take(b.relay[place], b.now_us, &end, &bytes))) {
		if (end == 1 || place == LINUX_LINUX) {
			if (write(end == 1 ? b.near : b.far, packet, bytes) < 0 && errno != EINVAL && errno != EAGAIN)
				die("writing a packet: %s", strerror(errno));
		} else if (tun_unwrap(packet, bytes, &p)) {
			p.hash = tcp_packet_hash(&(struct hash_key){ 5, 6 }, &p);
			tcp_input(b.tcp, &p, b.now_us);
		}
	}
}

static int wait_ms(void)
{
	uint64_t due = tcp_next_due(b.tcp);

	for (unsigned i = 0; i < PLACES; i++)
		if (relay_next_due(b.relay[i]) < due)
			due = relay_next_due(b.relay[i]);
	return due <= b.now_us ? 0 : 1;
}

static void turn(void)
{
	struct pollfd polled[4 + 2 * PLACES * STREAMS_MAX] = { { b.near, POLLIN, 0 }, { b.far, POLLIN, 0 }, { b.near_listener, POLLIN, 0 },
							       { b.far_listener, POLLIN, 0 } };
	nfds_t n = 4;

	for (unsigned i = 0; i < b.count; i++) {
		if (b.stream[i].sender >= 0)
			polled[n++] = (struct pollfd){ b.stream[i].sender, POLLOUT, 0 };
		if (b.stream[i].receiver >= 0)
			polled[n++] = (struct pollfd){ b.stream[i].receiver, POLLIN, 0 };
	}
	poll(polled, n, wait_ms());
	b.now_us = clock_us();
	tcp_advance(b.tcp, b.now_us);
	read_device(b.near, true);
	read_device(b.far, false);
	for (unsigned i = 0; i < PLACES; i++)
		deliver((enum place)i);
	accept_all(b.near_listener, ENDPOINT_LINUX);
	accept_all(b.far_listener, LINUX_LINUX);
	for (unsigned i = 0; i < b.count; i++) {
		push_kernel(&b.stream[i]);
		if (b.stream[i].place == ENDPOINT_LINUX)
			push_endpoint(&b.stream[i]);
	}
	tcp_flush(b.tcp, b.now_us);
}

static void run_until(uint64_t end_us)
{
	while (b.now_us < end_us && !b.wrong && !b.ended)
		turn();
}

static uint64_t received(enum place place)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < b.count; i++)
		if (b.stream[i].place == place)
			sum += b.stream[i].received;
	return sum;
}

/* ---- the whole of it */

static void set_up(void)
{
	b.now_us = clock_us();
	for (uint32_t i = 0; i < sizeof(b.block); i++)
		b.block[i] = byte_at(i);
	b.near_space = new_space("near", "10.78.0.1", &b.near);
	b.far_space = new_space("far", "10.78.1.1", &b.far);
	for (unsigned i = 0; i < PLACES; i++)
		if (!(b.relay[i] = relay_new(&b.rules)))
			die("no relay: shares of more than all packets, or no memory");
	b.near_listener = kernel_listener(b.near_space, "10.78.0.1");
	b.far_listener = kernel_listener(b.far_space, "10.78.1.1");
	make_endpoint();
	b.count = PLACES * b.streams;
	for (unsigned i = 0; i < b.count; i++) {
		b.stream[i].place = (enum place)(i % PLACES);
		call(&b.stream[i]);
	}
}

static double rate(enum place place, uint64_t took_us)
{
	return (double)(received(place) - b.base[place]) * 1e6 / (double)took_us;
}

static void report(uint64_t took_us)
{
	double linux_rate = rate(LINUX_LINUX, took_us);
	const struct { const char *name; enum counter which; } told[] = {
		{ "segments_out", COUNTER_tcp_segments_out }, { "retransmitted", COUNTER_tcp_retransmitted }, { "timeouts", COUNTER_tcp_timeouts },
		{ "recoveries", COUNTER_tcp_recoveries }, { "duplicates", COUNTER_tcp_duplicates }, { "out_of_order", COUNTER_tcp_out_of_order },
		{ "bad_checksum", COUNTER_tcp_bad_checksum },
	};

	printf("{\"streams\": %u, \"seconds\": %.1f, \"seed\": %llu, \"wrong\": %u, \"ended\": %u, \"bytes_per_s\": {", b.streams,
	       (double)took_us / 1e6, (unsigned long long)b.rules.seed, b.wrong, b.ended);
	for (unsigned i = 0; i < PLACES; i++)
		printf("%s\"%s\": %.0f", i ? ", " : "", place_names[i], rate((enum place)i, took_us));
	printf("}, \"to_linux\": {");
	for (unsigned i = 1; i < PLACES; i++)
		printf("%s\"%s\": %.2f", i > 1 ? ", " : "", place_names[i], linux_rate > 0 ? rate((enum place)i, took_us) / linux_rate : 0);
	printf("}, \"endpoint\": {");
	for (unsigned i = 0; i < sizeof(told) / sizeof(told[0]); i++)
		printf("%s\"%s\": %llu", i ? ", " : "", told[i].name, (unsigned long long)counter_read(&b.counters, told[i].which));
	printf("}}\n");
}

static bool too_slow(uint64_t took_us)
{
	double least = rate(LINUX_LINUX, took_us) * b.at_least / 100;

	return rate(LINUX_ENDPOINT, took_us) < least || rate(ENDPOINT_LINUX, took_us) < least;
}

static void read_options(int argc, char **argv)
{
	static const struct option options[] = {
		{ "lose", 1, NULL, 'l' }, { "reorder", 1, NULL, 'r' }, { "duplicate", 1, NULL, 'd' }, { "corrupt", 1, NULL, 'c' },
		{ "delay-us", 1, NULL, 'D' }, { "late-us", 1, NULL, 'L' }, { "rate", 1, NULL, 'R' }, { "seed", 1, NULL, 's' }, { "streams", 1, NULL, 'n' },
		{ "seconds", 1, NULL, 't' }, { "congestion", 1, NULL, 'C' }, { "at-least", 1, NULL, 'p' }, { 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		unsigned long long v = c == '?' ? 0 : strtoull(optarg, NULL, 0);

		switch (c) {
		case 'l': b.rules.lose = (unsigned)v; break;
		case 'r': b.rules.reorder = (unsigned)v; break;
		case 'd': b.rules.duplicate = (unsigned)v; break;
		case 'c': b.rules.corrupt = (unsigned)v; break;
		case 'D': b.rules.delay_us = v; break;
		case 'R': b.rules.bytes_per_s = v; break;
		case 'L': b.rules.late_us = v; break;
		case 's': b.rules.seed = v; break;
		case 'n': b.streams = (unsigned)v; break;
		case 'p': b.at_least = (unsigned)v; break;
		case 'C': b.congestion = optarg; break;
		case 't': b.measure_us = v * 1000000; break;
		default:
			fprintf(stderr, "usage: strowger-bulk [--lose N] [--reorder N] [--duplicate N] [--corrupt N]   of 10,000 packets\n"
					"       [--delay-us US] [--late-us US] [--rate BYTES_PER_S] [--seed N] [--streams N] [--seconds S] [--congestion cubic|reno|bbr]\n"
					"       [--at-least PERCENT]   of Linux to Linux, or the exit status is 1\n");
			exit(2);
		}
	}
	if (!b.streams || b.streams > STREAMS_MAX || !b.measure_us)
		die("--streams: 1 to %u; --seconds: at least 1", STREAMS_MAX);
}

int main(int argc, char **argv)
{
	uint64_t begin_us;

	read_options(argc, argv);
	set_up();
	run_until(b.now_us + b.warm_us);
	for (unsigned i = 0; i < PLACES; i++)
		b.base[i] = received((enum place)i);
	begin_us = b.now_us;
	run_until(b.now_us + b.measure_us);
	report(b.now_us - begin_us);
	return b.wrong || b.ended || too_slow(b.now_us - begin_us) ? 1 : 0;
}
