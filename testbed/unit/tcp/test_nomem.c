/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/err.h"
#include "tcp/connection.h"

#include "../base/nomem.h"

/* tcp_new with each of its allocations failing in turn: it says so, and gives all back. */

static uint8_t *reserve(void *ctx, uint32_t bytes)
{
	return NULL;
}

static int commit(void *ctx, uint32_t bytes, const struct ip_port *source, const struct ip_port *destination)
{
	return 0;
}

static void nothing(void *ctx, struct tcp_connection *c)
{
}

static uint32_t data(void *ctx, struct tcp_connection *c, struct span bytes)
{
	return 0;
}

static void closed(void *ctx, struct tcp_connection *c, enum tcp_end why)
{
}

static void make_one(void)
{
	static const struct tcp_handlers handlers = {
		.reserve = reserve, .commit = commit, .opened = nothing, .data = data, .writable = nothing, .peer_closed = nothing, .closed = closed,
	};
	static struct counters counters;
	struct tcp_config c = tcp_config_default();
	struct tcp *t = NULL;
	int err;

	c.handlers = &handlers;
	c.counters = &counters;
	err = tcp_new(&c, 0, &t);
	assert_true(err == 0 || err == -ERR_NOMEM);
	assert_true((err == 0) == (t != NULL));
	assert_true(err == 0 || nomem_hit);
	tcp_free(t);
}

static void test_new(void **state)
{
	assert_in_range(nomem_run(make_one), 10, 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_new) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
