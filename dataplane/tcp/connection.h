/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/counters.h"
#include "base/slab.h"
#include "base/wheel.h"
#include "tcp/lookup.h"
#include "tcp/segment.h"
#include "tcp/sequence.h"
#include "tcp/sources.h"
#include "tcp/tcp.h"

struct pool;

/* What the files of this folder share: the connection (RFC 9293's TCB) and its endpoint. Nobody else includes this, but for tests. */

#define TCP_LISTENERS_MAX 64
#define TCP_SACK_RANGES	  32 /* that a sender remembers; what it forgets it sends again */
#define TCP_DUP_THRESHOLD 3
#define TCP_QUICK_ACKS	  16 /* segments that are acknowledged at once while the peer's window opens */
#define TCP_BASE_MSS_V4	  536
#define TCP_BASE_MSS_V6	  1220

/* Bytes of a stream: of a send queue, or received and not taken yet. From the endpoint's slab. */
struct chunk {
	struct chunk *next;
	uint32_t start; /* sequence number of bytes[0] */
	uint32_t length, room;
	uint8_t bytes[];
};

/* What the peer holds above snd_una (RFC 6675): disjoint, ascending. From the slab, while there is any. */
struct scoreboard {
	uint32_t count, sacked; /* bytes */
	struct seq_range range[TCP_SACK_RANGES];
};

enum deadline {
	DEADLINE_RETRANSMIT, /* or, where persist is set, the zero-window probe */
	DEADLINE_ACK,
	DEADLINE_KEEPALIVE,
	DEADLINE_LIFE, /* the handshake, FIN-WAIT-2, TIME-WAIT */
	DEADLINES
};

enum recovery {
	RECOVERY_NONE,
	RECOVERY_FAST, /* RFC 6675, or 6582 without SACK: until recovery_point is acknowledged */
	RECOVERY_LOSS, /* after a timeout: sending again from snd_una on */
};

struct tcp_connection {
	/* what every segment looks at */
	struct ip_port local, remote;
	uint64_t hash;
	void *user;
	uint8_t state; /* enum tcp_state */
	uint8_t recovery;
	bool timestamps, sack, scaled; /* agreed on */
	uint8_t send_scale, receive_scale;
	bool busy;	   /* an entry function works on it: who ends it leaves freeing to that */
	bool told;	   /* the user knows of it */
	bool passive;
	bool counted;	   /* in its source's count */
	bool half_open;    /* in the endpoint's count */
	bool dirty;	   /* waits for tcp_flush */
	bool close_asked;  /* a FIN follows the queue */
	bool ack_now;
	bool fin_received; /* its number is fin_seq; taken once rcv_nxt has passed it */
	bool peer_closed_told;
	bool stalled; /* the user took less than there was: nothing is offered before tcp_read */
	bool want_writable;
	bool force_retransmit; /* recovery's first goes out whatever the window (RFC 6675 §5 (4.2)) */
	bool force_send;       /* a timeout's or a probe's segment */
	bool persist;
	bool timing;	       /* rtt_seq is being timed */
	bool dsack;
	uint8_t ack_pending;  /* segments since the last acknowledgement */
	uint8_t quick_acks;
	uint8_t backoff;
	uint8_t probes_unanswered;

	/* send sequence space (RFC 9293 §3.3.1) */
	uint32_t iss, snd_una, snd_nxt;
	uint32_t snd_max; /* highest ever sent, +1 */
	uint32_t snd_end; /* behind the last byte queued; a FIN would have this number */
	uint32_t snd_wnd, snd_wl1, snd_wl2, max_wnd;
	uint16_t mss;	   /* payload and options of a segment to the peer */
	uint16_t peer_mss; /* as it said, or the default */

