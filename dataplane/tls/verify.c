/* SPDX-License-Identifier: Apache-2.0 */
/* Whether somebody is who we take them for: the chain (RFC 5280, by OpenSSL), its extended key usage (RFC 5924), and the name (RFC 5922). */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <openssl/x509_vfy.h>

#include "tls/certificate.h"
#include "tls/session.h"

#define RESUMED_S (24 * 3600) /* after which a session is not resumed but verified anew, as long as its certificates last */

/* What went wrong, for the owner of the session. */
static void note(struct tls *t, enum tls_end why, const char *format, ...) __attribute__((format(printf, 3, 4)));
static void note(struct tls *t, enum tls_end why, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(t->text, sizeof(t->text), format, args);
	va_end(args);
	t->why = why;
}

/* ---- the chain */

static enum tls_end end_of(int error)
{
	switch (error) {
	case X509_V_ERR_CERT_HAS_EXPIRED:
		return TLS_END_EXPIRED;
	case X509_V_ERR_CERT_NOT_YET_VALID:
		return TLS_END_NOT_YET_VALID;
	case X509_V_ERR_CERT_REVOKED:
		return TLS_END_REVOKED;
	case X509_V_ERR_INVALID_PURPOSE:
		return TLS_END_PURPOSE;
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
	case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
	case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
	case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
	case X509_V_ERR_CERT_SIGNATURE_FAILURE:
	case X509_V_ERR_CERT_UNTRUSTED:
	case X509_V_ERR_CERT_REJECTED:
		return TLS_END_UNTRUSTED;
	default:
		return TLS_END_CERTIFICATE;
	}
}

/* An issuer without a revocation list, or with one that is out of date, is no reason to refuse: the list is what the operator keeps beside the CA. */
static int per_certificate(int good, X509_STORE_CTX *ctx)
{
	int error = X509_STORE_CTX_get_error(ctx);

	if (good || (error != X509_V_ERR_UNABLE_TO_GET_CRL && error != X509_V_ERR_CRL_HAS_EXPIRED))
		return good;
	X509_STORE_CTX_set_error(ctx, X509_V_OK);
	return 1;
}

static void note_chain(struct tls *t, X509_STORE_CTX *ctx, X509 *leaf)
{
	int error = X509_STORE_CTX_get_error(ctx);
	X509 *at = X509_STORE_CTX_get_current_cert(ctx);
	enum tls_end why = end_of(error);
	const char *whose = !at || X509_STORE_CTX_get_error_depth(ctx) == 0 ? "certificate" : "certificate of its CA";
	char date[16];

	if (why == TLS_END_EXPIRED) {
		certificate_date(X509_get0_notAfter(at ? at : leaf), date);
		note(t, why, "%s expired %s", whose, date);
	} else if (why == TLS_END_NOT_YET_VALID) {
		certificate_date(X509_get0_notBefore(at ? at : leaf), date);
		note(t, why, "%s is not valid before %s", whose, date);
	} else if (why == TLS_END_UNTRUSTED) {
		struct tls_certificate c;

		certificate_describe(leaf, &c);
		note(t, why, "certificate is not vouched for by a known CA: issuer %.100s", c.issuer);
	} else if (why == TLS_END_REVOKED) {
		note(t, why, "%s is revoked", whose);
	} else {
		note(t, why, "%s: %s", whose, X509_verify_cert_error_string(error));
	}
}

/* ---- extended key usage: id-kp-sipDomain or any (RFC 5924 §4), serverAuth (most have nothing else, and use one certificate for both
 * directions), of a client clientAuth too; or none at all */

static bool usage_serves(X509 *x, bool of_client)
{
	int found;
	EXTENDED_KEY_USAGE *usage = X509_get_ext_d2i(x, NID_ext_key_usage, &found, NULL);
	bool serves = !usage && found == -1; /* there is none; anything else is one that cannot be read */
	char oid[64];

	for (int i = 0; i < sk_ASN1_OBJECT_num(usage) && !serves; i++) {
		const ASN1_OBJECT *use = sk_ASN1_OBJECT_value(usage, i);
		int nid = OBJ_obj2nid(use);

		serves = nid == NID_server_auth || nid == NID_anyExtendedKeyUsage || (of_client && nid == NID_client_auth);
		if (!serves && OBJ_obj2txt(oid, sizeof(oid), use, 1) > 0)
			serves = !strcmp(oid, "1.3.6.1.5.5.7.3.20");
	}
	sk_ASN1_OBJECT_pop_free(usage, ASN1_OBJECT_free);
	return serves;
}

