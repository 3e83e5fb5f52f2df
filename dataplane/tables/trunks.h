/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/span.h"
#include "sip/number.h"

struct epoch;

/* A trunk: a peer network, as a source of calls (its prefixes), as a place to send calls to (its endpoints), or both. */

#define TRUNK_NONE	    UINT32_MAX
#define TRUNK_NAME_MAX	    64
#define TRUNK_ENDPOINTS_MAX 64
#define TRUNK_PREFIXES_MAX  64
#define TRUNK_FORMER_MAX    32
#define TRUNKS_GONE_MAX	    64 /* that have no calls any more but those that are up: room beside limits.trunks */

enum trunk_request_uri {
	TRUNK_URI_ENDPOINT, /* host and port of the request URI become the trunk's host, or the endpoint's address */
	TRUNK_URI_KEEP,	    /* the request URI is left as it came */
};

/* By what a request leaves that is too large for a datagram (RFC 3261 §18.1.1). */
enum trunk_large {
	TRUNK_LARGE_AUTO, /* by TCP where the trunk has an endpoint of that transport at the same address */
	TRUNK_LARGE_TCP,  /* by TCP, to the endpoint's address and port where there is none */
	TRUNK_LARGE_UDP,  /* by UDP all the same, in fragments */
};

/* "auto", "tcp", "udp". any */
const char *trunk_large_name(enum trunk_large large);

/* Was an endpoint until DNS or the operator took it away: no new call goes there, but dialogs still live there. */
struct trunk_former {
	uint32_t id; /* endpoint_id() */
	uint32_t tls_peer; /* by TLS: as whom it must be verified; 0: its trunk was not reached by TLS */
	struct ip_port addr;
};

/* Immutable once published. What every call reads is in front. */
struct trunk {
	uint32_t id; /* trunk_id(name): stable across nodes and restarts */
	uint32_t profile_slot; /* where its calls go when number and domain say nothing; PROFILE_NONE */
	enum trunk_request_uri request_uri;
	enum trunk_large large_requests;
	bool connection_reuse; /* RFC 5923: its sources' `alias` is followed, and what goes to its endpoints by TCP or TLS says so too */
	uint16_t endpoint_count;
	uint16_t prefix_count;
	struct number_plan plan;
	char host[256]; /* for TRUNK_URI_ENDPOINT; empty: the endpoint's address */
	uint32_t endpoints[TRUNK_ENDPOINTS_MAX]; /* endpoint slots */
	struct ip_prefix prefixes[TRUNK_PREFIXES_MAX]; /* its sources; in-dialog requests may be sent there too */
	uint16_t former_count;
	struct trunk_former former[TRUNK_FORMER_MAX];
	char name[TRUNK_NAME_MAX];
};

struct trunks;

/* NULL: no memory. control-only */
struct trunks *trunks_new(uint32_t max_trunks, struct epoch *e);
void trunks_free(struct trunks *t);

/* Publishes a copy. 0, -ERR_FULL, -ERR_NOMEM, -ERR_EXISTS (another name with the same id). control-only */
int trunks_add(struct trunks *t, const struct trunk *trunk, uint32_t *ret_slot);
/* Replaces the trunk in a slot. 0, -ERR_NOMEM. control-only */
int trunks_update(struct trunks *t, uint32_t slot, const struct trunk *trunk);
void trunks_remove(struct trunks *t, uint32_t slot);

/* Another number after every change: what was looked up after reading it holds for as long as it stays. any */
uint32_t trunks_version(const struct trunks *t);

/* NULL: empty. reader, inside a quiescent period */
const struct trunk *trunks_get(const struct trunks *t, uint32_t slot);
/* By id, for tokens. TRUNK_NONE: no such trunk. reader, inside a quiescent period */
uint32_t trunks_find(const struct trunks *t, uint32_t id);

/* A hash of the name (its case folded), never 0. any */
uint32_t trunk_id(struct span name);
