/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/counters.h"
#include "base/siphash.h"
#include "sip/token.h"
#include "tables/admission.h"
#include "tables/endpoints.h"
#include "transaction/machine.h"
#include "transport/flow.h"

struct call_record;
struct probe_request;
struct probe_result;
struct tables;
struct target_cell;
struct trace;

/* One worker's transaction-stateful SIP proxy (RFC 3261 §16). It takes bytes, where they came from and the time; what it sends goes to the outbox
 * it was given. It reads no clock, polls nothing and allocates nothing after proxy_new. */

#define PROXY_LISTENERS_MAX 64
#define PROXY_NAMES_MAX	    32

struct proxy_config {
	uint8_t worker;
	bool alone; /* there is no other worker, so nothing of the tables is shared with one */
	const struct tables *tables;
	struct counters *counters;  /* this worker's */
	struct target_cell *targets; /* this worker's, by target slot: TARGET_CELLS of them */
	struct outbox outbox;
	struct trace *trace; /* NULL: messages are not kept for looking at */
	struct {
		struct ip_port addr;
		uint8_t transport;
	} listeners[PROXY_LISTENERS_MAX];
	unsigned listener_count;
	const char *names[PROXY_NAMES_MAX]; /* host names that mean us too; alive as long as the proxy */
	unsigned name_count;
	struct hash_key call_key;   /* of Call-ID and tags: owner, weighted choice, live calls; the dialog key of token_keys (token.h) */
	struct hash_key branch_key; /* of Via branches (branch_key of branch.h) and what else is hashed; all workers' */
	struct token_keys token_keys;
	uint16_t node, boot;
	struct txn_timers timers;
	uint32_t timer_c_ms;
	uint32_t max_transactions, max_calls, message_mb;
	uint32_t max_in_progress; /* of max_transactions; 0: all of them */
	uint32_t max_call_age_ms; /* a call whose BYE was missed ends then */
	struct ejection_config ejection;
	enum admission admission; /* at the start */
	bool silent_to_unknown; /* sources that no trunk holds get no answer */
	const char *server_name; /* for our own answers; NULL or empty: no Server header */
	uint64_t clock_offset_ms; /* UNIX time minus proxy time, so that tokens and records carry a date */
	/* Where a call record is to be written (outbox.ctx is handed in), and that it is written and may go its way. No room just now (NULL): it is
	 * offered again. Both NULL: no records. */
	struct call_record *(*record_room)(void *ctx);
	void (*record_written)(void *ctx);
	/* A probe has ended; started: what proxy_probe was given with it. NULL: proxy_probe is not used. */
	void (*probe_done)(void *ctx, const struct probe_result *result, uint64_t started);
};

struct proxy;

/* NULL: no memory. control-only */
struct proxy *proxy_new(const struct proxy_config *config, uint64_t now_ms);
void proxy_free(struct proxy *p);
/* Touches all its memory, so that the first calls wait for no page. control-only, before the worker starts */
void proxy_touch(struct proxy *p);

struct datagram {
	const uint8_t *data;
	uint32_t len;
	struct flow from;
};

/* Datagrams that this worker owns, in the order in which they came. Several are read before the first is acted on, so that what they need
 * from memory is on its way by then. worker-only */
void proxy_datagrams(struct proxy *p, const struct datagram *datagrams, unsigned n, uint64_t now_ms);
/* One of them. worker-only */
void proxy_datagram(struct proxy *p, const uint8_t *data, uint32_t len, const struct flow *from, uint64_t now_ms);

/* An ICMP error that quotes a datagram of ours to `to`; quoted: what it holds of the payload. worker-only */
void proxy_icmp_error(struct proxy *p, const uint8_t *quoted, uint32_t len, const struct ip_port *to, uint64_t now_ms);

/* A message of ours that a stream took for `to` and did not deliver: nobody was there, or the connection broke before anything came back. A
 * request's transaction ends as after an ICMP error; a response is counted. why: in words, for the result of a probe; NULL: nothing to say.
 * Not from inside the outbox. worker-only */
void proxy_undelivered(struct proxy *p, const uint8_t *message, uint32_t len, const struct ip_port *to, const char *why, uint64_t now_ms);

/* As proxy_undelivered; but it was never sent, since too much waits for that connection: whoever is there is slow, and nothing worse. worker-only */
void proxy_not_taken(struct proxy *p, const uint8_t *message, uint32_t len, const struct ip_port *to, uint64_t now_ms);

/* Lets timers fire; returns how many did. worker-only */
uint32_t proxy_advance(struct proxy *p, uint64_t now_ms);
/* When proxy_advance is next needed (UINT64_MAX: not before something comes in). worker-only */
uint64_t proxy_next_due(const struct proxy *p);

/* Sends a request of the control plane's own; its end goes to config.probe_done, perhaps before this returns. started: the caller's, for measuring.
 * worker-only */
void proxy_probe(struct proxy *p, const struct probe_request *request, uint64_t started, uint64_t now_ms);

/* The endpoint went down: its unanswered attempts move on, over the next milliseconds. worker-only */
void proxy_release_endpoint(struct proxy *p, uint32_t endpoint);

/* Counts what each target has to do with this worker anew, over the next fractions of a second: the first time, calls that were there before their
 * target had a limit are counted too. worker-only */
void proxy_recount(struct proxy *p);

/* Calls being set up and live, from the slot *cursor on, at most max of them: their records as they are now, and whether they are answered.
 * Start with *cursor = 0; returns how many; fewer than max: that was all. worker-only */
unsigned proxy_calls(struct proxy *p, uint32_t *cursor, unsigned max,
		     void (*fn)(void *ctx, const struct call_record *record, bool answered), void *ctx);

/* New calls get 503 with Retry-After from now on. worker-only */
void proxy_drain(struct proxy *p, bool drain);

/* What is let in from now on. worker-only */
void proxy_admit(struct proxy *p, enum admission what);

struct proxy_gauges {
	uint32_t server_transactions, client_transactions, live_calls;
	uint32_t records_waiting; /* for room in the control thread's mailbox */
	uint64_t message_bytes;
};
/* worker-only */
void proxy_gauges(const struct proxy *p, struct proxy_gauges *ret);

/* ---- the retry budget */
#define RETRY_WINDOW_S 10 /* attempts and retries are counted over so many seconds */
#define RETRY_FLOOR    10 /* retries within it that no budget refuses, by worker: a share of a few calls says nothing */

struct retry_count {
	uint64_t attempts, retries;
};
/* What this worker has counted for a profile with a retry_budget in the window that ends now. any */
struct retry_count proxy_retries(const struct proxy *p, uint32_t profile_slot, uint32_t profile_id, uint64_t now_ms);

/* Whose calls with a Call-ID of this hash are. any */
static inline unsigned proxy_call_owner(uint64_t call_hash, unsigned workers)
{
	return (unsigned)(call_hash % workers);
}

/* Which worker owns a datagram: by our own branch for a response, by the keyed hash of Call-ID for a request. Nobody's (not SIP, no
 * Call-ID): the receiver's, `self`. worker-only, needs no proxy */
unsigned proxy_owner(const struct hash_key *call_key, const struct cmac *branch_mac, unsigned workers, unsigned self,
		     const uint8_t *data, uint32_t len);
/* The same for what an ICMP error quotes; `self` where no branch of ours is in it. worker-only */
unsigned proxy_owner_quoted(const struct cmac *branch_mac, unsigned workers, unsigned self, const uint8_t *quoted, uint32_t len);
