/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

struct event_base;

/* Says when something in a set of directories has changed, once it is quiet: who renews certificates writes several files, one after the
 * other. control-only, all of it */

struct watcher;

/* NULL: no memory, or no inotify. changed is called from the event loop. */
struct watcher *watcher_new(struct event_base *base, void (*changed)(void *ctx), void *ctx);
/* NULL is ignored. */
void watcher_free(struct watcher *w);

/* Begins a new set: directories that watcher_add does not name again before watcher_end are watched no more. */
void watcher_begin(struct watcher *w);
/* A directory; one that is not there is left out, as is one beyond WATCHER_MAX. */
#define WATCHER_MAX 1024
void watcher_add(struct watcher *w, const char *directory);
/* The directory that the file at the end of its symbolic links lies in, and the one that it is named in. */
void watcher_add_file(struct watcher *w, const char *file);
void watcher_end(struct watcher *w);
