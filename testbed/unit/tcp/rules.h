/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "wire.h"

/* What the tests of single rules share: two hosts that are connected, and an eye on what they send. */

#define MINUTE_US 60000000ULL

/* What each host sent last, and how many since rules_forget. */
extern struct segment rules_last[2];
extern unsigned rules_sent[2];

void rules_note(struct wire *w, unsigned from, const struct segment *s);
void rules_forget(void);
enum fate rules_lose_all(struct wire *w, unsigned from, uint64_t n, const struct segment *s);

/* Host 0 has called host 1; nothing is in flight. */
struct wire *rules_connected_as(const struct tcp_config *a, const struct tcp_config *b);
struct wire *rules_connected(void);
/* Both end, timers run out, nothing is left. */
void rules_finish(struct wire *w);
/* An empty segment from host 0 just as host 1 expects it. */
struct segment rules_expected(struct wire *w);
