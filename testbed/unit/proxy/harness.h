/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* A proxy with real tables in a test process: what it sends is caught, time moves when the test says so.
 *
 *   caller 10.1.0.1, fd01::1 --- 10.0.0.1, fd00::1 (us) --- a 10.2.0.1, b 10.3.0.1, c 10.4.0.1 (failover, in this order)
 *
 * We are there by UDP and by TCP, and where harness_options.tls says so by TLS, at port 5061.
 *
 * Every message handed in and every message caught lies in a malloc buffer of just its size, and what was handed in is freed before the
 * test goes on: AddressSanitizer sees each byte too far and each pointer kept. */

#include "../tables/fixture.h"

#include "proxy/proxy.h"
#include "proxy/state.h"
#include "proxy/stats.h"
#include "tables/call_record.h"
#include "tables/profiles.h"
#include "tables/tables.h"
#include "tables/trunks.h"

#define CALLER	 "10.1.0.1:5060"
#define CALLER6	 "[fd01::1]:5060"
#define A	 "10.2.0.1:5060"
#define B	 "10.3.0.1:5060"
#define C	 "10.4.0.1:5060"
#define STRANGER "192.0.2.66:5060"
#define US	 "10.0.0.1:5060"
#define US6	 "[fd00::1]:5060"
#define US_TLS	 "10.0.0.1:5061"
#define US6_TLS	 "[fd00::1]:5061"
#define NUMBER	 "sip:+442035550100@10.0.0.1"
#define VIA	 "SIP/2.0/UDP 10.1.0.1:5060;branch=z9hG4bK1"

struct sent {
	uint8_t *data;
	uint32_t len;
	struct flow to;
	uint64_t at_ms;
};

struct harness_options {
	uint32_t max_in_progress; /* of max_transactions; 0: all */
	uint32_t max_transactions, max_calls, message_mb; /* 0: plenty. message_mb 0 too; tiny_memory asks for the least */
	bool tiny_memory;
	bool silent_to_unknown;
	bool tcp_targets; /* a, b and c take calls by TCP */
	bool tls;	  /* we are there by TLS too */
	bool tls_targets; /* a, b and c take calls by TLS */
	const char *server_name;
};

#define HARNESS_TRUNKS	  8
#define HARNESS_ENDPOINTS 32

struct harness {
	struct tables *tables;
	struct proxy *proxy;
	struct counters *counters;
	struct target_cell *targets;
	struct proxy_config config;
	uint64_t now_ms;
	/* what was sent */
	struct sent **sent;
	unsigned sent_count, sent_read, sent_room;
	uint8_t *reserved;
	uint32_t reserved_bytes;
	struct flow reserved_for;
	bool outbox_full;	   /* reserve finds nothing */
	bool miscounted;	   /* the test has made counts of calls wrong: otherwise none may need correction */
	const char *unreachable;   /* commit refuses this destination, as where there is no route */
	/* what was put on record; the last 32 */
	struct call_record record[32];
	unsigned record_count, starts, ends;
	bool records_full; /* the mailbox has no room */
	/* the profile that all numbers lead to; change, then harness_publish */
	struct profile_knobs knobs;
	enum strategy strategy;
	uint32_t profile_slot;
	unsigned target_count;
	uint32_t target_trunk[HARNESS_TRUNKS];
	uint16_t target_weight[HARNESS_TRUNKS];
	uint32_t target_max_calls[HARNESS_TRUNKS], target_max_cps[HARNESS_TRUNKS];
	uint8_t target_tier[HARNESS_TRUNKS];
	bool target_disabled[HARNESS_TRUNKS];
	/* the trunks; change, then harness_publish */
	struct trunk trunk[HARNESS_TRUNKS];
	uint32_t trunk_slot[HARNESS_TRUNKS];
	unsigned trunk_count;
};

enum { TRUNK_CALLER, TRUNK_A, TRUNK_B, TRUNK_C };

void harness_start(struct harness *h, const struct harness_options *options);
/* Lets everything that is armed run out (an answered call without BYE takes twelve hours), then asserts that nothing at all is left. */
void harness_end(struct harness *h);
/* Publishes knobs, strategy, targets and trunks as they are now in *h. */
void harness_publish(struct harness *h);
/* Endpoints: one or more of ADDRESS:PORT; sources: prefixes. Returns its index in h->trunk. */
unsigned harness_trunk(struct harness *h, const char *name, const char *const *endpoints, const char *const *sources);

/* Where a message comes from or goes to, as text: ADDRESS:PORT, by UDP; tcp:ADDRESS:PORT or tls:ADDRESS:PORT, by the connection whose other
 * end that is. */
