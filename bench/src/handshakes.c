/* SPDX-License-Identifier: Apache-2.0 */
/* strowger-handshakes: TLS clients, so many at once, that connect, shake hands, ask once whether anybody is there and go. Kernel sockets
 * and OpenSSL, nothing of Strowger's in it. Each line that it prints is a JSON object: when measuring begins, when it ends, and what came
 * of it. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#define AT_ONCE_MAX 256
#define PATIENCE_S  5
#define PING	    "\r\n\r\n" /* RFC 5626 §3.5.1: what it is answered with comes behind the session tickets, which who closes at once never reads */

struct options {
	const char *us, *me, *name;
	uint16_t port;
	double seconds, warmup;
	unsigned at_once, stay, version;
	bool resume;
};

enum step { CONNECTING, SHAKING, ASKING, STANDING, LEAVING };

struct client {
	int fd;
	SSL *ssl;
	enum step step;
	uint64_t begin_ns;
};

struct clients {
	struct options o;
	SSL_CTX *ctx;
	SSL_SESSION *session; /* that was had last */
	int epoll;
	struct client *client;
	uint64_t done, resumed, failed, late;
	const char *why;
};

static uint64_t clock_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static struct sockaddr_in place(const char *address, uint16_t port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port) };

	inet_pton(AF_INET, address, &a.sin_addr);
	return a;
}

/* ---- one client */

static void client_end(struct client *c)
{
	SSL_free(c->ssl);
	if (c->fd >= 0)
		close(c->fd);
	c->ssl = NULL;
	c->fd = -1;
}

static int client_begin(struct clients *k, struct client *c)
{
	struct sockaddr_in here = place(k->o.me, 0), there = place(k->o.us, k->o.port);
	struct epoll_event event = { .events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = c };
	int one = 1;

	c->begin_ns = clock_ns();
	c->step = CONNECTING;
	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (c->fd < 0)
		return -errno;
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	setsockopt(c->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one)); /* ports in TIME-WAIT may be taken again: tcp_tw_reuse */
	c->ssl = SSL_new(k->ctx);
	if (!c->ssl || !SSL_set_fd(c->ssl, c->fd))
		return -ENOMEM;
	SSL_set_connect_state(c->ssl);
	if (k->o.name)
		SSL_set_tlsext_host_name(c->ssl, k->o.name);
	if (k->o.resume && k->session)
		SSL_set_session(c->ssl, k->session);
	if (bind(c->fd, (struct sockaddr *)&here, sizeof(here)) < 0 ||
	    (connect(c->fd, (struct sockaddr *)&there, sizeof(there)) < 0 && errno != EINPROGRESS) ||
	    epoll_ctl(k->epoll, EPOLL_CTL_ADD, c->fd, &event) < 0)
		return -errno;
	return 0;
}

static void client_failed(struct clients *k, struct client *c, const char *why)
{
	k->failed++;
	if (!k->why)
		k->why = why;
	client_end(c);
}

static bool wants_more(SSL *ssl, int n)
{
	int why = SSL_get_error(ssl, n);

	return why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE;
}

static void client_done(struct clients *k, struct client *c)
{
	k->done++;
	k->resumed += (uint64_t)SSL_session_reused(c->ssl);
	if (!k->o.resume || !SSL_session_reused(c->ssl) || !k->session) {
		SSL_SESSION_free(k->session);
		k->session = SSL_get1_session(c->ssl);
	}
	if (k->o.stay) {
		c->step = STANDING;
		return;
	}
	/* In order: what comes for a socket that is closed already would be answered with a reset. */
	c->step = LEAVING;
	SSL_shutdown(c->ssl);
	shutdown(c->fd, SHUT_WR);
}

