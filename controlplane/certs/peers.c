/* SPDX-License-Identifier: Apache-2.0 */
#include "certs/peers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alarms/alarms.h"
#include "base/err.h"
#include "base/siphash.h"
#include "certs/file_signature.h"
#include "config_tls.h"
#include "dataplane.h"
#include "error.h"
#include "model/model.h"
#include "model/u64map.h"
#include "sip/via.h"

#define RETIRED_MS 64000 /* longer than a message can be on its way (RFC 3261: 64 * T1, twice) */
#define NOBODY UINT32_MAX /* an id that is never given to a peer: whoever connects by it is refused */
#define SUBJECT_MAX (TRUNK_NAME_MAX + 8)

/* What makes one peer another. Compared as memory. */
struct peer_key {
	uint32_t trunk; /* its id */
	struct trunk_tls tls;
	char name[TLS_NAME_MAX]; /* a host name, or an address */
};

struct peer {
	struct peer_key key;
	char trunk[TRUNK_NAME_MAX];
	uint32_t id;
	bool marked;
	uint64_t retired_ms; /* 0: in use */
	char broken[TLS_ERROR_BYTES];
};

struct peers {
	struct peers_setup setup;
	struct peer *list; /* dense */
	unsigned count, room;
	uint32_t last_id;
	struct u64map *by_key, *by_id;
};

static uint64_t hash_of(const struct peer_key *key)
{
	static const struct hash_key plain = { 1, 2 };
	uint64_t hash = siphash24(&plain, key, sizeof(*key));

	return hash ? hash : 1;
}

static int publish(struct peers *p, const struct peer *x, char error[TLS_ERROR_BYTES])
{
	const struct trunk_tls *t = &x->key.tls;
	struct tls_peer_source source = {
		.ca = t->ca[0] ? t->ca : p->setup.config->ca, .name = x->key.name, .allow_wildcard = t->allow_wildcard, .verify = !t->unverified,
		.minimum = t->minimum == TLS_MINIMUM_1_3 ? TLS_1_3 : TLS_1_2,
	};

	if (t->certificate[0]) {
		source.identity = p->setup.identity(p->setup.ctx, t->certificate);
		if (!source.identity) {
			snprintf(error, TLS_ERROR_BYTES, "tls.certificate: no certificate named %s in %.120s", t->certificate,
				 p->setup.config->certificates[0] ? p->setup.config->certificates : "tls.certificates, which is not set");
			return -ERR_INVALID;
		}
	}
	return tls_store_set_peer(p->setup.store, x->id, &source, error);
}

/* ---- the table */

static struct peer *find(const struct peers *p, const struct peer_key *key)
{
	uint32_t place = u64map_get(p->by_key, hash_of(key));

	return place != U64MAP_NONE && memcmp(&p->list[place].key, key, sizeof(*key)) == 0 ? &p->list[place] : NULL;
}

/* Without having been published. NULL: no room. */
static struct peer *add(struct peers *p, const struct peer_key *key, const char *trunk)
{
	struct peer *x;

	if (p->count >= p->setup.most)
		return NULL;
	if (p->count == p->room) {
		unsigned room = p->room ? 2 * p->room : 16;
		struct peer *more = realloc(p->list, room * sizeof(*more));

		if (!more)
			return NULL;
		p->list = more;
		p->room = room;
	}
	if (u64map_set(p->by_key, hash_of(key), p->count))
		return NULL;
	if (u64map_set(p->by_id, p->last_id + 1, p->count)) {
		u64map_delete(p->by_key, hash_of(key));
		return NULL;
	}
	x = &p->list[p->count++];
	memset(x, 0, sizeof(*x));
	x->key = *key;
	x->id = ++p->last_id;
	snprintf(x->trunk, sizeof(x->trunk), "%s", trunk);
	return x;
}

static void drop(struct peers *p, struct peer *x)
{
	struct peer *last = &p->list[--p->count];

	tls_store_remove_peer(p->setup.store, x->id);
	u64map_delete(p->by_key, hash_of(&x->key));
	u64map_delete(p->by_id, x->id);
	if (x == last)
		return;
	*x = *last;
	/* Both replace entries that are there: no memory is asked for. */
	u64map_set(p->by_key, hash_of(&x->key), (uint32_t)(x - p->list));
	u64map_set(p->by_id, x->id, (uint32_t)(x - p->list));
}

static const char *subject_of(const char *trunk, char out[SUBJECT_MAX])
{
	snprintf(out, SUBJECT_MAX, "trunk %s", trunk);
	return out;
}

