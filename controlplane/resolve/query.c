/* SPDX-License-Identifier: Apache-2.0 */
#include "resolve/query.h"

#include <ares.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/err.h"
#include "error.h"

#define CLASS_IN     1
#define EDNS_BYTES   1232 /* no fragments on any path (DNS flag day 2020) */
#define RESOLV_CONF  "/etc/resolv.conf"

struct question {
	struct querier *querier;
	struct question *next; /* while it waits */
	query_done *done;
	void *ctx;
	uint16_t type;
	char name[];
};

/* A socket of c-ares's that is being watched. */
struct watched {
	struct watched *next;
	struct querier *querier;
	ares_socket_t fd;
	struct event *event;
};

struct querier {
	struct event_base *base;
	struct query_config config;
	ares_channel channel;
	bool open; /* the channel is there */
	struct event *timer;
	struct watched *watched;
	struct question *first, **last;
	struct timespec resolv_conf; /* when it was changed */
	struct querier_stats stats;
};

static void set_timer(struct querier *q)
{
	struct timeval after;

	if (ares_timeout(q->channel, NULL, &after))
		event_add(q->timer, &after);
	else
		event_del(q->timer);
}

static void on_timer(evutil_socket_t fd, short what, void *ctx)
{
	struct querier *q = ctx;

	ares_process_fd(q->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
	set_timer(q);
}

static void on_socket(evutil_socket_t fd, short what, void *ctx)
{
	const struct watched *w = ctx;
	struct querier *q = w->querier; /* w may be gone after the call */

	ares_process_fd(q->channel, what & EV_READ ? fd : ARES_SOCKET_BAD, what & EV_WRITE ? fd : ARES_SOCKET_BAD);
	set_timer(q);
}

static void forget_socket(struct watched **at)
{
	struct watched *w = *at;

	*at = w->next;
	event_free(w->event);
	free(w);
}

/* c-ares tells what it waits for. Without memory to watch a socket its question times out. */
static void on_sockets(void *ctx, ares_socket_t fd, int readable, int writable)
{
	struct querier *q = ctx;
	struct watched **at = &q->watched, *w;
	short what = (short)((readable ? EV_READ : 0) | (writable ? EV_WRITE : 0) | EV_PERSIST);

	while (*at && (*at)->fd != fd)
		at = &(*at)->next;
	if (*at)
		forget_socket(at);
	if (!readable && !writable)
		return;
	w = calloc(1, sizeof(*w));
	if (!w)
		return;
	*w = (struct watched){ .next = q->watched, .querier = q, .fd = fd };
	w->event = event_new(q->base, fd, what, on_socket, w);
	if (!w->event || event_add(w->event, NULL)) {
		if (w->event)
			event_free(w->event);
		free(w);
		return;
	}
	q->watched = w;
}

static int open_channel(struct querier *q, char *error)
{
	struct ares_options options = {
		.flags = ARES_FLAG_EDNS | ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES, /* not STAYOPEN: a fresh source port when all is quiet */
		.timeout = (int)q->config.timeout_ms,
		.tries = (int)q->config.tries,
		.ednspsz = EDNS_BYTES,
		.sock_state_cb = on_sockets,
		.sock_state_cb_data = q,
	};
	int mask = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_EDNSPSZ | ARES_OPT_SOCK_STATE_CB | ARES_OPT_NOROTATE;
	char list[QUERY_SERVERS_MAX * 65] = "";
	int status = ares_init_options(&q->channel, &options, mask);

	if (status != ARES_SUCCESS)
		return error_set(error, -ERR_IO, "resolver: %s", ares_strerror(status));
	for (unsigned i = 0; i < q->config.server_count; i++)
		strcat(strcat(list, i ? "," : ""), q->config.servers[i]);
	status = q->config.server_count ? ares_set_servers_ports_csv(q->channel, list) : ARES_SUCCESS;
	if (status != ARES_SUCCESS) {
		ares_destroy(q->channel);
		return error_set(error, -ERR_INVALID, "resolver.servers: %s", ares_strerror(status));
	}
	q->open = true;
	return 0;
}

static void note_resolv_conf(struct querier *q)
{
	struct stat st;

	q->resolv_conf = stat(RESOLV_CONF, &st) == 0 ? st.st_mtim : (struct timespec){ 0 };
}

struct querier *querier_new(struct event_base *base, const struct query_config *config, char *error)
{
	struct querier *q = calloc(1, sizeof(*q));

	if (!q || ares_library_init(ARES_LIB_INIT_ALL) != ARES_SUCCESS) {
		error_set(error, -ERR_NOMEM, "out of memory");
		free(q);
		return NULL;
	}
	q->base = base;
	q->config = *config;
	q->last = &q->first;
	q->timer = evtimer_new(base, on_timer, q);
	note_resolv_conf(q);
	if (!q->timer)
		error_set(error, -ERR_NOMEM, "out of memory");
	else if (open_channel(q, error) == 0)
		return q;
	querier_free(q);
	return NULL;
}

static void conclude(struct question *k, const uint8_t *bytes, size_t n, const char *why)
{
	if (bytes)
		k->querier->stats.answered++;
	else
		k->querier->stats.unanswered++;
	k->done(k->ctx, bytes, n, why);
	free(k);
}

void querier_free(struct querier *q)
{
	if (!q)
		return;
	while (q->first) {
		struct question *k = q->first;

		q->first = k->next;
		conclude(k, NULL, 0, "it was not asked any more");
	}
	q->last = &q->first;
	if (q->open)
		ares_destroy(q->channel); /* answers what is out */
	while (q->watched)
		forget_socket(&q->watched);
	if (q->timer)
		event_free(q->timer);
	ares_library_cleanup();
	free(q);
}

static void send_waiting(struct querier *q);

static const char *reason_of(int status)
{
	switch (status) {
	case ARES_ETIMEOUT: return "no answer in time";
	case ARES_ECONNREFUSED: return "the name servers fail or cannot be reached"; /* SERVFAIL of all is this too in c-ares 1.18 */
	case ARES_ESERVFAIL: return "the name servers say SERVFAIL";
	case ARES_EREFUSED: return "the name servers refuse";
	case ARES_ENOTIMP: return "the name servers do not know this type";
	case ARES_EFORMERR: return "the name servers do not understand the question";
	case ARES_EBADRESP: return "the answer is damaged";
	case ARES_EBADNAME: return "it is not a name";
	case ARES_ENOMEM: return "out of memory";
	case ARES_EDESTRUCTION:
	case ARES_ECANCELLED: return "it was not asked any more";
	default: return "the name servers do not answer";
	}
}

/* What c-ares makes of an answer does not matter where there is one: dns_answer_read() reads it. */
static void on_answer(void *ctx, int status, int timeouts, unsigned char *bytes, int n)
{
	struct question *k = ctx;
	struct querier *q = k->querier;
	bool answered = bytes && n > 0 && (status == ARES_SUCCESS || status == ARES_ENODATA || status == ARES_ENOTFOUND);

	q->stats.out--;
	conclude(k, answered ? bytes : NULL, answered ? (size_t)n : 0, answered ? "" : reason_of(status));
	if (status != ARES_EDESTRUCTION)
		send_waiting(q);
}

static void send_waiting(struct querier *q)
{
	while (q->first && q->stats.out < QUERIES_MAX) {
		struct question *k = q->first;

		q->first = k->next;
		if (!q->first)
			q->last = &q->first;
		q->stats.waiting--;
		if (!q->open) {
			conclude(k, NULL, 0, "no name server is known");
			continue;
		}
		q->stats.out++;
		q->stats.asked++;
		ares_query(q->channel, k->name, CLASS_IN, k->type, on_answer, k);
	}
}

void query_ask(struct querier *q, const char *name, uint16_t type, query_done *done, void *ctx)
{
	size_t n = strlen(name) + 1;
	struct question *k = calloc(1, sizeof(*k) + n);

	if (!k) {
		done(ctx, NULL, 0, "out of memory");
		return;
	}
	k->querier = q;
	k->done = done;
	k->ctx = ctx;
	k->type = type;
	memcpy(k->name, name, n);
	*q->last = k;
	q->last = &k->next;
	q->stats.waiting++;
	send_waiting(q);
	if (q->open)
		set_timer(q);
}

void querier_refresh(struct querier *q)
{
	struct timespec before = q->resolv_conf;
	char ignored[ERROR_TEXT_MAX];

	if (q->config.server_count || q->stats.out || q->stats.waiting)
		return;
	note_resolv_conf(q);
	if (q->open && before.tv_sec == q->resolv_conf.tv_sec && before.tv_nsec == q->resolv_conf.tv_nsec)
		return;
	if (q->open)
		ares_destroy(q->channel);
	q->open = false;
	if (open_channel(q, ignored))
		q->resolv_conf = (struct timespec){ 0 }; /* again, next time */
}

void querier_stats(const struct querier *q, struct querier_stats *ret)
{
	*ret = q->stats;
}