static void client_turn(struct clients *k, struct client *c)
{
	char answer[4096];
	int n;

	if (c->step == STANDING || c->fd < 0)
		return;
	while (c->step == LEAVING && (n = (int)recv(c->fd, answer, sizeof(answer), 0)) != 0) {
		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0)
			break;
	}
	if (c->step == LEAVING) {
		client_end(c);
		return;
	}
	if (c->step == CONNECTING || c->step == SHAKING) {
		c->step = SHAKING;
		ERR_clear_error();
		n = SSL_do_handshake(c->ssl);
		if (n != 1) {
			if (!wants_more(c->ssl, n))
				client_failed(k, c, "handshake");
			return;
		}
		SSL_write(c->ssl, PING, sizeof(PING) - 1);
		c->step = ASKING;
	}
	n = SSL_read(c->ssl, answer, sizeof(answer));
	if (n > 0)
		client_done(k, c);
	else if (!wants_more(c->ssl, n))
		client_failed(k, c, "the connection was closed");
}

/* ---- all of them */

static void say(const struct clients *k, const char *event, double seconds)
{
	printf("{\"event\": \"%s\", \"done\": %lu, \"resumed\": %lu, \"failed\": %lu, \"late\": %lu, \"seconds\": %.4f, \"why\": \"%s\"}\n", event, k->done, k->resumed,
	       k->failed, k->late, seconds, k->why ? k->why : "");
	fflush(stdout);
}

static int turn_all(struct clients *k, bool more)
{
	struct epoll_event events[AT_ONCE_MAX];
	uint64_t now = clock_ns();
	int n, err = 0;

	for (unsigned i = 0; i < k->o.at_once; i++) {
		struct client *c = &k->client[i];

		if (c->fd >= 0 && now - c->begin_ns > PATIENCE_S * 1000000000ull) {
			k->late++;
			client_failed(k, c, "no answer");
		}
		if (c->fd < 0 && more && !err)
			err = client_begin(k, c);
	}
	n = epoll_wait(k->epoll, events, AT_ONCE_MAX, 10);
	for (int i = 0; i < n; i++) {
		struct client *c = events[i].data.ptr;

		if (c->fd >= 0)
			client_turn(k, c);
	}
	return err;
}

/* So many that stand and have nothing to do, until the standard input ends. */
static int stay(struct clients *k)
{
	char none[64];
	int err = 0;

	for (unsigned at = 0; !err && at < k->o.stay; at += k->o.at_once) {
		unsigned n = k->o.stay - at < k->o.at_once ? k->o.stay - at : k->o.at_once;

		for (unsigned i = at; !err && i < at + n; i++)
			err = client_begin(k, &k->client[i]);
		while (!err && k->done + k->failed < at + n) {
			struct epoll_event events[AT_ONCE_MAX];
			int came = epoll_wait(k->epoll, events, AT_ONCE_MAX, PATIENCE_S * 1000);

			for (int i = 0; i < came; i++)
				client_turn(k, events[i].data.ptr);
			if (came == 0)
				err = -ETIMEDOUT;
		}
	}
	if (err)
		return err;
	say(k, "stand", 0);
	while (read(STDIN_FILENO, none, sizeof(none)) > 0)
		;
	for (unsigned i = 0; i < k->o.stay; i++)
		client_end(&k->client[i]);
	return 0;
}

static int run(struct clients *k)
{
	uint64_t begin = clock_ns(), warm = begin + (uint64_t)(k->o.warmup * 1e9), end = warm + (uint64_t)(k->o.seconds * 1e9), now = begin;
	bool measuring = false;
	int err = 0;

	while (!err && now < end) {
		if (!measuring && now >= warm) {
			measuring = true;
			warm = now;
			say(k, "measure", 0);
		}
		err = turn_all(k, true);
		now = clock_ns();
	}
	if (!err)
		say(k, "sent", (double)(now - warm) / 1e9);
	for (unsigned i = 0; i < k->o.at_once; i++)
		client_end(&k->client[i]);
	if (!err)
		say(k, "end", (double)(now - warm) / 1e9);
	return err;
}

