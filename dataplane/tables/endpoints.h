/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <assert.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"

struct epoch;

/* Endpoints: one address, port and transport that calls are sent to. Fixed slots: an immutable configuration behind a pointer,
 * and one cache line of live state. An endpoint belongs to one trunk and is shared by every profile that names the trunk. */

#define ENDPOINT_NONE	  UINT32_MAX
#define ENDPOINT_HOST_MAX 260 /* a name of 253 characters, a port, NUL */

enum endpoint_health {
	ENDPOINT_UNKNOWN, /* not probed (yet): used */
	ENDPOINT_UP,
	ENDPOINT_SUSPECT, /* a probe failed, not enough for down: used */
	ENDPOINT_DOWN,	  /* not used */
	ENDPOINT_EJECTED, /* taken out by live traffic until ejected_until_ms; a word for people: health itself never has it */
};

struct endpoint_config {
	struct ip_port addr;
	uint8_t transport;   /* enum sip_transport */
	uint16_t priority;   /* within its trunk, lower first (RFC 2782) */
	uint16_t weight;     /* within its priority */
	uint32_t id;	     /* stable across nodes and restarts: endpoint_id() */
	uint32_t trunk_slot;
	uint32_t tls_peer;   /* by TLS: as whom it must be verified (tls.h); else 0 */
	char host[ENDPOINT_HOST_MAX]; /* the name that it came by, for the request URI; empty: its address */
};

/* Why live traffic took an endpoint out. */
enum eject_reason {
	EJECT_NONE,
	EJECT_REFUSED,	   /* an ICMP error answered a call */
	EJECT_RETRY_AFTER, /* a 503 asked for it */
	EJECT_SILENT,	   /* `count` calls in a row timed out */
	EJECT_FAILURES,	   /* `count` calls in a row failed before they rang */
	EJECT_SHARE,	   /* `count` percent of its calls in the window did */
};

struct endpoint_live {
	_Alignas(64) _Atomic(uint8_t) health; /* enum endpoint_health; control writes */
	_Atomic(uint8_t) troubled;	      /* calls failed there lately: its struct trouble has something to forget */
	_Atomic(uint8_t) eject_reason;	      /* enum eject_reason: of the last ejection; so are the next three */
	_Atomic(uint16_t) eject_status;	      /* the response that brought it; 0: none did */
	_Atomic(uint32_t) eject_count;
	_Atomic(uint64_t) ejected_ms;	      /* when; data-plane clock, like all times here */
	_Atomic(uint64_t) ejected_until_ms;   /* out until then, whatever the health says */
	_Atomic(const struct endpoint_config *) config; /* as in the slot, so that one line says whether it is usable; endpoints.c's */
	_Atomic(uint64_t) ramp_until_ms;      /* back, but not for its whole share before then (ramp.h) */
	_Atomic(uint32_t) ramp_ms;	      /* how long that takes in all */
	_Atomic(uint32_t) response_us;	      /* smoothed time to the first response, as calls of a fastest profile saw it; 0: none did */
	_Atomic(uint32_t) probe_us;	      /* smoothed round trip of probes; 0: none answered; control writes */
};
static_assert(sizeof(struct endpoint_live) == 64, "one cache line");

/* It is there, and not down. reader, inside a quiescent period */
static inline bool endpoint_live_up(const struct endpoint_live *live)
{
	return atomic_load_explicit(&live->config, memory_order_acquire) &&
	       atomic_load_explicit(&live->health, memory_order_relaxed) != ENDPOINT_DOWN;
}

/* When live traffic takes an endpoint out (of rotation, not out of its calls), and what comes after. */
struct ejection_config {
	uint32_t after;		 /* calls in a row that timed out; 0: never for that */
	uint32_t after_failures; /* calls in a row that failed in any way before they rang; 0: never for that */
	uint32_t numbers;	 /* failures by 408 and 5xx count only when this many called numbers met them */
	uint32_t window_ms;	 /* over which the share of failures is looked at; 0: it is not */
	uint32_t window_percent; /* of the calls in it, that may fail */
	uint32_t window_calls;	 /* a share of fewer calls says nothing */
	uint32_t first_ms;	 /* for how long at first; doubled each time it happens again before it did well for as long */
	uint32_t max_ms;	 /* at most */
	uint32_t share_percent;	 /* of a profile's endpoints, that may be out at once */
	uint32_t ramp_ms;	 /* a returning endpoint has its whole share after that; 0: at once */
	bool last_resort;	 /* where live traffic took out all there are, the least bad are tried */
};

