/* SPDX-License-Identifier: Apache-2.0 */
#include "tcp/segment.h"

#include "base/err.h"
#include "net/bytes.h"
#include "net/checksum.h"


enum option { OPTION_END = 0, OPTION_NOP = 1, OPTION_MSS = 2, OPTION_SCALE = 3, OPTION_SACK_PERMITTED = 4, OPTION_SACK = 5, OPTION_TIMESTAMP = 8 };

static void read_option(const uint8_t *p, uint8_t length, struct segment *s)
{
	bool syn = s->flags & FLAG_SYN;

	switch (p[0]) {
	case OPTION_MSS:
		if (syn && length == 4)
			s->mss = get16(p + 2);
		break;
	case OPTION_SCALE:
		if (syn && length == 3) {
			s->has_scale = true;
			s->scale = p[2] > TCP_SCALE_MAX ? TCP_SCALE_MAX : p[2];
		}
		break;
	case OPTION_SACK_PERMITTED:
		if (syn && length == 2)
			s->sack_permitted = true;
		break;
	case OPTION_SACK:
		if (length < 10 || (length - 2) % 8)
			break;
		s->sack_count = 0;
		for (unsigned at = 2; at + 8 <= length && s->sack_count < TCP_SACKS_MAX; at += 8)
			s->sack[s->sack_count++] = (struct seq_range){ get32(p + at), get32(p + at + 4) };
		break;
	case OPTION_TIMESTAMP:
		if (length == 10) {
			s->has_timestamp = true;
			s->ts_value = get32(p + 2);
			s->ts_echo = get32(p + 6);
		}
		break;
	default:
		break;
	}
}

static void read_options(const uint8_t *p, const uint8_t *end, struct segment *s)
{
	while (p < end && *p != OPTION_END) {
		if (*p == OPTION_NOP) {
			p++;
			continue;
		}
		if (end - p < 2 || p[1] < 2 || p[1] > end - p)
			return;
		read_option(p, p[1], s);
		p += p[1];
	}
}

int tcp_segment_parse(struct span bytes, struct segment *s)
{
	const uint8_t *p = bytes.p;
	uint32_t header;

	if (bytes.n < TCP_HEADER_BYTES)
		return -ERR_INVALID;
	header = (p[12] >> 4) * 4u;
	if (header < TCP_HEADER_BYTES || header > bytes.n)
		return -ERR_INVALID;
	*s = (struct segment){
		.source_port = get16(p),
		.destination_port = get16(p + 2),
		.seq = get32(p + 4),
		.ack = get32(p + 8),
		.flags = p[13] & (FLAG_FIN | FLAG_SYN | FLAG_RST | FLAG_PSH | FLAG_ACK),
		.window = get16(p + 14),
		.data = span_of(p + header, bytes.n - header),
	};
	read_options(p + TCP_HEADER_BYTES, p + header, s);
	return 0;
}

static uint32_t option_bytes(const struct segment *s)
{
	return (s->mss ? 4 : 0) + (s->has_scale ? 4 : 0) + (s->has_timestamp ? TCP_TIMESTAMP_BYTES : s->sack_permitted ? 4 : 0) +
	       (s->sack_count ? 4 + 8 * s->sack_count : 0);
}

uint32_t tcp_segment_header_bytes(const struct segment *s)
{
	return TCP_HEADER_BYTES + option_bytes(s);
}

uint32_t tcp_segment_write(const struct segment *s, uint8_t *to)
{
	uint8_t *p = to + TCP_HEADER_BYTES;

	put16(to, s->source_port);
	put16(to + 2, s->destination_port);
	put32(to + 4, s->seq);
	put32(to + 8, s->ack);
	to[12] = (uint8_t)((TCP_HEADER_BYTES + option_bytes(s)) / 4 << 4);
	to[13] = s->flags;
	put16(to + 14, (uint16_t)s->window);
	put32(to + 16, 0);
	if (s->mss) {
		put16(p, OPTION_MSS << 8 | 4);
		put16(p + 2, s->mss);
		p += 4;
	}
	if (s->has_scale) {
		put32(p, (uint32_t)OPTION_NOP << 24 | OPTION_SCALE << 16 | 3 << 8 | s->scale);
		p += 4;
	}
	if (s->has_timestamp) {
		/* SACK-permitted takes the place of the two NOPs in front. */
		put16(p, s->sack_permitted ? OPTION_SACK_PERMITTED << 8 | 2 : OPTION_NOP << 8 | OPTION_NOP);
		put16(p + 2, OPTION_TIMESTAMP << 8 | 10);
		put32(p + 4, s->ts_value);
		put32(p + 8, s->ts_echo);
		p += TCP_TIMESTAMP_BYTES;
	} else if (s->sack_permitted) {
		put32(p, (uint32_t)OPTION_NOP << 24 | OPTION_NOP << 16 | OPTION_SACK_PERMITTED << 8 | 2);
		p += 4;
	}
	if (s->sack_count) {
		put32(p, (uint32_t)OPTION_NOP << 24 | OPTION_NOP << 16 | OPTION_SACK << 8 | (2 + 8 * s->sack_count));
		p += 4;
		for (unsigned i = 0; i < s->sack_count; i++, p += 8) {
			put32(p, s->sack[i].from);
			put32(p + 4, s->sack[i].to);
		}
	}
	return (uint32_t)(p - to);
}

uint16_t tcp_segment_checksum(const struct ip_addr *source, const struct ip_addr *destination, struct span segment)
{
	uint64_t sum = checksum_pseudo(source->bytes, destination->bytes, source->family == IP_V6 ? 16 : 4, PROTO_TCP, segment.n);

	return checksum_fold(checksum_add(sum, segment.p, segment.n));
}
