/* SPDX-License-Identifier: Apache-2.0 */
#include "certs/watcher.h"

#include <event2/event.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#define QUIET_MS   200	/* without a change: whoever wrote is done */
#define LATEST_MS 2000 /* but nobody waits longer */

#define CHANGES (IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_CLOSE_WRITE | IN_DELETE | IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR)

struct watcher {
	struct event *readable, *quiet;
	int fd;
	void (*changed)(void *ctx);
	void *ctx;
	struct timeval first; /* of the changes that are waited out */
	unsigned count;
	struct {
		int number;
		bool marked;
	} list[WATCHER_MAX];
};

static void on_quiet(evutil_socket_t fd, short what, void *ctx)
{
	struct watcher *w = ctx;

	timerclear(&w->first);
	w->changed(w->ctx);
}

/* What changed is looked up afresh anyway: only that something did counts. */
static void on_readable(evutil_socket_t fd, short what, void *ctx)
{
	static const struct timeval quiet = { 0, QUIET_MS * 1000 }, at_once = { 0, 0 };
	struct watcher *w = ctx;
	struct timeval now, since;
	char buffer[4096];

	while (read(w->fd, buffer, sizeof(buffer)) > 0)
		;
	event_base_gettimeofday_cached(event_get_base(w->quiet), &now);
	if (!timerisset(&w->first))
		w->first = now;
	timersub(&now, &w->first, &since);
	event_add(w->quiet, since.tv_sec * 1000 + since.tv_usec / 1000 > LATEST_MS ? &at_once : &quiet);
}

struct watcher *watcher_new(struct event_base *base, void (*changed)(void *ctx), void *ctx)
{
	struct watcher *w = calloc(1, sizeof(*w));

	if (!w)
		return NULL;
	w->changed = changed;
	w->ctx = ctx;
	w->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (w->fd >= 0) {
		w->readable = event_new(base, w->fd, EV_READ | EV_PERSIST, on_readable, w);
		w->quiet = event_new(base, -1, 0, on_quiet, w);
	}
	if (w->readable && w->quiet && event_add(w->readable, NULL) == 0)
		return w;
	watcher_free(w);
	return NULL;
}

void watcher_free(struct watcher *w)
{
	if (!w)
		return;
	if (w->readable)
		event_free(w->readable);
	if (w->quiet)
		event_free(w->quiet);
	if (w->fd >= 0)
		close(w->fd);
	free(w);
}

void watcher_begin(struct watcher *w)
{
	for (unsigned i = 0; i < w->count; i++)
		w->list[i].marked = false;
}

/* The kernel gives a directory that is watched already the number that it has. */
void watcher_add(struct watcher *w, const char *directory)
{
	int number = inotify_add_watch(w->fd, directory, CHANGES);

	if (number < 0)
		return;
	for (unsigned i = 0; i < w->count; i++)
		if (w->list[i].number == number) {
			w->list[i].marked = true;
			return;
		}
	if (w->count == WATCHER_MAX) {
		inotify_rm_watch(w->fd, number);
		return;
	}
	w->list[w->count].number = number;
	w->list[w->count++].marked = true;
}

static void add_parent(struct watcher *w, char *path)
{
	char *slash = strrchr(path, '/');

	if (slash && slash != path) {
		*slash = 0;
		watcher_add(w, path);
	}
}

void watcher_add_file(struct watcher *w, const char *file)
{
	char *real = realpath(file, NULL), *named = strdup(file);

	if (real)
		add_parent(w, real);
	if (named)
		add_parent(w, named);
	free(real);
	free(named);
}

/* A watch whose directory went is gone by itself: then this is refused, and nothing is lost. */
void watcher_end(struct watcher *w)
{
	for (unsigned i = 0; i < w->count;) {
		if (w->list[i].marked) {
			i++;
			continue;
		}
		inotify_rm_watch(w->fd, w->list[i].number);
		w->list[i] = w->list[--w->count];
	}
}
