/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdint.h>

#include "base/addr.h"
#include "sip/number.h"
#include "tables/profiles.h"

/* What is put on record of a call: once when it is answered (or fails), once when it ends. Fixed size: it crosses from a worker to the
 * control thread through a mailbox in mapped memory, which a SIGKILL does not empty. */

#define RECORD_CALL_ID_MAX 128
#define RECORD_USER_MAX	   48

enum record_kind {
	RECORD_START,  /* answered: more will follow */
	RECORD_END,    /* ended; everything of RECORD_START again, and how it ended */
	RECORD_FAILED, /* never answered */
	RECORD_FOREIGN_END, /* a BYE, by its token alone: another node, or this one before a restart, set the call up */
};

enum record_end {
	RECORD_ENDED_BY_CALLER,
	RECORD_ENDED_BY_TARGET,
	RECORD_EXPIRED,	  /* session timer or maximum age: the BYE was missed */
	RECORD_CANCELLED, /* by the caller, before an answer */
	RECORD_REJECTED,  /* a target's real answer, e.g. 486 */
	RECORD_EXHAUSTED, /* no target took it */
};

enum record_attempt_result {
	ATTEMPT_RECORD_PENDING,
	ATTEMPT_RECORD_ANSWERED,
	ATTEMPT_RECORD_REJECTED,
	ATTEMPT_RECORD_CODE, /* a code that moves on */
	ATTEMPT_RECORD_RESPONSE_TIMEOUT,
	ATTEMPT_RECORD_PROGRESS_TIMEOUT,
	ATTEMPT_RECORD_RING_TIMEOUT,
	ATTEMPT_RECORD_TIMEOUT,	  /* the transaction's own timer */
	ATTEMPT_RECORD_TRANSPORT, /* refused, unreachable */
	ATTEMPT_RECORD_CANCELLED, /* another answered first, or the caller hung up */
	ATTEMPT_RECORD_TLS,	  /* no TLS session: a certificate that did not pass, nothing in common ... */
};

struct attempt_record {
	uint32_t trunk_id;
	struct ip_port endpoint;
	uint16_t code;		/* last response; 0: none */
	uint8_t result;		/* enum record_attempt_result */
	uint8_t cause;		/* Q.850, that its final response gave (RFC 3326); 0: none */
	uint32_t started_ms;	/* after the call's arrival */
	uint32_t duration_ms;	/* till its result */
};

struct call_record {
	uint64_t id; /* unique: boot, worker, sequence. A record that is written twice (killed in between) has the same */
	uint8_t kind;	 /* enum record_kind */
	uint8_t end;	 /* enum record_end, not in RECORD_START */
	uint16_t status; /* final status sent upstream; 0: none */
	uint16_t node;
	uint8_t worker;
	uint8_t attempt_count;
	uint64_t arrived_unix_ms;
	uint32_t progress_ms, answered_ms, ended_ms; /* after the arrival; 0: did not happen (an answer in the same ms is 1) */
	e164 number;				     /* what was dialled; 0: no number */
	uint32_t source_trunk_id;
	uint32_t profile_id;
	char profile[PROFILE_NAME_MAX];
	struct ip_port source;
	uint8_t call_id_len, from_len, to_len;
	uint8_t cause;			  /* Q.850, that the BYE gave; 0: none */
	char call_id[RECORD_CALL_ID_MAX]; /* cut at that length */
	char from[RECORD_USER_MAX];	  /* user parts of From and of the request URI */
	char to[RECORD_USER_MAX];
	struct attempt_record attempts[ATTEMPTS_MAX]; /* those beyond attempt_count mean nothing, like the texts beyond their lengths */
};
