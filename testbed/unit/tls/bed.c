/* SPDX-License-Identifier: Apache-2.0 */
#include "bed.h"

#include "tls/store.h"

uint64_t bed_clock_us, bed_cost_us, bed_now_us;

static uint64_t clock_us(void)
{
	return bed_clock_us += bed_cost_us;
}

/* ---- handlers; user: struct end */

static uint32_t on_send(void *ctx, void *user, struct span bytes)
{
	struct end *e = user;
	uint32_t n = e->out_room - e->out_n;

	n = n < bytes.n ? n : bytes.n;
	memcpy(e->out + e->out_n, bytes.p, n);
	e->out_n += n;
	e->full = e->full || n < bytes.n;
	return n;
}

static uint32_t on_data(void *ctx, void *user, struct span bytes)
{
	struct end *e = user;
	uint32_t n = bytes.n < e->take ? bytes.n : e->take;

	if (e->got_n + n > e->got_room) {
		e->got_room = (e->got_n + n) * 2;
		e->got = realloc(e->got, e->got_room);
	}
	memcpy(e->got + e->got_n, bytes.p, n);
	e->got_n += n;
	e->refused = n < bytes.n;
	if (e->on_data)
		e->on_data(e, bytes);
	return n;
}

static void on_opened(void *ctx, void *user, const struct tls_opened *opened)
{
	struct end *e = user;

	e->opened++;
	e->what = *opened;
	snprintf(e->names, sizeof(e->names), "%s", opened->names ? opened->names : "");
	snprintf(e->server_name, sizeof(e->server_name), "%s", opened->server_name ? opened->server_name : "");
	if (e->on_opened)
		e->on_opened(e);
}

static void on_writable(void *ctx, void *user)
{
	((struct end *)user)->writable++;
}

static void on_resume(void *ctx, void *user)
{
	struct end *e = user;

	e->resumed_turns++;
	if (e->other)
		end_move(e->other, 0);
}

static void on_closed(void *ctx, void *user, enum tls_end why, const char *text)
{
	struct end *e = user;

	e->closed++;
	e->why = why;
	snprintf(e->text, sizeof(e->text), "%s", text);
}

static const struct tls_handlers handlers = {
	.send = on_send, .data = on_data, .opened = on_opened, .writable = on_writable, .resume = on_resume, .closed = on_closed,
};

/* ---- engines */

void side_new(struct side *s, struct tls_store *store, void (*change)(struct tls_config *config))
{
	struct tls_config c = tls_config_default();

	memset(s, 0, sizeof(*s));
	if (!store) {
		s->epoch = epoch_new(1);
		s->store = tls_store_new(s->epoch);
		assert_non_null(s->store);
	}
	c.store = store ? store : s->store;
	c.sessions = 64;
	c.tickets = 16;
	c.handlers = &handlers;
	c.clock_us = clock_us;
	c.counters = &s->counters;
	if (change)
		change(&c);
	assert_int_equal(tls_new(&c, &s->tls), 0);
	if (store)
		s->store = store;
}

void side_free(struct side *s)
{
	tls_free(s->tls);
	if (!s->epoch)
		return;
	epoch_flush(s->epoch);
	tls_store_free(s->store);
	epoch_free(s->epoch);
}

uint64_t count_of(const struct side *s, enum counter which)
{
	return counter_read(&s->counters, which);
}

void set_server(struct side *s, struct tls_identity *identity)
{
	struct tls_server_source source = { .name = "default", .identities = &identity, .identity_count = 1 };
	char error[TLS_ERROR_BYTES] = "";

	if (tls_store_set_server(s->store, 0, &source, error))
		fail_msg("%s", error);
}

void set_peer(struct side *s, uint32_t id, const struct made *ca, const char *name)
{
	struct tls_peer_source source = { .ca = ca->chain_file, .name = name, .verify = true };
	char error[TLS_ERROR_BYTES] = "";

	if (tls_store_set_peer(s->store, id, &source, error))
		fail_msg("%s", error);
}

/* ---- connections */

static void end_new(struct end *e, struct side *side, struct end *other)
{
	memset(e, 0, sizeof(*e));
	e->side = side;
	e->other = other;
	e->out_room = 1 << 18;
	e->out = malloc(e->out_room);
	e->take = UINT32_MAX;
}

void pair_new(struct pair *p, struct side *client, struct side *server)
{
	p->chunk = 0;
	end_new(&p->client, client, &p->server);
	end_new(&p->server, server, &p->client);
}

void pair_open(struct pair *p, uint32_t peer)
{
	struct ip_port client = { { { 192, 0, 2, 1 }, IP_V4 }, 40000 }, server = { { { 192, 0, 2, 2 }, IP_V4 }, 5061 };

	assert_int_equal(tls_accept(p->server.side->tls, 0, &client, &p->server, &p->server.s), 0);
	assert_int_equal(tls_connect(p->client.side->tls, peer, &server, &p->client, &p->client.s), 0);
}

void end_free(struct end *e)
{
	if (e->s)
		tls_free_session(e->side->tls, e->s);
	free(e->out);
	free(e->got);
	memset(e, 0, sizeof(*e));
}

void pair_free(struct pair *p)
{
	end_free(&p->client);
	end_free(&p->server);
}

bool end_move(struct end *from, uint32_t chunk)
{
	struct end *to = from->other;
	uint32_t n = from->out_n, taken;
	uint8_t *exact;

	if (!n || !to->s)
		return false;
	n = chunk && chunk < n ? chunk : n;
	exact = malloc(n); /* so that a sanitizer sees who reads beyond it */
	memcpy(exact, from->out, n);
	taken = tls_input(to->side->tls, to->s, span_of(exact, n));
	free(exact);
	assert_true(taken <= n);
	memmove(from->out, from->out + taken, from->out_n - taken);
	from->out_n -= taken;
	if (taken && from->full && from->s) {
		from->full = false;
		tls_writable(from->side->tls, from->s);
	}
	return taken > 0;
}

void pair_run(struct pair *p)
{
	bool moved = true;

	for (unsigned idle = 0; idle < 2; idle = moved ? 0 : idle + 1) {
		moved = tls_advance(p->client.side->tls, bed_now_us) > 0;
		moved |= tls_advance(p->server.side->tls, bed_now_us) > 0;
		while (end_move(&p->client, p->chunk) || end_move(&p->server, p->chunk))
			moved = true;
	}
}

bool end_got(struct end *e, const void *bytes, uint32_t n)
{
	bool same = e->got_n == n && (!n || !memcmp(e->got, bytes, n));

	e->got_n = 0;
	return same;
}

void offer(struct side *s, enum tls_version newest)
{
	SSL_CTX_set_max_proto_version(s->store->client, (int)newest);
}
