/* SPDX-License-Identifier: Apache-2.0 */
#include "health/quality.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alarms/alarms.h"
#include "base/siphash.h"
#include "cdr_line.h"
#include "tables/call_record.h"
#include "tables/trunks.h"

#define TARGETS_MAX  4096 /* a power of two; at most 7/8 are taken */
#define SIGMAS	     4.0  /* how far from the past a window must lie: by chance once in 30,000 windows */
#define FADE	     0.9  /* what a window's close leaves of the past: it remembers ten or so */
#define WARM_WINDOWS 3	  /* a past of less says nothing */
#define NEW_USUAL    60	  /* windows in a row that an alarm lasts before what it is about counts as usual */
#define IDLE_WINDOWS 60	  /* without a call: its alarms end; its place may be another's */

/* How often something happened of how often it could: in this window, and in the past, which fades. */
struct share {
	uint32_t hits, all;
	double past_hits, past_all;
	uint32_t windows; /* in the past, up to WARM_WINDOWS */
	uint32_t alarmed; /* windows in a row with the alarm raised */
	double last;	  /* of the last window; negative: none */
};

/* The same of a quantity. */
struct amount {
	uint32_t all;
	double sum;
	double past_all, past_sum, past_squares, squares;
	uint32_t windows, alarmed;
	double last;
};

struct target {
	uint32_t profile_id, trunk_id;
	bool used;
	uint32_t idle; /* windows */
	bool seen;     /* a call, in this window */
	struct share answered, brief, causes;
	struct amount duration;
	char name[ALARM_SUBJECT_MAX];
};

struct quality {
	struct quality_config config;
	const struct trunks *trunks;
	struct alarms *alarms;
	uint64_t next_ms, untracked;
	uint32_t count;
	struct target target[TARGETS_MAX];
};

struct quality_config quality_config_default(void)
{
	return (struct quality_config){ .window_s = 60, .calls = 50, .fall_percent = 25, .short_s = 3, .short_percent = 20, .cause_percent = 20 };
}

struct quality *quality_new(const struct quality_config *config, const struct trunks *trunks, struct alarms *alarms)
{
	struct quality *q = calloc(1, sizeof(*q));

	if (!q)
		return NULL;
	q->config = *config;
	q->trunks = trunks;
	q->alarms = alarms;
	return q;
}

void quality_free(struct quality *q)
{
	free(q);
}

bool quality_cause_of_trouble(uint8_t cause)
{
	static const uint8_t causes[] = {
		25, 27,			/* exchange routing error, destination out of order */
		34, 38, 39, 40, 41, 42, /* no circuit, network out of order, temporary failure, congestion */
		43, 44, 46, 47, 49,	/* information discarded, channel not there, resources */
		58, 63, 88,		/* bearer capability or service not there, incompatible destination */
		102, 111, 127,		/* timer expired, protocol error, interworking */
	};

	return cause && memchr(causes, cause, sizeof(causes));
}

/* ---- targets */

static uint32_t place_of(uint32_t profile_id, uint32_t trunk_id)
{
	return (uint32_t)mix64((uint64_t)profile_id << 32 | trunk_id) & (TARGETS_MAX - 1);
}

static struct target *find(const struct quality *q, uint32_t profile_id, uint32_t trunk_id)
{
	for (uint32_t i = place_of(profile_id, trunk_id);; i = (i + 1) & (TARGETS_MAX - 1)) {
		const struct target *t = &q->target[i];

		if (!t->used || (t->profile_id == profile_id && t->trunk_id == trunk_id))
			return (struct target *)t;
	}
}

static struct target *target_of(struct quality *q, const struct call_record *r, uint32_t trunk_id)
{
	struct target *t = find(q, r->profile_id, trunk_id);
	char trunk[TRUNK_NAME_MAX];

	if (!t->used) {
		const char *name = cdr_trunk_name(q->trunks, trunk_id, trunk);

		if (q->count >= TARGETS_MAX / 8 * 7 || !name || !r->profile[0]) {
			q->untracked++;
			return NULL;
		}
		q->count++;
		*t = (struct target){ .profile_id = r->profile_id, .trunk_id = trunk_id, .used = true, .answered.last = -1, .brief.last = -1,
				      .causes.last = -1, .duration.last = -1 };
		snprintf(t->name, sizeof(t->name), "%.*s/%s", PROFILE_NAME_MAX - 1, r->profile, name);
	}
	t->seen = true;
	return t;
}

/* ---- records */

static void hit(struct share *s, bool did)
{
	s->all++;
	s->hits += did;
}

/* An attempt that somebody else's answer ended says nothing; one that the caller's patience ended was not answered. */
static bool decided(const struct call_record *r, const struct attempt_record *a)
{
	return a->result != ATTEMPT_RECORD_PENDING &&
	       (a->result != ATTEMPT_RECORD_CANCELLED || (r->kind == RECORD_FAILED && r->end == RECORD_CANCELLED));
}

