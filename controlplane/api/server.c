/* SPDX-License-Identifier: Apache-2.0 */
#include "api/server.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <grp.h>
#include <libgen.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/err.h"
#include "error.h"
#include "log.h"

/* While so much waits to be written, nothing more is read from that client. */
#define PENDING_MAX (1u << 20)
#define READ_AT_ONCE (256u << 10)
/* A follower that has so much to read still gets no further lines. */
#define FOLLOW_PENDING_MAX (256u << 10)

struct server_client {
	struct server *server;
	struct bufferevent *stream;
	struct server_client *next, **prev_next;
	size_t searched; /* bytes at the front of the input that hold no newline */
	bool closing;	 /* once everything is written */
	bool follows;
	uint64_t lost;	 /* lines that it was not given since the last "lost" */
	char name[SERVER_NAME_MAX]; /* empty: not looked up yet */
};

struct server {
	struct event_base *base;
	struct evconnlistener *listener;
	char *path;
	gid_t group;
	bool has_group;
	struct server_door door;
	struct server_client *clients;
	unsigned client_count;
};

static void client_free(struct server_client *c)
{
	*c->prev_next = c->next;
	if (c->next)
		c->next->prev_next = c->prev_next;
	c->server->client_count--;
	bufferevent_free(c->stream);
	free(c);
}

static void send_text(struct server_client *c, const char *text)
{
	bufferevent_write(c->stream, text, strlen(text));
}

/* The next whole line, or NULL; n is its length without newline, *ret_bytes with it. */
static const char *next_line(struct server_client *c, size_t *ret_bytes)
{
	struct evbuffer *in = bufferevent_get_input(c->stream);
	struct evbuffer_ptr from, at;

	if (evbuffer_ptr_set(in, &from, c->searched, EVBUFFER_PTR_SET))
		return NULL;
	at = evbuffer_search(in, "\n", 1, &from);
	if (at.pos < 0) {
		c->searched = evbuffer_get_length(in);
		return NULL;
	}
	*ret_bytes = (size_t)at.pos + 1;
	return (const char *)evbuffer_pullup(in, (ev_ssize_t)*ret_bytes);
}

static void refuse_size(struct server_client *c)
{
	send_text(c, "{\"jsonrpc\":\"2.0\",\"error\":{\"code\":-32600,\"message\":\"request: longer than 16 MiB\"},\"id\":null}\n");
	c->closing = true;
	bufferevent_disable(c->stream, EV_READ);
}

static void serve_lines(struct server_client *c)
{
	struct evbuffer *in = bufferevent_get_input(c->stream), *out = bufferevent_get_output(c->stream);
	const char *line;
	size_t bytes;

	while (!c->closing && evbuffer_get_length(out) < PENDING_MAX && (line = next_line(c, &bytes)) != NULL) {
		bool blank = strspn(line, " \t\r\n") >= bytes;
		char *answer;

		if (bytes > SERVER_REQUEST_MAX) {
			refuse_size(c);
			return;
		}
		answer = blank ? NULL : c->server->door.answer(c->server->door.ctx, c, line, bytes - 1);
		evbuffer_drain(in, bytes);
		c->searched = 0;
		if (answer)
			send_text(c, answer);
		free(answer);
	}
	if (evbuffer_get_length(out) >= PENDING_MAX)
		bufferevent_disable(c->stream, EV_READ);
	else if (!c->closing && evbuffer_get_length(in) > SERVER_REQUEST_MAX)
		refuse_size(c);
}

/* Answers wait in the buffer until the loop's next turn: whatever they promise is made true before. */
static void serve(struct server_client *c)
{
	serve_lines(c);
	if (c->server->door.settle)
		c->server->door.settle(c->server->door.ctx);
}

static void on_read(struct bufferevent *stream, void *ctx)
{
	serve(ctx);
}

static void tell_lost(struct server_client *c)
{
	char text[96];

	if (!c->lost)
		return;
	snprintf(text, sizeof(text), "{\"jsonrpc\":\"2.0\",\"method\":\"lost\",\"params\":{\"events\":%llu}}\n", (unsigned long long)c->lost);
	c->lost = 0;
	send_text(c, text);
}

/* Everything has been written: read on. */
static void on_written(struct bufferevent *stream, void *ctx)
{
	struct server_client *c = ctx;

	if (c->closing) {
		client_free(c);
		return;
	}
	tell_lost(c);
	bufferevent_enable(stream, EV_READ);
	serve(c);
}

static void on_end(struct bufferevent *stream, short what, void *ctx)
{
	struct server_client *c = ctx;

	/* A client that sent its request and closed its side still gets the answer. */
	if ((what & BEV_EVENT_EOF) && evbuffer_get_length(bufferevent_get_output(stream))) {
		c->closing = true;
		bufferevent_disable(stream, EV_READ);
		return;
	}
	client_free(c);
}

int server_adopt(struct server *s, int fd)
{
	struct server_client *c = calloc(1, sizeof(*c));

	if (!c || s->client_count >= SERVER_CLIENTS_MAX) {
		int err = c ? -ERR_FULL : -ERR_NOMEM;

		free(c);
		close(fd);
		return err;
	}
	evutil_make_socket_nonblocking(fd);
	c->server = s;
	c->stream = bufferevent_socket_new(s->base, fd, BEV_OPT_CLOSE_ON_FREE);
	if (!c->stream) {
		free(c);
		close(fd);
		return -ERR_NOMEM;
	}
	bufferevent_set_max_single_read(c->stream, READ_AT_ONCE);
	bufferevent_setwatermark(c->stream, EV_READ, 0, SERVER_REQUEST_MAX + READ_AT_ONCE);
	bufferevent_setcb(c->stream, on_read, on_written, on_end, c);
	bufferevent_enable(c->stream, EV_READ | EV_WRITE);
	c->next = s->clients;
	c->prev_next = &s->clients;
	if (c->next)
		c->next->prev_next = &c->next;
	s->clients = c;
	s->client_count++;
	return 0;
}

