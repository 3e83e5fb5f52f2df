/* SPDX-License-Identifier: Apache-2.0 */
#include "certs/certificates.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "alarms/alarms.h"
#include "base/err.h"
#include "certs/days.h"
#include "certs/expiry.h"
#include "certs/file_signature.h"
#include "certs/peers.h"
#include "certs/ticket_keys.h"
#include "certs/watcher.h"
#include "config_tls.h"
#include "error.h"
#include "log.h"
#include "tables/epoch.h"

#define LOOK_S 10 /* alarms of days, peers that nobody uses any more, and what inotify does not tell of: network file systems, CA files */

struct certificates {
	struct certificates_setup setup;
	struct pairs pairs;
	struct theirs *theirs;
	struct peers *peers;
	struct watcher *watcher;
	struct ticket_keys tickets;
	char server_broken[TLS_CONFIG_SERVERS_MAX][ERROR_TEXT_MAX];
	json_t *news; /* of the reload that is on; NULL: nobody wants it */
	unsigned failed, changed;
	bool all;	/* read what seems as it was too */
	uint64_t authorities; /* the signature of the CA files in use */
	int64_t looked_s;
};

static int64_t now_s(void)
{
	return (int64_t)time(NULL);
}

/* ---- servers */

/* Without a configured one it is the first by name. -1: there is none. */
static int default_of(const struct certificates *c, const struct config_tls_server *s, unsigned *ret_count, struct tls_identity **list)
{
	int found = -1;
	unsigned n = 0;

	for (unsigned i = 0; i < c->pairs.count; i++) {
		const struct key_pair *p = &c->pairs.list[i];

		if (!p->identity)
			continue;
		if (found < 0 && (!s->pair[0] || strcmp(s->pair, p->name) == 0))
			found = (int)n;
		list[n++] = p->identity;
	}
	*ret_count = n;
	return found;
}

static int set_server(struct certificates *c, unsigned i, char *error)
{
	const struct config_tls *config = c->setup.config;
	const struct config_tls_server *s = &config->servers[i];
	struct tls_identity *list[PAIRS_MAX];
	unsigned count;
	int chosen = default_of(c, s, &count, list), err;
	char why[TLS_ERROR_BYTES];
	const struct tls_server_source source = {
		.name = s->name, .identities = list, .identity_count = count, .default_identity = (unsigned)chosen,
		.client_certificates = (enum tls_client_certificates)s->clients, .client_ca = s->client_ca[0] ? s->client_ca : NULL,
		.minimum = s->minimum == TLS_MINIMUM_1_3 ? TLS_1_3 : TLS_1_2,
		.ciphers = s->ciphers[0] ? s->ciphers : NULL, .ciphersuites = s->ciphersuites[0] ? s->ciphersuites : NULL,
	};

	if (chosen < 0) {
		const struct key_pair *p = s->pair[0] ? pairs_find(&c->pairs, s->pair) : NULL;

		if (p && p->broken[0])
			return error_set(error, -ERR_INVALID, "server %s: certificate %s: %s", s->name, s->pair, p->broken);
		if (c->pairs.broken[0])
			return error_set(error, -ERR_INVALID, "server %s: tls.certificates: %s", s->name, c->pairs.broken);
		return error_set(error, -ERR_INVALID, "server %s: no certificate%s%s in %.150s", s->name, s->pair[0] ? " named " : "", s->pair,
				 config->certificates);
	}
	if (!c->setup.store)
		return 0;
	err = tls_store_set_server(c->setup.store, i, &source, why);
	return err ? error_set(error, err, "server %s: %s", s->name, why) : 0;
}

static void note_news(struct certificates *c, const char *name, const char *news, const char *error)
{
	if (c->news)
		json_array_append_new(c->news, json_pack("{s:s, s:s, s:s?}", "name", name, "news", news, "error", error));
}

