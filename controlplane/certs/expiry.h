/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdint.h>

struct alarms;
struct config_tls;
struct key_pair;
struct their;

/* The alarms of certificates that end, and of peers that were refused. control-only, all of it */

/* Raised with the severity of the days that are left, cleared where there are enough. */
void expiry_ours(struct alarms *a, const struct config_tls *config, const struct key_pair *pair, int64_t now_s);
/* The same of a peer's, and of a client's that was verified; a peer that was refused is one too, whatever its days. */
void expiry_theirs(struct alarms *a, const struct config_tls *config, const struct their *their, int64_t now_s);
/* There is no certificate of ours by that name any more. */
void expiry_forget(struct alarms *a, const char *name);
