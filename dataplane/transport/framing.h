/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Where messages begin and end in a stream of bytes (RFC 3261 §18.3, RFC 5626 §3.5.1). Pure. */

#define FRAMING_HEAD_MAX 16384	  /* bytes up to the blank line, the line included */
#define FRAMING_MESSAGE_MAX 65535 /* head and body */

enum framing_verdict {
	FRAMING_MORE,	 /* nothing whole yet */
	FRAMING_MESSAGE, /* the next `bytes` are one message */
	FRAMING_IDLE,	 /* the next `bytes` are line ends between messages */
	FRAMING_PING,	 /* the next `bytes` are the second CRLF of a ping: one CRLF is due as the answer */
	FRAMING_NO_LENGTH,  /* a head of `bytes` without a Content-Length: what follows it cannot be told */
	FRAMING_BAD_LENGTH, /* ... with one that is no number, given twice and different */
	FRAMING_TOO_LARGE,  /* a head longer than its bound (bytes is 0), or a head of `bytes` that announces too large a message */
	FRAMING_NOISE,	 /* this is not SIP */
};

/* What is known of the message at the front; all zeros for a new one. */
struct framing {
	uint32_t looked; /* bytes in which the blank line is not */
	uint32_t total;	 /* of the message, once its head is there; else 0 */
	bool line_end;	 /* a CRLF was there in front of it */
};

/* data: what has come from the end of the last message on, at least what was there at the last call; len may be 0. After FRAMING_MESSAGE, IDLE and PING the caller takes
 * ret_bytes off the front; after the last four the stream is of no more use. Each byte is looked at once, however few of them come at a time. any */
enum framing_verdict framing_next(struct framing *f, const uint8_t *data, uint32_t len, uint32_t *ret_bytes);
