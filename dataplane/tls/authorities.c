/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/authorities.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <openssl/err.h>
#include <openssl/pem.h>

#include "base/err.h"
#include "tls/certificate.h"

#define SUBJECTS_MAX 32 /* beyond them a server names none: the list goes out in every handshake */
#define PATH_BYTES   4096

/* ---- what is there */

static uint64_t mix(uint64_t h, uint64_t v)
{
	h = (h ^ v) * 0x9e3779b97f4a7c15ULL;
	return h ^ h >> 29;
}

static uint64_t mix_file(uint64_t h, const struct stat *st)
{
	h = mix(h, (uint64_t)st->st_ino);
	h = mix(h, (uint64_t)st->st_dev);
	h = mix(h, (uint64_t)st->st_size);
	h = mix(h, (uint64_t)st->st_mtim.tv_sec);
	return mix(h, (uint64_t)st->st_mtim.tv_nsec);
}

/* Calls each with every regular file there; false: it stopped, or the directory cannot be read (errno). */
static bool each_file(const char *directory, bool (*each)(void *ctx, const char *path, const struct stat *st), void *ctx)
{
	struct dirent **entries;
	int n = scandir(directory, &entries, NULL, alphasort);
	bool on = n >= 0;
	char path[PATH_BYTES];
	struct stat st;

	for (int i = 0; i < n; i++) {
		snprintf(path, sizeof(path), "%s/%s", directory, entries[i]->d_name);
		if (on && entries[i]->d_name[0] != '.' && !stat(path, &st) && S_ISREG(st.st_mode))
			on = each(ctx, path, &st);
		free(entries[i]);
	}
	if (n >= 0)
		free(entries);
	return on;
}

static bool add_stamp(void *ctx, const char *path, const struct stat *st)
{
	*(uint64_t *)ctx = mix_file(*(uint64_t *)ctx, st);
	return true;
}

/* false: errno says why. */
static bool stamp_of(const char *path, bool *ret_directory, uint64_t *ret_stamp)
{
	struct stat st;
	uint64_t h = 1;

	if (stat(path, &st))
		return false;
	*ret_directory = S_ISDIR(st.st_mode);
	if (*ret_directory && !each_file(path, add_stamp, &h))
		return false;
	*ret_stamp = *ret_directory ? h : mix_file(h, &st);
	return true;
}

/* ---- reading */

struct reading {
	struct authorities *a;
	unsigned certificates, lists;
	bool lenient; /* of a directory: what is no PEM is left aside */
	char *error;
};

static bool take(struct reading *r, const X509_INFO *info)
{
	if (info->x509) {
		X509_NAME *subject = X509_NAME_dup(X509_get_subject_name(info->x509));

		if (!subject || !X509_STORE_add_cert(r->a->store, info->x509) || !sk_X509_NAME_push(r->a->subjects, subject)) {
			X509_NAME_free(subject);
			return false;
		}
		r->certificates++;
	}
	if (info->crl) {
		if (!X509_STORE_add_crl(r->a->store, info->crl))
			return false;
		r->lists++;
	}
	return true;
}

static bool read_file(void *ctx, const char *path, const struct stat *st)
{
	struct reading *r = ctx;
	unsigned before = r->certificates + r->lists;
	STACK_OF(X509_INFO) *found = NULL;
	BIO *file;
	bool good = true;

	errno = 0;
	file = BIO_new_file(path, "r");
	if (file)
		found = PEM_X509_INFO_read_bio(file, NULL, NULL, NULL);
	else
		snprintf(r->error, TLS_ERROR_BYTES, "%s: %s", path, errno ? strerror(errno) : "cannot be opened");
	if (file && !found)
		snprintf(r->error, TLS_ERROR_BYTES, "%s: %s", path, certificate_error("is not in PEM"));
	for (int i = 0; good && i < sk_X509_INFO_num(found); i++)
		good = take(r, sk_X509_INFO_value(found, i));
	if (!good)
		snprintf(r->error, TLS_ERROR_BYTES, "%s: %s", path, certificate_error("out of memory"));
	else if (found && before == r->certificates + r->lists)
		snprintf(r->error, TLS_ERROR_BYTES, "%s: no certificate in PEM", path);
	good = good && found && before != r->certificates + r->lists;
	sk_X509_INFO_pop_free(found, X509_INFO_free);
	BIO_free(file);
	ERR_clear_error();
	return good || r->lenient;
}

