/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdint.h>

#include "base/keyed_hash.h"
#include "base/span.h"

/* Keyed hashes of what names a dialog: for places in tables, for choices, and as what MACs are made over; they never leave this machine. */

/* Call-IDs compare with case (RFC 3261 §20.8). any */
static inline uint64_t call_id_hash(const struct hash_key *key, struct span call_id)
{
	return keyed_hash(key, call_id.p, call_id.n);
}

/* The same whatever its case, since tags are tokens (RFC 3261 §7.3.1, §19.3); never 0. An absent one is as an empty one. any */
static inline uint64_t tag_hash(const struct hash_key *key, struct span tag)
{
	uint64_t h = keyed_hash_folded(key, tag.p, tag.n); /* of a token's characters only letters differ from another one in that bit alone */

	return h ? h : 1;
}
