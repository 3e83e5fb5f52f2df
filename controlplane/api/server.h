/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stddef.h>
#include <sys/types.h>

struct event_base;
struct server;
struct server_client;

/* The control socket: newline-delimited requests over a Unix stream socket, many clients, none of which can hold up the loop or another. */

#define SERVER_REQUEST_MAX (16u << 20)
#define SERVER_CLIENTS_MAX 256

struct server_door {
	/* Answers one line (without its newline); the answer is freed by the server, NULL: none. `from` is valid during the call. */
	char *(*answer)(void *ctx, struct server_client *from, const char *line, size_t bytes);
	/* The lines that a client had ready have been answered and no answer has left yet: what they promise is made durable now, for all of
	 * them at once. NULL: nothing to do. */
	void (*settle)(void *ctx);
	void *ctx;
};

/* Listens on path (mode 0660, of `group` where it is not empty). 0; -ERR_EXISTS: somebody answers there already; -ERR_NOT_FOUND: no such
 * group; -ERR_IO. control-only */
int server_new(struct event_base *base, const char *path, const char *group, const struct server_door *door, struct server **ret_server,
	       char *error);
/* Closes all clients and removes the socket. NULL is ignored. */
void server_free(struct server *s);

/* Takes over a connected socket as if it had been accepted. 0, -ERR_FULL, -ERR_NOMEM (then it is closed). control-only */
int server_adopt(struct server *s, int fd);

/* The user at the other end ("root", "uid 1234" where it has no name), as its credentials say. control-only */
#define SERVER_NAME_MAX 64
const char *server_client_name(struct server_client *c);

/* From now on the client gets what server_tell says. control-only */
void server_follow(struct server_client *c);

/* One line, with its newline, to every follower. One that does not read loses lines at a bound, and is told how many
 * ({"method": "lost", "params": {"events": N}}) as soon as it reads again. NULL is ignored. control-only */
void server_tell(struct server *s, const char *line);