/* ---- options */

static const struct option names[] = {
	{ "proxy", 1, NULL, 'p' },  { "caller", 1, NULL, 'c' }, { "port", 1, NULL, 'P' }, { "name", 1, NULL, 'n' },    { "seconds", 1, NULL, 's' },
	{ "stay", 1, NULL, 'S' },
	{ "warmup", 1, NULL, 'w' }, { "at-once", 1, NULL, 'a' }, { "resume", 0, NULL, 'r' }, { "tls", 1, NULL, 't' }, { 0 },
};

static const char usage[] = "strowger-handshakes --proxy A --caller A --seconds S | --stay N\n"
			    "  --port N       (5060)\n"
			    "  --name NAME    that is asked for (SNI)\n"
			    "  --warmup S     before measuring begins (0)\n"
			    "  --at-once N    connections: 1..256 (16)\n"
			    "  --resume       with the session of one before\n"
			    "  --tls 1.2|1.3  the version (1.3)\n"
			    "  --stay N       open so many instead, say when they stand, and keep them until the input ends\n"
			    "Exit status: 0 it was run, whatever came of it; 1 it could not be; 2 wrong usage.\n";

static bool read_options(int argc, char **argv, struct options *o)
{
	int c;

	*o = (struct options){ .port = 5060, .at_once = 16, .version = TLS1_3_VERSION };
	while ((c = getopt_long(argc, argv, "", names, NULL)) >= 0)
		switch (c) {
		case 'p': o->us = optarg; break;
		case 'c': o->me = optarg; break;
		case 'P': o->port = (uint16_t)atoi(optarg); break;
		case 'n': o->name = optarg; break;
		case 's': o->seconds = atof(optarg); break;
		case 'w': o->warmup = atof(optarg); break;
		case 'a': o->at_once = (unsigned)atoi(optarg); break;
		case 'S': o->stay = (unsigned)atoi(optarg); break;
		case 'r': o->resume = true; break;
		case 't': o->version = !strcmp(optarg, "1.2") ? TLS1_2_VERSION : TLS1_3_VERSION; break;
		default: return false;
		}
	return o->us && o->me && (o->seconds > 0 || o->stay) && o->at_once >= 1 && o->at_once <= AT_ONCE_MAX;
}

int main(int argc, char **argv)
{
	struct clients *k = calloc(1, sizeof(*k));
	struct rlimit files;
	unsigned count;
	int err;

	if (!k || !read_options(argc, argv, &k->o)) {
		fputs(usage, stderr);
		return 2;
	}
	count = k->o.stay ? k->o.stay : k->o.at_once;
	files = (struct rlimit){ count + 64, count + 64 };
	k->client = calloc(count, sizeof(*k->client));
	if (!k->client || (count > 512 && setrlimit(RLIMIT_NOFILE, &files) < 0)) {
		fprintf(stderr, "strowger-handshakes: %u connections: %s\n", count, strerror(errno));
		return 1;
	}
	for (unsigned i = 0; i < count; i++)
		k->client[i].fd = -1;
	k->epoll = epoll_create1(EPOLL_CLOEXEC);
	k->ctx = SSL_CTX_new(TLS_client_method());
	if (k->epoll < 0 || !k->ctx || !SSL_CTX_set_min_proto_version(k->ctx, (int)k->o.version) ||
	    !SSL_CTX_set_max_proto_version(k->ctx, (int)k->o.version)) {
		fputs("strowger-handshakes: OpenSSL does not start\n", stderr);
		return 1;
	}
	err = k->o.stay ? stay(k) : run(k);
	SSL_SESSION_free(k->session);
	SSL_CTX_free(k->ctx);
	close(k->epoll);
	free(k->client);
	free(k);
	if (err)
		fprintf(stderr, "strowger-handshakes: %s\n", strerror(-err));
	return err ? 1 : 0;
}
