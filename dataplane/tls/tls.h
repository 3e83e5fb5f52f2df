/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/span.h"

struct counters;
struct epoch;

/* TLS 1.2 and 1.3 over OpenSSL, with no socket: encrypted bytes come in and leave through handlers, as plain ones do. What is presented and asked for is kept in a
 * store that the control thread writes and workers read without waiting; sessions belong to a worker's engine.
 *
 * A *server* is what a listener presents and asks of those who connect to it. A *peer* is what is checked of, and presented to, somebody whom we connect to. Both are
 * swapped while sessions live: a session keeps what its handshake began with. OpenSSL takes memory, and reference counts, of its own: the one exception to a worker
 * that allocates nothing, bounded by the number of sessions. */

#define TLS_SERVERS	     64
#define TLS_TICKET_KEYS	     8
#define TLS_TICKET_KEY_BYTES 80 /* name 16, AES-256 32, HMAC-SHA-256 32 */
#define TLS_ERROR_BYTES	     256
#define TLS_NAMES_BYTES	     256

enum tls_version { TLS_1_2 = 0x0303, TLS_1_3 = 0x0304 };

/* How a session, or the attempt at one, ended. */
enum tls_end {
	TLS_END_CLOSED,	       /* close_notify came */
	TLS_END_CUT,	       /* the bytes ended without it */
	TLS_END_TIMEOUT,       /* the handshake took too long */
	TLS_END_REFUSED,       /* they ended the handshake with an alert */
	TLS_END_ALERT,	       /* they ended the session with one */
	TLS_END_PROTOCOL,      /* what came is not TLS, or not by its rules; nothing in common */
	TLS_END_NO_CERTIFICATE, /* a client gave none where it must */
	TLS_END_EXPIRED,       /* a certificate of theirs; as are all to TLS_END_CERTIFICATE */
	TLS_END_NOT_YET_VALID,
	TLS_END_NAME,	     /* it is for somebody else */
	TLS_END_UNTRUSTED,   /* no way to a CA of the bundle */
	TLS_END_REVOKED,
	TLS_END_PURPOSE,     /* its extended key usage is another */
	TLS_END_CERTIFICATE, /* anything else wrong with it */
	TLS_END_NO_MEMORY,
	TLS_ENDS
};

/* "expired" ... Static storage. any */
const char *tls_end_name(enum tls_end why);

/* ---- certificates of ours; control-only, all of these */

/* What a certificate says, for people and alarms. Texts are cut where they are longer; control characters are replaced. */
struct tls_certificate {
	int64_t not_before_s, not_after_s; /* Unix time */
	char subject[128], issuer[128];	   /* RFC 2253 */
	char serial[48];		   /* hexadecimal */
	char names[TLS_NAMES_BYTES];	   /* the subjectAltName: "sip:a.example, b.example, 192.0.2.1" */
	char key[24];			   /* "EC 256", "RSA 2048" */
	uint8_t fingerprint[32];	   /* SHA-256 */
};

/* A certificate chain and its private key, read once; counted references. */
struct tls_identity;

/* Both files in PEM; the chain from the leaf upwards. Refused: what cannot be read, is encrypted, is too weak, does not belong together.
 * Dates are the caller's to look at. 0, or -ERR_INVALID, -ERR_NOMEM with an error that names the file. */
int tls_identity_load(const char *chain_file, const char *key_file, struct tls_identity **ret_identity, char error[TLS_ERROR_BYTES]);
struct tls_identity *tls_identity_ref(struct tls_identity *identity);
/* NULL is ignored. */
void tls_identity_unref(struct tls_identity *identity);
const struct tls_certificate *tls_identity_certificate(const struct tls_identity *identity);

/* ---- the store: one per process; control-only, all of these */

struct tls_store;

/* It has one ticket key, of its own making. NULL: no memory. */
struct tls_store *tls_store_new(struct epoch *epoch);
/* After the engines. NULL is ignored. */
void tls_store_free(struct tls_store *store);

enum tls_client_certificates {
	TLS_CLIENT_IGNORED,
	TLS_CLIENT_REQUESTED, /* who gives none is let in; who gives one that cannot be verified is not */
	TLS_CLIENT_REQUIRED,
};

