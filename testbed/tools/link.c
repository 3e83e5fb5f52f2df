/* SPDX-License-Identifier: Apache-2.0 */
/* A bad link between two interfaces: frames go from one to the other, those that carry TCP as relay.h says, all others untouched. Ends at SIGTERM, and says what it
 * did to them as one line of JSON.
 *
 *     strowger-link A B [--seed N] [--lose N] [--reorder N] [--duplicate N] [--corrupt N] (of 10,000) [--late-us US] [--delay-us US] [--rate BYTES_PER_S] */
#include <errno.h>
#include <getopt.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>
#include <arpa/inet.h>

#include "clock.h"
#include "relay.h"

#define BURST	     64
#define BUFFER_BYTES (32 << 20)
#define ETHER_BYTES  14

static struct relay_rules rules = { .seed = 1, .late_us = 3000, .queue_us = 50000 };
static struct relay *relay;
static int ends[2];
static uint64_t refused; /* frames that an interface did not take */

static void __attribute__((noreturn, format(printf, 1, 2))) die(const char *format, ...)
{
	va_list words;

	va_start(words, format);
	fputs("strowger-link: ", stderr);
	vfprintf(stderr, format, words);
	fputc('\n', stderr);
	va_end(words);
	exit(2);
}

static int open_end(const char *name)
{
	struct sockaddr_ll at = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL), .sll_ifindex = (int)if_nametoindex(name) };
	struct packet_mreq all = { .mr_ifindex = at.sll_ifindex, .mr_type = PACKET_MR_PROMISC };
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1, bytes = BUFFER_BYTES;

	if (fd < 0 || !at.sll_ifindex)
		die("%s: %s", name, strerror(errno));
	if (setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof(on)) || setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &on, sizeof(on)) ||
	    setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &all, sizeof(all)) || setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)) ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof(bytes)) || bind(fd, (struct sockaddr *)&at, sizeof(at)))
		die("%s: %s", name, strerror(errno));
	return fd;
}

static bool carries_tcp(const uint8_t *frame, uint32_t bytes)
{
	uint16_t type = bytes > ETHER_BYTES + 40 ? (uint16_t)(frame[12] << 8 | frame[13]) : 0;

	return (type == ETHERTYPE_IP && frame[ETHER_BYTES + 9] == IPPROTO_TCP) || (type == ETHERTYPE_IPV6 && frame[ETHER_BYTES + 6] == IPPROTO_TCP);
}

static void receive(unsigned end, uint64_t now_us)
{
	static uint8_t frames[BURST][RELAY_PACKET_MAX];
	struct mmsghdr messages[BURST];
	struct iovec parts[BURST];
	int n;

	memset(messages, 0, sizeof(messages));
	for (unsigned i = 0; i < BURST; i++) {
		parts[i] = (struct iovec){ frames[i], sizeof(frames[i]) };
		messages[i].msg_hdr.msg_iov = &parts[i];
		messages[i].msg_hdr.msg_iovlen = 1;
	}
	n = recvmmsg(ends[end], messages, BURST, MSG_TRUNC, NULL);
	for (int i = 0; i < n; i++) {
		if (messages[i].msg_len > RELAY_PACKET_MAX)
			die("a frame of %u bytes: segmentation offload is on", messages[i].msg_len);
		if (carries_tcp(frames[i], messages[i].msg_len))
			relay_put(relay, end, frames[i], messages[i].msg_len, ETHER_BYTES, now_us);
		else
			relay_pass(relay, end, frames[i], messages[i].msg_len, now_us);
	}
}

static void deliver(uint64_t now_us)
{
	const uint8_t *frame;
	uint32_t bytes;
	unsigned end;

	while ((frame = relay_take(relay, now_us, &end, &bytes)))
		refused += send(ends[!end], frame, bytes, 0) < 0;
}

/* What the kernel had no room for, which nobody wanted to lose. */
static unsigned missed(void)
{
	unsigned sum = 0;

	for (unsigned end = 0; end < 2; end++) {
		struct tpacket_stats stats = { 0 };
		socklen_t size = sizeof(stats);

		getsockopt(ends[end], SOL_PACKET, PACKET_STATISTICS, &stats, &size);
		sum += stats.tp_drops;
	}
	return sum;
}

static void run(int signals)
{
	struct pollfd polled[] = { { ends[0], POLLIN, 0 }, { ends[1], POLLIN, 0 }, { signals, POLLIN, 0 } };
	uint64_t now_us = clock_us();

	while (!(polled[2].revents & POLLIN)) {
		uint64_t due_us = relay_next_due(relay), wait_us = due_us <= now_us ? 0 : due_us - now_us;
		struct timespec wait = { (time_t)(wait_us / 1000000), (long)(wait_us % 1000000) * 1000 };

		if (ppoll(polled, 3, due_us == UINT64_MAX ? NULL : &wait, NULL) < 0 && errno != EINTR)
			die("poll: %s", strerror(errno));
		now_us = clock_us();
		for (unsigned end = 0; end < 2; end++)
			if (polled[end].revents & POLLIN)
				receive(end, now_us);
		deliver(now_us);
	}
}

static void read_options(int argc, char **argv)
{
	static const struct option options[] = {
		{ "seed", 1, NULL, 's' }, { "lose", 1, NULL, 'l' }, { "reorder", 1, NULL, 'r' }, { "duplicate", 1, NULL, 'd' },
		{ "corrupt", 1, NULL, 'c' }, { "late-us", 1, NULL, 'L' }, { "delay-us", 1, NULL, 'D' }, { "rate", 1, NULL, 'R' }, { 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		unsigned long long v = c == '?' ? 0 : strtoull(optarg, NULL, 0);

		switch (c) {
		case 's': rules.seed = v; break;
		case 'l': rules.lose = (unsigned)v; break;
		case 'r': rules.reorder = (unsigned)v; break;
		case 'd': rules.duplicate = (unsigned)v; break;
		case 'c': rules.corrupt = (unsigned)v; break;
		case 'L': rules.late_us = v; break;
		case 'D': rules.delay_us = v; break;
		case 'R': rules.bytes_per_s = v; break;
		default: exit(2);
		}
	}
	if (optind + 2 != argc)
		die("two interfaces are wanted");
}

int main(int argc, char **argv)
{
	const struct relay_counts *counts;
	sigset_t set;
	int signals;

	read_options(argc, argv);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signals = signalfd(-1, &set, SFD_CLOEXEC);
	relay = relay_new(&rules);
	if (!relay || signals < 0)
		die("shares of more than all frames, or no memory");
	for (unsigned end = 0; end < 2; end++)
		ends[end] = open_end(argv[optind + (int)end]);
	printf("ready\n");
	fflush(stdout);
	run(signals);
	deliver(UINT64_MAX - 1); /* what is under way arrives */
	counts = relay_counts(relay);
	printf("{\"segments\": %llu, \"lost\": %llu, \"reordered\": %llu, \"duplicated\": %llu, \"corrupted\": %llu, \"too_many\": %llu, "
	       "\"refused\": %llu, \"missed\": %u}\n",
	       (unsigned long long)counts->in, (unsigned long long)counts->lost, (unsigned long long)counts->reordered,
	       (unsigned long long)counts->duplicated, (unsigned long long)counts->corrupted, (unsigned long long)counts->too_many,
	       (unsigned long long)refused, missed());
	return 0;
}
