/* SPDX-License-Identifier: Apache-2.0 */
#include "alarms/alarms.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/err.h"
#include "base/siphash.h"
#include "model/u64map.h"
#include "wall_clock.h"

static const struct alarm_doc docs[ALARM_KINDS] = {
	[ALARM_TARGET_DOWN] = { "target-down", ALARM_MAJOR, "strowgerctl targets says why; ask the peer, calls go to the other targets meanwhile" },
	[ALARM_ALL_DOWN] = { "all-down", ALARM_CRITICAL, "no call of this profile can be placed: bring a target back, or lead its numbers elsewhere" },
	[ALARM_DNS_STALE] = { "dns-stale", ALARM_MAJOR, "the last good answer is in use; check the name servers and the zone" },
	[ALARM_DNS_EMPTY] = { "dns-empty", ALARM_MAJOR, "trunks that name it have no endpoint from it: check the zone, strowgerctl resolve says what was asked" },
	[ALARM_ANSWER_RATIO] = { "answer-ratio", ALARM_MAJOR, "the peer is up but fewer calls are answered than usual: ask what lies behind it" },
	[ALARM_LIMIT] = { "limit", ALARM_MINOR, "calls pass this target over: raise max_calls or max_cps, or buy capacity" },
	[ALARM_OVERLOAD] = { "overload", ALARM_CRITICAL, "this node is at its bound: move calls away, add workers, or raise limits" },
	[ALARM_EJECTED] = { "ejected", ALARM_MINOR, "live calls failed there; it is tried again by itself, strowgerctl targets says when" },
	[ALARM_SHORT_CALLS] = { "short-calls", ALARM_MINOR, "calls end soon after the answer: look for one-way audio or a false answer at this peer" },
	[ALARM_UPSTREAM_CAUSES] = { "upstream-causes", ALARM_MINOR, "the causes that this peer gives point to trouble behind it: ask its operator" },
	[ALARM_RECORDS] = { "records-not-written", ALARM_CRITICAL, "call records wait in memory: free disk space, or mend the file's permissions" },
	[ALARM_STATE] = { "state-not-written", ALARM_MAJOR, "changes are refused or will not outlive a restart: free disk space, mend permissions" },
	[ALARM_CERTIFICATE] = { "certificate-expires", ALARM_WARNING, "renew it: put the new pair into tls.certificates; it is taken without a restart" },
	[ALARM_CERTIFICATE_FILES] = { "certificate-files", ALARM_MAJOR, "what was good before is in use; mend the files, strowgerctl certificates says what is wrong" },
	[ALARM_PEER_CERTIFICATE] = { "peer-certificate", ALARM_MAJOR, "ask the peer's operator to renew or mend it; strowgerctl certificates shows it" },
	[ALARM_TICKET_KEYS] = { "ticket-keys", ALARM_MINOR, "the keys from before are in use: mend the file; until then sessions may not be resumed by other nodes" },
	[ALARM_DRAINING] = { "draining", ALARM_WARNING, "no new calls by the operator's wish; undrain when the work is done" },
};

const struct alarm_doc *alarm_doc(enum alarm_kind kind)
{
	return &docs[kind];
}

const char *alarm_severity_name(enum alarm_severity severity)
{
	static const char *const words[] = { "critical", "major", "minor", "warning" };

	return words[severity];
}

struct listener {
	void (*fn)(void *ctx, const struct alarm_event *event);
	void *ctx;
};

struct alarms {
	struct alarm *raised; /* dense: the last one fills a gap */
	struct u64map *index; /* kind and subject -> place in raised */
	struct alarm_event *events; /* a ring: sequence n lies at n % most_events */
	uint32_t raised_count, most_raised, most_events;
	uint64_t sequence, forgotten;
	struct listener listeners[ALARM_LISTENERS_MAX];
	unsigned listener_count;
};

struct alarms *alarms_new(uint32_t most_raised, uint32_t most_events)
{
	struct alarms *a = calloc(1, sizeof(*a));

	if (!a)
		return NULL;
	a->most_raised = most_raised;
	a->most_events = most_events;
	a->raised = calloc(most_raised, sizeof(*a->raised));
	a->events = calloc(most_events, sizeof(*a->events));
	a->index = u64map_new(most_raised);
	if (a->raised && a->events && a->index)
		return a;
	alarms_free(a);
	return NULL;
}

void alarms_free(struct alarms *a)
{
	if (!a)
		return;
	free(a->raised);
	free(a->events);
	u64map_free(a->index);
	free(a);
}

