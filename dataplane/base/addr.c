/* SPDX-License-Identifier: Apache-2.0 */
#include "base/addr.h"

#include "base/err.h"
#include "base/ip4.h"
#include "base/partial.h"

/* Four decimal octets without leading zeros. */
static bool parse_v4(const uint8_t *p, uint32_t n, uint8_t out[4])
{
	const uint8_t *end = p + n;

	for (int octet = 0;; octet++) {
		uint32_t v, d;

		if (p == end || (v = (uint32_t)(*p++ - '0')) > 9)
			return false;
		while (p < end && (d = (uint32_t)(*p - '0')) < 10) {
			if (!v || (v = v * 10 + d) > 255)
				return false;
			p++;
		}
		out[octet] = (uint8_t)v;
		if (octet == 3)
			return p == end;
		if (p == end || *p++ != '.')
			return false;
	}
}

static int hex_digit(uint8_t c)
{
	if ((uint8_t)(c - '0') < 10)
		return c - '0';
	c |= 0x20;
	return (uint8_t)(c - 'a') < 6 ? c - 'a' + 10 : -1;
}

/* RFC 4291 §2.2: eight groups, one run of zeros as "::", the last two groups perhaps as a dotted quad. */
static bool parse_v6(const uint8_t *p, uint32_t n, uint8_t out[16])
{
	uint8_t group[16] = { 0 };
	uint32_t i = 0, used = 0; /* bytes of `group` filled */
	int gap = -1;		  /* where "::" stands in it */

	if (n < 2)
		return false;
	if (p[0] == ':') {
		if (p[1] != ':')
			return false;
		gap = 0;
		i = 2;
	}
	while (i < n) {
		uint32_t v = 0, from = i, digits = 0;

		for (int d; i < n && digits < 5 && (d = hex_digit(p[i])) >= 0; i++, digits++)
			v = v << 4 | (uint32_t)d;
		if (i < n && p[i] == '.') {
			if (used > 12 || !parse_v4(p + from, n - from, group + used))
				return false;
			used += 4;
			break;
		}
		if (!digits || digits > 4 || used == 16)
			return false;
		group[used++] = (uint8_t)(v >> 8);
		group[used++] = (uint8_t)v;
		if (i == n)
			break;
		if (p[i++] != ':' || i == n)
			return false;
		if (p[i] == ':') {
			if (gap >= 0)
				return false;
			gap = (int)used;
			i++;
		}
	}
	if (gap < 0 ? used != 16 : used > 14)
		return false;
	memset(out, 0, 16);
	if (gap < 0)
		gap = 16;
	memcpy(out, group, (size_t)gap < used ? (size_t)gap : used);
	if ((uint32_t)gap < used)
		memcpy(out + 16 - (used - (uint32_t)gap), group + gap, used - (uint32_t)gap);
	return true;
}

#if CPU_X86
/* text.n is 7..15. Writes all of out, so that who copies it finds one store. */
TARGET_AVX2 static bool parse_v4_avx2(struct span text, uint8_t out[16])
{
	uint64_t low, high;
	uint32_t octets = 0;

	load_pair(text.p, text.n, &low, &high);
	if (ip4_read(_mm_set_epi64x((long long)high, (long long)low), &octets) != text.n)
		return false;
	_mm_storeu_si128((__m128i *)out, _mm_cvtsi32_si128((int)octets));
	return true;
}
#endif

static bool parse_quad(struct span text, uint8_t out[16])
{
#if CPU_X86
	if (cpu_level >= CPU_AVX2)
		return parse_v4_avx2(text, out);
#endif
	return parse_v4(text.p, text.n, out);
}

int ip_parse(struct span text, struct ip_addr *ret_ip)
{
	uint8_t bytes[16] = { 0 };

	if (text.n >= 7 && text.n <= 15 && parse_quad(text, bytes)) {
		ret_ip->family = IP_V4;
		memcpy(ret_ip->bytes, bytes, 16);
		return 0;
	}
	if (text.n >= 2 && text.p[0] == '[') {
		if (text.p[text.n - 1] != ']')
			return -ERR_INVALID;
		text.p++;
		text.n -= 2;
	}
	if (text.n >= IP_TEXT_MAX || !parse_v6(text.p, text.n, bytes))
		return -ERR_INVALID;
	ret_ip->family = IP_V6;
	memcpy(ret_ip->bytes, bytes, 16);
	return 0;
}

int ip_port_parse(struct span text, uint16_t default_port, struct ip_port *ret_addr)
{
	struct ip_port addr = { .port = default_port };
	struct span host = text;
	uint64_t port;
	uint32_t colon = text.n, colons = 0;

	for (uint32_t i = 0; i < text.n; i++) {
		if (text.p[i] == ':') {
			colon = i;
			colons++;
		}
	}
	/* without brackets several colons are an IPv6 address that has no port; inside them the last one is no port's */
	if (colons && (text.p[0] == '[' ? text.p[colon - 1] == ']' : colons == 1)) {
		if (!span_to_u64(span_of(text.p + colon + 1, text.n - colon - 1), 65535, &port) || !port)
			return -ERR_INVALID;
		host.n = colon;
		addr.port = (uint16_t)port;
	}
	if (ip_parse(host, &addr.ip))
		return -ERR_INVALID;
	*ret_addr = addr;
	return 0;
}

