/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

struct config;
struct raw_config;

/* The ports of the file: DPDK's device arguments are made here, so that nobody types them. 0; -ERR_INVALID, -ERR_FULL. control-only */
int config_load_ports(const struct raw_config *raw, struct config *c, char *error);
