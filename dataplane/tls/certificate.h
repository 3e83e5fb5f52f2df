/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <openssl/x509.h>

#include "tls/tls.h"

/* What a certificate says. any */
void certificate_describe(const X509 *x, struct tls_certificate *ret_certificate);
/* Unix time, INT64_MAX where it cannot be read. any */
int64_t certificate_time(const ASN1_TIME *t);
/* "2026-11-20", of at least 11 bytes. any */
void certificate_date(const ASN1_TIME *t, char *out);

/* The newest error of OpenSSL's queue as text, or `otherwise`; empties the queue. any */
const char *certificate_error(const char *otherwise);
