/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What requests are acted on while a process starts. The others are dropped without an answer and counted (requests_held), as if the network
 * had lost them: their senders bring them again after T1, when tables and names are there, where a 403 or 500 would have ended the call. */
enum admission {
	ADMIT_ALL,
	ADMIT_DIALOGS, /* only those inside a dialog: it is not known yet where names are */
	ADMIT_NOTHING, /* the tables are empty */
};