static int read_all(struct authorities *a, bool directory, char error[TLS_ERROR_BYTES])
{
	struct reading r = { .a = a, .lenient = directory, .error = error };
	struct stat unused = { 0 };

	if (!(directory ? each_file(a->path, read_file, &r) : read_file(&r, a->path, &unused)))
		return -ERR_INVALID;
	if (!r.certificates) {
		snprintf(error, TLS_ERROR_BYTES, "%s: no certificate in PEM", a->path);
		return -ERR_INVALID;
	}
	if (r.certificates > SUBJECTS_MAX)
		while (sk_X509_NAME_num(a->subjects))
			X509_NAME_free(sk_X509_NAME_pop(a->subjects));
	/* Where there are revocation lists they count; an issuer without one is taken at its word (verify.c). What the operator listed is
	 * trusted as it is, also where it is an intermediate. */
	X509_STORE_set_flags(a->store, X509_V_FLAG_PARTIAL_CHAIN | (r.lists ? X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL : 0));
	return 0;
}

static struct authorities *authorities_new(const char *path)
{
	struct authorities *a = calloc(1, sizeof(*a) + strlen(path) + 1);

	if (!a)
		return NULL;
	atomic_init(&a->refs, 1);
	memcpy(a->path, path, strlen(path) + 1);
	a->store = X509_STORE_new();
	a->subjects = sk_X509_NAME_new_null();
	if (a->store && a->subjects)
		return a;
	authorities_put(a);
	return NULL;
}

int authorities_get(struct authorities_shelf *shelf, const char *path, struct authorities **ret_authorities, char error[TLS_ERROR_BYTES])
{
	struct authorities *a, **at = &shelf->first;
	uint64_t stamp;
	bool directory;
	int err;

	if (!stamp_of(path, &directory, &stamp)) {
		snprintf(error, TLS_ERROR_BYTES, "%s: %s", path, strerror(errno));
		return -ERR_INVALID;
	}
	while (*at && strcmp((*at)->path, path))
		at = &(*at)->next;
	if (*at && (*at)->stamp == stamp) {
		atomic_fetch_add_explicit(&(*at)->refs, 1, memory_order_relaxed);
		*ret_authorities = *at;
		return 0;
	}
	a = authorities_new(path);
	if (!a) {
		snprintf(error, TLS_ERROR_BYTES, "%s: out of memory", path);
		return -ERR_NOMEM;
	}
	err = read_all(a, directory, error);
	if (err) {
		authorities_put(a);
		return err;
	}
	a->stamp = stamp;
	if (*at) { /* as it was before */
		struct authorities *old = *at;

		*at = old->next;
		authorities_put(old);
	}
	a->next = shelf->first;
	shelf->first = a;
	atomic_fetch_add_explicit(&a->refs, 1, memory_order_relaxed);
	*ret_authorities = a;
	return 0;
}

void authorities_put(struct authorities *a)
{
	if (!a || atomic_fetch_sub_explicit(&a->refs, 1, memory_order_acq_rel) != 1)
		return;
	X509_STORE_free(a->store);
	sk_X509_NAME_pop_free(a->subjects, X509_NAME_free);
	free(a);
}

void authorities_tidy(struct authorities_shelf *shelf, bool all)
{
	struct authorities **at = &shelf->first;

	while (*at) {
		struct authorities *a = *at;

		if (!all && atomic_load_explicit(&a->refs, memory_order_acquire) != 1) {
			at = &a->next;
			continue;
		}
		*at = a->next;
		authorities_put(a);
	}
}
