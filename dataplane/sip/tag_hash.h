/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdint.h>

#include "base/siphash.h"
#include "base/span.h"

/* A tag's keyed hash, the same whatever its case, since tags are tokens (RFC 3261 §7.3.1, §19.3); never 0. An absent one is as an empty one. any */
uint64_t tag_hash(const struct hash_key *key, struct span tag);
