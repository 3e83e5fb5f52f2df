/* SPDX-License-Identifier: Apache-2.0 */
#include "ends.h"

#include <stdlib.h>
#include <string.h>

#include "base/counters.h"
#include "base/err.h"
#include "ends_tls.h"
#include "tcp/tcp.h"
#include "transport/framing.h"

#define ENDS	   256 /* addresses; a power of two, at most half of them used */
#define LINE_ROOM  4096 /* first size of an incomplete message's buffer */
#define SEND_BYTES (4u << 20)
#define SECURED_MORE 512 /* bytes that a message of TLS takes beyond its own */

struct end;

/* A connection, and what of a message has come by it. */
struct line {
	struct tcp_connection *c;
	union {
		struct end *end;
		struct line *next; /* that is free */
	};
	uint32_t at; /* in the end's list; UINT32_MAX: not there (yet) */
	bool ours;   /* it was opened from here */
	struct ends_session *session; /* NULL: it is not secured */
	struct framing framing;
	uint8_t *buffer;
	uint32_t filled, room;
};

struct end {
	uint32_t ip; /* 0: free */
	bool opens;
	struct line **lines; /* that messages can be sent by */
	uint32_t count, room;
};

struct ends {
	struct ends_config config;
	struct tcp *tcp;
	struct counters counters;
	struct ends_counts counts;
	struct line *lines, *free_lines; /* as many as there may be connections */
	struct end ends[ENDS];
};

static struct ip_port place(uint32_t ip, uint16_t port)
{
	struct ip_port p = { .ip.family = IP_V4, .port = port };

	for (unsigned i = 0; i < 4; i++)
		p.ip.bytes[i] = (uint8_t)(ip >> (24 - 8 * i));
	return p;
}

static uint32_t ip_of(const struct ip_port *p)
{
	return (uint32_t)p->ip.bytes[0] << 24 | (uint32_t)p->ip.bytes[1] << 16 | (uint32_t)p->ip.bytes[2] << 8 | p->ip.bytes[3];
}

/* NULL: too many addresses. */
static struct end *end_of(struct ends *e, uint32_t ip)
{
	uint32_t at = ip * 0x9e3779b1u >> 24;

	for (unsigned i = 0; i < ENDS; i++) {
		struct end *end = &e->ends[(at + i) % ENDS];

		if (end->ip == ip)
			return end;
		if (!end->ip) {
			end->ip = ip;
			return end;
		}
	}
	return NULL;
}

/* ---- connections */

static bool line_list(struct end *end, struct line *line)
{
	if (end->count == end->room) {
		uint32_t room = end->room ? 2 * end->room : 16;
		struct line **more = realloc(end->lines, room * sizeof(struct line *));

		if (!more)
			return false;
		end->lines = more;
		end->room = room;
	}
	line->at = end->count;
	end->lines[end->count++] = line;
	return true;
}

static struct line *line_new(struct ends *e, struct end *end, struct tcp_connection *c)
{
	struct line *line = e->free_lines;

	if (!line || !end)
		return NULL;
	e->free_lines = line->next;
	*line = (struct line){ .c = c, .end = end, .at = UINT32_MAX };
	return line;
}

static void line_free(struct ends *e, struct line *line)
{
	struct end *end = line->end;

	if (line->at != UINT32_MAX) {
		end->lines[line->at] = end->lines[--end->count];
		end->lines[line->at]->at = line->at;
	}
	ends_session_free(line->session);
	line->session = NULL;
	free(line->buffer);
	line->buffer = NULL;
	line->next = e->free_lines;
	e->free_lines = line;
}

/* Messages can be sent by it. */
static void line_stands(struct ends *e, struct line *line)
{
	e->counts.opened += line->ours;
	e->counts.accepted += !line->ours;
	if (line->ours || !line->end->opens)
		line_list(line->end, line);
}

/* What its session has to say, as far as there is room; a message has had its room before. */
static void session_out(struct ends *e, struct line *line)
{
	uint8_t bytes[16384];
	uint32_t n, room;

	while ((room = tcp_send_room(e->tcp, line->c)) && (n = ends_session_output(line->session, bytes, room < sizeof(bytes) ? room : sizeof(bytes))))
		tcp_send(e->tcp, line->c, span_of(bytes, n));
}

