/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

struct config;
struct raw_config;

/* The section `resolver`. 0; -ERR_INVALID, -ERR_FULL with an error that names the key. control-only */
int config_load_resolver(const struct raw_config *raw, struct config *c, char *error);
