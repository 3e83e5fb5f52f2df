/* SPDX-License-Identifier: Apache-2.0 */
#include "certs/pairs.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "certs/days.h"
#include "certs/file_signature.h"
#include "model/model.h"

const char *pair_news_word(enum pair_news news)
{
	static const char *const words[] = { "same", "new", "renewed", "reread", "broken", "gone" };

	return words[news];
}

/* ---- what lies there */

static int compare_pairs(const void *a, const void *b)
{
	return strcmp(((const struct key_pair *)a)->name, ((const struct key_pair *)b)->name);
}

const struct key_pair *pairs_find(const struct pairs *p, const char *name)
{
	for (unsigned i = 0; i < p->count; i++)
		if (strcmp(p->list[i].name, name) == 0)
			return &p->list[i];
	return NULL;
}

/* NULL: no room, or no memory (*ret_err). */
static struct key_pair *find_or_add(struct pairs *p, const char *name, int *ret_err)
{
	struct key_pair *pair = (struct key_pair *)pairs_find(p, name);

	if (pair)
		return pair;
	if (p->count == PAIRS_MAX) {
		p->left_out++;
		return NULL;
	}
	if (p->count == p->room) {
		unsigned room = p->room ? 2 * p->room : 8;
		struct key_pair *more = realloc(p->list, room * sizeof(*more));

		if (!more) {
			*ret_err = -ERR_NOMEM;
			return NULL;
		}
		p->list = more;
		p->room = room;
	}
	pair = &p->list[p->count++];
	memset(pair, 0, sizeof(*pair));
	snprintf(pair->name, sizeof(pair->name), "%s", name);
	return pair;
}