static void take_setup(struct quality *q, const struct call_record *r)
{
	for (unsigned i = 0; i < r->attempt_count && i < ATTEMPTS_MAX; i++) {
		const struct attempt_record *a = &r->attempts[i];
		struct target *t = decided(r, a) ? target_of(q, r, a->trunk_id) : NULL;

		if (!t)
			continue;
		hit(&t->answered, a->result == ATTEMPT_RECORD_ANSWERED);
		if (a->result != ATTEMPT_RECORD_ANSWERED)
			hit(&t->causes, quality_cause_of_trouble(a->cause));
	}
}

static void take_end(struct quality *q, const struct call_record *r)
{
	const struct attempt_record *a = NULL;
	double seconds = (double)(r->ended_ms - r->answered_ms) / 1000;
	struct target *t;

	for (unsigned i = 0; i < r->attempt_count && i < ATTEMPTS_MAX; i++)
		if (r->attempts[i].result == ATTEMPT_RECORD_ANSWERED)
			a = &r->attempts[i];
	if (!a || r->end == RECORD_EXPIRED || r->ended_ms < r->answered_ms)
		return;
	t = target_of(q, r, a->trunk_id);
	if (!t)
		return;
	hit(&t->causes, quality_cause_of_trouble(r->cause));
	if (!q->config.short_s)
		return;
	hit(&t->brief, seconds < q->config.short_s);
	t->duration.all++;
	t->duration.sum += seconds;
	t->duration.squares += seconds * seconds;
}

void quality_take(struct quality *q, const struct call_record *r)
{
	if (!q->config.window_s)
		return;
	if (r->kind == RECORD_START || r->kind == RECORD_FAILED)
		take_setup(q, r);
	else if (r->kind == RECORD_END)
		take_end(q, r);
}

/* ---- windows */

/* The usual share, never quite 0 or 1, for nobody has seen for ever. */
static double usual(const struct share *s)
{
	return (s->past_hits + 1) / (s->past_all + 2);
}

/* How many standard deviations the window's share lies above its usual one, both being samples (the z of two proportions). */
static double sigmas(const struct share *s)
{
	double p = usual(s);

	return ((double)s->hits / s->all - p) / sqrt(p * (1 - p) * (1.0 / s->all + 1 / (s->past_all + 2)));
}

/* A window that is out of the ordinary is not made part of the past, until it has lasted. */
static void fold(struct share *s, bool odd)
{
	s->last = (double)s->hits / s->all;
	s->alarmed = odd ? s->alarmed + 1 : 0;
	if (s->alarmed > NEW_USUAL) {
		s->alarmed = s->windows = 0;
		s->past_hits = s->past_all = 0;
		odd = false;
	}
	if (!odd) {
		s->past_hits = FADE * s->past_hits + s->hits;
		s->past_all = FADE * s->past_all + s->all;
		s->windows += s->windows < WARM_WINDOWS;
	}
	s->hits = s->all = 0;
}

/* Out of the ordinary, or still so: what was raised ends when two thirds of the change are gone. */
static bool odd(const struct share *s, double change, double enough, double z)
{
	if (s->windows < WARM_WINDOWS)
		return false;
	return s->alarmed ? change > enough / 3 && z > SIGMAS / 2 : change >= enough && z >= SIGMAS;
}

static void close_answered(struct quality *q, struct target *t)
{
	struct share *s = &t->answered;
	double p = usual(s), now = (double)s->hits / s->all;

	fold(s, odd(s, (p - now) / p, q->config.fall_percent / 100.0, -sigmas(s)));
	if (s->alarmed)
		alarm_raise(q->alarms, ALARM_ANSWER_RATIO, t->name, "%.0f %% of its calls are answered, usually %.0f %%", 100 * now, 100 * p);
	else
		alarm_clear(q->alarms, ALARM_ANSWER_RATIO, t->name, "%.0f %% of its calls are answered", 100 * now);
}

static void close_causes(struct quality *q, struct target *t)
{
	struct share *s = &t->causes;
	double p = usual(s), now = (double)s->hits / s->all;

	fold(s, odd(s, now - p, q->config.cause_percent / 100.0, sigmas(s)));
	if (s->alarmed)
		alarm_raise(q->alarms, ALARM_UPSTREAM_CAUSES, t->name, "%.0f %% of its calls end with a Q.850 cause of trouble, usually %.0f %%",
			    100 * now, 100 * p);
	else
		alarm_clear(q->alarms, ALARM_UPSTREAM_CAUSES, t->name, "%.0f %% of its calls end with a Q.850 cause of trouble", 100 * now);
}

/* Half of the usual mean duration or less, and not by chance: Welch's test. true: so it is. */
static bool durations_fell(const struct amount *a)
{
	double past = a->past_sum / a->past_all, now = a->sum / a->all;
	double variance = a->past_squares / a->past_all - past * past;

	if (a->windows < WARM_WINDOWS || now > (a->alarmed ? 0.8 : 0.5) * past)
		return false;
	return (past - now) / sqrt((variance > 0 ? variance : 0) * (1.0 / a->all + 1 / a->past_all) + 1e-9) >= SIGMAS;
}