const char *server_client_name(struct server_client *c)
{
	struct ucred peer;
	socklen_t n = sizeof(peer);
	const struct passwd *user;

	if (c->name[0])
		return c->name;
	if (getsockopt(bufferevent_getfd(c->stream), SOL_SOCKET, SO_PEERCRED, &peer, &n)) {
		strcpy(c->name, "?");
		return c->name;
	}
	user = getpwuid(peer.uid);
	if (user && user->pw_name[0])
		snprintf(c->name, sizeof(c->name), "%s", user->pw_name);
	else
		snprintf(c->name, sizeof(c->name), "uid %u", (unsigned)peer.uid);
	return c->name;
}

void server_follow(struct server_client *c)
{
	c->follows = true;
}

void server_tell(struct server *s, const char *line)
{
	for (struct server_client *c = s ? s->clients : NULL; c; c = c->next) {
		if (!c->follows || c->closing)
			continue;
		if (evbuffer_get_length(bufferevent_get_output(c->stream)) > FOLLOW_PENDING_MAX) {
			c->lost++;
			continue;
		}
		tell_lost(c);
		send_text(c, line);
	}
}

/* Root, the daemon's own user, or a member of the socket's group: the file mode says the same, but a file's mode can be changed. */
static bool may_enter(const struct server *s, int fd)
{
	struct ucred peer;
	gid_t groups[256];
	socklen_t n = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &n))
		return false;
	if (peer.uid == 0 || peer.uid == geteuid() || (s->has_group && peer.gid == s->group))
		return true;
	n = sizeof(groups);
	if (!s->has_group || getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &n))
		return false;
	for (size_t i = 0; i < n / sizeof(groups[0]); i++)
		if (groups[i] == s->group)
			return true;
	return false;
}

static void on_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *from, int bytes, void *ctx)
{
	struct server *s = ctx;

	if (!may_enter(s, fd)) {
		log_line(LOG_LEVEL_WARNING, "control socket: a peer that is neither root nor in the group was turned away");
		close(fd);
		return;
	}
	if (server_adopt(s, fd))
		log_line(LOG_LEVEL_WARNING, "control socket: more than %d clients", SERVER_CLIENTS_MAX);
}

static int socket_error(char *error, const char *path)
{
	return error_set(error, -ERR_IO, "control.socket: %s: %s", path, strerror(errno));
}

static int find_group(struct server *s, const char *name, char *error)
{
	const struct group *g;

	if (!name[0])
		return 0;
	g = getgrnam(name);
	if (!g)
		return error_set(error, -ERR_NOT_FOUND, "control.group: no group named %s (groupadd --system %s makes it)", name, name);
	s->group = g->gr_gid;
	s->has_group = true;
	return 0;
}

/* A socket file that nobody listens on is left over from a crash. */
static int clear_stale(const struct sockaddr_un *address, char *error)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct stat st;
	int err = 0;

	if (fd < 0)
		return socket_error(error, address->sun_path);
	if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0)
		err = error_set(error, -ERR_EXISTS, "control.socket: %s: another strowgerd answers there", address->sun_path);
	else if (stat(address->sun_path, &st) == 0 && !S_ISSOCK(st.st_mode))
		err = error_set(error, -ERR_EXISTS, "control.socket: %s is there and is no socket", address->sun_path);
	else
		unlink(address->sun_path);
	close(fd);
	return err;
}

static void make_parent(const char *path)
{
	char *copy = strdup(path);

	if (copy)
		mkdir(dirname(copy), 0755);
	free(copy);
}

static int listen_on(const struct server *s, const char *path, int *ret_fd, char *error)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	mode_t mask;
	int fd, err;

	if (strlen(path) >= sizeof(address.sun_path))
		return error_set(error, -ERR_INVALID, "control.socket: longer than %zu characters", sizeof(address.sun_path) - 1);
	strcpy(address.sun_path, path);
	make_parent(path);
	err = clear_stale(&address, error);
	if (err)
		return err;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return socket_error(error, path);
	mask = umask(0117);
	err = bind(fd, (struct sockaddr *)&address, sizeof(address));
	umask(mask);
	if (err || (s->has_group && chown(path, (uid_t)-1, s->group)) || listen(fd, 64)) {
		err = socket_error(error, path);
		close(fd);
		return err;
	}
	*ret_fd = fd;
	return 0;
}

int server_new(struct event_base *base, const char *path, const char *group, const struct server_door *door, struct server **ret_server,
	       char *error)
{
	struct server *s = calloc(1, sizeof(*s));
	int fd, err;

	if (!s)
		return error_set(error, -ERR_NOMEM, "out of memory");
	s->base = base;
	s->door = *door;
	err = find_group(s, group, error);
	if (!err)
		err = listen_on(s, path, &fd, error);
	if (err) {
		free(s);
		return err;
	}
	s->path = strdup(path);
	s->listener = evconnlistener_new(base, on_accept, s, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, -1, fd);
	if (!s->path || !s->listener) {
		close(fd);
		server_free(s);
		return error_set(error, -ERR_NOMEM, "out of memory");
	}
	*ret_server = s;
	return 0;
}

void server_free(struct server *s)
{
	if (!s)
		return;
	while (s->clients)
		client_free(s->clients);
	if (s->listener)
		evconnlistener_free(s->listener);
	if (s->path)
		unlink(s->path);
	free(s->path);
	free(s);
}
