/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "model/drain.h"
#include "model/probe.h"
#include "model/trunk_tls.h"
#include "sip/number.h"
#include "tables/profiles.h"
#include "tables/trunks.h"

struct number_map;
struct raw_routing;
struct u64map;

/* What the operator wants of routing, as plain structs. A model is validated whole when it is made and is not changed afterwards, but
 * for its numbers, which may be changed one by one. Every function is control-only. */

struct model_endpoint {
	struct ip_port addr;
	uint8_t transport; /* enum sip_transport */
	uint8_t by_host;   /* 0: configured as an address; else it came by hosts[by_host - 1] of its trunk (only in an expanded model) */
	uint16_t priority, weight;
	uint32_t id; /* endpoint_id() */
};

#define TRUNK_HOSTS_MAX	 8
#define DNS_TEXT_MAX	 254 /* 253 characters (RFC 1035 without the last dot) and NUL */
#define TRANSPORT_UNSAID 0xff

/* An endpoint that is configured by name: DNS says where it is (RFC 3263), model/expand.h puts that in its place. */
struct model_host {
	char name[DNS_TEXT_MAX]; /* lower case, without a last dot */
	uint16_t port;		  /* 0: SRV records say */
	uint8_t transport;	  /* enum sip_transport; TRANSPORT_UNSAID: NAPTR and SRV records say */
	uint16_t priority, weight; /* added to a record's priority; percent of its weight */
};

struct model_trunk {
	uint32_t id; /* trunk_id(name) */
	char name[TRUNK_NAME_MAX];
	char profile[PROFILE_NAME_MAX]; /* empty: none */
	enum trunk_request_uri request_uri;
	enum trunk_large large_requests;
	bool connection_reuse;
	char host[256];
	bool has_plan; /* else the node's default plan holds */
	struct number_plan plan;
	struct probe_settings probe; /* what it gives; the rest is the node's default */
	struct trunk_tls tls;
	uint16_t endpoint_count, source_count;
	uint8_t host_count;
	uint8_t former_count; /* of an expanded model only */
	bool gone; /* of an expanded model only: the routing has it no more, but dialogs live there */
	struct model_endpoint endpoints[TRUNK_ENDPOINTS_MAX];
	struct ip_prefix sources[TRUNK_PREFIXES_MAX];
	struct model_host hosts[TRUNK_HOSTS_MAX];
	struct trunk_former former[TRUNK_FORMER_MAX];
};

#define REGION_NAME_MAX	    64
#define PROFILE_REGIONS_MAX 16
#define MAX_CALLS_MOST	    1000000
#define MAX_CPS_MOST	    100000

struct model_target {
	char trunk[TRUNK_NAME_MAX];
	uint32_t trunk_id;
	uint16_t position, weight;
	bool enabled;
	uint32_t max_calls, max_cps; /* 0: no limit */
	char region[REGION_NAME_MAX]; /* empty: none */
	struct probe_settings probe; /* what it gives, over the profile's */
	struct model_drain drain;
};

struct model_profile {
	uint32_t id; /* trunk_id(name): the same hash */
	char name[PROFILE_NAME_MAX];
	enum strategy strategy;
	struct profile_knobs knobs;
	struct probe_settings probe; /* what it gives, over each trunk's */
	uint16_t region_count;
	char regions[PROFILE_REGIONS_MAX][REGION_NAME_MAX]; /* from the nearest on; "*": all that are not listed */
	uint16_t target_count;
	struct model_target targets[PROFILE_TARGETS_MAX];
};

#define DOMAIN_NAME_MAX 256

struct model_domain {
	char name[DOMAIN_NAME_MAX]; /* lower case, without a trailing dot */
	uint32_t profile_id;
};

struct model {
	struct model_trunk *trunks;
	struct model_profile *profiles;
	struct model_domain *domains; /* sorted by name */
	uint32_t trunk_count, profile_count, domain_count;
	struct number_map *numbers, *prefixes; /* -> profile id */
	struct u64map *trunk_index, *profile_index; /* id -> place in the arrays */
};

/* Of which transport and address family there is a listener: endpoints of others can be reached from nowhere. */
#define LISTENS(transport, family) (1u << (2 * (transport) + ((family) == IP_V4 ? 0 : 1)))
#define LISTENS_TO(transport)	   (3u << 2 * (transport)) /* of either family */

/* How much the tables hold, and what can be reached. */
struct model_limits {
	uint32_t numbers, prefixes, profiles, trunks, endpoints;
	uint32_t listeners; /* LISTENS(...) of each; 0: endpoints are not checked */
};

enum model_section {
	MODEL_TRUNKS = 1,
	MODEL_PROFILES = 2,
	MODEL_NUMBERS = 4,
	MODEL_DOMAINS = 8,
	MODEL_ALL = 15,
};

/* Nothing at all: every call is refused. NULL: no memory. */
struct model *model_new(void);
/* NULL is ignored. */
void model_free(struct model *m);

/* A model of the sections in raw; those that `sections` does not name are taken from base (NULL: empty), whose numbers are shared, not
 * copied. Everything is checked, references included. 0; -ERR_INVALID, -ERR_FULL, -ERR_NOMEM with an error that names the key. */
int model_load(const struct raw_routing *raw, unsigned sections, const struct model *base, const struct model_limits *limits,
	       struct model **ret_model, char *error);

/* A copy that shares the numbers, for changing a trunk or a profile in it before model_validate. NULL: no memory. */
struct model *model_copy(const struct model *m);

/* Builds the indexes anew; a name that is there twice is refused. 0 or as model_load. */
int model_reindex(struct model *m, char *error);

/* References, uniqueness and limits of a whole model, its indexes built anew. 0 or as model_load. */
int model_validate(struct model *m, const struct model_limits *limits, char *error);

/* One element of each kind from its raw form, without references; `path` ("trunks[2]") begins the error. */
struct raw_trunk;
struct raw_profile;
int model_load_trunk(const struct raw_trunk *raw, const char *path, struct model_trunk *ret, char *error);
int model_load_profile(const struct raw_profile *raw, const char *path, struct model_profile *ret, char *error);
struct raw_plan;
int model_load_plan(const struct raw_plan *raw, const char *path, struct number_plan *ret, char *error);

/* NULL: no such name (case does not matter) or id. */
struct model_trunk *model_trunk(const struct model *m, const char *name);
struct model_trunk *model_trunk_by_id(const struct model *m, uint32_t id);
/* Adds a copy of a trunk whose id the model does not have. Pointers to trunks are void afterwards. 0; -ERR_NOMEM. control-only */
int model_trunk_append(struct model *m, const struct model_trunk *t);
struct model_profile *model_profile(const struct model *m, const char *name);
struct model_profile *model_profile_by_id(const struct model *m, uint32_t id);
/* A profile's target by its trunk's name; NULL: none. */
struct model_target *model_target(struct model_profile *p, const char *trunk);

/* Is anything of it reached by TLS, or was it? */
bool model_speaks_tls(const struct model_trunk *t);
/* former[i] as the endpoint that it was, had it been reached by TLS. */
struct model_endpoint model_former_by_tls(const struct model_trunk *t, unsigned i);

/* The name of a profile id, or "?" */
const char *model_profile_name(const struct model *m, uint32_t id);

/* A host name (RFC 1123, and `_`) in lower case without its last dot: labels of 1 to 63 letters, digits, `-`, `_`. */
bool host_name_read(const char *text, char ret[DNS_TEXT_MAX]);

/* 1 to 63 of A-Z a-z 0-9 . _ - and a letter or digit first. */
bool model_name_valid(const char *name);
