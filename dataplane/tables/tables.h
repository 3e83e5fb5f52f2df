/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdint.h>

/* Everything that both planes share, in one handful of pointers. */

struct tables_limits {
	uint32_t workers, numbers, prefixes, profiles, trunks, endpoints;
};

struct tables {
	struct epoch *epoch;
	struct numbers *numbers;
	struct profiles *profiles;
	struct trunks *trunks;
	struct endpoints *endpoints;
	struct access *access;
	struct routes *routes;
	struct domain_table *domains;
	struct loads *loads;
};

/* Publication of an immutable `struct domains`. */
struct domain_table;
struct domains;
struct epoch;
struct domain_table *domain_table_new(struct epoch *e);
void domain_table_free(struct domain_table *t);
/* Takes ownership. control-only */
void domain_table_publish(struct domain_table *t, struct domains *d);
/* Never NULL. reader, inside a quiescent period */
const struct domains *domain_table_get(const struct domain_table *t);

/* NULL members never; NULL: no memory. control-only */
struct tables *tables_new(const struct tables_limits *limits);
/* The workers have stopped. control-only */
void tables_free(struct tables *t);
