/* SPDX-License-Identifier: Apache-2.0 */
/* The generator's TCP and TLS: kernel sockets and OpenSSL, nothing of Strowger's in it. */
#include "versus_state.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#define EVENTS	   256
#define READ_BYTES (64 << 10)
#define SEND_BYTES (256 << 10)
#define OPEN_S	   10
#define CALLER	   (-1)
#define LISTENER   (-2)

struct stream {
	int fd;
	int target; /* whose it is; CALLER; LISTENER: connections are taken here for `listens` */
	unsigned listens;
	SSL *ssl;
	bool dirty;
	uint8_t *in, *out;
	uint32_t in_bytes, out_bytes; /* a message's beginning; what waits to be sent */
	struct stream *next_dirty;
};

struct streams {
	int epoll;
	SSL_CTX *server, *client;
	struct stream **callers;
	unsigned caller_count;
	struct stream *dirty; /* something waits to be sent */
	struct stream **all;
	unsigned count, room;
};

/* ---- life */

static struct stream *stream_new(struct load *l, int fd, int target)
{
	struct streams *s = l->streams;
	struct stream *st = calloc(1, sizeof(*st));
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = st };
	int one = 1;

	if (s->count == s->room) {
		s->room = s->room ? 2 * s->room : 64;
		s->all = realloc(s->all, s->room * sizeof(struct stream *));
	}
	if (!st || !s->all || fd < 0)
		return free(st), NULL;
	*st = (struct stream){ .fd = fd, .target = target };
	st->in = target == LISTENER ? NULL : malloc(2 * READ_BYTES);
	st->out = target == LISTENER ? NULL : malloc(SEND_BYTES);
	fcntl(fd, F_SETFL, O_NONBLOCK);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if ((target != LISTENER && (!st->in || !st->out)) || epoll_ctl(s->epoll, EPOLL_CTL_ADD, fd, &event) < 0)
		return free(st->in), free(st->out), free(st), NULL;
	return s->all[s->count++] = st;
}

/* It stays in the list, as one that has no socket. */
static void stream_end(struct stream *st)
{
	if (st->ssl) {
		SSL_set_quiet_shutdown(st->ssl, 1);
		SSL_shutdown(st->ssl);
	}
	SSL_free(st->ssl);
	if (st->fd >= 0)
		close(st->fd);
	st->ssl = NULL;
	st->fd = -1;
	st->in_bytes = st->out_bytes = 0;
}

void streams_free(struct streams *s)
{
	if (!s)
		return;
	for (unsigned i = 0; i < s->count; i++) {
		stream_end(s->all[i]);
		free(s->all[i]->in);
		free(s->all[i]->out);
		free(s->all[i]);
	}
	SSL_CTX_free(s->server);
	SSL_CTX_free(s->client);
	if (s->epoll >= 0)
		close(s->epoll);
	free(s->all);
	free(s->callers);
	free(s);
}

static bool tls_begin(struct load *l, struct stream *st, SSL_CTX *ctx)
{
	st->ssl = SSL_new(ctx);
	if (!st->ssl || !SSL_set_fd(st->ssl, st->fd))
		return false;
	SSL_set_mode(st->ssl, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	if (ctx == l->streams->server) {
		SSL_set_accept_state(st->ssl);
	} else {
		SSL_set_connect_state(st->ssl);
		if (l->config->name)
			SSL_set_tlsext_host_name(st->ssl, l->config->name);
	}
	return true;
}

/* ---- bytes */

static int stream_read(struct stream *st, uint8_t *to, uint32_t room)
{
	if (!st->ssl)
		return (int)recv(st->fd, to, room, 0);
	int n = SSL_read(st->ssl, to, (int)room), why = n > 0 ? 0 : SSL_get_error(st->ssl, n);

	errno = why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE ? EAGAIN : ECONNRESET;
	return n > 0 ? n : why == SSL_ERROR_ZERO_RETURN ? 0 : -1;
}

static int stream_write(struct stream *st)
{
	if (!st->ssl)
		return (int)send(st->fd, st->out, st->out_bytes, MSG_NOSIGNAL);
	int n = SSL_write(st->ssl, st->out, (int)st->out_bytes), why = n > 0 ? 0 : SSL_get_error(st->ssl, n);

	errno = why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE ? EAGAIN : ECONNRESET;
	return n > 0 ? n : -1;
}

/* What is sent together leaves together. */
static void put(struct streams *s, struct stream *st, uint32_t len)
{
	st->out_bytes += len;
	if (!st->dirty) {
		st->next_dirty = s->dirty;
		s->dirty = st;
	}
	st->dirty = true;
}

/* What the kernel does not take now waits for the next turn. */
static void flush(struct streams *s)
{
	struct stream *st = s->dirty, *next;

	for (s->dirty = NULL; st; st = next) {
		int n = st->fd >= 0 && st->out_bytes ? stream_write(st) : 0;

		next = st->next_dirty;
		st->dirty = false;
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			stream_end(st);
		if (n > 0) {
			st->out_bytes -= (uint32_t)n;
			memmove(st->out, st->out + n, st->out_bytes);
		}
		if (st->out_bytes)
			put(s, st, 0);
	}
}

/* ---- messages */

uint32_t stream_message_bytes(const uint8_t *bytes, uint32_t len)
{
	const uint8_t *end = memmem(bytes, len, "\r\n\r\n", 4), *length;
	uint32_t head, body = 0;

	if (!end)
		return 0;
	head = (uint32_t)(end - bytes) + 4;
	length = memmem(bytes, head, "\r\nContent-Length:", 17);
	for (length = length ? length + 17 : end; *length == ' '; length++)
		;
	for (; *length >= '0' && *length <= '9' && body < 1 << 20; length++)
		body = body * 10 + (unsigned)(*length - '0');
	return head + body <= len ? head + body : 0;
}

static int take_messages(struct load *l, struct stream *st)
{
	uint32_t at = 0, len;
	int n = 0;

	while ((len = stream_message_bytes(st->in + at, st->in_bytes - at))) {
		uint32_t answered = 0;

		if (st->target == CALLER)
			load_caller_got(l, st->in + at, len);
		else if (st->out_bytes + VERSUS_MESSAGE_MAX > SEND_BYTES)
			break; /* it does not read what it is sent: nor do we */
		else if (load_target_got(l, (unsigned)st->target, st->in + at, len, st->out + st->out_bytes, &answered))
			put(l->streams, st, answered);
		at += len;
		n++;
	}
	st->in_bytes -= at;
	memmove(st->in, st->in + at, st->in_bytes);
	return n;
}

static int stream_in(struct load *l, struct stream *st)
{
	int n, moved = 0;

	do {
		n = st->in_bytes < READ_BYTES ? stream_read(st, st->in + st->in_bytes, 2 * READ_BYTES - st->in_bytes) : 0;
		if (n == 0 && st->in_bytes >= READ_BYTES)
			return moved + take_messages(l, st);
		if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
			stream_end(st); /* its INVITEs are lost, and count as that */
			return moved;
		}
		if (n > 0) {
			st->in_bytes += (uint32_t)n;
			moved += take_messages(l, st);
		}
	} while (n > 0 && st->ssl); /* OpenSSL may hold more than the socket says */
	return moved;
}

