/* SPDX-License-Identifier: Apache-2.0 */
#include "certs/theirs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/siphash.h"
#include "model/u64map.h"

struct theirs {
	struct their *list; /* dense */
	unsigned count, room, strangers;
	struct u64map *index;
	uint64_t forgotten;
};

struct theirs *theirs_new(void)
{
	struct theirs *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->index = u64map_new(0);
	if (t->index)
		return t;
	free(t);
	return NULL;
}

void theirs_free(struct theirs *t)
{
	if (!t)
		return;
	u64map_free(t->index);
	free(t->list);
	free(t);
}

/* A peer is known by where it is, a client by what it shows: it comes from any port. */
static uint64_t key_of(const struct tls_seen *seen)
{
	const struct hash_key key = { seen->accepted, seen->accepted ? seen->server : seen->peer };
	uint64_t hash;

	if (seen->accepted) {
		hash = siphash24(&key, seen->certificate.fingerprint, sizeof(seen->certificate.fingerprint));
	} else {
		char text[IP_PORT_TEXT_MAX];

		hash = siphash24(&key, text, ip_port_format(&seen->remote, text));
	}
	return hash ? hash : 1;
}

static bool is_stranger(const struct their *x)
{
	return x->client && !x->verified;
}

void theirs_forget(struct theirs *t, unsigned i)
{
	unsigned last = --t->count;

	t->strangers -= is_stranger(&t->list[i]);
	u64map_delete(t->index, t->list[i].key);
	if (i == last)
		return;
	t->list[i] = t->list[last];
	/* Replaces an entry that is there: no memory is asked for. */
	u64map_set(t->index, t->list[i].key, i);
}

static void make_room(struct theirs *t, bool stranger)
{
	bool only_strangers = stranger && t->strangers >= THEIRS_STRANGERS_MAX;
	unsigned oldest = UINT32_MAX;

	if (!only_strangers && t->count < THEIRS_MAX)
		return;
	for (unsigned i = 0; i < t->count; i++)
		if ((!only_strangers || is_stranger(&t->list[i])) && (oldest == UINT32_MAX || t->list[i].last_s < t->list[oldest].last_s))
			oldest = i;
	if (oldest == UINT32_MAX)
		return;
	theirs_forget(t, oldest);
	t->forgotten++;
}

static struct their *add(struct theirs *t, uint64_t key, bool stranger, int64_t now_s)
{
	make_room(t, stranger);
	if (t->count == t->room) {
		unsigned room = t->room ? 2 * t->room : 64;
		struct their *more = realloc(t->list, room * sizeof(*more));

		if (!more)
			return NULL;
		t->list = more;
		t->room = room;
	}
	if (u64map_set(t->index, key, t->count))
		return NULL;
	t->list[t->count] = (struct their){ .key = key, .first_s = now_s };
	return &t->list[t->count++];
}

struct their *theirs_note(struct theirs *t, const struct tls_seen *seen, const char *trunk, const char *server, int64_t now_s)
{
	uint64_t key = key_of(seen);
	uint32_t place = u64map_get(t->index, key);
	bool stranger = seen->accepted && !seen->verified;
	struct their *x = place == U64MAP_NONE ? add(t, key, stranger, now_s) : &t->list[place];
	char text[IP_PORT_TEXT_MAX];

	if (!x)
		return NULL;
	t->strangers += stranger - (place != U64MAP_NONE && is_stranger(x));
	x->client = seen->accepted;
	x->verified = seen->verified;
	x->refused = seen->refused;
	x->why = seen->why;
	x->peer = seen->peer;
	x->remote = seen->remote;
	x->certificate = seen->certificate;
	x->last_s = now_s;
	x->times++;
	ip_port_format(&seen->remote, text);
	if (seen->accepted)
		snprintf(x->who, sizeof(x->who), "client %.128s", seen->certificate.subject[0] ? seen->certificate.subject : text);
	else if (trunk)
		snprintf(x->who, sizeof(x->who), "%.64s/%s", trunk, text);
	else
		snprintf(x->who, sizeof(x->who), "%s", text);
	snprintf(x->server, sizeof(x->server), "%s", seen->accepted && server ? server : "");
	snprintf(x->text, sizeof(x->text), "%s", seen->text);
	return x;
}

const struct their *theirs_at(const struct theirs *t, unsigned i)
{
	return i < t->count ? &t->list[i] : NULL;
}

uint64_t theirs_forgotten(const struct theirs *t)
{
	return t->forgotten;
}
