/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

/* The messages of the generator that drives Kamailio and Strowger alike: INVITEs, what targets answer, and whether what came out of a proxy
 * is what had to come out. Everything in an INVITE follows from its serial number, so nothing about it need be remembered. Bytes in, bytes
 * out: no socket, no clock. */

#define VERSUS_MESSAGE_MAX 2048
#define VERSUS_TARGETS_MAX 16

enum versus_transport { VERSUS_UDP, VERSUS_TCP, VERSUS_TLS };

struct maker;

struct maker_config {
	const char *us, *me;		    /* the proxy's and the caller's address */
	const char *it[VERSUS_TARGETS_MAX]; /* the targets' */
	unsigned targets;
	unsigned numbers; /* callees differ in this many ways, at most a million */
	uint64_t seed;	  /* another seed, other Call-IDs */
	enum versus_transport transport; /* in the caller's Via */
};

/* What was wrong with a message; OK: nothing. */
enum verdict {
	VERDICT_OK,
	VERDICT_NOT_SIP,    /* no start line, no header end, or more bytes than any message of ours */
	VERDICT_STRANGER,   /* a Call-ID that none of our INVITEs has */
	VERDICT_START_LINE, /* another method or another number, or neither request nor status */
	VERDICT_REFUSED,    /* a final response other than 200: the call failed, the message may be right */
	VERDICT_VIA,	    /* too many or too few, or not that of the INVITE */
	VERDICT_HEADERS,    /* From, To, Call-ID or CSeq are not as they were sent, or Max-Forwards was not counted */
	VERDICT_BODY,	    /* not the body that was sent */
	VERDICT_COUNT,
};

extern const char *const verdict_names[VERDICT_COUNT];

/* NULL: no memory, or a text that is not as versus_texts.h says. The strings of the configuration are copied. */
struct maker *maker_new(const struct maker_config *config);
void maker_free(struct maker *m);

/* Writes INVITE number `serial` (up to VERSUS_MESSAGE_MAX bytes); its length. */
uint32_t maker_invite(struct maker *m, uint64_t serial, uint8_t *out);

/* A target got this: checks it, and writes the target's 200 to it. ret_serial is written unless the verdict is NOT_SIP or STRANGER, the answer
 * and its length only when all is well. */
enum verdict maker_answer(struct maker *m, unsigned target, const uint8_t *bytes, uint32_t len, uint64_t *ret_serial, uint8_t *out,
			  uint32_t *ret_len);

/* The caller got this. ret_status and ret_serial count when all is well or the call was refused. */
enum verdict maker_check(struct maker *m, const uint8_t *bytes, uint32_t len, uint64_t *ret_serial, unsigned *ret_status);