struct tls_server_source {
	const char *name; /* of the configuration; nodes of a fleet share sessions between servers of one name and policy */
	struct tls_identity *const *identities; /* the server takes references of its own. Two of one name with different kinds of key are both offered */
	unsigned identity_count;
	unsigned default_identity; /* for who names nobody, or somebody unknown */
	enum tls_client_certificates client_certificates;
	const char *client_ca;	  /* file, or directory of files, of CA certificates (and CRLs); where certificates are not ignored */
	enum tls_version minimum; /* 0: TLS_1_2 */
	const char *ciphers;	  /* of TLS 1.2, as OpenSSL writes them. NULL: ECDHE with AES-GCM or ChaCha20 */
	const char *ciphersuites; /* of TLS 1.3. NULL: all */
	uint32_t ticket_lifetime_s; /* 0: 7,200 */
};

/* From now on. All or nothing: a failure names what is at fault and changes nothing. 0, -ERR_INVALID, -ERR_NOMEM. */
int tls_store_set_server(struct tls_store *store, unsigned server, const struct tls_server_source *source, char error[TLS_ERROR_BYTES]);
/* Nobody is accepted there any more. */
void tls_store_remove_server(struct tls_store *store, unsigned server);

/* The first encrypts, all decrypt. 0, -ERR_INVALID: none, too many, two of one name. */
int tls_store_set_ticket_keys(struct tls_store *store, const uint8_t (*keys)[TLS_TICKET_KEY_BYTES], unsigned count);

struct tls_peer_source {
	const char *ca;		  /* file, or directory of files, of CA certificates (and CRLs); read again where it has changed */
	const char *name;	  /* the domain, or IP address, that the certificate must be for (RFC 5922 §7). NULL: any, if only the CA vouches for it */
	const char *server_name;  /* for SNI. NULL: the name, unless it is an address */
	bool allow_wildcard;	  /* "*.example.net" stands for one label (RFC 6125 §6.4.3) */
	bool verify;		  /* false: anybody will do; what is wrong is told all the same (tls_seen) */
	struct tls_identity *identity; /* presented if asked for; NULL: none. The peer takes a reference of its own */
	enum tls_version minimum; /* 0: TLS_1_2 */
};

/* As tls_store_set_server. An id is never used for somebody else later: messages between workers name it. Sessions kept from before a
 * change are not resumed. */
int tls_store_set_peer(struct tls_store *store, uint32_t id, const struct tls_peer_source *source, char error[TLS_ERROR_BYTES]);
void tls_store_remove_peer(struct tls_store *store, uint32_t id);

/* ---- a worker's engine */

struct tls;
struct tls_session;

struct tls_opened {
	enum tls_version version;
	const char *cipher; /* static storage */
	bool resumed;
	const char *server_name; /* SNI, lower case; NULL: none */
	const char *names;	 /* who they are by their verified certificate: SIP domains (RFC 5922 §7.1), separated by ", "; NULL: none was asked for or given */
};

/* `user` is that of tls_accept or tls_connect. send is called from inside OpenSSL: it calls nothing here. The others may call tls_accept,
 * tls_connect, and of any session tls_send, tls_close, tls_pending and tls_free_session; resume also tls_input and tls_read of its own.
 * What they are given is valid for the call. */
struct tls_handlers {
	/* Encrypted bytes for the peer. Returns how many were taken; for the rest tls_writable is awaited. */
	uint32_t (*send)(void *ctx, void *user, struct span bytes);
	/* Plain bytes of the peer. Returns how many were taken; for the rest tls_read is awaited. */
	uint32_t (*data)(void *ctx, void *user, struct span bytes);
	/* The handshake is done, and what had to be verified is. From now on tls_send takes bytes. */
	void (*opened)(void *ctx, void *user, const struct tls_opened *opened);
	/* tls_send, which did not take everything, may take more. */
	void (*writable)(void *ctx, void *user);
	/* It is this session's turn: bytes that tls_input left are to be given to it again. Only from tls_advance. */
	void (*resume)(void *ctx, void *user);
	/* No byte comes or goes any more, but for an alert that tls_pending may still hold. Once; from tls_input, tls_cut and tls_advance;
	 * not where tls_close ended it during the handshake. Nothing is freed: that is tls_free_session's. text says it for people:
	 * "certificate expired 2026-11-20". */
	void (*closed)(void *ctx, void *user, enum tls_end why, const char *text);
};