	/* receive sequence space */
	uint32_t irs, rcv_nxt;
	uint32_t rcv_read; /* the first byte that the user has not taken */
	uint32_t rcv_adv;  /* right edge of the window as advertised; never goes back */
	uint32_t last_ack; /* Last.ACK.sent of RFC 7323 */
	uint32_t fin_seq;
	uint16_t piece_count;
	uint16_t largest;   /* payload of a segment so far: what the peer calls full */
	uint32_t ack_bytes; /* received since the last acknowledgement */
	uint32_t recent[TCP_SACKS_MAX]; /* numbers of the pieces received last, the latest first (RFC 2018 §4) */
	struct seq_range duplicate;	/* to be reported (RFC 2883) */

	/* timestamps (RFC 7323) */
	uint32_t ts_offset, ts_recent;
	uint64_t ts_recent_ms;

	/* round trip and congestion */
	uint32_t srtt_us, rttvar_us, rto_ms, rtt_seq;
	uint64_t rtt_sent_us;
	uint32_t cwnd, ssthresh, dup_acks;
	uint32_t recovery_point, high_rxt, rescue_rxt;
	uint32_t retransmitted;
	uint32_t challenges, challenge_ms; /* how many since (milliseconds, their lower half) */
	float cubic_max, cubic_k, cubic_estimate; /* segments, seconds, segments */
	uint64_t cubic_epoch_ms;		  /* 0: none */

	/* times, ms */
	uint64_t deadline[DEADLINES]; /* 0: none */
	uint64_t heard_ms, sent_ms, progress_ms;
	uint64_t probing_since_ms; /* the first window probe that nothing was heard after; 0: none */
	struct wheel_timer timer; /* for the earliest deadline, or sooner */

	/* buffers: none in an idle connection */
	struct chunk *send_head, *send_tail, *send_at;	 /* send_at: where the last segment was cut from */
	struct chunk *receive_head, *receive_order_tail; /* the latter: last one below rcv_nxt */
	struct scoreboard *scoreboard;

	struct tcp_connection *next_dirty;
	struct tcp_connection *older, *newer; /* in TIME-WAIT */
};

struct tcp {
	struct tcp_config config;
	struct tcp_handlers handlers;
	struct counters *counters;
	struct pool *pool;
	struct slab *slab;
	struct wheel *wheel;
	struct lookup *lookup;
	struct sources *sources;
	uint32_t *generations; /* by index; odd: in use */
	uint64_t now_us, now_ms;
	struct ip_port listeners[TCP_LISTENERS_MAX];
	unsigned listener_count;
	uint32_t half_open, time_wait;
	struct tcp_connection *dirty_head, *dirty_tail;
	struct tcp_connection *time_wait_oldest, *time_wait_newest;
	uint64_t resets_second, cookie_ms; /* the second that `resets` counts; when the last cookie was sent */
	uint32_t resets, port_steps;
	bool cookies_out; /* one was sent at all */
};

static inline void tcp_count(struct tcp *t, enum counter which)
{
	counter_add(t->counters, which, 1);
}


/* SYN or SYN-ACK, data and FIN that are out and not acknowledged. */
static inline uint32_t tcp_flight(const struct tcp_connection *c)
{
	return c->snd_max - c->snd_una;
}

/* A window in which there is something worth sending (RFC 9293 §3.8.6.2.1). */
static inline uint32_t tcp_window_enough(const struct tcp_connection *c)
{
	uint32_t enough = c->mss < c->max_wnd / 2 ? c->mss : c->max_wnd / 2, queued = c->snd_end - c->snd_una;

	return enough < queued ? enough : queued;
}

/* endpoint.c */
struct tcp_connection *tcp_connection_new(struct tcp *t, const struct ip_port *local, const struct ip_port *remote, uint64_t hash);
/* Frees it, or, while it is busy, leaves that to who made it so. No handler is called. */
void tcp_connection_drop(struct tcp *t, struct tcp_connection *c);
/* Tells the user, where there is one that knows it, and drops it. */
void tcp_connection_end(struct tcp *t, struct tcp_connection *c, enum tcp_end why);
/* Ends what made it busy; frees what was dropped meanwhile. */
void tcp_connection_leave(struct tcp *t, struct tcp_connection *c);
void tcp_connection_dirty(struct tcp *t, struct tcp_connection *c);
struct tcp_connection *tcp_connection_find(const struct tcp *t, uint64_t hash, const struct ip_port *local, const struct ip_port *remote);
void tcp_set_clock(struct tcp *t, uint64_t now_us);
bool tcp_listens(const struct tcp *t, const struct ip_port *local);