int ip_prefix_parse(struct span text, struct ip_prefix *ret_prefix)
{
	struct ip_prefix prefix;
	struct span address = text;
	const uint8_t *slash = text.n ? memchr(text.p, '/', text.n) : NULL;
	uint64_t length;
	uint32_t bits;

	if (slash)
		address.n = (uint32_t)(slash - text.p);
	if (ip_parse(address, &prefix.ip))
		return -ERR_INVALID;
	bits = prefix.ip.family == IP_V4 ? 32 : 128;
	length = bits;
	if (slash && !span_to_u64(span_of(slash + 1, text.n - address.n - 1), bits, &length))
		return -ERR_INVALID;
	for (uint32_t bit = (uint32_t)length; bit < bits; bit++)
		if (prefix.ip.bytes[bit / 8] & (0x80u >> bit % 8))
			return -ERR_INVALID;
	prefix.length = (uint8_t)length;
	*ret_prefix = prefix;
	return 0;
}

bool ip_prefix_has(const struct ip_prefix *prefix, const struct ip_addr *ip)
{
	uint32_t whole = prefix->length / 8, rest = prefix->length % 8;

	if (prefix->ip.family != ip->family || memcmp(prefix->ip.bytes, ip->bytes, whole) != 0)
		return false;
	return !rest || !((prefix->ip.bytes[whole] ^ ip->bytes[whole]) & (0xff00u >> rest & 0xff));
}

static char *put_decimal(char *out, uint32_t v)
{
	char digits[10];
	uint32_t n = 0;

	do {
		digits[n++] = (char)('0' + v % 10);
	} while (v /= 10);
	while (n)
		*out++ = digits[--n];
	return out;
}

/* An octet's digits and a dot, the first lowest, in four bytes; above them how many of these count. */
#define OCTET(v)                                                                                                                          \
	((v) >= 100  ? WORD('0' + (v) / 100, '0' + (v) / 10 % 10, '0' + (v) % 10, '.') + (4ull << 32)                                     \
	 : (v) >= 10 ? WORD('0' + (v) / 10, '0' + (v) % 10, '.', 0) + (3ull << 32)                                                        \
		     : WORD('0' + (v), '.', 0, 0) + (2ull << 32))
#define WORD(a, b, c, d) ((uint64_t)(a) + ((uint64_t)(b) << 8) + ((uint64_t)(c) << 16) + ((uint64_t)(d) << 24))
#define OCTETS_4(v)  OCTET(v), OCTET((v) + 1), OCTET((v) + 2), OCTET((v) + 3)
#define OCTETS_16(v) OCTETS_4(v), OCTETS_4((v) + 4), OCTETS_4((v) + 8), OCTETS_4((v) + 12)
#define OCTETS_64(v) OCTETS_16(v), OCTETS_16((v) + 16), OCTETS_16((v) + 32), OCTETS_16((v) + 48)

static const uint64_t octets[256] = { OCTETS_64(0), OCTETS_64(64), OCTETS_64(128), OCTETS_64(192) };

static char *put_v4(char *out, const uint8_t *b)
{
	for (int i = 0; i < 4; i++) {
		uint64_t text = little_endian(octets[b[i]]);

		memcpy(out, &text, 4);
		out += octets[b[i]] >> 32;
	}
	return out - 1;
}

static char *put_group(char *out, uint32_t v)
{
	bool begun = false;

	for (int shift = 12; shift >= 0; shift -= 4) {
		uint32_t d = v >> shift & 15;

		if (!d && !begun && shift)
			continue;
		begun = true;
		*out++ = "0123456789abcdef"[d];
	}
	return out;
}

/* RFC 5952 §4 and §5: lower case, no leading zeros, the first longest run of two or more zero groups as "::". */
static char *put_v6(char *out, const uint8_t *b)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	uint32_t group[8], count = 8, best = 8, best_len = 1;

	if (memcmp(b, mapped, 12) == 0) {
		memcpy(out, "::ffff:", 7);
		return put_v4(out + 7, b + 12);
	}
	for (uint32_t i = 0; i < 8; i++)
		group[i] = (uint32_t)b[2 * i] << 8 | b[2 * i + 1];
	for (uint32_t i = 0, len; i < count; i += len ? len : 1) {
		for (len = 0; i + len < count && !group[i + len]; len++)
			;
		if (len > best_len) {
			best = i;
			best_len = len;
		}
	}
	for (uint32_t i = 0; i < count; i++) {
		if (i == best) {
			*out++ = ':';
			*out++ = ':';
			i += best_len - 1;
			continue;
		}
		if (i && i != best + best_len)
			*out++ = ':';
		out = put_group(out, group[i]);
	}
	return out;
}

uint32_t ip_format(const struct ip_addr *ip, bool brackets, char *out)
{
	char *end = out;

	if (ip->family == IP_V4) {
		end = put_v4(end, ip->bytes);
	} else if (ip->family == IP_V6) {
		if (brackets)
			*end++ = '[';
		end = put_v6(end, ip->bytes);
		if (brackets)
			*end++ = ']';
	}
	*end = 0;
	return (uint32_t)(end - out);
}

uint32_t ip_port_format(const struct ip_port *addr, char *out)
{
	char *end = out + ip_format(&addr->ip, true, out);

	*end++ = ':';
	end = put_decimal(end, addr->port);
	*end = 0;
	return (uint32_t)(end - out);
}
