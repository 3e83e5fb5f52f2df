/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <unistd.h>

#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "bed.h"

static char folder[64];

int bed_folder_new(void **state)
{
	snprintf(folder, sizeof(folder), "/tmp/test_tls.XXXXXX");
	return mkdtemp(folder) ? 0 : -1;
}

const char *bed_path(const char *name)
{
	static char paths[8][160];
	static unsigned last;
	char *path = paths[last++ % 8];

	snprintf(path, sizeof(paths[0]), "%s/%s", folder, name);
	return path;
}

static void empty(const char *path)
{
	DIR *d = opendir(path);
	struct dirent *entry;
	char name[512];

	while (d && (entry = readdir(d))) {
		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
		if (entry->d_type == DT_DIR)
			empty(name);
		else
			unlink(name);
	}
	if (d)
		closedir(d);
	rmdir(path);
}

int bed_folder_free(void **state)
{
	empty(folder);
	return 0;
}

void bed_write(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void add_extension(X509 *x, X509 *issuer, int nid, const char *value)
{
	X509_EXTENSION *extension;
	X509V3_CTX ctx;

	if (!value)
		return;
	X509V3_set_ctx(&ctx, issuer, x, NULL, NULL, 0);
	extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	assert_non_null(extension);
	assert_true(X509_add_ext(x, extension, -1));
	X509_EXTENSION_free(extension);
}

void made_sign(struct made *m, X509 *x, EVP_PKEY *key, const char *name, const struct made *issuer)
{
	FILE *f;

	memset(m, 0, sizeof(*m));
	m->x = x;
	m->key = key;
	X509_set_issuer_name(x, X509_get_subject_name(issuer ? issuer->x : x));
	assert_true(X509_sign(x, issuer ? issuer->key : key, EVP_sha256()) > 0);
	snprintf(m->chain_file, sizeof(m->chain_file), "%s/%s.crt", folder, name);
	snprintf(m->key_file, sizeof(m->key_file), "%s/%s.key", folder, name);
	f = fopen(m->chain_file, "w");
	assert_non_null(f);
	PEM_write_X509(f, x);
	if (issuer && X509_NAME_cmp(X509_get_subject_name(issuer->x), X509_get_issuer_name(issuer->x)))
		PEM_write_X509(f, issuer->x);
	fclose(f);
	f = fopen(m->key_file, "w");
	assert_non_null(f);
	PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL);
	fclose(f);
}

void made_new(struct made *m, const char *name, const struct wish *wish, const struct made *issuer)
{
	static long serial = 0x1000;
	EVP_PKEY *key = wish->rsa ? EVP_RSA_gen(wish->weak ? 1024 : 2048) : EVP_EC_gen("P-256");
	X509 *x = X509_new();

	assert_non_null(key);
	X509_set_version(x, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(x), serial++);
	X509_gmtime_adj(X509_getm_notBefore(x), wish->from_days ? wish->from_days * 86400L : -3600);
	X509_gmtime_adj(X509_getm_notAfter(x), (wish->from_days + (wish->days ? wish->days : 30)) * 86400L + wish->hours * 3600L);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_UTF8, (const uint8_t *)wish->cn, -1, -1, 0);
	X509_set_pubkey(x, key);
	add_extension(x, issuer ? issuer->x : x, NID_basic_constraints, wish->ca ? "critical,CA:TRUE" : "critical,CA:FALSE");
	add_extension(x, issuer ? issuer->x : x, NID_subject_alt_name, wish->san);
	add_extension(x, issuer ? issuer->x : x, NID_ext_key_usage, wish->usage);
	made_sign(m, x, key, name, issuer);
}

void made_free(struct made *m)
{
	X509_free(m->x);
	EVP_PKEY_free(m->key);
	memset(m, 0, sizeof(*m));
}

void made_revoke(const struct made *m, const struct made *issuer, const char *path)
{
	X509_CRL *crl = X509_CRL_new();
	X509_REVOKED *revoked = X509_REVOKED_new();
	ASN1_TIME *now = X509_gmtime_adj(NULL, -60), *later = X509_gmtime_adj(NULL, 86400);
	FILE *f = fopen(path, "w");

	X509_CRL_set_version(crl, X509_CRL_VERSION_2);
	X509_CRL_set_issuer_name(crl, X509_get_subject_name(issuer->x));
	X509_CRL_set1_lastUpdate(crl, now);
	X509_CRL_set1_nextUpdate(crl, later);
	X509_REVOKED_set_serialNumber(revoked, X509_get_serialNumber(m->x));
	X509_REVOKED_set_revocationDate(revoked, now);
	assert_true(X509_CRL_add0_revoked(crl, revoked));
	assert_true(X509_CRL_sign(crl, issuer->key, EVP_sha256()) > 0);
	PEM_write_X509(f, issuer->x);
	PEM_write_X509_CRL(f, crl);
	fclose(f);
	X509_CRL_free(crl);
	ASN1_TIME_free(now);
	ASN1_TIME_free(later);
}

struct tls_identity *made_identity(const struct made *m)
{
	struct tls_identity *identity = NULL;
	char error[TLS_ERROR_BYTES] = "";

	if (tls_identity_load(m->chain_file, m->key_file, &identity, error))
		fail_msg("%s", error);
	return identity;
}
