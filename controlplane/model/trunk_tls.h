/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct raw_trunk_tls;

/* How the peers of a trunk are checked when we connect to them by TLS, and what we show them. */

#define TLS_NAME_MAX 254 /* a host name and NUL */
#define TLS_PATH_MAX 256
#define TLS_PAIR_MAX 64 /* of our own certificates, by name */

enum trunk_tls_key {
	TRUNK_TLS_NAME = 1,
	TRUNK_TLS_CA = 2,
	TRUNK_TLS_WILDCARD = 4,
	TRUNK_TLS_VERIFY = 8,
	TRUNK_TLS_CERTIFICATE = 16,
	TRUNK_TLS_VERSION = 32,
};

enum tls_minimum { TLS_MINIMUM_1_2, TLS_MINIMUM_1_3 };

/* Compared as memory: what is not given is zero. */
struct trunk_tls {
	uint32_t given;		    /* enum trunk_tls_key */
	bool allow_wildcard;
	bool unverified;	    /* `verify: false` */
	uint8_t minimum;	    /* enum tls_minimum */
	char name[TLS_NAME_MAX];    /* that the peer's certificate must be for (RFC 5922 §7); empty: the host as it is configured, else the address */
	char ca[TLS_PATH_MAX];	    /* a file of certificates or a directory; empty: the node's tls.ca */
	char certificate[TLS_PAIR_MAX]; /* what we show, where we are asked; empty: nothing */
};

/* raw NULL: nothing is given. 0, -ERR_INVALID with an error that begins with path. control-only */
int trunk_tls_load(const struct raw_trunk_tls *raw, const char *path, struct trunk_tls *ret, char *error);

/* The keys that are given, as they are written; NULL: none is. control-only */
json_t *trunk_tls_json(const struct trunk_tls *t);

/* "1.2" and "1.3", as a list for field_choice, in the order of enum tls_minimum. any */
extern const char *const tls_minimum_words[];
