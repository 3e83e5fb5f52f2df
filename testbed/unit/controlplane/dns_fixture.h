/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* DNS messages written by hand: names as text, records one by one. */

#include "fixture.h"

#include "base/err.h"
#include "resolve/answer.h"

struct packet {
	uint8_t p[65536];
	size_t n;
};

static inline void put16(struct packet *m, unsigned v)
{
	m->p[m->n++] = (uint8_t)(v >> 8);
	m->p[m->n++] = (uint8_t)v;
}

static inline void put32(struct packet *m, uint32_t v)
{
	put16(m, v >> 16);
	put16(m, v & 0xffff);
}

static inline void put_bytes(struct packet *m, const void *p, size_t n)
{
	memcpy(m->p + m->n, p, n);
	m->n += n;
}

static inline void put_name(struct packet *m, const char *name)
{
	while (*name) {
		size_t n = strcspn(name, ".");

		m->p[m->n++] = (uint8_t)n;
		put_bytes(m, name, n);
		name += n + (name[n] == '.');
	}
	m->p[m->n++] = 0;
}

static inline void put_text(struct packet *m, const char *text)
{
	m->p[m->n++] = (uint8_t)strlen(text);
	put_bytes(m, text, strlen(text));
}

/* An answer with this many records to come; counts may be set later. */
static inline void begin(struct packet *m, const char *name, uint16_t type, unsigned rcode, unsigned answers, unsigned authorities)
{
	m->n = 0;
	put16(m, 77);
	put16(m, 0x8180 | rcode);
	put16(m, 1);
	put16(m, answers);
	put16(m, authorities);
	put16(m, 0);
	put_name(m, name);
	put16(m, type);
	put16(m, 1);
}

/* The head of a record; `finish` writes its length. */
static inline size_t begin_record(struct packet *m, const char *name, uint16_t type, uint32_t ttl)
{
	put_name(m, name);
	put16(m, type);
	put16(m, 1);
	put32(m, ttl);
	put16(m, 0);
	return m->n;
}

static inline void finish(struct packet *m, size_t data)
{
	m->p[data - 2] = (uint8_t)((m->n - data) >> 8);
	m->p[data - 1] = (uint8_t)(m->n - data);
}

static inline void put_address(struct packet *m, const char *name, uint32_t ttl, const char *address)
{
	struct ip_addr ip = ip_of(address);
	size_t data = begin_record(m, name, ip.family == IP_V4 ? DNS_A : DNS_AAAA, ttl);

	put_bytes(m, ip.bytes, ip.family == IP_V4 ? 4 : 16);
	finish(m, data);
}

static inline void put_srv(struct packet *m, const char *name, uint32_t ttl, unsigned priority, unsigned weight, unsigned port, const char *target)
{
	size_t data = begin_record(m, name, DNS_SRV, ttl);

	put16(m, priority);
	put16(m, weight);
	put16(m, port);
	put_name(m, target);
	finish(m, data);
}

static inline void put_naptr(struct packet *m, const char *name, uint32_t ttl, unsigned order, unsigned preference, const char *flags,
			     const char *service, const char *regexp, const char *replacement)
{
	size_t data = begin_record(m, name, DNS_NAPTR, ttl);

	put16(m, order);
	put16(m, preference);
	put_text(m, flags);
	put_text(m, service);
	put_text(m, regexp);
	put_name(m, replacement);
	finish(m, data);
}

static inline void put_cname(struct packet *m, const char *name, uint32_t ttl, const char *to)
{
	size_t data = begin_record(m, name, DNS_CNAME, ttl);

	put_name(m, to);
	finish(m, data);
}

static inline void put_soa(struct packet *m, const char *zone, uint32_t ttl, uint32_t minimum)
{
	size_t data = begin_record(m, zone, DNS_SOA, ttl);

	put_name(m, "ns");
	put_name(m, "mail");
	for (unsigned i = 0; i < 4; i++)
		put32(m, 1000);
	put32(m, minimum);
	finish(m, data);
}

/* The bytes in memory of exactly their size, so that a reader that goes beyond is caught. */
static inline int read_answer(const struct packet *m, const char *name, uint16_t type, struct dns_answer **ret)
{
	uint8_t *exact = malloc(m->n ? m->n : 1);
	int err;

	memcpy(exact, m->p, m->n);
	err = dns_answer_read(exact, m->n, name, type, ret);
	free(exact);
	return err;
}