static void accept_all(struct load *l, const struct stream *listener)
{
	int fd;

	while ((fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		struct stream *st = stream_new(l, fd, (int)listener->listens);

		if (st && l->streams->server && !tls_begin(l, st, l->streams->server))
			stream_end(st);
	}
}

int streams_turn(struct load *l)
{
	struct epoll_event events[EVENTS];
	int n, moved = 0;

	flush(l->streams);
	n = epoll_wait(l->streams->epoll, events, EVENTS, 0);
	for (int i = 0; i < n; i++) {
		struct stream *st = events[i].data.ptr;

		if (st->target == LISTENER)
			accept_all(l, st);
		else if (st->fd >= 0)
			moved += stream_in(l, st);
	}
	flush(l->streams);
	return n < 0 && errno != EINTR ? -errno : moved;
}

bool streams_invite(struct load *l, uint64_t serial, const uint8_t *bytes, uint32_t len)
{
	struct stream *st = l->streams->callers[serial % l->streams->caller_count];

	if (st->fd < 0 || st->out_bytes + len > SEND_BYTES)
		return false;
	memcpy(st->out + st->out_bytes, bytes, len);
	put(l->streams, st, len);
	return true;
}

/* ---- opening */

static int listen_at(struct load *l, unsigned target)
{
	struct sockaddr_in here = load_place(l->config->targets[target], l->config->port);
	int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct stream *st;

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&here, sizeof(here)) < 0 || listen(fd, 4096) < 0 || !(st = stream_new(l, fd, LISTENER))) {
		int err = -errno;

		close(fd);
		return err;
	}
	st->listens = target;
	return 0;
}

/* Blocking, until the connection stands and the handshake is through: this is not what is measured. */
static int connect_one(struct load *l)
{
	struct sockaddr_in here = load_place(l->config->me, 0), there = load_place(l->config->us, l->config->port);
	struct timeval patience = { .tv_sec = OPEN_S };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct stream *st;

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	if (bind(fd, (struct sockaddr *)&here, sizeof(here)) < 0 || connect(fd, (struct sockaddr *)&there, sizeof(there)) < 0) {
		int err = -errno;

		close(fd);
		return err;
	}
	st = stream_new(l, fd, CALLER);
	if (!st)
		return -ENOMEM;
	l->streams->callers[l->streams->caller_count++] = st;
	if (!l->streams->client)
		return 0;
	fcntl(fd, F_SETFL, 0);
	if (!tls_begin(l, st, l->streams->client) || SSL_connect(st->ssl) != 1) {
		ERR_print_errors_fp(stderr);
		return -EPROTO;
	}
	fcntl(fd, F_SETFL, O_NONBLOCK);
	return 0;
}

static int tls_open(struct streams *s, const struct load_config *c)
{
	s->server = SSL_CTX_new(TLS_server_method());
	s->client = SSL_CTX_new(TLS_client_method());
	if (!s->server || !s->client || SSL_CTX_use_certificate_chain_file(s->server, c->certificate) != 1 ||
	    SSL_CTX_use_PrivateKey_file(s->server, c->key, SSL_FILETYPE_PEM) != 1) {
		ERR_print_errors_fp(stderr);
		return -EINVAL;
	}
	return 0;
}

int streams_open(struct load *l, const char **ret_step)
{
	const struct load_config *c = l->config;
	int err = 0;

	*ret_step = "memory";
	l->streams = calloc(1, sizeof(*l->streams));
	if (!l->streams)
		return -ENOMEM;
	l->streams->epoll = epoll_create1(EPOLL_CLOEXEC);
	l->streams->callers = calloc(c->connections, sizeof(struct stream *));
	if (l->streams->epoll < 0 || !l->streams->callers)
		return -ENOMEM;
	*ret_step = "certificate";
	if (c->transport == VERSUS_TLS)
		err = tls_open(l->streams, c);
	for (unsigned t = 0; !err && t < c->target_count; t++) {
		*ret_step = c->targets[t];
		err = listen_at(l, t);
	}
	for (unsigned i = 0; !err && i < c->connections; i++) {
		*ret_step = c->us;
		err = connect_one(l);
	}
	return err;
}