static void opened(void *ctx, struct tcp_connection *c)
{
	struct ends *e = ctx;
	struct line *line = tcp_user(c);

	if (!line) {
		line = line_new(e, end_of(e, ip_of(tcp_local(c))), c);
		tcp_set_user(c, line);
	}
	if (line && e->config.tls)
		line->session = ends_session_new(e->config.tls, line->ours);
	if (!line || (e->config.tls && !line->session)) {
		tcp_close(e->tcp, c); /* it is seen that it does not stand */
		return;
	}
	if (line->session)
		session_out(e, line);
	else
		line_stands(e, line);
}

static void closed(void *ctx, struct tcp_connection *c, enum tcp_end why)
{
	struct ends *e = ctx;

	e->counts.closed++;
	e->counts.failed += why != TCP_END_CLOSED;
	if (tcp_user(c))
		line_free(e, tcp_user(c));
}

static void peer_closed(void *ctx, struct tcp_connection *c)
{
	struct ends *e = ctx;

	tcp_close(e->tcp, c);
}

static void writable(void *ctx, struct tcp_connection *c)
{
}

/* ---- messages in */

static bool keep(struct line *line, const uint8_t *data, uint32_t len)
{
	if (line->filled + len > line->room) {
		uint32_t room = line->room ? line->room : LINE_ROOM;
		uint8_t *more;

		while (room < line->filled + len)
			room *= 2;
		more = realloc(line->buffer, room);
		if (!more)
			return false;
		line->buffer = more;
		line->room = room;
	}
	memcpy(line->buffer + line->filled, data, len);
	line->filled += len;
	return true;
}

/* Returns how many bytes were whole messages; UINT32_MAX: this is not SIP. */
static uint32_t take(struct ends *e, struct line *line, const uint8_t *data, uint32_t len)
{
	uint32_t at = 0, bytes = 0;

	while (at < len) {
		enum framing_verdict verdict = framing_next(&line->framing, data + at, len - at, &bytes);

		if (verdict == FRAMING_MORE)
			break;
		if (verdict != FRAMING_MESSAGE && verdict != FRAMING_IDLE && verdict != FRAMING_PING)
			return UINT32_MAX;
		if (verdict == FRAMING_MESSAGE) {
			e->counts.bytes_in += bytes;
			e->config.message(e->config.ctx, line->end->ip, data + at, bytes);
		}
		at += bytes;
	}
	return at;
}

/* false: this is not SIP, or there is no memory for it. */
static bool plain_in(struct ends *e, struct line *line, struct span bytes)
{
	uint32_t taken;

	if (!line->filled) {
		taken = take(e, line, bytes.p, bytes.n);
		if (taken != UINT32_MAX && taken < bytes.n && !keep(line, bytes.p + taken, bytes.n - taken))
			taken = UINT32_MAX;
	} else {
		taken = keep(line, bytes.p, bytes.n) ? take(e, line, line->buffer, line->filled) : UINT32_MAX;
		if (taken != UINT32_MAX && taken) {
			line->filled -= taken;
			memmove(line->buffer, line->buffer + taken, line->filled);
		}
	}
	return taken != UINT32_MAX;
}

struct reader {
	struct ends *e;
	struct line *line;
	bool good;
};

static void decrypted(void *ctx, const uint8_t *bytes, uint32_t len)
{
	struct reader *r = ctx;

	r->good = r->good && plain_in(r->e, r->line, span_of(bytes, len));
}

static uint32_t data(void *ctx, struct tcp_connection *c, struct span bytes)
{
	struct ends *e = ctx;
	struct line *line = tcp_user(c);
	struct reader r = { e, line, true };

	if (!line)
		return bytes.n;
	if (line->session) {
		bool stood = ends_session_stands(line->session);

		if (!ends_session_input(line->session, bytes.p, bytes.n, decrypted, &r))
			tcp_close(e->tcp, c);
		if (!stood && ends_session_stands(line->session))
			line_stands(e, line);
		session_out(e, line);
	} else {
		r.good = plain_in(e, line, bytes);
	}
	if (!r.good) {
		e->counts.noise++;
		tcp_close(e->tcp, c);
		line->filled = 0;
		line->framing = (struct framing){ 0 };
	}
	return bytes.n;
}

/* ---- segments out */

static uint8_t *reserve(void *ctx, uint32_t bytes)
{
	struct ends *e = ctx;

	return e->config.reserve(e->config.ctx, bytes);
}

static int commit(void *ctx, uint32_t bytes, const struct ip_port *source, const struct ip_port *destination)
{
	struct ends *e = ctx;

	return e->config.commit(e->config.ctx, bytes, ip_of(source), ip_of(destination));
}

static const struct tcp_handlers handlers = { reserve, commit, opened, data, writable, peer_closed, closed };

/* ---- the face */

