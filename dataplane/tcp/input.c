/* SPDX-License-Identifier: Apache-2.0 */
#include "base/pool.h"
#include "net/bytes.h"
#include "tcp/connection.h"

/* Segments in: whose they are. */

uint64_t tcp_packet_hash(const struct hash_key *key, const struct tcp_packet *p)
{
	struct ip_port local = { p->destination, 0 }, remote = { p->source, 0 };

	if (p->segment.n < 4)
		return 0;
	remote.port = get16(p->segment.p);
	local.port = get16(p->segment.p + 2);
	return tcp_tuple_hash(key, &local, &remote);
}

/* RFC 6191, RFC 9293 §3.6.1: a SYN that can only be of a new incarnation ends TIME-WAIT. */
static bool follows(const struct tcp_connection *c, const struct segment *s)
{
	if ((s->flags & (FLAG_SYN | FLAG_ACK | FLAG_RST | FLAG_FIN)) != FLAG_SYN)
		return false;
	if (c->timestamps && s->has_timestamp && s->ts_value != c->ts_recent)
		return seq_lt(c->ts_recent, s->ts_value);
	return seq_lt(c->rcv_nxt, s->seq);
}

void tcp_input(struct tcp *t, const struct tcp_packet *p, uint64_t now_us)
{
	struct tcp_connection *c;
	struct ip_port local, remote;
	struct segment s;

	tcp_set_clock(t, now_us);
	tcp_count(t, COUNTER_tcp_segments_in);
	if (tcp_segment_parse(p->segment, &s)) {
		tcp_count(t, COUNTER_tcp_bad_header);
		return;
	}
	if (!p->checksum_good && tcp_segment_checksum(&p->source, &p->destination, p->segment)) {
		tcp_count(t, COUNTER_tcp_bad_checksum);
		return;
	}
	local = (struct ip_port){ p->destination, s.destination_port };
	remote = (struct ip_port){ p->source, s.source_port };
	c = tcp_connection_find(t, p->hash, &local, &remote);
	if (c && c->state == TCP_STATE_TIME_WAIT && tcp_listens(t, &local) && follows(c, &s)) {
		tcp_count(t, COUNTER_tcp_time_wait_recycled);
		tcp_connection_drop(t, c);
		c = NULL;
	}
	if (c) {
		c->busy = true;
		tcp_states_input(t, c, &s);
		tcp_connection_leave(t, c);
	} else if (tcp_listens(t, &local)) {
		tcp_open_passive(t, &local, &remote, p->hash, &s);
	} else {
		tcp_output_refuse(t, &local, &remote, &s);
	}
}

/* RFC 1191, 8201: the packet that was too big goes out again in smaller pieces; it was no congestion. */
static void lower_path_mtu(struct tcp *t, struct tcp_connection *c, uint16_t mtu)
{
	bool v6 = c->local.ip.family == IP_V6;
	uint32_t headers = (v6 ? 40u : 20u) + TCP_HEADER_BYTES, least = v6 ? 1280 : 576, mss;

	/* Less than every link must carry is somebody's way to make us work (RFC 5927 §7). */
	mss = (mtu < least ? least : mtu) - headers;
	if (mss >= c->mss)
		return;
	c->mss = (uint16_t)mss;
	tcp_count(t, COUNTER_tcp_path_mtu_lowered);
	if (c->cwnd < 2 * mss)
		c->cwnd = 2 * mss;
	if (c->recovery == RECOVERY_FAST) {
		c->high_rxt = c->snd_una;
		c->force_retransmit = true;
	} else {
		c->snd_nxt = c->snd_una;
	}
	tcp_connection_dirty(t, c);
}

void tcp_icmp(struct tcp *t, const struct ip_port *local, const struct ip_port *remote, uint32_t sequence, enum tcp_icmp_kind kind,
	      uint16_t mtu, uint64_t now_us)
{
	struct tcp_connection *c = tcp_connection_find(t, tcp_tuple_hash(&t->config.tuple_key, local, remote), local, remote);

	tcp_set_clock(t, now_us);
	if (!c || !seq_within(sequence, c->snd_una, tcp_flight(c))) {
		tcp_count(t, COUNTER_tcp_icmp_ignored);
		return;
	}
	if (kind == TCP_ICMP_TOO_BIG && c->state >= TCP_STATE_ESTABLISHED) {
		lower_path_mtu(t, c, mtu);
	} else if (kind == TCP_ICMP_HARD && c->state == TCP_STATE_SYN_SENT) {
		tcp_count(t, COUNTER_tcp_open_failed);
		tcp_connection_end(t, c, TCP_END_UNREACHABLE);
	} else {
		tcp_count(t, COUNTER_tcp_icmp_ignored); /* once it stands, only time tells (RFC 1122 §4.2.3.9, RFC 5461) */
	}
}