static void fold_durations(struct amount *a, bool fell)
{
	a->last = a->sum / a->all;
	a->alarmed = fell ? a->alarmed + 1 : 0;
	if (a->alarmed > NEW_USUAL) {
		a->alarmed = a->windows = 0;
		a->past_all = a->past_sum = a->past_squares = 0;
		fell = false;
	}
	if (!fell) {
		a->past_all = FADE * a->past_all + a->all;
		a->past_sum = FADE * a->past_sum + a->sum;
		a->past_squares = FADE * a->past_squares + a->squares;
		a->windows += a->windows < WARM_WINDOWS;
	}
	a->all = 0;
	a->sum = a->squares = 0;
}

static void close_durations(struct quality *q, struct target *t)
{
	struct share *s = &t->brief;
	struct amount *a = &t->duration;
	double p = usual(s), now = (double)s->hits / s->all, past_s = a->past_all > 0 ? a->past_sum / a->past_all : 0;

	fold(s, odd(s, now - p, q->config.short_percent / 100.0, sigmas(s)));
	fold_durations(a, a->past_all > 0 && durations_fell(a));
	if (s->alarmed)
		alarm_raise(q->alarms, ALARM_SHORT_CALLS, t->name, "%.0f %% of its answered calls are over within %u s, usually %.0f %%", 100 * now,
			    q->config.short_s, 100 * p);
	else if (a->alarmed)
		alarm_raise(q->alarms, ALARM_SHORT_CALLS, t->name, "its calls last %.0f s in the mean, usually %.0f s", a->last, past_s);
	else
		alarm_clear(q->alarms, ALARM_SHORT_CALLS, t->name, "%.0f %% of its answered calls are over within %u s; they last %.0f s in the mean",
			    100 * now, q->config.short_s, a->last);
}

static void close_window(struct quality *q, struct target *t)
{
	t->idle = t->seen ? 0 : t->idle + 1;
	t->seen = false;
	if (t->answered.all >= q->config.calls)
		close_answered(q, t);
	if (t->causes.all >= q->config.calls)
		close_causes(q, t);
	if (t->brief.all >= q->config.calls)
		close_durations(q, t);
	if (t->idle == IDLE_WINDOWS) {
		t->answered.alarmed = t->causes.alarmed = t->brief.alarmed = t->duration.alarmed = 0;
		alarm_clear(q->alarms, ALARM_ANSWER_RATIO, t->name, "it has no calls any more");
		alarm_clear(q->alarms, ALARM_UPSTREAM_CAUSES, t->name, "it has no calls any more");
		alarm_clear(q->alarms, ALARM_SHORT_CALLS, t->name, "it has no calls any more");
	}
}

/* The places of targets that have had no calls for long are given back, all at once, since what stands behind them must be
 * found again. */
static void tidy(struct quality *q)
{
	struct target *kept = NULL;
	uint32_t n = 0;

	if (q->count < TARGETS_MAX / 4 * 3)
		return;
	kept = malloc(q->count * sizeof(*kept));
	if (!kept)
		return;
	for (uint32_t i = 0; i < TARGETS_MAX; i++)
		if (q->target[i].used && q->target[i].idle < IDLE_WINDOWS)
			kept[n++] = q->target[i];
	memset(q->target, 0, sizeof(q->target));
	for (uint32_t i = 0; i < n; i++)
		*find(q, kept[i].profile_id, kept[i].trunk_id) = kept[i];
	q->count = n;
	free(kept);
}

void quality_look(struct quality *q, uint64_t now_ms)
{
	if (!q->config.window_s || now_ms < q->next_ms)
		return;
	if (q->next_ms) {
		for (uint32_t i = 0; i < TARGETS_MAX; i++)
			if (q->target[i].used)
				close_window(q, &q->target[i]);
		tidy(q);
	}
	q->next_ms = now_ms + q->config.window_s * 1000ull;
}

/* ---- looking */

static double percent(double share)
{
	return share < 0 ? -1 : 100 * share;
}

static double usual_percent(const struct share *s)
{
	return s->windows < WARM_WINDOWS ? -1 : 100 * usual(s);
}

bool quality_view(const struct quality *q, uint32_t profile_id, uint32_t trunk_id, struct quality_view *ret)
{
	const struct target *t = q ? find(q, profile_id, trunk_id) : NULL;

	if (!t || !t->used)
		return false;
	*ret = (struct quality_view){
		.answered = percent(t->answered.last),
		.answered_usual = usual_percent(&t->answered),
		.brief = percent(t->brief.last),
		.brief_usual = usual_percent(&t->brief),
		.causes = percent(t->causes.last),
		.causes_usual = usual_percent(&t->causes),
		.duration_s = t->duration.last,
		.duration_usual_s = t->duration.windows < WARM_WINDOWS ? -1 : t->duration.past_sum / t->duration.past_all,
	};
	return true;
}

uint64_t quality_untracked(const struct quality *q)
{
	return q->untracked;
}
