/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"

struct epoch;

/* Endpoints: one address, port and transport that calls are sent to. Fixed slots: an immutable configuration behind a pointer,
 * and one cache line of live state. An endpoint belongs to one trunk and is shared by every profile that names the trunk. */

#define ENDPOINT_NONE UINT32_MAX

enum endpoint_health {
	ENDPOINT_UNKNOWN, /* not probed (yet): used */
	ENDPOINT_UP,
	ENDPOINT_SUSPECT, /* a probe failed, not enough for down: used */
	ENDPOINT_DOWN,	  /* not used */
	ENDPOINT_EJECTED, /* taken out by live traffic: not used until ejected_until_ms */
};

struct endpoint_config {
	struct ip_port addr;
	uint8_t transport;   /* enum sip_transport */
	uint16_t priority;   /* within its trunk, lower first (RFC 2782) */
	uint16_t weight;     /* within its priority */
	uint32_t id;	     /* stable across nodes and restarts: endpoint_id() */
	uint32_t trunk_slot;
};

struct endpoint_live {
	_Alignas(64) _Atomic(uint8_t) health; /* enum endpoint_health; control writes */
	_Atomic(uint64_t) ejected_until_ms;   /* data-plane clock; used with ENDPOINT_EJECTED and for Retry-After of a 503 */
	_Atomic(const struct endpoint_config *) config; /* as in the slot, so that one line says whether it is usable; endpoints.c's */
};

/* When live traffic takes an endpoint out (of rotation, not out of its calls). */
struct ejection_config {
	uint32_t after;		/* calls in a row that got no response at all; 0: never */
	uint32_t first_ms;	/* for how long at first; doubled each time it happens again before a response came */
	uint32_t max_ms;	/* at most */
	uint32_t share_percent; /* of a profile's endpoints, that may be out at once */
};

struct endpoints;

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

/* NULL: the slot is empty. reader, inside a quiescent period */
const struct endpoint_config *endpoints_get(const struct endpoints *e, uint32_t slot);
/* Never NULL for slot < max. any */
struct endpoint_live *endpoints_live(const struct endpoints *e, uint32_t slot);

/* May a new call be sent there at now_ms (data-plane clock)? reader, inside a quiescent period */
bool endpoint_usable(const struct endpoints *e, uint32_t slot, uint64_t now_ms);

/* Takes the endpoint out until the later of its present ejection and until_ms. any */
void endpoint_eject(struct endpoints *e, uint32_t slot, uint64_t until_ms);

/* Hash of trunk id, address, port and transport. any */
uint32_t endpoint_id(uint32_t trunk_id, const struct ip_port *addr, uint8_t transport);

const char *endpoint_health_name(enum endpoint_health health);