struct tls_config {
	struct tls_store *store;
	uint32_t sessions;	       /* at once: 1 to 4,000,000 */
	uint32_t handshakes;	       /* of those, accepted and not yet opened */
	uint32_t tickets;	       /* kept, to resume sessions with peers; 0: none */
	uint32_t seen;		       /* certificates that wait for the control thread */
	uint32_t handshake_budget_us;  /* of a turn; a turn does at least one step */
	uint32_t handshake_timeout_ms; /* of both kinds */
	const struct tls_handlers *handlers;
	void *ctx;
	uint64_t (*clock_us)(void);    /* what steps cost; any origin */
	struct counters *counters;
};

/* Sensible values for everything but store, handlers, ctx, clock_us and counters. any */
struct tls_config tls_config_default(void);
/* 0, -ERR_INVALID, -ERR_NOMEM. control-only */
int tls_new(const struct tls_config *config, struct tls **ret_tls);
/* With all its sessions, without a word to anybody. NULL is ignored. control-only, the worker has stopped */
void tls_free(struct tls *t);

/* ---- worker-only, all of these but tls_seen_take */

/* A session for a connection that was accepted. 0, -ERR_NOT_FOUND (no such server), -ERR_FULL (counted), -ERR_NOMEM. */
int tls_accept(struct tls *t, unsigned server, const struct ip_port *remote, void *user, struct tls_session **ret_session);
/* For one that we opened and that stands. Its first flight leaves with tls_advance, when its turn comes. 0, -ERR_NOT_FOUND (no such peer),
 * -ERR_FULL, -ERR_NOMEM. */
int tls_connect(struct tls *t, uint32_t peer, const struct ip_port *remote, void *user, struct tls_session **ret_session);

/* Encrypted bytes from the peer. Returns how many were taken: fewer where `data` took less (tls_read, then the rest again), or where a step
 * of the handshake has to wait for its turn (`resume`). */
uint32_t tls_input(struct tls *t, struct tls_session *s, struct span bytes);
/* Hands to `data` what it left. false: it took less again. */
bool tls_read(struct tls *t, struct tls_session *s);
/* The peer has sent all that it will: a cut, unless close_notify had come. */
void tls_cut(struct tls *t, struct tls_session *s);

/* Plain bytes for the peer. Returns how many were taken: none before `opened` and after the end, fewer than given where `send` does not
 * take what came of it. */
uint32_t tls_send(struct tls *t, struct tls_session *s, struct span bytes);
/* `send` takes bytes again. */
void tls_writable(struct tls *t, struct tls_session *s);
/* Encrypted bytes that `send` did not take yet: before they are gone the connection should not be closed. */
uint32_t tls_pending(const struct tls_session *s);

/* They came to us, with a certificate that was verified and that `peer` asks for too: they are who would be connected to as that peer. */
bool tls_is_peer(struct tls *t, const struct tls_session *s, uint32_t peer);

/* Sends close_notify. What still comes is read and dropped. */
void tls_close(struct tls *t, struct tls_session *s);
/* s is not to be used after this. */
void tls_free_session(struct tls *t, struct tls_session *s);

/* Once a turn: a new budget for handshakes, of which those that wait get their turn first; ends those that took too long. Returns how much
 * there was to do. */
unsigned tls_advance(struct tls *t, uint64_t now_us);
/* When tls_advance has something to do next, in µs of its now_us; 0: at once; UINT64_MAX: never. */
uint64_t tls_next_due(const struct tls *t);

struct tls_usage {
	uint32_t sessions, handshakes, waiting, tickets;
	uint64_t bytes; /* of ours: encrypted that could not be sent, plain that was not taken */
};
void tls_usage(const struct tls *t, struct tls_usage *ret_usage);

/* A certificate of somebody else, as a handshake showed it; every one, but for resumed sessions. */
struct tls_seen {
	bool accepted;	  /* they came to `server`; false: we went to `peer` */
	bool verified;
	bool refused;	  /* not verified, and the session ended for it */
	uint8_t server;
	uint8_t why;	  /* enum tls_end, where not verified */
	uint32_t peer;
	struct ip_port remote;
	struct tls_certificate certificate; /* the leaf; not_after_s 0: none was given */
	char text[128];	  /* why, for people */
};
/* The oldest that waits. false: none. control-only */
bool tls_seen_take(struct tls *t, struct tls_seen *ret_seen);
