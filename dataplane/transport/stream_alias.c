/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses that are met by a connection which their owner opened (RFC 5923): names alone, which are looked at when they are used. */
#include "transport/stream_state.h"

static struct alias *set_of(const struct streams *st, const struct ip_port *address)
{
	return st->aliases[stream_remote_hash(st, address) & (ALIAS_SETS - 1)];
}

static struct alias *find(const struct streams *st, const struct flow *to)
{
	struct alias *set = set_of(st, &to->remote);

	for (unsigned i = 0; i < ALIAS_WAYS; i++)
		if (set[i].connection && set[i].tls_peer == to->tls_peer && ip_port_eq(&set[i].address, &to->remote))
			return &set[i];
	return NULL;
}

void streams_alias(struct streams *st, const struct flow *to)
{
	struct alias *set = set_of(st, &to->remote), *a = find(st, to);

	for (unsigned i = 0; !a && i < ALIAS_WAYS; i++)
		if (!set[i].connection)
			a = &set[i];
	if (!a) { /* one of the others goes: its owner is met by a connection that we open */
		a = &set[st->alias_turn++ % ALIAS_WAYS];
		stream_count(st, COUNTER_stream_aliases_dropped);
	}
	*a = (struct alias){ .address = to->remote, .tls_peer = to->tls_peer, .connection = to->connection };
	stream_count(st, COUNTER_stream_aliases);
}

uint64_t streams_alias_of(const struct streams *st, const struct flow *to)
{
	const struct alias *a = find(st, to);

	return a ? a->connection : 0;
}

void streams_unalias(struct streams *st, const struct flow *to)
{
	struct alias *a = find(st, to);

	if (a && a->connection == to->connection)
		a->connection = 0;
}

bool streams_is_peer(const struct streams *st, uint64_t connection, uint32_t tls_peer)
{
	const struct stream *s = stream_find(st, connection);

	return s && s->c && s->tls && tls_is_peer(st->tls, s->tls, tls_peer);
}
