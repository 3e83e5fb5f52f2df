/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* What is wrong now, and what was: a bounded table of raised alarms and a bounded ring of events, for the log, the control socket, and
 * whoever else listens. Everything here is control-only. */

enum alarm_severity { ALARM_CRITICAL, ALARM_MAJOR, ALARM_MINOR, ALARM_WARNING };

/* A new kind: here, and a row in alarms.c's table. */
enum alarm_kind {
	ALARM_TARGET_DOWN,     /* subject: PROFILE/TRUNK */
	ALARM_ALL_DOWN,	       /* the profile */
	ALARM_DNS_STALE,       /* the name */
	ALARM_DNS_EMPTY,       /* the name */
	ALARM_ANSWER_RATIO,    /* PROFILE/TRUNK */
	ALARM_LIMIT,	       /* PROFILE/TRUNK */
	ALARM_OVERLOAD,	       /* "worker N" or a table of a worker */
	ALARM_EJECTED,	       /* the endpoint */
	ALARM_SHORT_CALLS,     /* PROFILE/TRUNK */
	ALARM_UPSTREAM_CAUSES, /* PROFILE/TRUNK */
	ALARM_RECORDS,	       /* the file of call records */
	ALARM_STATE,	       /* the file of routing, of versions or of drains */
	ALARM_DRAINING,	       /* "node", or PROFILE/TRUNK */
	ALARM_CERTIFICATE,     /* a certificate of ours, by its name: it expires, with a severity by the days that are left */
	ALARM_CERTIFICATE_FILES, /* the name, "server NAME", "trunk NAME" or a directory: what lies on disk cannot be used */
	ALARM_PEER_CERTIFICATE, /* TRUNK/ADDRESS, or "client SUBJECT": theirs expires, or was refused */
	ALARM_TICKET_KEYS,     /* the file */
	ALARM_KINDS
};

struct alarm_doc {
	const char *word; /* "target-down" */
	enum alarm_severity severity; /* where alarm_raise_as says no other */
	const char *what_to_do;
};
const struct alarm_doc *alarm_doc(enum alarm_kind kind);
const char *alarm_severity_name(enum alarm_severity severity);

#define ALARM_SUBJECT_MAX 160
#define ALARM_TEXT_MAX	  256

struct alarm {
	enum alarm_kind kind;
	enum alarm_severity severity;
	char subject[ALARM_SUBJECT_MAX], text[ALARM_TEXT_MAX];
	uint64_t raised_unix_ms, updated_unix_ms;
	uint32_t count; /* how often it was raised without having been cleared */
};

struct alarm_event {
	uint64_t sequence; /* from 1, without gaps, anew at each start of the process */
	uint64_t unix_ms;
	bool raised; /* else cleared */
	struct alarm alarm;
};

struct alarms;

/* Room for so many raised at a time, and for so many of the last events. NULL: no memory. */
struct alarms *alarms_new(uint32_t most_raised, uint32_t most_events);
void alarms_free(struct alarms *a);

/* Raised again with the same kind and subject: its text is replaced, and it is no new event unless it was cleared meanwhile. Subjects are
 * names as the operator knows them: "carrier-a", "london/carrier-a", "sip.carrier.example". At the table's bound it is counted (alarms_stats)
 * and forgotten. A NULL `a` is ignored. */
void alarm_raise(struct alarms *a, enum alarm_kind kind, const char *subject, const char *format, ...) __attribute__((format(printf, 4, 5)));
/* With another severity than its kind's; a new event where it was raised with another one. */
void alarm_raise_as(struct alarms *a, enum alarm_kind kind, enum alarm_severity severity, const char *subject, const char *format, ...)
	__attribute__((format(printf, 5, 6)));
/* Nothing where it is not raised. format: how it ended. */
void alarm_clear(struct alarms *a, enum alarm_kind kind, const char *subject, const char *format, ...) __attribute__((format(printf, 4, 5)));

/* NULL: not raised. */
const struct alarm *alarm_find(const struct alarms *a, enum alarm_kind kind, const char *subject);
/* The i-th raised one in no order; NULL: there are no more. Valid until the next call that changes. */
const struct alarm *alarms_raised(const struct alarms *a, uint32_t i);
/* The oldest event that is still kept with a sequence above `after`; NULL: none. */
const struct alarm_event *alarms_event(const struct alarms *a, uint64_t after);

struct alarms_stats {
	uint32_t raised;
	uint64_t events;    /* since the start: the sequence of the last one */
	uint64_t forgotten; /* could not be raised: the table was full */
};
void alarms_stats(const struct alarms *a, struct alarms_stats *ret);

/* fn is called for every event, in the order of listening; it may not raise or clear. At most ALARM_LISTENERS_MAX. 0, -ERR_FULL. */
#define ALARM_LISTENERS_MAX 8
int alarms_listen(struct alarms *a, void (*fn)(void *ctx, const struct alarm_event *event), void *ctx);
