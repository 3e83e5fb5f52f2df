/* SPDX-License-Identifier: Apache-2.0 */
/* A worker's engine: its sessions as a whole, whose turn it is, and what took too long. */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mailbox.h"
#include "base/pool.h"
#include "tls/session.h"

#define SESSIONS_MAX 4000000
#define SEEN_MAX     65536

/* ---- lists */

static struct session_link *link_of(struct tls_session *s, size_t link)
{
	return (struct session_link *)((uint8_t *)s + link);
}

void engine_list_add(struct session_list *list, struct tls_session *s, size_t link)
{
	struct session_link *l = link_of(s, link);

	l->previous = list->last;
	l->next = NULL;
	*(list->last ? &link_of(list->last, link)->next : &list->first) = s;
	list->last = s;
	list->count++;
}

void engine_list_remove(struct session_list *list, struct tls_session *s, size_t link)
{
	struct session_link *l = link_of(s, link);

	*(l->previous ? &link_of(l->previous, link)->next : &list->first) = l->next;
	*(l->next ? &link_of(l->next, link)->previous : &list->last) = l->previous;
	list->count--;
}

/* ---- life */

struct tls_config tls_config_default(void)
{
	return (struct tls_config){
		.sessions = 65536,
		.handshakes = 4096,
		.tickets = 1024,
		.seen = 256,
		.handshake_budget_us = 1000,
		.handshake_timeout_ms = 10000,
	};
}

int tls_new(const struct tls_config *config, struct tls **ret_tls)
{
	struct tls *t;

	if (!config->store || !config->handlers || !config->clock_us || !config->counters || !config->sessions || config->sessions > SESSIONS_MAX ||
	    !config->handshakes || config->tickets > SESSIONS_MAX || !config->seen || config->seen > SEEN_MAX || !config->handshake_timeout_ms)
		return -ERR_INVALID;
	t = calloc(1, sizeof(*t));
	if (!t)
		return -ERR_NOMEM;
	t->config = *config;
	t->pool = pool_new(config->sessions, sizeof(struct tls_session));
	t->bio = bio_method_new();
	t->resume = resume_new(config->tickets);
	t->seen = mailbox_new(config->seen, sizeof(struct tls_seen));
	if (!t->pool || !t->bio || !t->resume || !t->seen) {
		tls_free(t);
		return -ERR_NOMEM;
	}
	*ret_tls = t;
	return 0;
}

void tls_free(struct tls *t)
{
	if (!t)
		return;
	while (t->all.first)
		tls_free_session(t, t->all.first);
	resume_free(t->resume);
	mailbox_free(t->seen);
	BIO_meth_free(t->bio);
	pool_free(t->pool);
	free(t);
}

/* ---- turns */

/* They took their time: the oldest first. */
static unsigned end_late(struct tls *t)
{
	unsigned n = 0;

	while (t->young.first && t->young.first->deadline_us <= t->now_us) {
		session_end(t->young.first, TLS_END_TIMEOUT, "the handshake took too long");
		n++;
	}
	return n;
}

static unsigned tell_ended(struct tls *t)
{
	unsigned n = 0;

	while (t->ended.first) {
		struct tls_session *s = t->ended.first;

		engine_list_remove(&t->ended, s, LINK(ended));
		s->is_ended = false;
		session_end(s, (enum tls_end)s->end, s->end == TLS_END_NO_MEMORY ? "out of memory" : "what it sends is not read");
		n++;
	}
	return n;
}

struct tls_session *engine_next_waiting(const struct tls *t)
{
	return t->ours.first ? t->ours.first : t->theirs.first;
}

unsigned tls_advance(struct tls *t, uint64_t now_us)
{
	struct tls_session *s;
	bool started;
	unsigned n;

	if (!t->now_us)
		for (s = t->young.first; s; s = s->young.next)
			s->deadline_us += now_us; /* nobody had said what time it was */
	t->now_us = now_us;
	t->spent_us = 0;
	t->steps = 0;
	n = end_late(t) + tell_ended(t);
	while ((s = engine_next_waiting(t)) && (!t->steps || t->spent_us < t->config.handshake_budget_us)) {
		engine_list_remove(s->peer ? &t->ours : &t->theirs, s, LINK(waiting));
		s->is_waiting = false;
		t->granted = s;
		n++;
		started = s->state == SESSION_UNSTARTED;
		if (started)
			handshake_start(s);
		/* Which may have been the end of it: then it has no turn any more. */
		if (t->granted && (!started || s->early))
			t->config.handlers->resume(t->config.ctx, s->user);
		t->granted = NULL;
	}
	return n;
}

uint64_t tls_next_due(const struct tls *t)
{
	if (t->ours.first || t->theirs.first || t->ended.first)
		return 0;
	return t->young.first ? t->young.first->deadline_us : UINT64_MAX;
}

void tls_usage(const struct tls *t, struct tls_usage *ret_usage)
{
	*ret_usage = (struct tls_usage){
		.sessions = t->all.count,
		.handshakes = t->young.count,
		.waiting = t->ours.count + t->theirs.count,
		.tickets = resume_count(t->resume),
		.bytes = t->kept_bytes,
	};
}