/* All but the trust anchor, about which the operator has decided. */
static bool chain_serves(X509_STORE_CTX *ctx, bool of_client)
{
	STACK_OF(X509) *chain = X509_STORE_CTX_get0_chain(ctx);
	int n = sk_X509_num(chain);

	for (int i = 0; i == 0 || i < n - 1; i++)
		if (!usage_serves(sk_X509_value(chain, i), of_client))
			return false;
	return true;
}

/* ---- all of it */

static int64_t first_to_expire(X509_STORE_CTX *ctx)
{
	STACK_OF(X509) *chain = X509_STORE_CTX_get0_chain(ctx);
	int64_t first = (int64_t)time(NULL) + RESUMED_S;

	for (int i = 0; i < sk_X509_num(chain); i++) {
		int64_t at = certificate_time(X509_get0_notAfter(sk_X509_value(chain, i)));

		first = at < first ? at : first;
	}
	return first;
}

static void judge(struct tls_session *s, X509_STORE_CTX *ctx, X509 *leaf)
{
	struct tls *t = s->t;
	char names[128];

	/* The purposes that OpenSSL knows leave no room for id-kp-sipDomain. */
	X509_VERIFY_PARAM_set_purpose(X509_STORE_CTX_get0_param(ctx), X509_PURPOSE_ANY);
	X509_STORE_CTX_set_verify_cb(ctx, per_certificate);
	if (X509_verify_cert(ctx) <= 0) {
		note_chain(t, ctx, leaf);
		return;
	}
	if (!chain_serves(ctx, s->server)) {
		X509_STORE_CTX_set_error(ctx, X509_V_ERR_INVALID_PURPOSE);
		note(t, TLS_END_PURPOSE, "certificate is not for SIP: its extended key usage is another");
		return;
	}
	if (s->peer && s->peer->named && !name_is_of(&s->peer->name, leaf)) {
		X509_STORE_CTX_set_error(ctx, X509_V_ERR_HOSTNAME_MISMATCH);
		if (s->peer->name.ip.family != IP_NONE)
			names_describe(leaf, names, sizeof(names));
		else
			names_write(leaf, names, sizeof(names));
		note(t, TLS_END_NAME, "certificate is for %.90s, not %.90s", names[0] ? names : "no SIP domain", s->peer->name.text);
	}
}

int verify_chain(X509_STORE_CTX *ctx, void *arg)
{
	SSL *ssl = X509_STORE_CTX_get_ex_data(ctx, SSL_get_ex_data_X509_STORE_CTX_idx());
	struct tls_session *s = bio_session(ssl);
	struct tls *t = s->t;
	X509 *leaf = X509_STORE_CTX_get0_cert(ctx);
	bool verified, must = s->server || s->peer->verify;

	judge(s, ctx, leaf);
	verified = t->why == TLS_ENDS;
	s->chain_expires_s = first_to_expire(ctx);
	/* An SSL would keep it for as long as it lives. */
	X509_STORE_CTX_set0_verified_chain(ctx, NULL);
	seen_post(s, leaf, verified, !verified && must, t->why, t->text);
	if (verified || must)
		return verified;
	t->why = TLS_ENDS;
	X509_STORE_CTX_set_error(ctx, X509_V_OK);
	return 1;
}

bool verify_resumed(struct tls_session *s)
{
	X509 *leaf = SSL_get0_peer_certificate(s->ssl);
	struct tls *t = s->t;
	char date[16];

	if (!s->server || !leaf || certificate_time(X509_get0_notAfter(leaf)) > (int64_t)time(NULL))
		return true;
	certificate_date(X509_get0_notAfter(leaf), date);
	note(t, TLS_END_EXPIRED, "certificate expired %s", date);
	seen_post(s, leaf, false, true, t->why, t->text);
	return false;
}

bool verify_as_peer(const struct peer *peer, X509 *leaf)
{
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	bool verified = false;

	if (ctx && X509_STORE_CTX_init(ctx, peer->authorities->store, leaf, NULL)) {
		X509_VERIFY_PARAM_set_purpose(X509_STORE_CTX_get0_param(ctx), X509_PURPOSE_ANY);
		X509_STORE_CTX_set_verify_cb(ctx, per_certificate);
		verified = X509_verify_cert(ctx) > 0;
	}
	X509_STORE_CTX_free(ctx);
	ERR_clear_error();
	return verified;
}