/* An alarm, and a line of the reload; error NULL: it is well. */
static void tell(struct certificates *c, const char *subject, const char *error)
{
	if (!error) {
		alarm_clear(c->setup.alarms, ALARM_CERTIFICATE_FILES, subject, "they are good");
		return;
	}
	alarm_raise(c->setup.alarms, ALARM_CERTIFICATE_FILES, subject, "%s", error);
	note_news(c, subject, "broken", error);
	c->failed++;
}

static void set_servers(struct certificates *c)
{
	for (unsigned i = 0; i < c->setup.config->server_count; i++) {
		char error[ERROR_TEXT_MAX], subject[80];
		int err = set_server(c, i, error);

		snprintf(subject, sizeof(subject), "server %s", c->setup.config->servers[i].name);
		snprintf(c->server_broken[i], sizeof(c->server_broken[i]), "%s", err ? error : "");
		tell(c, subject, err ? error : NULL);
	}
}

/* ---- pairs */

static bool is_needed(void *ctx, const char *name)
{
	const struct config_tls *config = ((struct certificates *)ctx)->setup.config;

	for (unsigned i = 0; config->listens && i < config->server_count; i++)
		if (strcmp(config->servers[i].pair, name) == 0)
			return true;
	return false;
}

static void on_news(void *ctx, const struct key_pair *p, enum pair_news news)
{
	struct certificates *c = ctx;
	char day[16] = "";

	if (p->identity)
		day_text(tls_identity_certificate(p->identity)->not_after_s, day);
	switch (news) {
	case PAIR_SAME:
	case PAIR_REREAD: break;
	case PAIR_NEW:
	case PAIR_RENEWED:
		log_line(LOG_LEVEL_NOTICE, "certificate %s is %s: %s, until %s", p->name, news == PAIR_NEW ? "there" : "renewed",
			 tls_identity_certificate(p->identity)->names, day);
		break;
	case PAIR_BROKEN: break;
	case PAIR_GONE:
		log_line(LOG_LEVEL_NOTICE, "certificate %s is gone", p->name);
		expiry_forget(c->setup.alarms, p->name);
		break;
	}
	if (news == PAIR_BROKEN) {
		tell(c, p->name, p->broken);
		return;
	}
	alarm_clear(c->setup.alarms, ALARM_CERTIFICATE_FILES, p->name, news == PAIR_GONE ? "the files are gone" : "they are good");
	if (news != PAIR_SAME && news != PAIR_REREAD)
		note_news(c, p->name, pair_news_word(news), NULL);
	c->changed += news != PAIR_SAME;
}

static void watch(struct certificates *c)
{
	watcher_begin(c->watcher);
	watcher_add(c->watcher, c->setup.config->certificates);
	for (unsigned i = 0; i < c->pairs.count; i++) {
		const struct key_pair *p = &c->pairs.list[i];

		if (p->chain[0])
			watcher_add_file(c->watcher, p->chain);
		if (p->key[0])
			watcher_add_file(c->watcher, p->key);
	}
	watcher_end(c->watcher);
}

static void read_pairs(struct certificates *c)
{
	const struct pairs_reader reader = { is_needed, on_news, c, c->all };
	const char *directory = c->setup.config->certificates;

	c->changed = 0;
	if (!directory[0])
		return;
	if (pairs_read(&c->pairs, directory, now_s(), &reader))
		log_line(LOG_LEVEL_ERROR, "certificates: out of memory");
	if (c->pairs.left_out)
		log_line(LOG_LEVEL_WARNING, "certificates: %u files are left out, %s has more than %d pairs", c->pairs.left_out, directory, PAIRS_MAX);
	tell(c, directory, c->pairs.broken[0] ? c->pairs.broken : NULL);
	if (c->watcher)
		watch(c); /* first: what changes from here on is told */
}

static struct tls_identity *find_identity(void *ctx, const char *name)
{
	const struct key_pair *p = pairs_find(&((struct certificates *)ctx)->pairs, name);

	return p ? p->identity : NULL;
}

/* ---- expiry */

