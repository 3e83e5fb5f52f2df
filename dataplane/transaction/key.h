/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "transaction/transactions.h"

/* Internal to transaction/. */

/* txn_key_of under two secrets: of the key, and of fields too long to be taken as they are. any */
struct txn_key txn_key_read(const struct hash_key key[2], const struct sip_message *m, const struct via *top, enum sip_method method);
