/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stddef.h>
#include <sys/types.h>

struct event_base;
struct server;

/* The control socket: newline-delimited requests over a Unix stream socket, many clients, none of which can hold up the loop or another. */

#define SERVER_REQUEST_MAX (16u << 20)
#define SERVER_CLIENTS_MAX 256

/* Answers one line (without its newline); the answer is freed by the server, NULL: none. */
typedef char *server_answer(void *ctx, const char *line, size_t bytes);

/* Listens on path (mode 0660, of `group` where it is not empty). 0; -ERR_EXISTS: somebody answers there already; -ERR_NOT_FOUND: no such
 * group; -ERR_IO. control-only */
int server_new(struct event_base *base, const char *path, const char *group, server_answer *answer, void *ctx, struct server **ret_server,
	       char *error);
/* Closes all clients and removes the socket. NULL is ignored. */
void server_free(struct server *s);

/* Takes over a connected socket as if it had been accepted. 0, -ERR_FULL, -ERR_NOMEM (then it is closed). control-only */
int server_adopt(struct server *s, int fd);
