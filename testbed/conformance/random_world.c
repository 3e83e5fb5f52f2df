/* SPDX-License-Identifier: Apache-2.0 */
#include "random_world.h"

struct world world;

void note(const char *format, ...)
{
	va_list args;

	if (world.logged + 200 > sizeof(world.log))
		return;
	world.logged += (size_t)sprintf(world.log + world.logged, "%8llu ", (unsigned long long)(world.now_ms % 100000000));
	va_start(args, format);
	world.logged += (size_t)vsnprintf(world.log + world.logged, 180, format, args);
	va_end(args);
	world.log[world.logged++] = '\n';
	world.log[world.logged] = 0;
}

void broken(const char *what, const char *file, int line)
{
	fprintf(stderr, "%s\n%s:%d: %s\nSTROWGER_RANDOM_SEED=%llu STROWGER_RANDOM_SEQUENCES=%llu shows it again\n", world.log, file, line, what,
		(unsigned long long)(world.seed - world.sequences), (unsigned long long)(world.sequences + 1));
	exit(1);
}

uint32_t below(uint32_t n)
{
	world.random ^= world.random << 13;
	world.random ^= world.random >> 7;
	world.random ^= world.random << 17;
	return (uint32_t)((world.random >> 11) % n);
}

static struct leg *leg_of(const char *branch)
{
	for (unsigned i = 0; i < world.legs; i++)
		if (!memcmp(world.leg[i].branch, branch, BRANCH_CHARS))
			return &world.leg[i];
	return NULL;
}

static const char *field(const char *name, uint32_t len)
{
	const char *at = memmem(world.out, len, name, strlen(name));

	return at ? at + strlen(name) : NULL;
}

static unsigned call_in(uint32_t len)
{
	const char *id = field("\r\nCall-ID: ", len);

	for (unsigned i = 0; i < CALLS; i++)
		if (id && !strncmp(id, world.caller[i].call_id, strlen(world.caller[i].call_id)))
			return i;
	broken("a message of no call", __FILE_NAME__, __LINE__);
	return 0;
}

static void new_leg(const char *branch, unsigned call, const struct flow *to)
{
	const struct caller *c = &world.caller[call];
	struct leg *l = &world.leg[world.legs];

	REQUIRE(world.legs < BRANCHES_MAX, "too many branches");
	REQUIRE(!c->failures && !c->successes, "a new branch after a final response");
	REQUIRE(!c->cancelled, "a new branch after the caller's CANCEL");
	*l = (struct leg){ .call = call, .began_ms = world.now_ms };
	memcpy(l->branch, branch, BRANCH_CHARS);
	for (l->target = 0; l->target < 3 && !ip_port_eq(&to->remote, &world.address[l->target]); l->target++)
		;
	REQUIRE(l->target < 3, "a request to nobody's address");
	world.legs++;
	world.branches++;
	note("       -> %c %s of call %u", 'A' + l->target, c->method, call);
}

static void request_out(uint32_t len, const struct flow *to)
{
	const char *branch = field(";branch=", len);
	unsigned call = call_in(len);
	struct leg *l = branch ? leg_of(branch) : NULL;

	if (!strncmp((char *)world.out, "CANCEL ", 7)) {
		REQUIRE(l, "a CANCEL of no branch");
		REQUIRE(l->provisional, "a CANCEL before a provisional response");
		REQUIRE(!l->final, "a CANCEL after the final response");
		REQUIRE(!l->cancel_answered, "a CANCEL again after it was answered");
		if (!l->cancelled)
			l->cancelled_ms = world.now_ms, world.cancels++;
		l->cancelled = true;
		note("       -> %c CANCEL of call %u", 'A' + l->target, call);
	} else if (!strncmp((char *)world.out, "ACK ", 4)) {
		REQUIRE(l && l->final && !l->success, "an ACK for what was no failure");
		l->acks++;
	} else if (!l) {
		new_leg(branch, call, to);
	} else {
		REQUIRE(!l->rang || !world.caller[call].invite, "an INVITE again after a provisional response");
		REQUIRE(!l->final, "a request again after its final response");
	}
}

static void response_out(uint32_t len)
{
	unsigned status = (unsigned)atoi((char *)world.out + 8), call = call_in(len);
	struct caller *c = &world.caller[call];
	const char *cseq = field("\r\nCSeq: ", len), *to = field("\r\nTo: ", len);

	REQUIRE(cseq && to, "a response without CSeq and To");
	note("       <- %u of call %u (%.8s)", status, call, cseq);
	if (!strncmp(cseq, "1 CANCEL", 8)) {
		if (status == 200 && !c->failures && !c->successes)
			c->cancelled = true;
		return;
	}
	world.went_up[status / 100]++;
	if (status < 200) {
		REQUIRE(status == 100 || c->invite, "a provisional other than 100 to a non-INVITE");
		REQUIRE(!c->failures && !c->successes, "a provisional after a final");
	} else if (status < 300) {
		REQUIRE(c->invite || !c->failures, "a second final to a non-INVITE");
		if (!c->successes++ && !c->failures)
			c->final_ms = world.now_ms;
	} else {
		REQUIRE(c->invite || status != 408, "a 408 to a non-INVITE");
		REQUIRE(!c->successes || c->failures || world.starved, "a failure after a 2xx");
		REQUIRE(!c->failures || c->failure_status == status, "another final after the first");
		if (!c->failures++)
			c->final_ms = world.now_ms;
		c->failure_status = status;
		snprintf(c->final_to, sizeof(c->final_to), "%.*s", (int)strcspn(to, "\r"), to);
	}
}

uint8_t *world_reserve(void *ctx, uint32_t bytes)
{
	if (!world.over && !below(200)) { /* now and then there is no buffer */
		world.starved = true;
		return NULL;
	}
	return bytes <= sizeof(world.out) ? world.out : NULL;
}

int world_commit(void *ctx, uint32_t len, const struct flow *to)
{
	if (!memcmp(world.out, "SIP/2.0 ", 8))
		response_out(len);
	else
		request_out(len, to);
	return 0;
}

bool world_record(void *ctx, const struct call_record *r)
{
	world.starts += r->kind == RECORD_START;
	world.ends += r->kind == RECORD_END;
	return true;
}