/* Two subjects of one hash would be one alarm: with 64 bits and some thousand alarms that does not happen. */
static uint64_t key_of(enum alarm_kind kind, const char *subject)
{
	const struct hash_key key = { kind, 0 };
	uint64_t hash = siphash24(&key, subject, strnlen(subject, ALARM_SUBJECT_MAX - 1));

	return hash ? hash : 1;
}

static void publish(struct alarms *a, const struct alarm *alarm, bool raised, uint64_t now)
{
	uint64_t sequence = ++a->sequence;
	struct alarm_event *e = &a->events[sequence % a->most_events];

	*e = (struct alarm_event){ sequence, now, raised, *alarm };
	for (unsigned i = 0; i < a->listener_count; i++)
		a->listeners[i].fn(a->listeners[i].ctx, e);
}

static void raise_it(struct alarms *a, enum alarm_kind kind, enum alarm_severity severity, const char *subject, const char *format, va_list args)
{
	uint64_t now = wall_ms(), key = key_of(kind, subject);
	uint32_t place = u64map_get(a->index, key);
	bool fresh = place == U64MAP_NONE, news;
	struct alarm *alarm;

	if (fresh) {
		place = a->raised_count;
		if (place == a->most_raised || u64map_set(a->index, key, place)) {
			a->forgotten++;
			return;
		}
		a->raised_count++;
		a->raised[place] = (struct alarm){ .kind = kind, .raised_unix_ms = now };
		snprintf(a->raised[place].subject, ALARM_SUBJECT_MAX, "%s", subject);
	}
	alarm = &a->raised[place];
	news = fresh || alarm->severity != severity;
	alarm->severity = severity;
	alarm->updated_unix_ms = now;
	alarm->count++;
	vsnprintf(alarm->text, sizeof(alarm->text), format, args);
	if (news)
		publish(a, alarm, true, now);
}

void alarm_raise(struct alarms *a, enum alarm_kind kind, const char *subject, const char *format, ...)
{
	va_list args;

	if (!a)
		return;
	va_start(args, format);
	raise_it(a, kind, docs[kind].severity, subject, format, args);
	va_end(args);
}

void alarm_raise_as(struct alarms *a, enum alarm_kind kind, enum alarm_severity severity, const char *subject, const char *format, ...)
{
	va_list args;

	if (!a)
		return;
	va_start(args, format);
	raise_it(a, kind, severity, subject, format, args);
	va_end(args);
}

void alarm_clear(struct alarms *a, enum alarm_kind kind, const char *subject, const char *format, ...)
{
	uint32_t place, last;
	struct alarm gone;
	uint64_t key;
	va_list args;

	if (!a)
		return;
	key = key_of(kind, subject);
	place = u64map_get(a->index, key);
	if (place == U64MAP_NONE)
		return;
	gone = a->raised[place];
	u64map_delete(a->index, key);
	last = --a->raised_count;
	if (place != last) {
		a->raised[place] = a->raised[last];
		/* Replaces an entry that is there: no memory is asked for. */
		u64map_set(a->index, key_of(a->raised[place].kind, a->raised[place].subject), place);
	}
	gone.updated_unix_ms = wall_ms();
	va_start(args, format);
	vsnprintf(gone.text, sizeof(gone.text), format, args);
	va_end(args);
	publish(a, &gone, false, gone.updated_unix_ms);
}

const struct alarm *alarm_find(const struct alarms *a, enum alarm_kind kind, const char *subject)
{
	uint32_t place = a ? u64map_get(a->index, key_of(kind, subject)) : U64MAP_NONE;

	return place == U64MAP_NONE ? NULL : &a->raised[place];
}

const struct alarm *alarms_raised(const struct alarms *a, uint32_t i)
{
	return a && i < a->raised_count ? &a->raised[i] : NULL;
}

const struct alarm_event *alarms_event(const struct alarms *a, uint64_t after)
{
	uint64_t oldest;

	if (!a || after >= a->sequence)
		return NULL;
	oldest = a->sequence > a->most_events ? a->sequence - a->most_events + 1 : 1;
	return &a->events[(after + 1 > oldest ? after + 1 : oldest) % a->most_events];
}

void alarms_stats(const struct alarms *a, struct alarms_stats *ret)
{
	*ret = a ? (struct alarms_stats){ a->raised_count, a->sequence, a->forgotten } : (struct alarms_stats){ 0 };
}

int alarms_listen(struct alarms *a, void (*fn)(void *ctx, const struct alarm_event *event), void *ctx)
{
	if (a->listener_count == ALARM_LISTENERS_MAX)
		return -ERR_FULL;
	a->listeners[a->listener_count++] = (struct listener){ fn, ctx };
	return 0;
}