/* open.c */
/* A SYN for a listener, or the ACK that brings a cookie back. */
void tcp_open_passive(struct tcp *t, const struct ip_port *local, const struct ip_port *remote, uint64_t hash, const struct segment *s);
/* What the options of the peer's SYN mean for the connection. */
void tcp_open_agree(struct tcp *t, struct tcp_connection *c, const struct segment *s);
/* To ESTABLISHED; false: the source has too many, or the user ended it: c is dropped. */
bool tcp_open_established(struct tcp *t, struct tcp_connection *c);

/* states.c: what happens to a segment, by state */
void tcp_states_input(struct tcp *t, struct tcp_connection *c, struct segment *s);
void tcp_states_time_wait(struct tcp *t, struct tcp_connection *c);

/* acknowledge.c */
/* The ACK of a segment in a synchronised state (RFC 9293 §3.10.7.4, fifth). false: the segment is not looked at further. */
bool tcp_acknowledge(struct tcp *t, struct tcp_connection *c, const struct segment *s);

/* receive.c */
/* The bytes of a segment that lies at least partly in the window. */
void tcp_receive(struct tcp *t, struct tcp_connection *c, const struct segment *s);
/* Hands what is in order to the user until that takes no more; tells it of the FIN. */
void tcp_receive_deliver(struct tcp *t, struct tcp_connection *c);
/* The window that the next segment advertises, in bytes; never less than what was advertised. */
uint32_t tcp_receive_window(const struct tcp *t, const struct tcp_connection *c);
/* The most that a connection's window may be now. */
uint32_t tcp_receive_share(const struct tcp *t);
/* SACK blocks, the duplicate's first, then the latest; returns how many. */
unsigned tcp_receive_sacks(const struct tcp_connection *c, unsigned most, struct seq_range *ret_blocks);
void tcp_receive_drop(struct tcp *t, struct tcp_connection *c);

/* queue.c: the send queue */
uint32_t tcp_queue_add(struct tcp *t, struct tcp_connection *c, struct span bytes);
void tcp_queue_copy(struct tcp_connection *c, uint32_t seq, uint32_t bytes, uint8_t *to);
/* Everything below c->snd_una is acknowledged. */
void tcp_queue_trim(struct tcp *t, struct tcp_connection *c);
void tcp_queue_drop(struct tcp *t, struct tcp_connection *c);

/* output.c */
/* Sends data, FIN or acknowledgement: what windows allow and is due. */
void tcp_output(struct tcp *t, struct tcp_connection *c);
/* An acknowledgement without data, now. */
void tcp_output_ack(struct tcp *t, struct tcp_connection *c);
/* SYN, or SYN-ACK in SYN-RECEIVED. What commit said. */
int tcp_output_syn(struct tcp *t, struct tcp_connection *c);
void tcp_output_reset(struct tcp *t, struct tcp_connection *c);
/* Asks whether the peer is there: an old number, which must be acknowledged. */
void tcp_output_keepalive(struct tcp *t, struct tcp_connection *c);
/* The answer to a segment of no connection (RFC 9293 §3.10.7.1), limited per second. */
void tcp_output_refuse(struct tcp *t, const struct ip_port *local, const struct ip_port *remote, const struct segment *s);
/* A header without a connection's data: reserve, write, commit. */
int tcp_output_bare(struct tcp *t, const struct ip_port *local, const struct ip_port *remote, struct segment *header);
/* The bytes of payload that a segment carries at most, options taken off. */
uint32_t tcp_output_payload_max(const struct tcp_connection *c);
/* RFC 5961 §7: an acknowledgement that somebody may be fishing for. */
void tcp_output_challenge(struct tcp *t, struct tcp_connection *c);

