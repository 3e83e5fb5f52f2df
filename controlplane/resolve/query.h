/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct event_base;

/* Questions to the name servers, over UDP, or TCP where an answer was cut: c-ares on the control thread's event loop. */

#define QUERY_SERVERS_MAX 16

struct query_config {
	char servers[QUERY_SERVERS_MAX][64]; /* "address:port" or "[v6]:port", asked in this order */
	unsigned server_count;		     /* 0: those of /etc/resolv.conf */
	uint32_t timeout_ms;		     /* of the first try at each server; doubled each time round */
	uint32_t tries;			     /* times round */
};

struct querier;

/* NULL with an error. control-only */
struct querier *querier_new(struct event_base *base, const struct query_config *config, char *error);
/* Whoever waits is told that there is no answer. */
void querier_free(struct querier *q);

/* Asks for name and type, class IN. done is called once, from the event loop or before this returns: bytes are the answer as it came
 * (n > 0), or bytes is NULL and `why` says why there is none (static text). At most QUERIES_MAX are out at a time, the others wait their turn. */
#define QUERIES_MAX 64
typedef void query_done(void *ctx, const uint8_t *bytes, size_t n, const char *why);
void query_ask(struct querier *q, const char *name, uint16_t type, query_done *done, void *ctx);

/* Where there are no servers of our own, reads /etc/resolv.conf anew if it may have changed: nothing else tells us that a network came up. Does
 * nothing while questions are out. */
void querier_refresh(struct querier *q);

struct querier_stats {
	uint64_t asked, answered, unanswered;
	uint32_t out, waiting;
};
void querier_stats(const struct querier *q, struct querier_stats *ret);
