/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/challenge.h"

#include <stdlib.h>

#include "tables/endpoints.h"

#define PLACES 4096 /* challenges within their time, before they begin to push each other out */

struct challenges {
	uint64_t latest_ms; /* until when any of them holds: mostly there is none, and none to look for */
	struct {
		uint64_t call, until_ms;
		uint32_t endpoint;
	} place[PLACES];
};

struct challenges *challenges_new(void)
{
	return calloc(1, sizeof(struct challenges));
}

void challenges_free(struct challenges *c)
{
	free(c);
}

void challenge_note(struct challenges *c, uint64_t call, uint32_t endpoint, uint64_t until_ms)
{
	c->place[call % PLACES].call = call;
	c->place[call % PLACES].endpoint = endpoint;
	c->place[call % PLACES].until_ms = until_ms;
	if (until_ms > c->latest_ms)
		c->latest_ms = until_ms;
}

uint32_t challenge_find(const struct challenges *c, uint64_t call, uint64_t now_ms)
{
	if (c->latest_ms <= now_ms || c->place[call % PLACES].call != call || c->place[call % PLACES].until_ms <= now_ms)
		return ENDPOINT_NONE;
	return c->place[call % PLACES].endpoint;
}
