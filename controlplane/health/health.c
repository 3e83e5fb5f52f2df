/* SPDX-License-Identifier: Apache-2.0 */
#include "health/health.h"

#include <stdio.h>
#include <string.h>

#include "dataplane.h"
#include "model/probe.h"

void health_start(struct health *h, uint64_t now_ms)
{
	*h = (struct health){ .state = ENDPOINT_UNKNOWN, .reason = HEALTH_NOT_PROBED, .since_ms = now_ms };
}

bool health_alive(const struct probe_settings *s, const struct probe_result *r)
{
	if (r->timeout || r->refused || r->status < 200 || (r->status == 503 && r->retry_after))
		return false;
	for (unsigned i = 0; i < s->accept_count; i++)
		if (s->accept[i] == r->status)
			return true;
	return !s->accept_count && r->status != 408 && r->status / 100 != 5;
}

static bool become(struct health *h, enum endpoint_health state, enum health_reason reason, uint16_t status, uint64_t now_ms)
{
	if (h->state == state)
		return false;
	h->state = (uint8_t)state;
	h->reason = (uint8_t)reason;
	h->status = status;
	h->since_ms = now_ms;
	h->said[0] = 0;
	return true;
}

static enum health_reason reason_of(const struct probe_result *r, bool alive)
{
	if (alive)
		return HEALTH_ANSWERED;
	if (r->refused)
		return HEALTH_REFUSED;
	return r->timeout || !r->status ? HEALTH_TIMEOUT : HEALTH_STATUS;
}

static void count(uint16_t *n)
{
	if (*n < UINT16_MAX)
		++*n;
}

/* What somebody has to do something about (a certificate) is said also where it did not bring the last change. */
static void why_refused(struct health *h, const struct probe_result *r)
{
	h->reason = HEALTH_REFUSED;
	h->status = 0;
	snprintf(h->said, sizeof(h->said), "%.*s", (int)r->answer_len, r->answer);
}

bool health_take(struct health *h, const struct probe_settings *s, const struct probe_result *r, uint64_t now_ms)
{
	bool alive = health_alive(s, r);
	enum health_reason reason = reason_of(r, alive);
	uint16_t status = reason == HEALTH_ANSWERED || reason == HEALTH_STATUS ? r->status : 0;
	bool changed;

	if (alive) {
		h->failures = 0;
		count(&h->successes);
		return h->successes >= s->up_after && become(h, ENDPOINT_UP, reason, status, now_ms);
	}
	h->successes = 0;
	count(&h->failures);
	if (h->failures >= s->down_after)
		changed = become(h, ENDPOINT_DOWN, reason, status, now_ms);
	else
		changed = h->state != ENDPOINT_DOWN && become(h, ENDPOINT_SUSPECT, reason, status, now_ms);
	if (r->refused && r->answer_len)
		why_refused(h, r);
	return changed;
}

void health_text(const struct health *h, char out[HEALTH_TEXT_MAX])
{
	switch ((enum health_reason)h->reason) {
	case HEALTH_NOT_PROBED: strcpy(out, "not probed yet"); break;
	case HEALTH_ANSWERED:
	case HEALTH_STATUS:
		snprintf(out, HEALTH_TEXT_MAX, "OPTIONS got %u%s%s%s", h->status, h->said[0] ? " (" : "", h->said, h->said[0] ? ")" : "");
		break;
	case HEALTH_TIMEOUT: strcpy(out, "OPTIONS got no answer"); break;
	case HEALTH_REFUSED:
		snprintf(out, HEALTH_TEXT_MAX, "OPTIONS could not be delivered%s%s", h->said[0] ? ": " : "", h->said);
		break;
	}
}
