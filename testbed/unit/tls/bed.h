/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/ssl.h>

#include "base/counters.h"
#include "base/err.h"
#include "tables/epoch.h"
#include "tls/tls.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* Certificates, made as the test runs, and engines that talk to each other through pipes of bytes. */

/* ---- certificates: certificates.c */

struct wish {
	const char *cn;
	const char *san; /* as openssl.cnf has it: "URI:sip:a.example,DNS:b.example,IP:192.0.2.1"; NULL: none */
	const char *usage; /* extendedKeyUsage, likewise; NULL: none */
	int from_days, days; /* from now; days 0: 30 */
	int hours;	     /* more */
	bool rsa, weak, ca;
};

struct made {
	X509 *x;
	EVP_PKEY *key;
	char chain_file[160], key_file[160];
};

/* A folder for them, and its end. As cmocka's group set-up and tear-down. */
int bed_folder_new(void **state);
int bed_folder_free(void **state);
const char *bed_path(const char *name); /* of a file there; one of the last few calls */
void bed_write(const char *path, const char *text);

/* Signed by issuer (NULL: by itself), in files of that name; the chain has the issuer too where that is no root. */
void made_new(struct made *m, const char *name, const struct wish *wish, const struct made *issuer);
/* The same, with extensions of the test's own. */
void made_sign(struct made *m, X509 *x, EVP_PKEY *key, const char *name, const struct made *issuer);
void made_free(struct made *m);
/* A list of `issuer` that revokes m, in a file with the issuer's certificate. */
void made_revoke(const struct made *m, const struct made *issuer, const char *path);
struct tls_identity *made_identity(const struct made *m);

/* ---- engines: bed.c */

struct side {
	struct tls_store *store;
	struct tls *tls;
	struct epoch *epoch;
	struct counters counters;
};

/* One end of a connection. */
struct end {
	struct side *side;
	struct end *other;
	struct tls_session *s;
	uint8_t *out; /* encrypted, on its way to the other */
	uint32_t out_n, out_room;
	uint8_t *got; /* plain */
	uint32_t got_n, got_room;
	uint32_t take; /* of a call of `data`, at most */
	bool full, refused; /* `send` could not take everything; nor `data` */
	unsigned opened, closed, writable, resumed_turns;
	struct tls_opened what;
	char names[TLS_NAMES_BYTES], server_name[256];
	enum tls_end why;
	char text[256];
	void (*on_data)(struct end *e, struct span bytes);
	void (*on_opened)(struct end *e);
};

struct pair {
	struct end client, server;
	uint32_t chunk; /* bytes moved at once; 0: all */
};

extern uint64_t bed_clock_us, bed_cost_us; /* the clock; what each look at it costs */
extern uint64_t bed_now_us;		   /* of tls_advance */

/* With a store of its own where store is NULL. change: NULL, or what is to be another way. */
void side_new(struct side *s, struct tls_store *store, void (*change)(struct tls_config *config));
void side_free(struct side *s);

void pair_new(struct pair *p, struct side *client, struct side *server);
/* Accepts and connects (server 0, peer as said). */
void pair_open(struct pair *p, uint32_t peer);
void pair_free(struct pair *p);
/* Moves bytes until none can be moved any more. */
void pair_run(struct pair *p);
/* One piece from one end to the other. false: there was none, or it was not taken. */
bool end_move(struct end *from, uint32_t chunk);
void end_free(struct end *e);
/* What came, as text; empties it. */
bool end_got(struct end *e, const void *bytes, uint32_t n);

/* A server with identities, and a peer that believes ca and wants name. */
void set_server(struct side *s, struct tls_identity *identity);
void set_peer(struct side *s, uint32_t id, const struct made *ca, const char *name);
uint64_t count_of(const struct side *s, enum counter which);
/* The newest version that its sessions, as clients, offer. */
void offer(struct side *s, enum tls_version newest);
