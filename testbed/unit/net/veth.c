/* SPDX-License-Identifier: Apache-2.0 */
#include "veth.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#define SKIPPED 77

void run(const char *command)
{
	if (system(command)) {
		fprintf(stderr, "failed: %s\n", command);
		_exit(1);
	}
}

void in_child(void (*fn)(void))
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (unshare(CLONE_NEWNET))
			_exit(SKIPPED);
		run("ip link set lo up");
		fn();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == SKIPPED)
		skip();
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

void make_veth(unsigned queues)
{
	char command[512];

	snprintf(command, sizeof(command),
		 "ip link add port0 numtxqueues %u numrxqueues %u type veth peer name peer numtxqueues %u numrxqueues %u &&"
		 "sysctl -qw net.ipv6.conf.port0.disable_ipv6=1 net.ipv6.conf.peer.disable_ipv6=1 &&"
		 "ip link set port0 up && ip link set peer up",
		 queues, queues, queues, queues);
	run(command);
}

int raw_socket(const char *interface)
{
	struct sockaddr_ll to = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL), .sll_ifindex = (int)if_nametoindex(interface) };
	int one = 1, s = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL));

	CHECK(s >= 0);
	CHECK(bind(s, (struct sockaddr *)&to, sizeof(to)) == 0);
	CHECK(setsockopt(s, SOL_PACKET, PACKET_AUXDATA, &one, sizeof(one)) == 0);
	return s;
}

ssize_t peer_receive(int peer, uint8_t *bytes, size_t room)
{
	struct pollfd fd = { .fd = peer, .events = POLLIN };
	struct sockaddr_ll from;
	socklen_t n = sizeof(from);
	ssize_t length;

	do {
		if (poll(&fd, 1, WAIT_MS) != 1)
			return 0;
		length = recvfrom(peer, bytes, room, 0, (struct sockaddr *)&from, &n);
	} while (from.sll_pkttype == PACKET_OUTGOING);
	return length;
}
