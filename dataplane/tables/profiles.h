/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct epoch;
struct loads;

/* Routing profiles: a slot holds a pointer to an immutable compiled profile, so that one store changes every attached number. */

#define PROFILE_NONE	     UINT32_MAX
#define PROFILE_NAME_MAX     64
#define PROFILE_TARGETS_MAX  32
#define PROFILE_TABLE_MAX    65537 /* slots of the weighted table at most */

enum strategy {
	STRATEGY_FAILOVER,
	STRATEGY_ROUND_ROBIN,
	STRATEGY_WEIGHTED,
	STRATEGY_SIMULTANEOUS_RING,
	STRATEGY_LEAST_CALLS,
	STRATEGY_FASTEST,
	STRATEGIES
};

/* Final codes that move a call on to the next target: one bit per code 300..699. */
struct code_set {
	uint64_t bits[7];
};

static inline bool code_set_has(const struct code_set *s, unsigned code)
{
	unsigned i = code - 300;

	return i < 400 && (s->bits[i / 64] >> (i % 64) & 1);
}

static inline void code_set_put(struct code_set *s, unsigned code, bool present)
{
	unsigned i = code - 300;

	if (i >= 400)
		return;
	if (present)
		s->bits[i / 64] |= 1ULL << (i % 64);
	else
		s->bits[i / 64] &= ~(1ULL << (i % 64));
}

/* The knobs of "Choosing and rescuing"; 0 switches a clock off. Small, so that a call keeps a copy. */
struct profile_knobs {
	uint32_t response_timeout_ms; /* sending ... any response */
	uint32_t progress_timeout_ms; /* 100 ... 18x */
	uint32_t ring_timeout_ms;     /* sending ... an answer, per target; 0: timer C alone */
	uint32_t setup_budget_ms;     /* arrival ... the first 18x, over all attempts */
	uint8_t max_retries;	      /* further targets after the first */
	uint8_t max_attempts;	      /* endpoints in all, 1..ATTEMPTS_MAX */
	uint16_t exhausted_code;      /* answer when nothing was collected and nothing timed out */
	bool retry_after_progress;    /* a 408 or 5xx moves on even after an 18x went upstream */
	bool decline_ends_target;     /* a 6xx ends its own branch of a simultaneous ring only, not all */
	uint8_t retry_budget;	      /* percent of the profile's attempts in a window that may be retries; 0: any */
	bool follow_redirects;	      /* Contacts of a 3xx that name endpoints of this profile are tried next */
	struct code_set retry_codes;  /* default: 408 and every 5xx */
};

#define ATTEMPTS_MAX 16

struct profile_target {
	uint32_t trunk_slot;
	uint32_t target_slot;  /* index into the workers' per-target statistics; unique per (profile, trunk) */
	uint16_t position;
	uint16_t weight;
	bool enabled;
	bool limited;		   /* max_calls or max_cps */
	bool counted;		   /* limited, or of a least_calls profile: its calls are counted in the loads */
	uint8_t tier;		   /* 0: the nearest */
	uint16_t endpoint_count;
	uint32_t max_calls, max_cps; /* over all workers; 0: no limit */
	const uint32_t *endpoints; /* endpoint slots in order of priority, owned by the profile */
	const uint32_t *ids; /* same on every node: by them calls find their endpoint */
	const uint16_t *priorities;
	const uint16_t *weights;
};

/* The targets that calls go to while one of them can take calls and none of a nearer tier can. */
struct profile_tier {
	uint32_t targets;    /* bit per target */
	uint32_t table_size; /* as of the profile */
	uint8_t *table;
};

struct profile {
	uint32_t id; /* hash of the name */
	char name[PROFILE_NAME_MAX];
	enum strategy strategy;
	struct profile_knobs knobs;
	uint16_t target_count;	    /* targets sorted by position, then as configured */
	struct profile_target targets[PROFILE_TARGETS_MAX];
	uint32_t table_size;	    /* prime; 0 unless STRATEGY_WEIGHTED */
	uint8_t *table;		    /* index of a target per slot; 0xff where no target has weight */
	struct profile_tier *tiers; /* nearest first, none empty; then the table above is that of the first. NULL: all targets are one tier */
	unsigned tier_count;	    /* 0 where tiers is NULL */
	struct loads *loads;	    /* where counted targets are counted; NULL: no limit holds, and all have no calls */
};

/* What profile_compile is given. Everything is copied. */
struct profile_target_source {
	uint32_t trunk_slot, target_slot;
	uint32_t stable_id; /* same on every node, so that tables agree: trunk id */
	uint16_t position, weight;
	bool enabled;
	uint16_t endpoint_count;
	const uint32_t *endpoints; /* slots */
	const uint16_t *priorities, *weights;
	uint8_t tier; /* any number below 32; lower is nearer */
	uint32_t max_calls, max_cps;
	const uint32_t *endpoint_ids; /* endpoint_config.id of each; NULL: their slots will do */
};

struct profile_source {
	const char *name;
	enum strategy strategy;
	struct profile_knobs knobs;
	uint16_t target_count;
	const struct profile_target_source *targets;
	struct loads *loads; /* not owned; NULL: see struct profile */
};

/* The knobs' defaults as documented. any */
struct profile_knobs profile_knobs_default(void);

/* Sorts, builds the weighted table: shares exact to one slot (largest remainder), filled in permutation order after Maglev
 * (maglev.h), so that a change moves few calls. Disabled and weight-0 targets have no slot. NULL: no memory. control-only */
struct profile *profile_compile(const struct profile_source *source);
void profile_free(struct profile *p);

struct profiles;

struct profiles *profiles_new(uint32_t max_profiles, struct epoch *e);
void profiles_free(struct profiles *p);
uint32_t profiles_max(const struct profiles *p);
/* Takes ownership of compiled. 0, -ERR_FULL. control-only */
int profiles_add(struct profiles *p, struct profile *compiled, uint32_t *ret_slot);
/* Publishes; the old one is freed after the grace period. control-only */
void profiles_update(struct profiles *p, uint32_t slot, struct profile *compiled);
/* The slot is used again only after the grace period; no number may name it any more. control-only */
void profiles_remove(struct profiles *p, uint32_t slot);
/* NULL: empty. reader, inside a quiescent period */
const struct profile *profiles_get(const struct profiles *p, uint32_t slot);

/* The next ticket of a slot's round robin: shared by all workers, so that the rotation is exact. any */
uint64_t profiles_ticket(struct profiles *p, uint32_t slot);
/* The same where only this thread takes tickets: an atomic addition waits until all that was stored before it has reached the cache. any */
uint64_t profiles_ticket_alone(struct profiles *p, uint32_t slot);
/* What profiles_ticket would answer now, without taking it. any */
uint64_t profiles_ticket_peek(const struct profiles *p, uint32_t slot);

const char *strategy_name(enum strategy s);
/* false: no such word. any */
bool strategy_parse(const char *word, enum strategy *ret_strategy);
