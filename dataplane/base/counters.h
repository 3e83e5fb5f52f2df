/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

/* Named counters of one worker. One writer each: relaxed load and store, never an atomic add; any thread may read. */

#define COUNTERS(X)                                                                                                    \
	/* packets */                                                                                                  \
	X(rx_packets) X(tx_packets) X(tx_dropped_full) X(rx_exception) X(tx_exception) X(exception_dropped_full)       \
	X(handoff_out) X(handoff_in) X(handoff_dropped_full)                                                           \
	X(drop_short) X(drop_length) X(drop_checksum) X(drop_own_source) X(drop_no_mbuf) X(drop_no_route)              \
	X(kernel_resolve)                                                                                              \
	X(fragments_in) X(reassembled) X(drop_fragment) X(fragmented_out) X(icmp_errors) X(icmp_errors_matched)        \
	/* SIP in */                                                                                                   \
	X(sip_requests) X(sip_responses) X(sip_keepalives) X(sip_not_sip) X(sip_bad_answered) X(sip_bad_dropped)       \
	/* admission */                                                                                                \
	X(refused_source) X(refused_no_route) X(refused_loop) X(refused_hops) X(refused_extension) X(refused_full)     \
	X(refused_draining) X(refused_token) X(refused_destination) X(refused_breadth) X(requests_held)                                    \
	/* transactions */                                                                                             \
	X(retransmissions_absorbed) X(retransmissions_sent) X(responses_replayed) X(acks_absorbed)                     \
	X(responses_forged) X(responses_stale) X(responses_stray) X(transaction_timeouts)                              \
	/* calls */                                                                                                    \
	X(calls_started) X(calls_answered) X(calls_rejected) X(calls_cancelled) X(calls_exhausted) X(calls_rescued)    \
	X(calls_ended) X(calls_expired) X(probes) X(probe_timeouts) X(probe_results_dropped)                           \
	X(records_lost) X(records_waited) X(attempt_released) X(ejections) X(ejections_refused)                        \
	X(last_resort) X(limit_passed_over) X(retries_refused) X(loads_corrected)                                      \
	X(attempts) X(retries) X(attempt_response_timeout) X(attempt_progress_timeout) X(attempt_ring_timeout)         \
	X(attempt_transport_error) X(attempt_retry_code)                                                               \
	X(in_dialog_forwarded) X(stateless_responses) X(requests_forwarded) X(out_of_memory)                           \
	/* TCP */                                                                                                      \
	X(tcp_segments_in) X(tcp_segments_out) X(tcp_bad_header) X(tcp_bad_checksum)                                   \
	X(tcp_connected) X(tcp_accepted) X(tcp_open_failed) X(tcp_closed) X(tcp_resets_in) X(tcp_timed_out)            \
	X(tcp_refused_source) X(tcp_refused_full) X(tcp_refused_ports)                                                 \
	X(tcp_cookies_sent) X(tcp_cookies_good) X(tcp_cookies_bad)                                                     \
	X(tcp_retransmitted) X(tcp_timeouts) X(tcp_recoveries) X(tcp_window_probes) X(tcp_keepalives)                  \
	X(tcp_duplicates) X(tcp_out_of_order) X(tcp_pieces_dropped) X(tcp_no_buffer)                                   \
	X(tcp_paws) X(tcp_no_timestamp) X(tcp_challenges) X(tcp_challenges_limited)                                    \
	X(tcp_resets_out) X(tcp_resets_limited) X(tcp_time_wait_recycled) X(tcp_time_wait_evicted)                     \
	X(tcp_path_mtu_lowered) X(tcp_black_holes) X(tcp_icmp_ignored)                                                 \
	/* TLS */                                                                                                      \
	X(tls_accepted) X(tls_connected) X(tls_resumed) X(tls_closed) X(tls_cut) X(tls_failed) X(tls_failed_protocol)   \
	X(tls_failed_verification) X(tls_refused_by_peer) X(tls_timed_out) X(tls_refused_full) X(tls_steps_waited)      \
	X(tls_no_memory) X(tls_seen_lost)                                                                              \
	/* streams */                                                                                                  \
	X(requests_undelivered) X(responses_undelivered) X(large_by_tcp) X(large_by_udp)                               \
	X(stream_messages_in) X(stream_messages_out) X(stream_pings) X(stream_bad) X(stream_cut) X(stream_idle_closed) X(stream_unfinished) \
	X(stream_refused_full) X(stream_too_late) X(stream_stalled) X(stream_no_memory) X(stream_aliases) X(stream_aliases_dropped) X(stream_unverified)                             \
	/* loop */                                                                                                     \
	X(loop_turns) X(naps) X(wakes)

enum counter {
#define X(name) COUNTER_##name,
	COUNTERS(X)
#undef X
	COUNTER_COUNT
};

struct counters {
	_Alignas(64) _Atomic(uint64_t) value[COUNTER_COUNT];
};

/* The owner thread only. */
static inline void counter_add(struct counters *c, enum counter which, uint64_t n)
{
	atomic_store_explicit(&c->value[which],
			      atomic_load_explicit(&c->value[which], memory_order_relaxed) + n, memory_order_relaxed);
}

static inline uint64_t counter_read(const struct counters *c, enum counter which)
{
	return atomic_load_explicit((_Atomic(uint64_t) *)&c->value[which], memory_order_relaxed);
}

/* "rx_packets" ... Static storage. any */
const char *counter_name(enum counter which);