static bool is_file(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

/* The file's name without its ending, if it has that. */
static bool stem_of(const char *file, const char *ending, char ret[TLS_PAIR_MAX])
{
	size_t n = strlen(file), e = strlen(ending);

	if (n <= e || n - e >= TLS_PAIR_MAX || strcmp(file + n - e, ending) != 0)
		return false;
	memcpy(ret, file, n - e);
	ret[n - e] = 0;
	return model_name_valid(ret);
}

/* Half of a pair. Two files for one half: neither is taken. */
static void note_file(struct key_pair *pair, char half[PAIR_FILE_MAX], const char *path)
{
	if (!pair->found) {
		pair->chain[0] = pair->key[0] = pair->broken[0] = 0;
		pair->found = true;
	}
	if (half[0])
		snprintf(pair->broken, sizeof(pair->broken), "both %.150s and %.150s are there: which one is it?", half, path);
	else
		snprintf(half, PAIR_FILE_MAX, "%s", path);
}

static int note_entry(struct pairs *p, const char *directory, const char *entry)
{
	char path[PAIR_FILE_MAX], key[PAIR_FILE_MAX], name[TLS_PAIR_MAX];
	struct key_pair *pair;
	int err = 0;

	if (entry[0] == '.' || snprintf(path, sizeof(path), "%s/%s", directory, entry) >= (int)sizeof(path) - 16)
		return 0;
	if (stem_of(entry, ".crt", name) || stem_of(entry, ".pem", name)) {
		pair = find_or_add(p, name, &err);
		if (pair)
			note_file(pair, pair->chain, path);
	} else if (stem_of(entry, ".key", name)) {
		pair = find_or_add(p, name, &err);
		if (pair)
			note_file(pair, pair->key, path);
	} else if (model_name_valid(entry)) {
		snprintf(key, sizeof(key), "%.*s/privkey.pem", (int)sizeof(key) - 16, path);
		strcat(path, "/fullchain.pem");
		if (!is_file(path) && !is_file(key))
			return 0;
		pair = find_or_add(p, entry, &err);
		if (pair && is_file(path))
			note_file(pair, pair->chain, path);
		if (pair && is_file(key))
			note_file(pair, pair->key, key);
	}
	return err;
}

/* -ERR_IO: the directory cannot be read, p->broken says why. */
static int list_directory(struct pairs *p, const char *directory)
{
	DIR *d = opendir(directory);
	struct dirent *entry;
	int err = 0;

	if (!d) {
		snprintf(p->broken, sizeof(p->broken), "%s: %s", directory, strerror(errno));
		return -ERR_IO;
	}
	while (!err && (entry = readdir(d)) != NULL)
		err = note_entry(p, directory, entry->d_name);
	closedir(d);
	return err;
}

/* ---- what is taken of it */

static bool valid_at(const struct tls_certificate *c, int64_t now_s)
{
	return now_s >= c->not_before_s && now_s < c->not_after_s;
}

/* Out of date is no reason to show nothing, if there is nothing better. */
static bool out_of_date(struct key_pair *pair, const struct tls_certificate *c, int64_t now_s)
{
	char day[16];

	if (valid_at(c, now_s) || !pair->identity || !valid_at(tls_identity_certificate(pair->identity), now_s))
		return false;
	day_text(now_s < c->not_before_s ? c->not_before_s : c->not_after_s, day);
	snprintf(pair->broken, sizeof(pair->broken), "%.200s: %s %s; the one from before is still good", pair->chain,
		 now_s < c->not_before_s ? "not valid before" : "expired", day);
	return true;
}

static enum pair_news take(struct key_pair *pair, int64_t now_s, bool all)
{
	struct tls_identity *identity = NULL, *old = pair->identity;
	const struct tls_certificate *c;
	uint64_t signature;
	bool same;

	if (pair->broken[0])
		return PAIR_BROKEN;
	if (!pair->chain[0] || !pair->key[0]) {
		snprintf(pair->broken, sizeof(pair->broken), "%.200s: there is no %s for it", pair->chain[0] ? pair->chain : pair->key,
			 pair->chain[0] ? "key" : "certificate");
		return PAIR_BROKEN;
	}
	signature = file_signature(file_signature(0, pair->chain), pair->key);
	if (!all && old && signature == pair->signature)
		return PAIR_SAME;
	pair->signature = 0;
	if (tls_identity_load(pair->chain, pair->key, &identity, pair->broken))
		return PAIR_BROKEN;
	c = tls_identity_certificate(identity);
	if (out_of_date(pair, c, now_s)) {
		tls_identity_unref(identity);
		return PAIR_BROKEN;
	}
	/* Taken also where the leaf is the same: what comes with it may have changed. */
	same = old && memcmp(c->fingerprint, tls_identity_certificate(old)->fingerprint, sizeof(c->fingerprint)) == 0;
	pair->identity = identity;
	pair->signature = signature;
	pair->broken[0] = 0;
	if (!same)
		pair->since_s = now_s;
	tls_identity_unref(old);
	return same ? PAIR_REREAD : old ? PAIR_RENEWED : PAIR_NEW;
}

static void forget(struct pairs *p, unsigned i)
{
	tls_identity_unref(p->list[i].identity);
	memmove(&p->list[i], &p->list[i + 1], (p->count - i - 1) * sizeof(p->list[0]));
	p->count--;
}

int pairs_read(struct pairs *p, const char *directory, int64_t now_s, const struct pairs_reader *reader)
{
	int err;

	_Static_assert(PAIR_BROKEN_MAX >= TLS_ERROR_BYTES, "the engine's errors fit");
	p->left_out = 0;
	p->broken[0] = 0;
	for (unsigned i = 0; i < p->count; i++)
		p->list[i].found = false;
	err = list_directory(p, directory);
	if (err == -ERR_IO)
		return 0; /* all stays as it is */
	if (p->count)
		qsort(p->list, p->count, sizeof(p->list[0]), compare_pairs);
	for (unsigned i = 0; i < p->count;) {
		struct key_pair *pair = &p->list[i];

		if (pair->found) {
			reader->news(reader->ctx, pair, take(pair, now_s, reader->all));
			i++;
		} else if (err || (pair->identity && reader->needed(reader->ctx, pair->name))) {
			snprintf(pair->broken, sizeof(pair->broken), "its files are gone from %.200s; it is still in use", directory);
			reader->news(reader->ctx, pair, PAIR_BROKEN);
			i++;
		} else {
			reader->news(reader->ctx, pair, PAIR_GONE);
			forget(p, i);
		}
	}
	return err;
}

void pairs_done(struct pairs *p)
{
	for (unsigned i = 0; i < p->count; i++)
		tls_identity_unref(p->list[i].identity);
	free(p->list);
	memset(p, 0, sizeof(*p));
}
