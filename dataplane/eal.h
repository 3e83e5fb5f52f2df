/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>

/* The environment of DPDK; its arguments are derived, never typed by a user. */

struct eal_config {
	const char *const *devices; /* device arguments of all ports */
	unsigned device_count;
	unsigned memory_mb;	    /* wanted: of free hugepages, or else of ordinary memory, touched only when used */
	bool verbose;
};

/* Starts EAL on the calling thread's core only (workers are threads of ours, registered with rte_thread_register). Uses hugepages when
 * as many as wanted are free, else --no-huge, where nothing can be had beyond memory_mb; *ret_hugepages says which. 0; -ERR_IO with error_text (256 bytes). control-only, once */
int eal_start(const struct eal_config *config, bool *ret_hugepages, char *error_text);
void eal_stop(void);
