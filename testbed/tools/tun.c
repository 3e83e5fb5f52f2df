/* SPDX-License-Identifier: Apache-2.0 */
#include "tun.h"

#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "net/bytes.h"
#include "net/checksum.h"

#define PROTOCOL_TCP 6
#define V4_BYTES     20
#define V6_BYTES     40
#define TTL	     64

int tun_open(const char *name)
{
	struct ifreq r = { .ifr_flags = IFF_TUN | IFF_NO_PI };
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);

	strncpy(r.ifr_name, name, IFNAMSIZ - 1);
	if (fd >= 0 && ioctl(fd, TUNSETIFF, &r)) {
		close(fd);
		fd = -1;
	}
	return fd;
}

bool tun_unwrap(const uint8_t *p, uint32_t bytes, struct tcp_packet *ret)
{
	uint32_t header = V6_BYTES, total;

	memset(ret, 0, sizeof(*ret));
	if (bytes >= V4_BYTES && p[0] >> 4 == 4 && p[9] == PROTOCOL_TCP) {
		header = (p[0] & 15) * 4u;
		total = get16(p + 2);
		if (header < V4_BYTES || total < header || total > bytes || checksum_fold(checksum_words(0, p, header / 4)))
			return false;
		ret->source.family = ret->destination.family = IP_V4;
		memcpy(ret->source.bytes, p + 12, 4);
		memcpy(ret->destination.bytes, p + 16, 4);
	} else if (bytes >= V6_BYTES && p[0] >> 4 == 6 && p[6] == PROTOCOL_TCP) {
		total = V6_BYTES + get16(p + 4);
		if (total > bytes)
			return false;
		ret->source.family = ret->destination.family = IP_V6;
		memcpy(ret->source.bytes, p + 8, 16);
		memcpy(ret->destination.bytes, p + 24, 16);
	} else {
		return false;
	}
	ret->segment = span_of(p + header, total - header);
	return true;
}

uint32_t tun_wrap(uint8_t *segment, uint32_t bytes, const struct ip_port *source, const struct ip_port *destination)
{
	bool v6 = source->ip.family == IP_V6;
	uint32_t header = v6 ? V6_BYTES : V4_BYTES;
	uint8_t *ip = segment - header;
	uint16_t sum;

	memset(ip, 0, header);
	if (v6) {
		ip[0] = 0x60;
		put16(ip + 4, (uint16_t)bytes);
		ip[6] = PROTOCOL_TCP;
		ip[7] = TTL;
		memcpy(ip + 8, source->ip.bytes, 16);
		memcpy(ip + 24, destination->ip.bytes, 16);
	} else {
		ip[0] = 0x45;
		put16(ip + 2, (uint16_t)(header + bytes));
		ip[6] = 0x40; /* not to be fragmented */
		ip[8] = TTL;
		ip[9] = PROTOCOL_TCP;
		memcpy(ip + 12, source->ip.bytes, 4);
		memcpy(ip + 16, destination->ip.bytes, 4);
		sum = checksum_fold(checksum_words(0, ip, V4_BYTES / 4));
		memcpy(ip + 10, &sum, 2);
	}
	return header;
}
