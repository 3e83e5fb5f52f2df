/* SPDX-License-Identifier: Apache-2.0 */
/* Non-INVITE server transaction: RFC 3261 §17.2.2. */
#include "transaction/machine.h"

#define STEP(to, what) { .next = (to), .actions = (what), .valid = 1 }
#define ANSWER STEP(TXN_COMPLETED, TXN_DO_SEND_RESPONSE | TXN_DO_START_LIFETIME)

const struct txn_step txn_server_table[TXN_STATES][TXN_EVENTS] = {
	[TXN_TRYING] = {
		[TXN_RX_REQUEST] = STEP(TXN_TRYING, 0),
		[TXN_TX_1XX] = STEP(TXN_PROCEEDING, TXN_DO_SEND_RESPONSE),
		[TXN_TX_2XX] = ANSWER,
		[TXN_TX_FINAL] = ANSWER,
		/* The user gave up without an answer (RFC 4320: no 408 to a non-INVITE): the armed timer ends it. */
		[TXN_TIMER_LIFETIME] = STEP(TXN_TERMINATED, 0),
	},
	[TXN_PROCEEDING] = {
		[TXN_RX_REQUEST] = STEP(TXN_PROCEEDING, TXN_DO_REPLAY),
		[TXN_TX_1XX] = STEP(TXN_PROCEEDING, TXN_DO_SEND_RESPONSE),
		[TXN_TX_2XX] = ANSWER,
		[TXN_TX_FINAL] = ANSWER,
		[TXN_TIMER_LIFETIME] = STEP(TXN_TERMINATED, 0),
	},
	[TXN_COMPLETED] = {
		[TXN_RX_REQUEST] = STEP(TXN_COMPLETED, TXN_DO_REPLAY),
		[TXN_TIMER_LIFETIME] = STEP(TXN_TERMINATED, 0), /* J */
	},
};