static void look_at_days(struct certificates *c)
{
	int64_t now = now_s();

	c->looked_s = now;
	for (unsigned i = 0; i < c->pairs.count; i++)
		if (c->pairs.list[i].identity)
			expiry_ours(c->setup.alarms, c->setup.config, &c->pairs.list[i], now);
	for (unsigned i = 0; theirs_at(c->theirs, i);) {
		const struct their *x = theirs_at(c->theirs, i);

		if (!x->client && !peers_trunk(c->peers, x->peer)) {
			alarm_clear(c->setup.alarms, ALARM_PEER_CERTIFICATE, x->who, "no trunk has it any more");
			theirs_forget(c->theirs, i);
			continue;
		}
		expiry_theirs(c->setup.alarms, c->setup.config, x, now);
		i++;
	}
}

static uint64_t authorities(const struct certificates *c)
{
	const struct config_tls *config = c->setup.config;
	uint64_t hash = file_signature(0, config->ca);

	for (unsigned i = 0; i < config->server_count; i++)
		if (config->servers[i].client_ca[0])
			hash = file_signature(hash, config->servers[i].client_ca);
	return peers_signature(c->peers, hash);
}

static void note_broken_peers(struct certificates *c)
{
	const char *trunk, *name, *broken;

	for (unsigned i = 0; peers_at(c->peers, i, &trunk, &name, &broken); i++)
		if (broken)
			note_news(c, trunk, "broken", broken);
}

/* What is as it was stays: sessions with peers would not be resumed else. */
static void reload(struct certificates *c)
{
	uint64_t found;

	c->failed = 0;
	read_pairs(c);
	found = authorities(c);
	c->all |= found != c->authorities;
	c->authorities = found;
	if (c->setup.config->listens && (c->changed || c->all))
		set_servers(c);
	if (c->changed || c->all)
		c->failed += peers_reload(c->peers, c->all);
	note_broken_peers(c);
	if (c->all)
		ticket_keys_reload(&c->tickets, now_s());
	if (c->tickets.broken[0]) {
		note_news(c, c->tickets.path, "broken", c->tickets.broken);
		c->failed++;
	}
	c->all = false;
	look_at_days(c);
}

unsigned certificates_reload(struct certificates *c, json_t **ret_news)
{
	c->news = ret_news ? json_array() : NULL;
	c->all = true;
	reload(c);
	if (ret_news)
		*ret_news = c->news;
	c->news = NULL;
	return c->failed;
}

static void on_changed(void *ctx)
{
	reload(ctx);
}

void certificates_seen(struct certificates *c, const struct tls_seen *seen)
{
	const struct config_tls *config = c->setup.config;
	const char *server = seen->accepted && seen->server < config->server_count ? config->servers[seen->server].name : NULL;
	const struct their *x = theirs_note(c->theirs, seen, peers_trunk(c->peers, seen->peer), server, now_s());

	if (x)
		expiry_theirs(c->setup.alarms, config, x, x->last_s);
}

void certificates_second(struct certificates *c, const struct model *expanded, uint64_t now_ms)
{
	int64_t now = now_s();

	if (c->setup.store)
		ticket_keys_look(&c->tickets, now);
	if (now - c->looked_s < LOOK_S && now >= c->looked_s)
		return;
	peers_sweep(c->peers, expanded, now_ms);
	reload(c);
}

/* ---- start and end */

/* Everything that a listener needs. */
static int begin(struct certificates *c, char *error)
{
	for (unsigned i = 0; c->setup.config->listens && i < c->setup.config->server_count; i++)
		if (set_server(c, i, error))
			return -ERR_INVALID;
	return 0;
}

struct certificates *certificates_new(const struct certificates_setup *setup, char *error)
{
	struct certificates *c = calloc(1, sizeof(*c));
	struct peers_setup peers = { .store = setup->store, .config = setup->config, .alarms = setup->alarms, .identity = find_identity, .ctx = c };

