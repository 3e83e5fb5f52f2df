/* SPDX-License-Identifier: Apache-2.0 */
#include "net/xdp_program.h"

#include <errno.h>
#include <linux/bpf.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/err.h"

/* What libxdp and libbpf call the programs that they load for AF_XDP sockets. */
static const char *const left_behind[] = { "xsk_def_prog", "xdp_dispatcher", "xsk_prog" };

struct request {
	struct nlmsghdr header;
	struct ifinfomsg link;
	uint8_t attributes[64];
};

static struct rtattr *append(struct request *r, uint16_t type, const void *data, uint16_t bytes)
{
	struct rtattr *a = (struct rtattr *)((uint8_t *)r + NLMSG_ALIGN(r->header.nlmsg_len));

	a->rta_type = type;
	a->rta_len = (uint16_t)RTA_LENGTH(bytes);
	if (bytes)
		memcpy(RTA_DATA(a), data, bytes);
	r->header.nlmsg_len = NLMSG_ALIGN(r->header.nlmsg_len) + RTA_ALIGN(a->rta_len);
	return a;
}

static void request_init(struct request *r, uint16_t type, uint16_t flags, uint32_t interface_index)
{
	*r = (struct request){
		.header = { .nlmsg_len = NLMSG_LENGTH(sizeof(r->link)), .nlmsg_type = type, .nlmsg_flags = NLM_F_REQUEST | flags },
		.link = { .ifi_family = AF_UNSPEC, .ifi_index = (int)interface_index },
	};
}

/* Bytes of the answer, or -1. */
static ssize_t ask(int s, const struct request *r, void *answer, size_t bytes)
{
	if (send(s, r, r->header.nlmsg_len, 0) < 0)
		return -1;
	return recv(s, answer, bytes, 0);
}

/* The attribute among `bytes` of them. */
static const struct rtattr *find(const struct rtattr *a, int bytes, unsigned type)
{
	for (; RTA_OK(a, bytes); a = RTA_NEXT(a, bytes))
		if ((a->rta_type & NLA_TYPE_MASK) == type)
			return a;
	return NULL;
}

/* The program's id, 0: none. false: the kernel did not answer. */
static bool attached_id(int s, uint32_t interface_index, uint32_t *ret_id)
{
	_Alignas(8) uint8_t answer[16384];
	struct nlmsghdr *h = (struct nlmsghdr *)answer;
	const struct rtattr *xdp, *id;
	struct request r;
	ssize_t n;

	request_init(&r, RTM_GETLINK, 0, interface_index);
	n = ask(s, &r, answer, sizeof(answer));
	if (n < 0 || !NLMSG_OK(h, (size_t)n) || h->nlmsg_type != RTM_NEWLINK)
		return false;
	*ret_id = 0;
	xdp = find(IFLA_RTA(NLMSG_DATA(h)), (int)IFLA_PAYLOAD(h), IFLA_XDP);
	id = xdp ? find(RTA_DATA(xdp), (int)RTA_PAYLOAD(xdp), IFLA_XDP_PROG_ID) : NULL;
	if (id)
		memcpy(ret_id, RTA_DATA(id), sizeof(*ret_id));
	return true;
}

static bool detach(int s, uint32_t interface_index)
{
	_Alignas(8) uint8_t answer[1024];
	struct nlmsghdr *h = (struct nlmsghdr *)answer;
	struct rtattr *xdp;
	struct request r;
	int32_t none = -1;
	ssize_t n;

	request_init(&r, RTM_SETLINK, NLM_F_ACK, interface_index);
	xdp = append(&r, IFLA_XDP | NLA_F_NESTED, NULL, 0);
	append(&r, IFLA_XDP_FD, &none, sizeof(none));
	xdp->rta_len = (uint16_t)((uint8_t *)&r + r.header.nlmsg_len - (uint8_t *)xdp);
	n = ask(s, &r, answer, sizeof(answer));
	return n > 0 && NLMSG_OK(h, (size_t)n) && h->nlmsg_type == NLMSG_ERROR && ((struct nlmsgerr *)NLMSG_DATA(h))->error == 0;
}

static bool name_of(uint32_t id, char ret_name[XDP_NAME_MAX])
{
	struct bpf_prog_info info = { 0 };
	union bpf_attr attr = { .prog_id = id };
	int fd = (int)syscall(SYS_bpf, BPF_PROG_GET_FD_BY_ID, &attr, sizeof(attr));
	long status;

	if (fd < 0)
		return false;
	memset(&attr, 0, sizeof(attr));
	attr.info.bpf_fd = (uint32_t)fd;
	attr.info.info_len = sizeof(info);
	attr.info.info = (uintptr_t)&info;
	status = syscall(SYS_bpf, BPF_OBJ_GET_INFO_BY_FD, &attr, sizeof(attr));
	close(fd);
	if (status)
		return false;
	memcpy(ret_name, info.name, XDP_NAME_MAX);
	ret_name[XDP_NAME_MAX - 1] = '\0';
	return true;
}

int xdp_program_clear(uint32_t interface_index, char ret_name[XDP_NAME_MAX])
{
	int s = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE), status = -ERR_IO;
	bool ours = false;
	uint32_t id;

	strcpy(ret_name, "?");
	if (s < 0)
		return -ERR_IO;
	if (!attached_id(s, interface_index, &id))
		goto out;
	if (!id) {
		status = 0;
		goto out;
	}
	if (!name_of(id, ret_name))
		goto out;
	for (unsigned i = 0; i < sizeof(left_behind) / sizeof(left_behind[0]); i++)
		ours |= strcmp(ret_name, left_behind[i]) == 0;
	if (!ours)
		status = -ERR_EXISTS;
	else if (detach(s, interface_index))
		status = 0;
out:
	close(s);
	return status;
}
