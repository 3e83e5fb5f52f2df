/* SPDX-License-Identifier: Apache-2.0 */
#include "frames.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_mbuf.h>

const struct listener_set frame_listeners = {
	.count = 3,
	.addr = {
		{ { { 192, 0, 2, 1 }, IP_V4 }, 5060 },
		{ { { 0x20, 0x01, 0x0d, 0xb8, [15] = 1 }, IP_V6 }, 5060 },
		{ { { 192, 0, 2, 2 }, IP_V4 }, 5080 },
	},
};

uint32_t sum_plain(uint32_t sum, const uint8_t *data, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++) {
		sum += i & 1 ? data[i] : (uint32_t)data[i] << 8;
		sum = (sum & 0xffff) + (sum >> 16);
	}
	return sum;
}

static uint32_t sum_pseudo(const uint8_t *ip, uint32_t bytes, uint8_t protocol)
{
	uint8_t tail[8] = { (uint8_t)(bytes >> 24), (uint8_t)(bytes >> 16), (uint8_t)(bytes >> 8), (uint8_t)bytes, 0, 0, 0, protocol };
	bool v4 = ip[0] >> 4 == 4;

	return sum_plain(sum_plain(0, ip + (v4 ? 12 : 8), v4 ? 8 : 32), tail, 8);
}

bool sum_l4_right(const uint8_t *ip, const uint8_t *l4, uint32_t bytes, uint8_t protocol)
{
	return sum_plain(sum_pseudo(ip, bytes, protocol), l4, bytes) == 0xffff;
}

static void put(struct frame *f, const void *data, uint32_t bytes)
{
	memcpy(f->bytes + f->length, data, bytes);
	f->length += bytes;
}

static void put_be(struct frame *f, uint32_t value, unsigned bytes)
{
	while (bytes--)
		f->bytes[f->length++] = (uint8_t)(value >> 8 * bytes);
}

static void store16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static void put_ether(struct frame *f, const struct recipe *r)
{
	static const uint8_t us[6] = { 2, 0, 0, 0, 0, 1 }, group[6] = { 1, 0, 0x5e, 0, 0, 1 }, peer[6] = { 2, 0, 0, 0, 0, 9 };
	const char *tags = r->tags ? r->tags : "";
	unsigned tpid, vlan;
	int n;

	put(f, r->group ? group : us, 6);
	put(f, peer, 6);
	while (sscanf(tags, "%x:%x %n", &tpid, &vlan, &n) == 2) {
		put_be(f, tpid, 2);
		put_be(f, vlan | 0x6000, 2); /* a priority beside it */
		tags += n;
	}
	put_be(f, r->family == 4 ? 0x0800 : 0x86dd, 2);
}

static void put_v4(struct frame *f, const struct recipe *r)
{
	uint32_t header = 20 + r->options;

	put_be(f, 0x4000 | header / 4 << 8, 2);
	put_be(f, 0, 2); /* length: later */
	put_be(f, r->id, 2);
	put_be(f, r->offset / 8u | (r->more ? 0x2000 : 0), 2);
	put_be(f, 64, 1);
	put_be(f, r->protocol ? r->protocol : 17, 1);
	put_be(f, 0, 2);
	inet_pton(AF_INET, r->source ? r->source : "192.0.2.9", f->bytes + f->length);
	inet_pton(AF_INET, r->destination ? r->destination : "192.0.2.1", f->bytes + f->length + 4);
	f->length += 8;
	for (uint32_t i = 0; i < r->options; i++)
		put_be(f, 1, 1);
}

static void put_v6(struct frame *f, const struct recipe *r)
{
	uint8_t protocol = r->protocol ? r->protocol : 17;

	put_be(f, 0x60000000, 4);
	put_be(f, 0, 2);
	put_be(f, r->extensions ? r->first_extension : r->fragment ? 44 : protocol, 1);
	put_be(f, 64, 1);
	inet_pton(AF_INET6, r->source ? r->source : "2001:db8::9", f->bytes + f->length);
	inet_pton(AF_INET6, r->destination ? r->destination : "2001:db8::1", f->bytes + f->length + 16);
	f->length += 32;
	for (const char *p = r->extensions ? r->extensions : ""; *p; p += 2) {
		unsigned byte;

		while (*p == ' ')
			p++;
		sscanf(p, "%2x", &byte);
		put_be(f, byte, 1);
	}
	if (r->fragment) {
		put_be(f, protocol, 1);
		put_be(f, 0, 1);
		put_be(f, r->offset | r->more, 2);
		put_be(f, r->id, 4);
	}
}

static void put_payload(struct frame *f, const struct recipe *r)
{
	for (uint32_t i = 0; i < r->payload; i++)
		put_be(f, r->inner ? r->inner[i] : (uint8_t)(i + 1), 1);
}

static void put_udp(struct frame *f, const struct recipe *r)
{
	uint8_t *ip = f->bytes + f->ip_at, *udp = f->bytes + f->length;
	uint32_t bytes = 8 + r->payload, sum;

	put_be(f, r->source_port ? r->source_port : 5060, 2);
	put_be(f, r->port ? r->port : 5060, 2);
	put_be(f, bytes + (uint32_t)r->udp_length, 2);
	put_be(f, 0, 2);
	put_payload(f, r);
	sum = ~sum_plain(sum_pseudo(ip, bytes + (uint32_t)r->udp_length, 17), udp, bytes) & 0xffff;
	if (!r->no_udp_sum)
		store16(udp + 6, (sum ? sum : 0xffff) ^ (r->bad_udp_sum ? 0x0100 : 0));
}

void frame_make(struct frame *f, const struct recipe *r)
{
	uint32_t length;
	uint8_t *ip;

	f->length = 0;
	put_ether(f, r);
	f->ip_at = f->length;
	ip = f->bytes + f->ip_at;
	if (r->family == 4)
		put_v4(f, r);
	else
		put_v6(f, r);
	f->l4_at = f->length;
	if (!r->protocol && !r->fragment)
		put_udp(f, r);
	else
		put_payload(f, r);
	length = f->length - f->ip_at + (uint32_t)r->ip_length;
	if (r->family == 4) {
		store16(ip + 2, length);
		store16(ip + 10, (~sum_plain(0, ip, (ip[0] & 15u) * 4) & 0xffff) ^ (r->bad_ip_sum ? 1 : 0));
	} else {
		store16(ip + 4, length - 40);
	}
	memset(f->bytes + f->length, 0xee, r->trailer);
	f->length += r->trailer;
}

void mbuf_over(struct rte_mbuf *m, uint8_t *data, uint32_t bytes)
{
	memset(m, 0, sizeof(*m));
	m->buf_addr = data;
	m->buf_len = (uint16_t)bytes;
	m->data_len = (uint16_t)bytes;
	m->pkt_len = bytes;
	m->nb_segs = 1;
	m->refcnt = 1;
}
