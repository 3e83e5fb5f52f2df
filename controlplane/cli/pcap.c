/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/pcap.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/addr.h"

#define MAGIC_US	  0xa1b2c3d4u
#define LINKTYPE_ETHERNET 1
#define SNAP_BYTES	  262144
#define ETHERNET_BYTES	  14
#define UDP_BYTES	  8
#define HEADERS_MAX	  (ETHERNET_BYTES + 40 + UDP_BYTES)

int pcap_begin(FILE *f)
{
	const struct {
		uint32_t magic;
		uint16_t major, minor;
		uint32_t zone, accuracy, snap, link;
	} header = { MAGIC_US, 2, 4, 0, 0, SNAP_BYTES, LINKTYPE_ETHERNET };

	return fwrite(&header, sizeof(header), 1, f) == 1 ? 0 : -1;
}

static void put16(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

/* RFC 1071, in steps; n is even but for the last step. */
static uint32_t sum(uint32_t so_far, const uint8_t *p, size_t n)
{
	uint64_t total = so_far;

	for (size_t i = 0; i + 1 < n; i += 2)
		total += (uint32_t)p[i] << 8 | p[i + 1];
	if (n % 2)
		total += (uint32_t)p[n - 1] << 8;
	while (total >> 16)
		total = (total & 0xffff) + (total >> 16);
	return (uint32_t)total;
}

/* A locally administered address that is the same for the same host. */
static void put_mac(uint8_t *at, const struct ip_addr *ip)
{
	at[0] = 2;
	at[1] = ip->family;
	memcpy(at + 2, ip->bytes + (ip->family == IP_V6 ? 12 : 0), 4);
}

/* Ethernet and IP; returns their bytes. */
static unsigned put_headers(uint8_t *h, const struct ip_port *from, const struct ip_port *to, uint32_t udp_bytes)
{
	bool v6 = from->ip.family == IP_V6;
	uint8_t *ip = h + ETHERNET_BYTES;

	put_mac(h, &to->ip);
	put_mac(h + 6, &from->ip);
	put16(h + 12, v6 ? 0x86dd : 0x0800);
	if (v6) {
		ip[0] = 0x60;
		put16(ip + 4, udp_bytes);
		ip[6] = 17;
		ip[7] = 64;
		memcpy(ip + 8, from->ip.bytes, 16);
		memcpy(ip + 24, to->ip.bytes, 16);
		return ETHERNET_BYTES + 40;
	}
	ip[0] = 0x45;
	put16(ip + 2, 20 + udp_bytes);
	ip[8] = 64;
	ip[9] = 17;
	memcpy(ip + 12, from->ip.bytes, 4);
	memcpy(ip + 16, to->ip.bytes, 4);
	put16(ip + 10, ~sum(0, ip, 20) & 0xffff);
	return ETHERNET_BYTES + 20;
}

static uint32_t udp_checksum(const struct ip_port *from, const struct ip_port *to, const uint8_t *udp, const uint8_t *data, uint32_t len)
{
	unsigned bytes = from->ip.family == IP_V6 ? 16 : 4;
	uint32_t total = sum(UDP_BYTES + len + 17, from->ip.bytes, bytes);

	total = sum(total, to->ip.bytes, bytes);
	total = ~sum(sum(total, udp, UDP_BYTES), data, len) & 0xffff;
	return total ? total : 0xffff;
}

int pcap_datagram(FILE *f, uint64_t unix_ms, const struct ip_port *from, const struct ip_port *to, const uint8_t *data, uint32_t kept,
		  uint32_t len)
{
	uint8_t h[HEADERS_MAX] = { 0 };
	unsigned bytes;
	uint8_t *udp;

	if (from->ip.family != to->ip.family || kept > len || len > 65535 - 40 - UDP_BYTES) {
		errno = EINVAL;
		return -1;
	}
	bytes = put_headers(h, from, to, UDP_BYTES + len);
	udp = h + bytes;
	put16(udp, from->port);
	put16(udp + 2, to->port);
	put16(udp + 4, UDP_BYTES + len);
	if (kept == len) /* else there is nothing to compute it from */
		put16(udp + 6, udp_checksum(from, to, udp, data, len));
	bytes += UDP_BYTES;
	const uint32_t record[4] = { (uint32_t)(unix_ms / 1000), (uint32_t)(unix_ms % 1000) * 1000, bytes + kept, bytes + len };

	return fwrite(record, sizeof(record), 1, f) == 1 && fwrite(h, bytes, 1, f) == 1 && (!kept || fwrite(data, kept, 1, f) == 1) ? 0 : -1;
}
