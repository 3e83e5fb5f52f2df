/* SPDX-License-Identifier: Apache-2.0 */
#include "transaction/machine.h"

const struct txn_step (*const txn_tables[TXN_KINDS])[TXN_EVENTS] = {
	[TXN_INVITE_CLIENT] = txn_invite_client_table,
	[TXN_CLIENT] = txn_client_table,
	[TXN_INVITE_SERVER] = txn_invite_server_table,
	[TXN_SERVER] = txn_server_table,
};

uint32_t txn_linger_ms(enum txn_kind kind, enum txn_state state, const struct txn_timers *t, int reliable)
{
	switch (kind) {
	case TXN_INVITE_CLIENT:
		if (state == TXN_ACCEPTED)
			return 64 * t->t1; /* M */
		return reliable ? 0 : (64 * t->t1 > 32000 ? 64 * t->t1 : 32000); /* D: at least 32 s */
	case TXN_CLIENT:
		return reliable ? 0 : t->t4; /* K */
	case TXN_INVITE_SERVER:
		if (state == TXN_CONFIRMED)
			return reliable ? 0 : t->t4; /* I */
		return 64 * t->t1; /* H, L */
	case TXN_SERVER:
		return reliable ? 0 : 64 * t->t1; /* J */
	case TXN_KINDS:
		break;
	}
	return 0;
}