/* One ejection. */
struct ejection {
	uint64_t now_ms, until_ms;
	uint8_t reason; /* enum eject_reason */
	uint16_t status;
	uint32_t count;
};

struct endpoints;
struct trouble;

/* NULL: no memory. control-only */
struct endpoints *endpoints_new(uint32_t max_endpoints, struct epoch *e);
void endpoints_free(struct endpoints *e);
uint32_t endpoints_max(const struct endpoints *e);

/* Publishes a copy of config in a free slot with health unknown. 0, -ERR_FULL. control-only */
int endpoints_add(struct endpoints *e, const struct endpoint_config *config, uint32_t *ret_slot);
/* Replaces the configuration of a slot; live state stays. 0, -ERR_NOMEM. control-only */
int endpoints_update(struct endpoints *e, uint32_t slot, const struct endpoint_config *config);
/* Unpublishes; the slot is used again only after the grace period. Nothing compiled may name it any more. control-only */
void endpoints_remove(struct endpoints *e, uint32_t slot);

/* Another number after every change of a slot's configuration: what was looked up after reading it holds for as long as it stays. any */
uint32_t endpoints_version(const struct endpoints *e);

/* NULL: the slot is empty. reader, inside a quiescent period */
const struct endpoint_config *endpoints_get(const struct endpoints *e, uint32_t slot);
/* Never NULL for slot < max. any */
struct endpoint_live *endpoints_live(const struct endpoints *e, uint32_t slot);

/* May a new call be sent there at now_ms (data-plane clock)? reader, inside a quiescent period */
bool endpoint_usable(const struct endpoints *e, uint32_t slot, uint64_t now_ms);

/* The same for one call, by its hash: one that has just come back is not for every call yet (ramp.h). reader, inside a quiescent period */
bool endpoint_takes(const struct endpoints *e, uint32_t slot, uint64_t call_hash, uint64_t now_ms);

/* Takes the endpoint out until the later of its present ejection and x->until_ms; a ramp follows. any */
void endpoint_eject(struct endpoints *e, uint32_t slot, const struct ejection *x);
/* How many there were, of all endpoints: who follows them need look only when it moved. any */
uint64_t endpoints_ejections(const struct endpoints *e);

/* What probes say of it from now on. One that comes back from down has a ramp. control-only */
void endpoint_set_health(struct endpoints *e, uint32_t slot, enum endpoint_health health, uint64_t now_ms);

/* How long a ramp takes that begins from now on; 0 (the default): none. control-only */
void endpoints_set_ramp(struct endpoints *e, uint32_t ramp_ms);

/* What calls have met there lately (trouble.h). Never NULL for slot < max. any */
struct trouble *endpoint_trouble(const struct endpoints *e, uint32_t slot);
/* One at a time may decide about ejections, so that the share that may be out holds. false: another does so just now. Nobody waits: the
 * next failure asks again. any */
bool endpoints_decide_begin(struct endpoints *e);
void endpoints_decide_end(struct endpoints *e);

/* A call's first response came after so many microseconds, or was given up then. Two workers at once: one's sample may get lost. any */
void endpoint_responded(struct endpoints *e, uint32_t slot, uint32_t us);
/* How long it takes to answer: as calls saw it, else probes; 0: unknown. any */
uint32_t endpoint_response_us(const struct endpoints *e, uint32_t slot);

/* Hash of trunk id, address, port and transport. any */
uint32_t endpoint_id(uint32_t trunk_id, const struct ip_port *addr, uint8_t transport);

const char *endpoint_health_name(enum endpoint_health health);
