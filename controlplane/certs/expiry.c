/* SPDX-License-Identifier: Apache-2.0 */
#include "certs/expiry.h"

#include <stdio.h>

#include "alarms/alarms.h"
#include "certs/days.h"
#include "certs/pairs.h"
#include "certs/theirs.h"
#include "config_tls.h"

/* -1: there are days enough. An expired one is critical, whatever is configured. */
static int severity_of(const struct config_tls *config, int64_t days)
{
	if (days < 0 || days < config->critical_days)
		return ALARM_CRITICAL;
	if (days < config->major_days)
		return ALARM_MAJOR;
	return days < config->warning_days ? ALARM_WARNING : -1;
}

/* "expires on 2026-11-21, in 3 hours" */
static void say(const struct tls_certificate *c, int64_t now_s, char *out, size_t bytes)
{
	int64_t s = c->not_after_s - now_s, days = days_left(c->not_after_s, now_s);
	char day[16];

	day_text(c->not_after_s, day);
	if (s <= 0)
		snprintf(out, bytes, "expired on %s", day);
	else if (s < 2 * 86400)
		snprintf(out, bytes, "expires on %s, in %lld hour%s", day, (long long)(s / 3600), s / 3600 == 1 ? "" : "s");
	else
		snprintf(out, bytes, "expires on %s, in %lld days", day, (long long)days);
}

/* A whole day that has begun counts as one: with 1 as the threshold, the alarm comes while a day or less is left. */
static int64_t days_begun(const struct tls_certificate *c, int64_t now_s)
{
	return c->not_after_s <= now_s ? -1 : days_left(c->not_after_s - 1, now_s);
}

static void look(struct alarms *a, const struct config_tls *config, enum alarm_kind kind, const char *subject, const struct tls_certificate *c, int64_t now_s)
{
	int severity = severity_of(config, days_begun(c, now_s));
	char text[96], day[16];

	say(c, now_s, text, sizeof(text));
	day_text(c->not_after_s, day);
	if (severity >= 0)
		alarm_raise_as(a, kind, (enum alarm_severity)severity, subject, "%s (%s)", text, c->names);
	else
		alarm_clear(a, kind, subject, "good until %s", day);
}

void expiry_ours(struct alarms *a, const struct config_tls *config, const struct key_pair *pair, int64_t now_s)
{
	look(a, config, ALARM_CERTIFICATE, pair->name, tls_identity_certificate(pair->identity), now_s);
}

void expiry_theirs(struct alarms *a, const struct config_tls *config, const struct their *their, int64_t now_s)
{
	if (!their->verified && their->client)
		return; /* they may be anybody, and any number */
	if (their->refused)
		alarm_raise(a, ALARM_PEER_CERTIFICATE, their->who, "%s", their->text);
	else
		look(a, config, ALARM_PEER_CERTIFICATE, their->who, &their->certificate, now_s);
}

void expiry_forget(struct alarms *a, const char *name)
{
	alarm_clear(a, ALARM_CERTIFICATE, name, "the certificate is gone");
}