struct ip_port addr_of(const char *text);
uint8_t transport_of(const char *text); /* enum sip_transport */
bool is_tcp(const char *text);
/* Without what says the transport. */
const char *plain_address(const char *text);
uint64_t connection_of(const char *text);

/* ---- time */
void wait_ms(struct harness *h, uint64_t ms);
/* Until something was sent; returns how long it took. Fails after two minutes. */
uint64_t wait_sent(struct harness *h);

/* ---- messages in */
void send_bytes(struct harness *h, const char *source, const char *to, const void *data, uint32_t len);
void send_text(struct harness *h, const char *source, const char *text);

struct request {
	const char *method;  /* INVITE */
	const char *uri;     /* NUMBER */
	const char *via;     /* value of Via */
	const char *from;    /* whole value */
	const char *to;	     /* whole value */
	const char *call_id;
	unsigned cseq;	     /* 1 */
	const char *hops;    /* "70"; "": no Max-Forwards */
	const char *contact; /* "<sip:caller@10.1.0.1:5060>"; "": none */
	const char *headers; /* whole lines, just before Content-Length */
	const char *body;
	const char *source;  /* CALLER */
};

/* The text; static storage, used in turn. Fields left NULL or 0 get the value that their comment names. */
const char *request_text(const struct request *r);
void request_send(struct harness *h, const struct request *r);
/* The ACK for a non-2xx final answer to r, or its CANCEL. */
void ack_send(struct harness *h, const struct request *r, const struct sent *answer);
void cancel_send(struct harness *h, const struct request *r);

/* Answers a request that was caught, as a UAS does: Vias, From, To, Call-ID, CSeq, Record-Route copied; headers: whole lines. */
void answer(struct harness *h, const struct sent *request, unsigned status, const char *to_tag, const char *headers);
/* The same as text, static storage, for tests that bend it. */
char *answer_text(const struct sent *request, unsigned status, const char *to_tag, const char *headers);

/* ---- messages out */
/* The next message that was sent: fails unless it is of that kind and goes there. The pointer holds until harness_end. */
const struct sent *expect_request(struct harness *h, const char *method, const char *to);
const struct sent *expect_response(struct harness *h, unsigned status, const char *to);
void expect_nothing(struct harness *h);

/* By a stream it goes on the connection to there, or, where it names none, to that address. */
bool sent_to(const struct sent *s, const char *to);
bool sent_has(const struct sent *s, const char *text);
bool sent_equal(const struct sent *a, const struct sent *b);
/* The value of its n-th header line of that name (from 0), NUL-terminated; "" where there is none. Static storage, used in turn. */
const char *sent_header(const struct sent *s, const char *name, unsigned n);
unsigned sent_lines(const struct sent *s, const char *name);
const char *sent_uri(const struct sent *s);
struct sip_message *sent_view(const struct sent *s);

/* ---- a whole call from CALLER to A: INVITE, 180, 200, ACK. What a dialog's two sides remember of it. */
struct dialog {
	struct request invite;
	char caller_routes[1024], target_routes[1024]; /* "Route: ...\r\n" of either side */
	char caller_from[256], caller_to[256];	       /* From and To of the caller's requests; the target's has them the other way round */
	char caller_contact[256], target_contact[256];
	const char *target;			       /* where the target lives */
};

#define TARGET_CONTACT_OF(addr) "<sip:target@" addr ">"

/* r may be NULL. The call goes to `target`, which answers with target_contact (NULL: its own address). */
void dialog_open(struct harness *h, const struct request *r, const char *target, const char *target_contact, struct dialog *d);
/* A request within it from either side; cseq 0: a fresh one. via: NULL makes a fresh branch. */
void dialog_send(struct harness *h, const struct dialog *d, enum token_side side, const char *method, unsigned cseq, const char *via);
/* BYE from the caller, 200 from the target. */
void dialog_close(struct harness *h, const struct dialog *d);

/* The n-th record from the first (of the last 32). */
const struct call_record *record_at(const struct harness *h, unsigned n);

uint64_t counter_of(const struct harness *h, enum counter which);
/* Of the i-th target. */
uint64_t target_of(const struct harness *h, unsigned i, enum target_count which);

int harness_run(const char *name, const struct CMUnitTest *tests, size_t count);
#define HARNESS_MAIN(...)                                                                                              \
	int main(void)                                                                                                 \
	{                                                                                                              \
		const struct CMUnitTest tests[] = { __VA_ARGS__ };                                                     \
                                                                                                                       \
		return harness_run(__FILE__, tests, ARRAY_SIZE(tests));                                                \
	}
