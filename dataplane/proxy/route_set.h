/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "proxy/state.h"

/* The way of a mid-dialog request as it says itself: its Route set and request URI, and the token of ours among them
 * (RFC 3261 §16.4, §16.6(6), §16.12). All of it is p->in's. */

#define ROUTES_IN_MAX 64 /* Route values in one request; more are refused */

struct route_value {
	struct span whole, uri; /* the element as written; its URI */
	int line;
};

struct way {
	struct token token;
	enum token_side side;	      /* who speaks */
	bool strict_before;	      /* our Record-Route is the request URI: a strict router sent it (§16.4) */
	bool top_is_ours;	      /* the first Route value carries the token */
	unsigned count, first;	      /* Route values; the first that stays */
	unsigned own;		      /* how many at the front are ours */
	struct span rest;	      /* of the Route line being read */
	struct span request_uri;      /* what it becomes (RFC 3261 §16.4, §16.6(6)) */
	struct span tail;	      /* URI to append to the Route set, p == NULL: none */
	bool rebuild;		      /* strict routing: the Route lines are written anew */
	const struct sip_uri *hop;    /* where the message says it goes next */
	struct sip_uri hop_read;      /* it, where it is not the request URI as it came */
	bool hop_is_route;
	bool secure;		      /* next hop or our own Route is a sips URI: by TLS, or not at all */
	struct route_value routes[ROUTES_IN_MAX];
};

/* Finds the token: in the first Route value, or behind a strict router in the request URI.
 * 0: it is in *w; -ERR_NOT_FOUND: nothing of ours in it; -ERR_FORGED. */
int way_read_token(struct proxy *p, struct way *w);
/* After way_read_token: takes our own values off the Route set and works out the next hop. 0, or a negative enum err: it cannot be followed. */
int way_follow(struct proxy *p, struct way *w);
/* The edits that make the message leave by that way: those that must stand before our Via, then those that may stand behind it. Apart, so that
 * what is usual is edited in the message's order. */
void way_edit_front(struct proxy *p, const struct way *w);
void way_edit_routes(struct proxy *p, const struct way *w);
