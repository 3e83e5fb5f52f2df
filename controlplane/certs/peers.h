/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "model/trunk_tls.h"
#include "tls/tls.h"

struct alarms;
struct config_tls;
struct model;
struct model_endpoint;
struct model_trunk;

/* As whom the endpoints of trunks must be verified: an id for each trunk, its `tls` settings and the name, given to the endpoints'
 * configuration. Other settings are another id, so that connections are opened anew under them, and those that live stay. control-only, all
 * of it */

#define PEERS_MAX 100000

struct peers;

struct peers_setup {
	struct tls_store *store; /* NULL: no TLS here, and no peer has an id */
	const struct config_tls *config;
	struct alarms *alarms;
	/* A certificate of ours by its name; NULL: there is none. */
	struct tls_identity *(*identity)(void *ctx, const char *name);
	void *ctx;
	unsigned most; /* peers at a time; 0: PEERS_MAX */
};

/* With the default peer (TLS_PEER_DEFAULT). NULL with an error. */
struct peers *peers_new(const struct peers_setup *setup, char *error);
/* NULL is ignored. */
void peers_free(struct peers *p);

/* The id that an endpoint of a trunk has by its settings now; 0: it is not reached by TLS. One whose files cannot be used has an id all the
 * same: nobody is connected to by it, an alarm stands, and peers_reload tries again. Where there is no room for one more the id is one that
 * no peer ever has. */
uint32_t peers_id(struct peers *p, const struct model_trunk *t, const struct model_endpoint *e);

/* May `to` replace `from` (NULL: nothing)? The files and certificates that a trunk names, where that differs, are tried. 0; -ERR_INVALID,
 * -ERR_NOMEM with an error that names the trunk. */
int peers_check(struct peers *p, const struct model *from, const struct model *to, char *error);

/* Ids that no endpoint of `expanded`, which is in force, has any more are let go after a while: what is on its way may name them still. */
void peers_sweep(struct peers *p, const struct model *expanded, uint64_t now_ms);

/* Peers that present a certificate of ours, or could not be used, are published anew; `all`: every one, since CA files may have changed
 * (sessions with them are not resumed then). What cannot be used leaves what is, and raises an alarm. How many failed. */
unsigned peers_reload(struct peers *p, bool all);

/* Of the CA files that they need (file_signature.h), mixed into hash. */
uint64_t peers_signature(const struct peers *p, uint64_t hash);

/* Whose id that is; NULL: nobody's. */
const char *peers_trunk(const struct peers *p, uint32_t id);
/* How many there are, the default one left out. */
unsigned peers_count(const struct peers *p);
/* The i-th's trunk, name and what is wrong with it (NULL: nothing); false: there are no more. */
bool peers_at(const struct peers *p, unsigned i, const char **ret_trunk, const char **ret_name, const char **ret_broken);