/* sack.c */
/* Takes the blocks of s in; returns how many bytes are newly known to have arrived. */
uint32_t tcp_sack_update(struct tcp *t, struct tcp_connection *c, const struct segment *s);
/* Forgets what lies below snd_una. */
void tcp_sack_advance(struct tcp *t, struct tcp_connection *c);
void tcp_sack_clear(struct tcp *t, struct tcp_connection *c);
/* IsLost (RFC 6675 §4) of seq, which is not sacked. */
bool tcp_sack_is_lost(const struct tcp_connection *c, uint32_t seq);
/* SetPipe. */
uint32_t tcp_sack_pipe(const struct tcp_connection *c);
/* The first number from seq on that is not sacked; *ret_end: where the next sacked range begins, or snd_max. */
uint32_t tcp_sack_hole(const struct tcp_connection *c, uint32_t seq, uint32_t *ret_end);
/* Bytes sacked below seq. */
uint32_t tcp_sack_below(const struct tcp_connection *c, uint32_t seq);
/* Behind the highest sacked byte; snd_una: none is. */
uint32_t tcp_sack_highest(const struct tcp_connection *c);

/* congestion.c */
void tcp_congestion_start(struct tcp_connection *c);
/* acked bytes left the network while nothing was lost. */
void tcp_congestion_acked(struct tcp *t, struct tcp_connection *c, uint32_t acked);
/* A loss that acknowledgements told of: sets ssthresh and cwnd. */
void tcp_congestion_lost(struct tcp *t, struct tcp_connection *c);
/* A timeout; `again`: of what had timed out before. */
void tcp_congestion_timeout(struct tcp *t, struct tcp_connection *c, bool again);
/* It was idle for longer than a timeout (RFC 5681 §4.1). */
void tcp_congestion_idle(struct tcp_connection *c);

/* timers.c */
void tcp_timers_set(struct tcp *t, struct tcp_connection *c, enum deadline which, uint64_t in_ms);
void tcp_timers_stop(struct tcp_connection *c, enum deadline which);
/* For what is in flight, or waits for the window. */
void tcp_timers_retransmit(struct tcp *t, struct tcp_connection *c, bool restart);
/* A round trip was measured (RFC 6298 §2; several per round trip: RFC 7323 appendix G). */
void tcp_timers_rtt(struct tcp *t, struct tcp_connection *c, uint32_t rtt_us);
uint32_t tcp_timers_rto(const struct tcp *t, const struct tcp_connection *c);

/* secret.c */
uint32_t tcp_secret_sequence(const struct tcp *t, const struct ip_port *local, const struct ip_port *remote);
uint32_t tcp_secret_timestamp(const struct tcp *t, const struct ip_port *local, const struct ip_port *remote);
uint32_t tcp_secret_port(const struct tcp *t, const struct ip_addr *local, const struct ip_port *remote);
/* SYN cookies: the options that the connection is to have, in the sequence number and the lowest bits of the timestamp. */
struct cookie {
	uint32_t sequence;
	uint16_t mss;
	uint8_t timestamp_bits; /* TCP_COOKIE_TS_BITS of them */
};
#define TCP_COOKIE_TS_BITS 5
#define TCP_COOKIE_LIFE_MS 128000
struct cookie tcp_secret_cookie(const struct tcp *t, const struct ip_port *local, const struct ip_port *remote, const struct segment *syn);
/* Whether the ACK s brings back a cookie of ours; ret_syn: what the SYN had said. */
bool tcp_secret_verify(const struct tcp *t, const struct ip_port *local, const struct ip_port *remote, const struct segment *s,
		       struct segment *ret_syn);

static inline uint32_t tcp_ts_now(const struct tcp *t, const struct tcp_connection *c)
{
	return (uint32_t)t->now_ms + c->ts_offset;
}
