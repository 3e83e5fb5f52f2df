/* SPDX-License-Identifier: Apache-2.0 */
#include "config_tls.h"

#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "config.h"
#include "config_schema.h"
#include "error.h"
#include "model/fields.h"
#include "sip/via.h"
#include "tls/tls.h"

static const char *const client_words[] = { "ignored", "requested", "required", NULL }; /* in the order of enum tls_client_certificates */

/* Of `tls` itself and of an entry of its servers. What is not written is as `otherwise` has it. */
struct written {
	const char *pair, *clients, *client_ca, *minimum, *ciphers, *ciphersuites;
};

static int load_server(const struct written *w, const struct config_tls_server *otherwise, const char *path, struct config_tls_server *s, char *error)
{
	int clients, minimum;
	int err = field_name(w->pair ? w->pair : otherwise->pair[0] ? otherwise->pair : NULL, path, "default", s->pair, error);

	if (!err)
		err = field_choice(w->clients, otherwise->clients, client_words, path, "client_certificates", &clients, error);
	if (!err)
		err = field_path(w->client_ca ? w->client_ca : otherwise->client_ca, path, "client_ca", s->client_ca, sizeof(s->client_ca), error);
	if (!err)
		err = field_choice(w->minimum, otherwise->minimum, tls_minimum_words, path, "minimum_version", &minimum, error);
	if (!err)
		err = field_text(w->ciphers ? w->ciphers : otherwise->ciphers, path, "ciphers", s->ciphers, sizeof(s->ciphers), error);
	if (!err)
		err = field_text(w->ciphersuites ? w->ciphersuites : otherwise->ciphersuites, path, "ciphersuites", s->ciphersuites, sizeof(s->ciphersuites), error);
	if (err)
		return err;
	s->clients = (uint8_t)clients;
	s->minimum = (uint8_t)minimum;
	if (clients != TLS_CLIENT_IGNORED && !s->client_ca[0])
		return error_set(error, -ERR_INVALID, "%s.client_ca: needed, since client_certificates are %s", path, client_words[clients]);
	return 0;
}

static int load_servers(const struct raw_tls *r, struct config_tls *t, char *error)
{
	static const struct config_tls_server plain;
	const struct written own = { r->default_pair, r->client_certificates, r->client_ca, r->minimum_version, r->ciphers, r->ciphersuites };
	int err = load_server(&own, &plain, "tls", &t->servers[0], error);

	strcpy(t->servers[0].name, "default");
	t->server_count = 1;
	if (!err && r->servers_count >= TLS_CONFIG_SERVERS_MAX)
		return error_set(error, -ERR_FULL, "tls.servers: more than %d", TLS_CONFIG_SERVERS_MAX - 1);
	for (uint32_t i = 0; !err && i < r->servers_count; i++) {
		const struct raw_tls_server *from = &r->servers[i];
		const struct written w = { from->default_pair, from->client_certificates, from->client_ca, from->minimum_version, from->ciphers, from->ciphersuites };
		struct config_tls_server *s = &t->servers[t->server_count];
		char path[32];

		snprintf(path, sizeof(path), "tls.servers[%u]", i);
		err = field_name(from->name, path, "name", s->name, error);
		for (unsigned k = 0; !err && k < t->server_count; k++)
			if (strcmp(t->servers[k].name, s->name) == 0)
				err = error_set(error, -ERR_INVALID, "%s.name: there are two servers named %s", path, s->name);
		if (!err)
			err = load_server(&w, &t->servers[0], path, s, error);
		t->server_count++;
	}
	return err;
}

static int load_numbers(const struct raw_tls *r, struct config_tls *t, struct dataplane_tls *d, char *error)
{
	const struct field_row rows[] = {
		{ "ticket_rotate_s", r->ticket_rotate_s, 0, 604800, &t->ticket_rotate_s },
		{ "ticket_keep", r->ticket_keep, 1, TLS_TICKET_KEYS - 1, &t->ticket_keep },
		{ "sessions", r->sessions, 1, 4000000, &d->sessions },
		{ "handshakes", r->handshakes, 1, 1000000, &d->handshakes },
		{ "handshake_budget_us", r->handshake_budget_us, 50, 100000, &d->handshake_budget_us },
		{ "handshake_timeout_ms", r->handshake_timeout_ms, 100, 60000, &d->handshake_timeout_ms },
		{ "tickets", r->tickets, 0, 1000000, &d->tickets },
		{ "warning_days", r->warning_days, 0, 3650, &t->warning_days },
		{ "major_days", r->major_days, 0, 3650, &t->major_days },
		{ "critical_days", r->critical_days, 0, 3650, &t->critical_days },
	};
	int err = field_rows(rows, sizeof(rows) / sizeof(rows[0]), "tls", error);

	if (!err && (t->warning_days < t->major_days || t->major_days < t->critical_days))
		err = error_set(error, -ERR_INVALID, "tls.warning_days: the days must fall, warning %u, major %u, critical %u", t->warning_days, t->major_days,
				t->critical_days);
	return err;
}

static int load_paths(const struct raw_tls *r, struct config_tls *t, char *error)
{
	int err = field_path(r->certificates, "tls", "certificates", t->certificates, sizeof(t->certificates), error);

	if (!err)
		err = field_path(r->ca ? r->ca : "/etc/ssl/certs/ca-certificates.crt", "tls", "ca", t->ca, sizeof(t->ca), error);
	return err ? err : field_path(r->ticket_keys, "tls", "ticket_keys", t->ticket_keys, sizeof(t->ticket_keys), error);
}

static int find_server(const struct config_tls *t, const char *name)
{
	for (unsigned i = 0; i < t->server_count; i++)
		if (strcmp(t->servers[i].name, name) == 0)
			return (int)i;
	return -1;
}

static int give_servers(const struct raw_config *raw, struct config *c, char *error)
{
	for (uint32_t i = 0; i < raw->listeners_count; i++) {
		struct dataplane_listener *l = &c->dataplane.listeners[i];
		const char *name = raw->listeners[i].server;
		int server = find_server(&c->tls, name ? name : "default");

		if (name && l->transport != TRANSPORT_TLS)
			return error_set(error, -ERR_INVALID, "listeners[%u].server: the listener's transport is %s, not tls", i, transport_name(l->transport));
		if (server < 0)
			return error_set(error, -ERR_INVALID, "listeners[%u].server: no server named %.64s in tls.servers", i, name);
		if (l->transport != TRANSPORT_TLS)
			continue;
		c->tls.listens = true;
		l->tls_server = (uint8_t)server;
		if (!c->tls.certificates[0])
			return error_set(error, -ERR_INVALID, "tls.certificates: needed, since listeners[%u] speaks TLS", i);
	}
	return 0;
}

int config_load_tls(const struct raw_config *raw, struct config *c, char *error)
{
	static const struct raw_tls none;
	const struct raw_tls *r = raw->tls ? raw->tls : &none;
	struct config_tls *t = &c->tls;
	int err;

	*t = (struct config_tls){ .ticket_rotate_s = 86400, .ticket_keep = 2, .warning_days = 30, .major_days = 7, .critical_days = 1 };
	c->dataplane.tls = (struct dataplane_tls){ .handshakes = 1024, .tickets = 4096, .handshake_budget_us = 1000, .handshake_timeout_ms = 5000,
						   .unverified_callbacks = r->unverified_callbacks && *r->unverified_callbacks };
	err = load_paths(r, t, error);
	if (!err)
		err = load_numbers(r, t, &c->dataplane.tls, error);
	if (!err)
		err = load_servers(r, t, error);
	return err ? err : give_servers(raw, c, error);
}
