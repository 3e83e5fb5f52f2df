/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "../unit/proxy/harness.h"
#include "law.h"

/* The language that cases are written in. One stage for each case: a caller, us, and the targets A, B and C, which the profile tries in this
 * order. The runner sets the stage before a case and clears it afterwards, asserting that no transaction, call, timer or byte is left.
 *
 *	invite();                 the caller's INVITE; 100 came back, A has it
 *	reply(A, 486);            A answers
 *	out("ACK", A);            what we must have sent
 *	up(486);
 *	ack();
 *	quiet();                  and nothing else
 *
 * Messages may be looked for in any order: what was sent at one instant has no order on a datagram network. */

/* Where harness_options.tcp_targets says so. */
#define TCP_A "tcp:" A
#define TCP_B "tcp:" B
#define TCP_C "tcp:" C
/* ... and tls_targets. */
#define TLS_A "tls:" A
#define TLS_B "tls:" B
#define TLS_C "tls:" C

extern struct harness stage;

/* ---- the caller */
/* Sends a request and remembers it: cancel() and ack() speak of it. */
#define ask(...) ask_as(&(struct request){ __VA_ARGS__ })
void ask_as(const struct request *r);
/* An INVITE that was accepted and went to A, whose copy is returned. */
#define invite(...) invite_as(&(struct request){ __VA_ARGS__ })
const struct sent *invite_as(const struct request *r);
/* The last request again, as it was. */
void again(void);
void cancel(void);
/* The ACK for the last final answer that up() took, which was no 2xx. */
void ack(void);
/* Any bytes from anywhere. */
void raw(const char *source, const char *text);

/* ---- the targets */
/* Answers the last request that out() took for that target; the To tag is the target's own, none in a 100. */
void reply(const char *target, unsigned status);
/* headers: whole lines. */
void reply_with(const char *target, unsigned status, const char *headers);
/* The same with another To tag, as one endpoint behind a forking proxy. */
void reply_leg(const char *target, unsigned status, const char *tag, const char *headers);
/* A 200 for a CANCEL, BYE ... that out() returned. */
void okay(const struct sent *request);
/* An ICMP error that quotes the last request to that target comes from its host. */
void unreachable(const char *target);
/* Its connection gave up what it had taken. */
void undelivered(const struct sent *s);

/* ---- what was sent */
/* A request to somebody; where it begins something (no To tag), it is remembered as that target's last. Fails where there is none. */
const struct sent *out(const char *method, const char *to);
/* A response to the caller; finals are remembered for ack(). */
const struct sent *up(unsigned status);
const struct sent *answer_to(unsigned status, const char *to);
/* Its view, however faulty what it answers was. Static storage, until the next call. */
const struct sip_message *view_of(const struct sent *s);
/* Nothing else was sent. */
void quiet(void);
/* How many requests of that method to there, or responses to the caller, are waiting to be taken; takes them all. */
unsigned drain_out(const char *method, const char *to);
unsigned drain_up(unsigned status);

/* ---- time */
void later(uint64_t ms);
/* The ms from now until each of n further messages of that method to that target; takes them. */
void times_of(const char *method, const char *to, unsigned n, uint64_t *ret_ms);

/* ---- the stage */
void publish(void);
/* Simultaneous ring over all targets. */
void ring_all(void);
/* INVITE to all targets of a simultaneous ring. */
void invite_all(void);
/* No clock of the profile's but the RFCs' own timers. */
void clocks_off(void);
/* One target alone. */
void only_a(void);
/* From the beginning, with other options. */
void stage_again(const struct harness_options *options);
/* Server and client transactions and what they keep are all gone: asserts it. */
void all_gone(void);

/* ---- asserting */
void is(const struct sent *s, const char *header, const char *value);
void is_nth(const struct sent *s, const char *header, unsigned n, const char *value);
void lines(const struct sent *s, const char *header, unsigned count);
void has(const struct sent *s, const char *text);
void hasnt(const struct sent *s, const char *text);
void counted(enum counter which, uint64_t n);
void expect_true(bool holds, const char *what);
/* The branch of the n-th Via line's first value; static storage. */
const char *branch_of(const struct sent *s, unsigned n);

/* ---- text */
/* A copy with the first (all: every) occurrence replaced; fails where there is none. Static storage, used in turn. */
char *edited(const char *text, const char *what, const char *with);
char *edited_all(const char *text, const char *what, const char *with);
/* The caller's INVITE as text with one thing replaced, sent. */
void bent(const char *what, const char *with);
/* A target's answer as text, to be bent and sent with raw(). */
char *reply_text(const char *target, unsigned status, const char *headers);

/* ---- dialogs: struct dialog of the harness. */
/* A whole call to A, its ACK included. */
void call_up(struct dialog *d);
void say(const struct dialog *d, enum token_side side, const char *method);
/* The token in a dialog's Route, bent in its n-th character. */
void bend_token(char *routes, unsigned n);
