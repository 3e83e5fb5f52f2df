/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses that are met by a connection which their owner opened (RFC 5923): names alone, which are looked at when they are used. */
#include "transport/stream_state.h"

static struct alias *set_of(const struct streams *st, const struct ip_port *address)
{
	return st->aliases[stream_remote_hash(st, address) & (ALIAS_SETS - 1)];
}

static struct alias *find(const struct streams *st, const struct ip_port *address)
{
	struct alias *set = set_of(st, address);

	for (unsigned i = 0; i < ALIAS_WAYS; i++)
		if (set[i].connection && ip_port_eq(&set[i].address, address))
			return &set[i];
	return NULL;
}

void streams_alias(struct streams *st, const struct ip_port *address, uint64_t connection)
{
	struct alias *set = set_of(st, address), *a = find(st, address);

	for (unsigned i = 0; !a && i < ALIAS_WAYS; i++)
		if (!set[i].connection)
			a = &set[i];
	if (!a) { /* one of the others goes: its owner is met by a connection that we open */
		a = &set[st->alias_turn++ % ALIAS_WAYS];
		stream_count(st, COUNTER_stream_aliases_dropped);
	}
	*a = (struct alias){ *address, connection };
	stream_count(st, COUNTER_stream_aliases);
}

uint64_t streams_alias_of(const struct streams *st, const struct ip_port *address)
{
	const struct alias *a = find(st, address);

	return a ? a->connection : 0;
}

void streams_unalias(struct streams *st, const struct ip_port *address, uint64_t connection)
{
	struct alias *a = find(st, address);

	if (a && a->connection == connection)
		a->connection = 0;
}
