/* SPDX-License-Identifier: Apache-2.0 */
#include "line.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "numbered.h"

bool line_begin(struct line *l, int epoll, int fd, bool connecting)
{
	struct epoll_event event = { .events = EPOLLIN | (connecting ? EPOLLOUT : 0), .data.ptr = l };
	int on = 1;

	memset(l, 0, sizeof(*l));
	l->fd = fd;
	l->connecting = connecting;
	l->events = event.events;
	l->in_bytes = malloc(LINE_IN + 1);
	l->out_bytes = malloc(LINE_OUT);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	return l->in_bytes && l->out_bytes && !epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

void line_done(struct line *l)
{
	close(l->fd);
	free(l->in_bytes);
	free(l->out_bytes);
	l->in_bytes = l->out_bytes = NULL;
	l->fd = -1;
	l->ended = true;
}

uint32_t line_room(const struct line *l)
{
	return LINE_OUT - l->out;
}

bool line_put(struct line *l, const char *message, uint32_t bytes)
{
	if (l->ended || bytes > line_room(l))
		return false;
	if (l->out_from + l->out + bytes > LINE_OUT) {
		memmove(l->out_bytes, l->out_bytes + l->out_from, l->out);
		l->out_from = 0;
	}
	memcpy(l->out_bytes + l->out_from + l->out, message, bytes);
	l->out += bytes;
	return true;
}

void line_flush(struct line *l, int epoll)
{
	unsigned want;
	ssize_t n = 1;

	if (l->ended)
		return;
	while (!l->connecting && l->out && (n = send(l->fd, l->out_bytes + l->out_from, l->out, MSG_NOSIGNAL)) > 0) {
		l->out_from += (uint32_t)n;
		l->out -= (uint32_t)n;
	}
	if (!l->out)
		l->out_from = 0;
	want = EPOLLIN | (l->out || l->connecting ? EPOLLOUT : 0);
	if (want != l->events) {
		struct epoll_event event = { .events = want, .data.ptr = l };

		l->events = want;
		epoll_ctl(epoll, EPOLL_CTL_MOD, l->fd, &event);
	}
}

bool line_read(struct line *l, void (*message)(void *ctx, struct line *l, const char *text, uint32_t bytes), void *ctx)
{
	for (;;) {
		ssize_t n = recv(l->fd, l->in_bytes + l->in, LINE_IN - l->in, 0);
		uint32_t at = 0;
		int64_t length = 0;

		if (n <= 0)
			return n < 0 && (errno == EAGAIN || errno == ENOTCONN);
		l->in += (uint32_t)n;
		l->in_bytes[l->in] = 0;
		while (!l->ended && (length = numbered_length(l->in_bytes + at, l->in - at)) > 0) {
			char behind = l->in_bytes[at + length];

			l->in_bytes[at + length] = 0;
			message(ctx, l, l->in_bytes + at, (uint32_t)length);
			l->in_bytes[at + length] = behind;
			at += (uint32_t)length;
		}
		if (length < 0)
			return false;
		l->in -= at;
		memmove(l->in_bytes, l->in_bytes + at, l->in);
		if (l->in == LINE_IN)
			return false;
	}
}
