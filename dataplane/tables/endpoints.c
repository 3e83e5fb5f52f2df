/* SPDX-License-Identifier: Apache-2.0 */
#include "tables/endpoints.h"

#include <stdlib.h>

#include "base/err.h"
#include "base/siphash.h"
#include "tables/ramp.h"
#include "tables/slots.h"
#include "tables/trouble.h"

struct endpoints {
	struct slots slots;
	struct endpoint_live *live;
	struct trouble *trouble;
	uint32_t ramp_ms;
	_Atomic(uint64_t) ejections;
	atomic_flag deciding;
	_Atomic(uint32_t) version;
};

/* Nothing is known of it. */
static void clear(struct endpoints *p, uint32_t slot)
{
	struct endpoint_live *live = &p->live[slot];

	atomic_store_explicit(&live->health, ENDPOINT_UNKNOWN, memory_order_relaxed);
	atomic_store_explicit(&live->troubled, 0, memory_order_relaxed);
	atomic_store_explicit(&live->eject_reason, EJECT_NONE, memory_order_relaxed);
	atomic_store_explicit(&live->eject_status, 0, memory_order_relaxed);
	atomic_store_explicit(&live->eject_count, 0, memory_order_relaxed);
	atomic_store_explicit(&live->ejected_ms, 0, memory_order_relaxed);
	atomic_store_explicit(&live->ejected_until_ms, 0, memory_order_relaxed);
	atomic_store_explicit(&live->ramp_until_ms, 0, memory_order_relaxed);
	atomic_store_explicit(&live->ramp_ms, 0, memory_order_relaxed);
	atomic_store_explicit(&live->response_us, 0, memory_order_relaxed);
	atomic_store_explicit(&live->probe_us, 0, memory_order_relaxed);
	trouble_clear(&p->trouble[slot]);
}

struct endpoints *endpoints_new(uint32_t max_endpoints, struct epoch *e)
{
	struct endpoints *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	if (slots_init(&p->slots, max_endpoints, e, free))
		goto fail_slots;
	p->live = aligned_alloc(64, p->slots.max * sizeof(*p->live));
	if (!p->live)
		goto fail_live;
	p->trouble = aligned_alloc(64, p->slots.max * sizeof(*p->trouble));
	if (!p->trouble)
		goto fail_trouble;
	atomic_flag_clear(&p->deciding);
	for (uint32_t i = 0; i < p->slots.max; i++) {
		clear(p, i);
		atomic_init(&p->live[i].config, NULL);
	}
	return p;

fail_trouble:
	free(p->live);
fail_live:
	slots_done(&p->slots);
fail_slots:
	free(p);
	return NULL;
}

void endpoints_free(struct endpoints *e)
{
	if (!e)
		return;
	slots_done(&e->slots);
	free(e->live);
	free(e->trouble);
	free(e);
}

uint32_t endpoints_max(const struct endpoints *e)
{
	return e->slots.max;
}

/* After the change, so that nobody keeps what was before it under the new number. */
static void changed(struct endpoints *e)
{
	atomic_fetch_add_explicit(&e->version, 1, memory_order_release);
}

uint32_t endpoints_version(const struct endpoints *e)
{
	return atomic_load_explicit((_Atomic(uint32_t) *)&e->version, memory_order_acquire);
}

static struct endpoint_config *config_copy(const struct endpoint_config *config)
{
	struct endpoint_config *copy = malloc(sizeof(*copy));

	if (copy)
		*copy = *config;
	return copy;
}

int endpoints_add(struct endpoints *e, const struct endpoint_config *config, uint32_t *ret_slot)
{
	uint32_t slot = slots_next(&e->slots);
	struct endpoint_config *copy;
	int err;

	if (slot == SLOT_NONE)
		return -ERR_FULL;
	copy = config_copy(config);
	if (!copy)
		return -ERR_NOMEM;
	/* Before the slot is published: what the previous tenant left must not be seen with the new one. */
	clear(e, slot);
	atomic_store_explicit(&e->live[slot].config, copy, memory_order_release);
	err = slots_add(&e->slots, copy, ret_slot);
	changed(e);
	return err;
}

int endpoints_update(struct endpoints *e, uint32_t slot, const struct endpoint_config *config)
{
	struct endpoint_config *copy = config_copy(config);

	if (!copy)
		return -ERR_NOMEM;
	/* Here first, in the slot then, which retires the old one: the grace period begins when nobody can find it any more. */
	atomic_store_explicit(&e->live[slot].config, copy, memory_order_release);
	slots_update(&e->slots, slot, copy);
	changed(e);
	return 0;
}

void endpoints_remove(struct endpoints *e, uint32_t slot)
{
	if (slot >= e->slots.max)
		return;
	atomic_store_explicit(&e->live[slot].config, NULL, memory_order_release);
	slots_remove(&e->slots, slot);
	changed(e);
}

const struct endpoint_config *endpoints_get(const struct endpoints *e, uint32_t slot)
{
	return slot < e->slots.max ? atomic_load_explicit(&e->live[slot].config, memory_order_acquire) : NULL;
}

struct endpoint_live *endpoints_live(const struct endpoints *e, uint32_t slot)
{
	return slot < e->slots.max ? &e->live[slot] : NULL;
}

bool endpoint_usable(const struct endpoints *e, uint32_t slot, uint64_t now_ms)
{
	/* An ejection counts whatever the health says: workers eject (a 503's Retry-After), only control writes health. */
	return endpoints_get(e, slot) &&
	       atomic_load_explicit(&e->live[slot].health, memory_order_relaxed) != ENDPOINT_DOWN &&
	       atomic_load_explicit(&e->live[slot].ejected_until_ms, memory_order_relaxed) <= now_ms;
}

