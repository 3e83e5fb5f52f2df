/* SPDX-License-Identifier: Apache-2.0 */
#include "stations.h"

struct station stations[2];
uint64_t now_us;

static uint8_t *reserve(void *ctx, uint32_t bytes)
{
	struct station *s = ctx;

	return bytes <= sizeof(s->room) && s->count < SEGMENTS ? s->room : NULL;
}

static int commit(void *ctx, uint32_t bytes, const struct ip_port *source, const struct ip_port *destination)
{
	struct station *s = ctx;

	assert_true(bytes <= sizeof(s->out[0].segment));
	memcpy(s->out[s->count].segment, s->room, bytes);
	s->out[s->count].bytes = bytes;
	s->out[s->count].source = source->ip;
	s->out[s->count++].destination = destination->ip;
	return 0;
}

static bool message(void *ctx, const uint8_t *data, uint32_t len, const struct flow *from)
{
	struct station *s = ctx;

	if (s->refuse) {
		s->refuse--;
		return false;
	}
	assert_true(len >= 20 && (memcmp(data, "OPTIONS", 7) == 0 || memcmp(data, "SIP/2.0", 7) == 0));
	s->messages++;
	s->bytes += len;
	s->from = *from;
	return true;
}

static void undelivered(void *ctx, const uint8_t *m, uint32_t len, const struct ip_port *to, const char *why)
{
	struct station *s = ctx;

	s->lost++;
	s->returned_to = *to;
	snprintf(s->undelivered, sizeof(s->undelivered), "%.*s", (int)len, m);
	snprintf(s->why, sizeof(s->why), "%s", why ? why : "");
}

struct streams_config station_config(struct station *s, uint32_t send_bytes)
{
	struct streams_config c = { .tcp = tcp_config_default(), .buffer_bytes = 1 << 20, .queue_bytes = send_bytes, .message = message,
				    .undelivered = undelivered, .reserve = reserve, .commit = commit, .ctx = s, .counters = &s->counters };

	c.tcp.connections = 64;
	c.tcp.half_open = 32;
	c.tcp.send_bytes = send_bytes;
	c.tcp.buffer_bytes = 1 << 20;
	c.tcp.connect_timeout_ms = 1000;
	c.tcp.user_timeout_ms = 2000;
	c.tcp.tuple_key.k0 = c.tcp.secret.k0 = 7;
	return c;
}

void station_new(struct station *s, const struct streams_config *config)
{
	memset(s, 0, sizeof(*s));
	assert_int_equal(streams_new(config, now_us, &s->st), 0);
}

void turn(uint64_t us)
{
	now_us += us;
	for (unsigned i = 0; i < 2; i++) {
		struct station *from = &stations[i], *to = &stations[!i];

		streams_advance(from->st, now_us);
		streams_flush(from->st, now_us);
		for (unsigned k = 0; k < from->count; k++) {
			struct tcp_packet p = { .source = from->out[k].source, .destination = from->out[k].destination,
						.segment = { from->out[k].segment, from->out[k].bytes } };

			p.hash = tcp_packet_hash(&(struct hash_key){ 7, 0 }, &p);
			if (!to->deaf)
				streams_input(to->st, &p, now_us);
		}
		from->count = 0;
	}
}

void turns(unsigned n)
{
	while (n--)
		turn(1000);
}

int put(struct station *s, const char *text, const struct flow *to)
{
	return streams_send(s->st, (const uint8_t *)text, (uint32_t)strlen(text), to);
}

uint64_t counted(const struct station *s, enum counter which)
{
	return counter_read(&s->counters, which);
}
