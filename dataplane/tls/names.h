/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>

#include <openssl/x509.h>

#include "base/addr.h"
#include "base/span.h"

/* Who a certificate is for (RFC 5922 §7): the hosts of its sip: URIs without a user part; only where there is none, its DNS names. Never
 * the common name. any */

#define NAME_MAX_BYTES 255

/* Whom a certificate must be for: a domain in lower case without a final dot, or an address. */
struct name {
	char text[NAME_MAX_BYTES + 1];
	struct ip_addr ip; /* family IP_NONE: a domain */
	bool allow_wildcard;
};

/* 0, -ERR_INVALID: neither a domain in ASCII (an internationalised one in its xn-- form) nor an address. */
int name_read(const char *text, struct name *ret_name);
/* RFC 5922 §7.2, §7.3; an address is looked for among the iPAddress names alone. */
bool name_is_of(const struct name *name, const X509 *certificate);
/* The SIP domain identities, "a.example, b.example", at most n - 1 bytes and whole names alone. Returns how many there are in all. */
unsigned names_write(const X509 *certificate, char *out, uint32_t n);
/* Calls each with every one of them, and with every DNS name too where `all`; lower and upper case as they stand. */
void names_each(const X509 *certificate, bool all, void (*each)(void *ctx, struct span domain), void *ctx);
/* The subjectAltName as it is, for people: "sip:a.example, b.example, 192.0.2.1". */
void names_describe(const X509 *certificate, char *out, uint32_t n);
/* "*.example.net" covers host: one label, and two at least behind it. */
bool name_wildcard_covers(struct span pattern, struct span host);
