/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* A configuration file of the test's own. */

#include "fixture.h"

#include "config.h"

static char directory[64], path[96];

/* A file that lacks nothing. */
static const char *const head = "ports:\n"
				"  - {name: sip0, driver: af_xdp, interface: port0, addresses: [10.77.0.1/24, 'fd77::1/64'], gateways: [10.77.0.254]}\n"
				"listeners:\n"
				"  - {address: 10.77.0.1}\n";

/* Of the file with that text; NULL: error says why. */
static inline struct config *load(const char *text, char *error)
{
	struct config *c = NULL;

	write_file(path, text);
	return config_load(path, &c, error) ? NULL : c;
}

static inline int config_folder_new(void **state)
{
	(void)state;
	make_directory(directory);
	snprintf(path, sizeof(path), "%s/strowger.yaml", directory);
	return 0;
}

static inline int config_folder_free(void **state)
{
	(void)state;
	remove_directory(directory);
	return 0;
}