/* An alarm of a trunk stands as long as anything of it is broken. */
static void tell(struct peers *p, const char *trunk)
{
	char subject[SUBJECT_MAX];

	subject_of(trunk, subject);
	for (unsigned i = 0; i < p->count; i++)
		if (!p->list[i].retired_ms && p->list[i].broken[0] && strcmp(p->list[i].trunk, trunk) == 0) {
			alarm_raise(p->setup.alarms, ALARM_CERTIFICATE_FILES, subject, "%s", p->list[i].broken);
			return;
		}
	alarm_clear(p->setup.alarms, ALARM_CERTIFICATE_FILES, subject, "its files are good");
}

/* ---- from the model */

/* The name is the one that was configured, never what DNS led to (RFC 5922 §4). */
static void key_for(const struct model_trunk *t, const char *name, struct peer_key *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->trunk = t->id;
	ret->tls = t->tls;
	snprintf(ret->name, sizeof(ret->name), "%s", t->tls.name[0] ? t->tls.name : name);
}

static void key_of_endpoint(const struct model_trunk *t, const struct model_endpoint *e, struct peer_key *ret)
{
	char text[IP_TEXT_MAX + 2];

	ip_format(&e->addr.ip, false, text);
	key_for(t, e->by_host ? t->hosts[e->by_host - 1].name : text, ret);
}

uint32_t peers_id(struct peers *p, const struct model_trunk *t, const struct model_endpoint *e)
{
	char subject[SUBJECT_MAX];
	struct peer_key key;
	struct peer *x;

	if (!p || !p->setup.store || e->transport != TRANSPORT_TLS)
		return 0;
	key_of_endpoint(t, e, &key);
	x = find(p, &key);
	if (x) {
		x->retired_ms = 0;
		return x->id;
	}
	x = add(p, &key, t->name);
	if (!x) {
		alarm_raise(p->setup.alarms, ALARM_CERTIFICATE_FILES, subject_of(t->name, subject),
			    "no room for one more peer of TLS: its endpoints cannot be connected to");
		return NOBODY;
	}
	if (publish(p, x, x->broken)) {
		tell(p, x->trunk);
		return x->id;
	}
	x->broken[0] = 0;
	return x->id;
}

/* Tried under an id of its own, so that nothing in force changes. */
static int try(struct peers *p, const struct model_trunk *t, const char *name, char *error)
{
	char why[TLS_ERROR_BYTES] = "";
	struct peer_key key;
	struct peer *x;
	int err;

	key_for(t, name, &key);
	x = find(p, &key);
	if (x && (!x->broken[0] || !x->retired_ms)) /* what is in force already is made no worse */
		return 0;
	if (!x)
		x = add(p, &key, t->name);
	if (!x)
		return error_set(error, -ERR_FULL, "trunk %s: no room for one more peer of TLS", t->name);
	if (!x->retired_ms)
		x->retired_ms = 1; /* until an endpoint has it, it is nobody's */
	err = publish(p, x, why);
	if (!err) {
		x->broken[0] = 0;
		return 0;
	}
	drop(p, x);
	return error_set(error, err, "trunk %s: %s%s", t->name, strncmp(why, "tls.", 4) == 0 ? "" : "tls: ", why);
}

static int check_trunk(struct peers *p, const struct model_trunk *t, char *error)
{
	int err = 0;

	for (unsigned i = 0; !err && i < t->host_count; i++)
		if (t->hosts[i].transport == TRANSPORT_TLS || (t->hosts[i].transport == TRANSPORT_UNSAID && t->tls.given))
			err = try(p, t, t->hosts[i].name, error);
	for (unsigned i = 0; !err && i < t->endpoint_count; i++) {
		char text[IP_TEXT_MAX + 2];

		ip_format(&t->endpoints[i].addr.ip, false, text);
		if (t->endpoints[i].transport == TRANSPORT_TLS)
			err = try(p, t, text, error);
	}
	return err;
}

int peers_check(struct peers *p, const struct model *from, const struct model *to, char *error)
{
	int err = 0;

	if (!p || !p->setup.store)
		return 0;
	for (uint32_t i = 0; !err && i < to->trunk_count; i++) {
		const struct model_trunk *t = &to->trunks[i], *was = from ? model_trunk_by_id(from, t->id) : NULL;

		if (!was || memcmp(was, t, sizeof(*t)) != 0)
			err = check_trunk(p, t, error);
	}
	return err;
}

static void mark_endpoint(struct peers *p, const struct model_trunk *t, const struct model_endpoint *e)
{
	struct peer_key key;
	struct peer *x;

	if (e->transport != TRANSPORT_TLS)
		return;
	key_of_endpoint(t, e, &key);
	x = find(p, &key);
	if (x)
		x->marked = true;
}

