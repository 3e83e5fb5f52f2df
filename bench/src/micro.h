/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The steps of a message's path, each as a function that does it once: plain C, so that Google Benchmark's C++ stays on its own side. */

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define CORPUS_MESSAGES 64

struct micro_step {
	const char *name;
	/* Does it on item i (any number); 0: it did not do what it should. */
	uint64_t (*run)(uint32_t i);
	uint32_t operations; /* in one run; 0 means 1 */
	uint32_t bytes;	     /* of message in one operation, for bytes per second; 0: does not say */
	/* Called before each series of runs; 0: not on this machine. NULL: nothing to prepare. */
	int (*prepare)(void);
};

/* The lists end with a name of NULL. */
extern const struct micro_step bound_steps[], sip_steps[], table_steps[], state_steps[], packet_steps[], tls_steps[];
extern const struct micro_step osip_steps[], sofia_steps[];

/* 64 INVITEs of about 750 bytes from five makes of boxes, no two alike; valid for the process's life. */
const uint8_t *corpus_invite(uint32_t i, uint32_t *ret_len);
uint32_t corpus_mean_bytes(void);

/* The world that tables and packets are in. 0, or -1 with a line on stderr. Once. */
int micro_world(void);

#ifdef __cplusplus
}
#endif
