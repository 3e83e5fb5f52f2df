/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "resolve/rfc3263.h"

struct event;
struct event_base;
struct querier;

/* One name that is in use: asked, asked again when the first TTL on its way is over, and remembered when DNS fails. */

enum follow_state {
	FOLLOW_ASKING, /* nothing is known yet */
	FOLLOW_OK,
	FOLLOW_NONE,   /* DNS says that there is nothing there */
	FOLLOW_STALE,  /* something is known, but DNS failed since: `why` */
	FOLLOW_FAILED, /* nothing is known, and DNS fails: `why` */
	FOLLOW_STATES
};

/* The last good answer as it is kept over a restart; also what a name was before, for dialogs that live there. */
#define FOLLOW_FORMER_MAX TRUNK_FORMER_MAX

struct former_place {
	struct ip_port addr;
	uint64_t left_unix_ms; /* when DNS forgot it */
};

struct follow_bounds {
	uint32_t min_ttl_s, max_ttl_s; /* a TTL outside counts as the nearer of them */
	uint32_t former_s;	       /* so long may a dialog live */
	unsigned listeners;	       /* LISTENS(...) of each */
};

struct follow {
	struct follow *next, *same_next; /* the resolver's list, and its bucket */
	struct model_host target; /* name, port and transport */
	const struct follow_bounds *bounds;
	struct querier *querier;
	struct event *timer;
	struct lookups lookups;
	struct location now; /* what calls use; its state is LOCATION_FOUND while anything is known */
	enum follow_state state;
	char why[LOCATION_WHY_MAX];
	bool dead;	     /* nobody names it any more: freed when the last answer came */
	bool marked;	     /* the resolver's, while it looks who is named */
	bool partial;	     /* what is in use was taken before every answer came */
	bool answered;	     /* something, in this round */
	bool settled;	     /* it was asked once to the end, or is known from before the start */
	bool resting;	     /* nobody uses it: it asks nothing */
	uint64_t rest_ms;    /* its owner's: since when */
	bool told;	     /* its owner's: it has heard what DNS says, if only that there is nothing */
	uint16_t out;	     /* questions */
	uint32_t failures;   /* rounds in a row that failed */
	uint32_t changes;    /* of `now` */
	uint64_t begun_ms;   /* of the round that is on */
	uint64_t good_unix_ms; /* when everything was as DNS says; 0: never */
	uint64_t due_ms;     /* when it is asked again */
	uint16_t former_count;
	struct former_place former[FOLLOW_FORMER_MAX]; /* the latest first */
	void (*changed)(void *ctx, struct follow *f, bool places); /* a round is over; places: those in use are others now */
	void *ctx;
};

/* Not asked yet. NULL: no memory. control-only */
struct follow *follow_new(struct event_base *base, struct querier *q, const struct model_host *target, const struct follow_bounds *bounds);
/* Asks. */
void follow_start(struct follow *f);
/* Asks nothing from here on, and keeps what it knows until follow_start. */
void follow_rest(struct follow *f);
/* What was known of it at good_unix_ms, before the start of this process; before follow_start. */
void follow_remember(struct follow *f, const struct sip_place *places, unsigned count, const struct former_place *former, unsigned former_count,
		     uint64_t good_unix_ms);
/* Asks everything anew at once. */
void follow_ask_now(struct follow *f);
/* Freed now, or when the last of its questions is answered. NULL is ignored. */
void follow_free(struct follow *f);

/* Is it asked at this moment? */
bool follow_asking(const struct follow *f);
const char *follow_state_name(enum follow_state state);

/* Milliseconds of the clock that follows count in. any */
uint64_t follow_now_ms(void);
