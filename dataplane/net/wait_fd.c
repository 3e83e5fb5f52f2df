/* SPDX-License-Identifier: Apache-2.0 */
#include "net/wait_fd.h"

#include <dirent.h>
#include <linux/if_packet.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static bool has_domain(int fd, int domain)
{
	int value;
	socklen_t n = sizeof(value);

	return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &value, &n) == 0 && value == domain;
}

static bool is_packet(int fd, uint32_t interface_index)
{
	struct sockaddr_ll address;
	socklen_t n = sizeof(address);

	return has_domain(fd, AF_PACKET) && getsockname(fd, (struct sockaddr *)&address, &n) == 0 &&
	       (uint32_t)address.sll_ifindex == interface_index;
}

static bool is_xdp(int fd, uint32_t unused)
{
	return has_domain(fd, AF_XDP);
}

static bool is_tun(int fd, uint32_t unused)
{
	char path[64], target[32];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	n = readlink(path, target, sizeof(target));
	return n == (ssize_t)strlen("/dev/net/tun") && memcmp(target, "/dev/net/tun", (size_t)n) == 0;
}

static int ascending(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

static void collect(bool (*wanted)(int fd, uint32_t arg), uint32_t arg, struct wait_fd_set *ret)
{
	DIR *d = opendir("/proc/self/fd");
	struct dirent *e;

	ret->count = 0;
	if (!d)
		return;
	while ((e = readdir(d)) && ret->count < WAIT_FDS_MAX) {
		int fd = atoi(e->d_name);

		if (e->d_name[0] != '.' && fd != dirfd(d) && wanted(fd, arg))
			ret->fd[ret->count++] = fd;
	}
	closedir(d);
	qsort(ret->fd, ret->count, sizeof(ret->fd[0]), ascending);
}

void wait_fd_packet(uint32_t interface_index, struct wait_fd_set *ret)
{
	collect(is_packet, interface_index, ret);
}

void wait_fd_xdp(struct wait_fd_set *ret)
{
	collect(is_xdp, 0, ret);
}

void wait_fd_tun(struct wait_fd_set *ret)
{
	collect(is_tun, 0, ret);
}

int wait_fd_new(const struct wait_fd_set *before, const struct wait_fd_set *after)
{
	for (unsigned i = 0, k = 0; i < after->count; i++) {
		while (k < before->count && before->fd[k] < after->fd[i])
			k++;
		if (k == before->count || before->fd[k] != after->fd[i])
			return after->fd[i];
	}
	return -1;
}
