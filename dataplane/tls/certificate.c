/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/certificate.h"

#include <stdio.h>
#include <time.h>

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>

#include "tls/names.h"

int64_t certificate_time(const ASN1_TIME *t)
{
	struct tm tm;

	return t && ASN1_TIME_to_tm(t, &tm) ? (int64_t)timegm(&tm) : INT64_MAX;
}

void certificate_date(const ASN1_TIME *t, char *out)
{
	struct tm tm;

	if (!t || !ASN1_TIME_to_tm(t, &tm) || !strftime(out, 11, "%Y-%m-%d", &tm))
		memcpy(out, "?", 2);
}

static void write_name(const X509_NAME *name, char *out, size_t n)
{
	BIO *text = BIO_new(BIO_s_mem());
	char *data;
	long bytes;

	out[0] = '\0';
	if (!text)
		return;
	/* RFC 2253 escapes control characters. */
	if (X509_NAME_print_ex(text, name, 0, XN_FLAG_RFC2253) >= 0) {
		bytes = BIO_get_mem_data(text, &data);
		bytes = bytes < (long)n ? bytes : (long)n - 1;
		memcpy(out, data, (size_t)bytes);
		out[bytes] = '\0';
	}
	BIO_free(text);
}

static void write_serial(const X509 *x, char *out, size_t n)
{
	BIGNUM *number = ASN1_INTEGER_to_BN(X509_get0_serialNumber(x), NULL);
	char *text = number ? BN_bn2hex(number) : NULL;

	snprintf(out, n, "%s", text ? text : "");
	OPENSSL_free(text);
	BN_free(number);
}

void certificate_describe(const X509 *x, struct tls_certificate *ret_certificate)
{
	struct tls_certificate *c = ret_certificate;
	EVP_PKEY *key = X509_get0_pubkey(x);
	unsigned bytes = sizeof(c->fingerprint);
	const char *type = key ? EVP_PKEY_get0_type_name(key) : NULL;

	memset(c, 0, sizeof(*c));
	c->not_before_s = certificate_time(X509_get0_notBefore(x));
	c->not_after_s = certificate_time(X509_get0_notAfter(x));
	write_name(X509_get_subject_name(x), c->subject, sizeof(c->subject));
	write_name(X509_get_issuer_name(x), c->issuer, sizeof(c->issuer));
	write_serial(x, c->serial, sizeof(c->serial));
	names_describe(x, c->names, sizeof(c->names));
	snprintf(c->key, sizeof(c->key), "%s %d", type ? type : "?", key ? EVP_PKEY_get_bits(key) : 0);
	(void)X509_digest(x, EVP_sha256(), c->fingerprint, &bytes);
}

const char *certificate_error(const char *otherwise)
{
	unsigned long code = ERR_peek_last_error();
	const char *text = !code ? NULL : ERR_SYSTEM_ERROR(code) ? strerror(ERR_GET_REASON(code)) : ERR_reason_error_string(code);

	ERR_clear_error();
	return text ? text : otherwise;
}
