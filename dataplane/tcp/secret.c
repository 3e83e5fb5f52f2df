/* SPDX-License-Identifier: Apache-2.0 */
#include "tcp/connection.h"

/* Numbers that an outsider must not guess: keyed hashes of the connection's addresses and of what they are for. */

enum purpose { FOR_SEQUENCE = 1, FOR_TIMESTAMP, FOR_PORT, FOR_COOKIE };

struct hashed {
	uint8_t local[16], remote[16];
	uint16_t local_port, remote_port;
	uint8_t family, purpose;
	uint16_t options;
	uint32_t peer_sequence, slot;
};

static struct hashed hashed_of(const struct ip_port *local, const struct ip_port *remote, enum purpose purpose)
{
	struct hashed h;

	memset(&h, 0, sizeof(h));
	memcpy(h.local, local->ip.bytes, 16);
	memcpy(h.remote, remote->ip.bytes, 16);
	h.local_port = local->port;
	h.remote_port = remote->port;
	h.family = remote->ip.family;
	h.purpose = (uint8_t)purpose;
	return h;
}

/* RFC 6528: a clock of 4 µs plus what nobody else can compute, so that a new incarnation begins above the old one. */
uint32_t tcp_secret_sequence(const struct tcp *t, const struct ip_port *local, const struct ip_port *remote)
{
	struct hashed h = hashed_of(local, remote, FOR_SEQUENCE);
	uint32_t proposed = (uint32_t)(t->now_us / 4) + (uint32_t)siphash24(&t->config.secret, &h, sizeof(h));

	return t->config.initial_sequence ? t->config.initial_sequence(t->config.ctx, proposed) : proposed;
}

/* RFC 7323 §5.4: an offset per pair of addresses and ports, the same for each incarnation, so that timestamps grow from one to the next. */
uint32_t tcp_secret_timestamp(const struct tcp *t, const struct ip_port *local, const struct ip_port *remote)
{
	struct hashed h = hashed_of(local, remote, FOR_TIMESTAMP);

	return (uint32_t)siphash24(&t->config.secret, &h, sizeof(h));
}

/* RFC 6056 §3.3.3. */
uint32_t tcp_secret_port(const struct tcp *t, const struct ip_addr *local, const struct ip_port *remote)
{
	struct ip_port from = { *local, 0 };
	struct hashed h = hashed_of(&from, remote, FOR_PORT);

	return (uint32_t)siphash24(&t->config.secret, &h, sizeof(h));
}

/* A cookie: 2 bits of a clock of 64 s, 3 bits of MSS, 27 bits of MAC. Good for one to two ticks of the clock. */
#define SLOT_MS	 (TCP_COOKIE_LIFE_MS / 2)
#define MAC_MASK 0x07ffffffu
#define NO_SCALE 15

static const uint16_t mss_table[8] = { 216, 536, 1024, 1220, 1360, 1440, 1460, 8940 };

static uint32_t mac_of(const struct tcp *t, const struct ip_port *local, const struct ip_port *remote, uint32_t peer_sequence, uint32_t slot,
		       unsigned mss, bool timestamps, uint8_t bits)
{
	struct hashed h = hashed_of(local, remote, FOR_COOKIE);

	h.peer_sequence = peer_sequence;
	h.slot = slot;
	h.options = (uint16_t)(mss << 8 | (unsigned)timestamps << 7 | bits);
	return (uint32_t)siphash24(&t->config.secret, &h, sizeof(h)) & MAC_MASK;
}

struct cookie tcp_secret_cookie(const struct tcp *t, const struct ip_port *local, const struct ip_port *remote, const struct segment *syn)
{
	uint32_t slot = (uint32_t)(t->now_ms / SLOT_MS), mac;
	unsigned mss = syn->mss ? syn->mss : remote->ip.family == IP_V6 ? TCP_BASE_MSS_V6 : TCP_BASE_MSS_V4, i = 7;
	struct cookie cookie;

	while (i && mss_table[i] > mss)
		i--;
	cookie.mss = mss_table[i];
	/* Without timestamps there is no room for the other options: the connection does without them. */
	cookie.timestamp_bits = 0;
	if (syn->has_timestamp)
		cookie.timestamp_bits = (uint8_t)((syn->has_scale ? syn->scale : NO_SCALE) | (unsigned)syn->sack_permitted << 4);
	mac = mac_of(t, local, remote, syn->seq, slot, i, syn->has_timestamp, cookie.timestamp_bits);
	cookie.sequence = (slot & 3) << 30 | (uint32_t)i << 27 | mac;
	return cookie;
}

bool tcp_secret_verify(const struct tcp *t, const struct ip_port *local, const struct ip_port *remote, const struct segment *s,
		       struct segment *ret_syn)
{
	uint32_t cookie = s->ack - 1, now = (uint32_t)(t->now_ms / SLOT_MS), age = (now - (cookie >> 30)) & 3;
	uint8_t bits = s->has_timestamp ? (uint8_t)((s->ts_echo - tcp_secret_timestamp(t, local, remote)) & ((1 << TCP_COOKIE_TS_BITS) - 1)) : 0;
	unsigned i = cookie >> 27 & 7;

	if (age > 1 || now < age || mac_of(t, local, remote, s->seq - 1, now - age, i, s->has_timestamp, bits) != (cookie & MAC_MASK))
		return false;
	*ret_syn = (struct segment){
		.source_port = s->source_port,
		.destination_port = s->destination_port,
		.seq = s->seq - 1,
		.window = s->window,
		.flags = FLAG_SYN,
		.mss = mss_table[i],
		.has_timestamp = s->has_timestamp,
		.ts_value = s->ts_value,
		.has_scale = s->has_timestamp && (bits & 15) != NO_SCALE,
		.scale = bits & 15,
		.sack_permitted = s->has_timestamp && bits & 16,
	};
	return true;
}
