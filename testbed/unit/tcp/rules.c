/* SPDX-License-Identifier: Apache-2.0 */
#include "rules.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

struct segment rules_last[2];
unsigned rules_sent[2];

void rules_note(struct wire *w, unsigned from, const struct segment *s)
{
	rules_last[from] = *s;
	rules_sent[from]++;
}

void rules_forget(void)
{
	memset(rules_last, 0, sizeof(rules_last));
	memset(rules_sent, 0, sizeof(rules_sent));
}

enum fate rules_lose_all(struct wire *w, unsigned from, uint64_t n, const struct segment *s)
{
	return LOSE;
}

struct wire *rules_connected_as(const struct tcp_config *a, const struct tcp_config *b)
{
	struct wire *w = wire_new(a, b, false);

	wire_connect(w);
	wire_run(w, 1000000);
	assert_int_equal(w->host[0].opened, 1);
	assert_int_equal(w->host[1].opened, 1);
	w->host[0].close_when_closed = w->host[1].close_when_closed = true;
	w->tap = rules_note;
	rules_forget();
	return w;
}

struct wire *rules_connected(void)
{
	struct tcp_config c = wire_config();

	return rules_connected_as(&c, &c);
}

void rules_finish(struct wire *w)
{
	w->fate = NULL;
	for (unsigned i = 0; i < 2; i++)
		if (w->host[i].c) {
			tcp_abort(w->host[i].tcp, w->host[i].c);
			w->host[i].c = NULL;
		}
	wire_run(w, 20 * MINUTE_US);
	wire_assert_empty(w);
	wire_free(w);
}

struct segment rules_expected(struct wire *w)
{
	struct tcp_connection *c = w->host[1].c;

	return (struct segment){ .seq = c->rcv_nxt, .ack = c->snd_max, .flags = FLAG_ACK, .window = 1000, .has_timestamp = c->timestamps,
				 .ts_value = c->ts_recent, .ts_echo = c->ts_recent ? tcp_ts_now(w->host[1].tcp, c) : 0 };
}