static void mark(struct peers *p, const struct model_trunk *t)
{
	for (unsigned i = 0; i < t->endpoint_count; i++)
		mark_endpoint(p, t, &t->endpoints[i]);
	for (unsigned i = 0; model_speaks_tls(t) && i < t->former_count; i++) {
		const struct model_endpoint e = model_former_by_tls(t, i);

		mark_endpoint(p, t, &e);
	}
}

void peers_sweep(struct peers *p, const struct model *expanded, uint64_t now_ms)
{
	if (!p || !p->setup.store)
		return;
	for (unsigned i = 0; i < p->count; i++)
		p->list[i].marked = false;
	for (uint32_t i = 0; i < expanded->trunk_count; i++)
		mark(p, &expanded->trunks[i]);
	for (unsigned i = p->count; i-- > 0;) { /* who takes a place has been looked at */
		struct peer *x = &p->list[i];
		char trunk[TRUNK_NAME_MAX];

		if (x->marked) {
			x->retired_ms = 0;
		} else if (x->retired_ms <= 1) {
			x->retired_ms = now_ms + 1;
			if (x->broken[0]) {
				strcpy(trunk, x->trunk);
				tell(p, trunk);
			}
		} else if (x->retired_ms + RETIRED_MS < now_ms) {
			drop(p, x);
		}
	}
}

static int publish_default(struct peers *p, char error[TLS_ERROR_BYTES])
{
	const struct tls_peer_source source = { .ca = p->setup.config->ca, .verify = true };

	return tls_store_set_peer(p->setup.store, TLS_PEER_DEFAULT, &source, error);
}

static void tell_default(struct peers *p, const char *error)
{
	if (error)
		alarm_raise(p->setup.alarms, ALARM_CERTIFICATE_FILES, "tls.ca", "%s", error);
	else
		alarm_clear(p->setup.alarms, ALARM_CERTIFICATE_FILES, "tls.ca", "it can be used");
}

unsigned peers_reload(struct peers *p, bool all)
{
	char error[TLS_ERROR_BYTES];
	unsigned failed = 0;

	if (!p || !p->setup.store)
		return 0;
	if (all) {
		failed += publish_default(p, error) != 0;
		tell_default(p, failed ? error : NULL);
	}
	for (unsigned i = 0; i < p->count; i++) {
		struct peer *x = &p->list[i];

		if (!all && !x->broken[0] && !x->key.tls.certificate[0])
			continue;
		if (publish(p, x, error)) {
			snprintf(x->broken, sizeof(x->broken), "%s", error);
			failed += !x->retired_ms;
		} else {
			x->broken[0] = 0;
		}
	}
	for (unsigned i = 0; i < p->count; i++)
		tell(p, p->list[i].trunk);
	return failed;
}

uint64_t peers_signature(const struct peers *p, uint64_t hash)
{
	for (unsigned i = 0; p && i < p->count; i++)
		if (p->list[i].key.tls.ca[0])
			hash = file_signature(hash, p->list[i].key.tls.ca);
	return hash;
}

struct peers *peers_new(const struct peers_setup *setup, char *error)
{
	struct peers *p = calloc(1, sizeof(*p));
	char why[TLS_ERROR_BYTES];

	if (!p || !(p->by_key = u64map_new(0)) || !(p->by_id = u64map_new(0))) {
		peers_free(p);
		error_set(error, -ERR_NOMEM, "out of memory");
		return NULL;
	}
	p->setup = *setup;
	if (!p->setup.most)
		p->setup.most = PEERS_MAX;
	p->last_id = TLS_PEER_DEFAULT;
	if (setup->store && publish_default(p, why))
		tell_default(p, why); /* who brings CA files of his own needs none of the node's */
	return p;
}

void peers_free(struct peers *p)
{
	if (!p)
		return;
	u64map_free(p->by_key);
	u64map_free(p->by_id);
	free(p->list);
	free(p);
}

const char *peers_trunk(const struct peers *p, uint32_t id)
{
	uint32_t place = p ? u64map_get(p->by_id, id) : U64MAP_NONE;

	return place == U64MAP_NONE ? NULL : p->list[place].trunk;
}

unsigned peers_count(const struct peers *p)
{
	return p ? p->count : 0;
}

bool peers_at(const struct peers *p, unsigned i, const char **ret_trunk, const char **ret_name, const char **ret_broken)
{
	if (!p || i >= p->count)
		return false;
	*ret_trunk = p->list[i].trunk;
	*ret_name = p->list[i].key.name;
	*ret_broken = p->list[i].broken[0] ? p->list[i].broken : NULL;
	return true;
}
