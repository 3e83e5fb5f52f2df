/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What the benchmarks call: plain C, so that Google Benchmark's C++ stays on its own side. */

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* 64 distinct INVITEs of about 750 bytes, as SBCs send them; valid for the process's life. */
#define BENCH_MESSAGES 64
const uint8_t *bench_message(unsigned i, uint32_t *ret_len);

/* Each does its work once on message i (mod 64); the result is returned so that nothing is optimised away. */
uint32_t bench_memcpy(unsigned i);
uint32_t bench_memchr_lines(unsigned i);
uint32_t bench_scan(unsigned i);
/* kind: enum scan_kind. 0: this CPU lacks it. */
int bench_scan_kind(int kind);
uint32_t bench_parse(unsigned i);
uint32_t bench_osip_parse(unsigned i);
uint32_t bench_quick(unsigned i);
uint32_t bench_compose(unsigned i);
uint32_t bench_branch(unsigned i);
uint32_t bench_token(unsigned i);

/* A proxy with one profile of three targets over a null port: frames in as mbufs, frames out as mbufs. Once per process.
 * 0, or -1 with a line on stderr. */
int bench_pipeline_start(void);
uint32_t bench_select(int strategy, uint64_t hash);
uint32_t bench_number_lookup(uint64_t n);
/* A fresh INVITE in (100 and INVITE out), its 200 in (200 out): 2 messages received, 3 sent. Returns how many were sent in all. */
uint64_t bench_invite_answered(void);
/* What the two peers that the benchmark plays cost by themselves in it: to be subtracted. */
uint32_t bench_peers(void);
/* An in-dialog request that only passes: 1 in, 1 out. */
uint64_t bench_in_dialog(void);
uint64_t bench_frames_sent(void);

#ifdef __cplusplus
}
#endif