struct ends *ends_new(const struct ends_config *config, uint64_t now_us)
{
	struct ends *e = aligned_alloc(64, (sizeof(*e) + 63) / 64 * 64);
	struct tcp_config tc = tcp_config_default();

	if (!e)
		return NULL;
	memset(e, 0, sizeof(*e));
	e->config = *config;
	tc.connections = config->connections;
	tc.half_open = config->connections;
	tc.buffer_bytes = config->buffer_bytes;
	tc.send_bytes = tc.receive_bytes = SEND_BYTES;
	tc.mtu = (uint16_t)config->mtu;
	tc.port_low = 20000;
	tc.time_wait_ms = 1; /* the proxy does not open connections from the same ports again and again; we do */
	tc.keepalive_ms = 0;
	tc.tuple_key = (struct hash_key){ config->seed, 1 };
	tc.secret = (struct hash_key){ config->seed, 2 };
	tc.handlers = &handlers;
	tc.ctx = e;
	tc.counters = &e->counters;
	e->lines = calloc(config->connections, sizeof(*e->lines));
	if (!e->lines || tcp_new(&tc, now_us, &e->tcp)) {
		free(e->lines);
		free(e);
		return NULL;
	}
	for (uint32_t i = config->connections; i--; e->free_lines = &e->lines[i])
		e->lines[i].next = e->free_lines;
	return e;
}

void ends_free(struct ends *e)
{
	if (!e)
		return;
	for (unsigned i = 0; i < ENDS; i++) {
		while (e->ends[i].count)
			line_free(e, e->ends[i].lines[0]);
		free(e->ends[i].lines);
	}
	tcp_free(e->tcp);
	free(e->lines);
	free(e);
}

void ends_touch(struct ends *e)
{
	tcp_touch(e->tcp);
}

int ends_listen(struct ends *e, uint32_t ip)
{
	struct ip_port local = place(ip, e->config.port);

	return end_of(e, ip) ? tcp_listen(e->tcp, &local) : -ERR_FULL;
}

int ends_open(struct ends *e, uint32_t ip)
{
	struct ip_port local = place(ip, 0), remote = place(e->config.proxy_ip, e->config.port);
	struct end *end = end_of(e, ip);
	struct line *line = line_new(e, end, NULL);
	int err;

	if (!line)
		return -ERR_NOMEM;
	end->opens = true;
	line->ours = true;
	err = tcp_connect(e->tcp, &local, &remote, line, &line->c);
	if (err)
		line_free(e, line);
	return err;
}

void ends_close(struct ends *e, uint32_t ip)
{
	struct end *end = end_of(e, ip);

	while (end && end->count) {
		struct line *line = end->lines[end->count - 1];

		end->count--; /* nothing is sent by it any more */
		line->at = UINT32_MAX;
		if (line->session) {
			ends_session_close(line->session);
			session_out(e, line);
		}
		tcp_close(e->tcp, line->c);
	}
}

bool ends_send(struct ends *e, uint32_t ip, uint64_t choice, const uint8_t *message, uint32_t len)
{
	const struct end *end = end_of(e, ip);
	struct line *line;

	if (!end || !end->count)
		return false;
	line = end->lines[choice % end->count];
	if (tcp_send_room(e->tcp, line->c) < len + SECURED_MORE)
		return false;
	if (line->session ? !ends_session_send(line->session, message, len) : tcp_send(e->tcp, line->c, span_of(message, len)) != len)
		return false;
	if (line->session)
		session_out(e, line);
	e->counts.bytes_out += len;
	return true;
}

void ends_input(struct ends *e, const struct tcp_packet *packet, uint64_t now_us)
{
	struct tcp_packet p = *packet;

	p.hash = tcp_packet_hash(&(struct hash_key){ e->config.seed, 1 }, &p);
	tcp_input(e->tcp, &p, now_us);
}

void ends_advance(struct ends *e, uint64_t now_us)
{
	tcp_advance(e->tcp, now_us);
	tcp_flush(e->tcp, now_us);
}

const struct ends_counts *ends_counts(const struct ends *e)
{
	return &e->counts;
}

uint64_t ends_pending(const struct ends *e)
{
	uint64_t pending = 0;

	for (unsigned i = 0; i < ENDS; i++)
		for (uint32_t k = 0; k < e->ends[i].count; k++)
			pending += tcp_send_pending(e->ends[i].lines[k]->c);
	return pending;
}

uint64_t ends_buffered(const struct ends *e)
{
	struct tcp_usage usage;

	tcp_usage(e->tcp, &usage);
	return usage.buffer_bytes;
}