bool endpoint_takes(const struct endpoints *e, uint32_t slot, uint64_t call_hash, uint64_t now_ms)
{
	const struct endpoint_live *live = endpoints_live(e, slot);

	if (!live || !endpoint_live_up(live))
		return false;
	return ramp_over(live, now_ms) || (atomic_load_explicit(&live->ejected_until_ms, memory_order_relaxed) <= now_ms &&
					   ramp_admits(live, slot, call_hash, now_ms));
}

static void ramp_from(struct endpoint_live *live, uint64_t from_ms, uint32_t ramp_ms)
{
	uint64_t present = atomic_load_explicit(&live->ramp_until_ms, memory_order_relaxed);

	atomic_store_explicit(&live->ramp_ms, ramp_ms, memory_order_relaxed);
	while (present < from_ms + ramp_ms &&
	       !atomic_compare_exchange_weak_explicit(&live->ramp_until_ms, &present, from_ms + ramp_ms, memory_order_relaxed,
						      memory_order_relaxed))
		;
}

void endpoint_eject(struct endpoints *e, uint32_t slot, const struct ejection *x)
{
	struct endpoint_live *live = endpoints_live(e, slot);
	uint64_t present;

	if (!live)
		return;
	present = atomic_load_explicit(&live->ejected_until_ms, memory_order_relaxed);
	do {
		if (present >= x->until_ms)
			return;
		ramp_from(live, x->until_ms, e->ramp_ms); /* before: see endpoint_takes */
	} while (!atomic_compare_exchange_weak_explicit(&live->ejected_until_ms, &present, x->until_ms, memory_order_relaxed,
							memory_order_relaxed));
	/* For people, and for telling attempts from before it: two workers that eject at one instant may mix their words. */
	atomic_store_explicit(&live->eject_status, x->status, memory_order_relaxed);
	atomic_store_explicit(&live->eject_count, x->count, memory_order_relaxed);
	atomic_store_explicit(&live->eject_reason, x->reason, memory_order_relaxed);
	atomic_store_explicit(&live->ejected_ms, x->now_ms, memory_order_relaxed);
	atomic_fetch_add_explicit(&e->ejections, 1, memory_order_release);
}

uint64_t endpoints_ejections(const struct endpoints *e)
{
	return atomic_load_explicit(&e->ejections, memory_order_acquire);
}

void endpoint_set_health(struct endpoints *e, uint32_t slot, enum endpoint_health health, uint64_t now_ms)
{
	struct endpoint_live *live = endpoints_live(e, slot);

	if (!live)
		return;
	if (health != ENDPOINT_DOWN && atomic_load_explicit(&live->health, memory_order_relaxed) == ENDPOINT_DOWN)
		ramp_from(live, now_ms, e->ramp_ms);
	/* The ramp first: nobody sees it up and without one. */
	atomic_store_explicit(&live->health, (uint8_t)health, memory_order_release);
}

void endpoints_set_ramp(struct endpoints *e, uint32_t ramp_ms)
{
	e->ramp_ms = ramp_ms;
}

struct trouble *endpoint_trouble(const struct endpoints *e, uint32_t slot)
{
	return slot < e->slots.max ? &e->trouble[slot] : NULL;
}

bool endpoints_decide_begin(struct endpoints *e)
{
	return !atomic_flag_test_and_set_explicit(&e->deciding, memory_order_acquire);
}

void endpoints_decide_end(struct endpoints *e)
{
	atomic_flag_clear_explicit(&e->deciding, memory_order_release);
}

#define RESPONSE_SMOOTHING 8 /* a sample counts one part in so many */

void endpoint_responded(struct endpoints *e, uint32_t slot, uint32_t us)
{
	struct endpoint_live *live = endpoints_live(e, slot);
	uint32_t was;

	if (!live)
		return;
	was = atomic_load_explicit(&live->response_us, memory_order_relaxed);
	if (was)
		us = (uint32_t)(((uint64_t)was * (RESPONSE_SMOOTHING - 1) + us) / RESPONSE_SMOOTHING);
	atomic_store_explicit(&live->response_us, us ? us : 1, memory_order_relaxed);
}

uint32_t endpoint_response_us(const struct endpoints *e, uint32_t slot)
{
	const struct endpoint_live *live = endpoints_live(e, slot);
	uint32_t us = live ? atomic_load_explicit(&live->response_us, memory_order_relaxed) : 0;

	return us || !live ? us : atomic_load_explicit(&live->probe_us, memory_order_relaxed);
}

uint32_t endpoint_id(uint32_t trunk_id, const struct ip_port *addr, uint8_t transport)
{
	uint64_t h = mix64((uint64_t)trunk_id << 32 | (uint64_t)addr->port << 16 | (uint64_t)addr->ip.family << 8 | transport);

	/* Byte by byte, so that nodes of either endianness agree. */
	for (unsigned i = 0; i < 16; i++)
		h = mix64(h ^ addr->ip.bytes[i]) + i;
	h ^= h >> 32;
	return (uint32_t)h ? (uint32_t)h : 1;
}

const char *endpoint_health_name(enum endpoint_health health)
{
	switch (health) {
	case ENDPOINT_UNKNOWN: return "unknown";
	case ENDPOINT_UP: return "up";
	case ENDPOINT_SUSPECT: return "suspect";
	case ENDPOINT_DOWN: return "down";
	case ENDPOINT_EJECTED: return "ejected";
	}
	return "?";
}
