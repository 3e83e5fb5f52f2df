/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* A kernel's TCP connection with numbered messages on it. */

#define LINE_IN	 (64 * 1024)
#define LINE_OUT (4 * 1024 * 1024) /* the answers to all that can be under way */

struct line {
	int fd;
	bool ended, connecting;
	unsigned events; /* that epoll is told to wait for */
	unsigned waiting; /* requests of the caller's that are not answered */
	uint32_t in, out, out_from;
	char *in_bytes, *out_bytes;
};

/* A socket that does not block; epoll tells of it with its line. false: no memory, or what the kernel says. */
bool line_begin(struct line *l, int epoll, int fd, bool connecting);
void line_done(struct line *l);
/* Queues a message. false: there is no room for it now. */
bool line_put(struct line *l, const char *message, uint32_t bytes);
uint32_t line_room(const struct line *l);
/* Sends what is queued, as far as the kernel takes it. */
void line_flush(struct line *l, int epoll);
/* Reads what there is, and hands every whole message on (with a zero behind it). Returns false where the connection has ended, or what came
 * is no SIP. */
bool line_read(struct line *l, void (*message)(void *ctx, struct line *l, const char *text, uint32_t bytes), void *ctx);