	if (!c || !(c->theirs = theirs_new())) {
		free(c);
		error_set(error, -ERR_NOMEM, "out of memory");
		return NULL;
	}
	c->setup = *setup;
	if (setup->config->certificates[0])
		c->watcher = watcher_new(setup->base, on_changed, c);
	read_pairs(c);
	c->tickets = (struct ticket_keys){ .store = setup->store, .alarms = setup->alarms, .path = setup->config->ticket_keys[0] ? setup->config->ticket_keys : NULL,
					   .rotate_s = setup->config->ticket_rotate_s, .keep = setup->config->ticket_keep };
	if (begin(c, error) || (setup->store && ticket_keys_start(&c->tickets, now_s(), error)))
		goto fail;
	c->peers = peers_new(&peers, error);
	if (!c->peers)
		goto fail;
	c->authorities = authorities(c);
	look_at_days(c);
	return c;
fail:
	certificates_free(c);
	return NULL;
}

void certificates_free(struct certificates *c)
{
	if (!c)
		return;
	watcher_free(c->watcher);
	peers_free(c->peers);
	theirs_free(c->theirs);
	pairs_done(&c->pairs);
	explicit_bzero(&c->tickets, sizeof(c->tickets));
	free(c);
}

/* What a start would do without, each in a line of its own. */
static void warn_of(struct certificates *c, const struct model *routing, void (*warn)(const char *text))
{
	char line[PAIR_BROKEN_MAX + 80], error[ERROR_TEXT_MAX];

	for (unsigned i = 0; i < c->pairs.count; i++) {
		if (!c->pairs.list[i].broken[0])
			continue;
		snprintf(line, sizeof(line), "certificate %s: %s", c->pairs.list[i].name, c->pairs.list[i].broken);
		warn(line);
	}
	if (c->peers && peers_check(c->peers, NULL, routing, error))
		warn(error);
}

int certificates_check(const struct config_tls *config, const struct model *routing, void (*warn)(const char *text), char *error)
{
	struct epoch *epoch = epoch_new(1);
	struct tls_store *store = epoch ? tls_store_new(epoch) : NULL;
	struct certificates *c = store ? calloc(1, sizeof(*c)) : NULL;
	int err = -ERR_NOMEM;

	if (c && (c->theirs = theirs_new())) {
		c->setup.config = config;
		c->setup.store = config->listens ? store : NULL;
		read_pairs(c);
		err = begin(c, error);
		if (!err && config->listens) {
			const struct peers_setup peers = { .store = store, .config = config, .identity = find_identity, .ctx = c };

			c->peers = peers_new(&peers, error);
		}
		warn_of(c, routing, warn);
	} else {
		error_set(error, err, "out of memory");
	}
	certificates_free(c);
	tls_store_free(store);
	epoch_free(epoch);
	return err;
}

struct peers *certificates_peers(struct certificates *c)
{
	return c->peers;
}

/* ---- what is known */

const struct pairs *certificates_ours(const struct certificates *c)
{
	return &c->pairs;
}

const struct theirs *certificates_theirs(const struct certificates *c)
{
	return c->theirs;
}

bool certificates_server(const struct certificates *c, unsigned i, const char **ret_name, const char **ret_default)
{
	const struct config_tls *config = c->setup.config;

	if (!config->listens || i >= config->server_count)
		return false;
	*ret_name = config->servers[i].name;
	*ret_default = config->servers[i].pair;
	for (unsigned k = 0; !**ret_default && k < c->pairs.count; k++)
		if (c->pairs.list[k].identity)
			*ret_default = c->pairs.list[k].name;
	return true;
}

unsigned certificates_ticket_keys(const struct certificates *c, int64_t *ret_made_s, const char **ret_broken)
{
	*ret_made_s = c->tickets.count ? c->tickets.list[0].made_s : 0;
	*ret_broken = c->tickets.broken[0] ? c->tickets.broken : NULL;
	return c->tickets.count;
}

const char *certificates_broken(const struct certificates *c, unsigned i)
{
	if (c->pairs.broken[0] && i-- == 0)
		return c->pairs.broken;
	for (unsigned k = 0; k < c->setup.config->server_count; k++)
		if (c->server_broken[k][0] && i-- == 0)
			return c->server_broken[k];
	return NULL;
}
