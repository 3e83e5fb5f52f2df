/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "certs/pairs.h"
#include "certs/theirs.h"

struct alarms;
struct config_tls;
struct event_base;
struct model;
struct peers;
struct tls_store;

/* The certificates of this node and of those that it talks to: loaded, renewed while connections live, watched for their end. control-only,
 * all of it */

struct certificates;

struct certificates_setup {
	struct event_base *base;
	const struct config_tls *config;
	struct tls_store *store; /* NULL: no listener speaks TLS; then certificates are looked at, and presented nowhere */
	struct alarms *alarms;
};

/* Reads the directory, gives the servers what they present, and starts to watch. NULL with an error: a server has no certificate to
 * present, its CA file cannot be read, or the ticket keys cannot. A pair that cannot be used, beside those, is an alarm. */
struct certificates *certificates_new(const struct certificates_setup *setup, char *error);
/* NULL is ignored. */
void certificates_free(struct certificates *c);

/* The same checks, in force nowhere (strowgerd --check), of the files that trunks name too. What a start would go on without is handed to
 * warn, line by line. 0, or a negative enum err with an error where it would be refused. */
int certificates_check(const struct config_tls *config, const struct model *routing, void (*warn)(const char *text), char *error);

struct peers *certificates_peers(struct certificates *c);

/* Reads everything anew: certificates, CA files, ticket keys. What cannot be used leaves what is in use. ret_news, if not NULL: [{"name",
 * "news", "error"}] of each pair that is not as it was, server and CA file that cannot be used. How many of those are broken. */
unsigned certificates_reload(struct certificates *c, json_t **ret_news);

/* A handshake has shown it. */
void certificates_seen(struct certificates *c, const struct tls_seen *seen);
/* Once a second: what expires, what was changed by whom inotify does not tell, keys that are to be rotated. expanded: the routing in force,
 * whose peers are kept. */
void certificates_second(struct certificates *c, const struct model *expanded, uint64_t now_ms);

/* For whoever shows or measures them. */
const struct pairs *certificates_ours(const struct certificates *c);
const struct theirs *certificates_theirs(const struct certificates *c);
/* Does a server of the configuration present it, and to whom is it the default? false: there is no i-th server. */
bool certificates_server(const struct certificates *c, unsigned i, const char **ret_name, const char **ret_default);
/* The ticket keys: how many, when the one that seals was made, what is wrong with the file (NULL: nothing). */
unsigned certificates_ticket_keys(const struct certificates *c, int64_t *ret_made_s, const char **ret_broken);
/* What is wrong beside the pairs: a directory, a server; NULL: no i-th. */
const char *certificates_broken(const struct certificates *c, unsigned i);
