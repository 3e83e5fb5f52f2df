/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdint.h>

struct config_port;

/* A TAP interface and what it is given. All control-only. */

/* Makes it (non-blocking, close-on-exec; down). 0; -ERR_EXISTS, -ERR_IO with error_text (256 bytes). */
int kernel_link_open(const char *name, int *ret_fd, uint32_t *ret_index, char *error_text);

/* Address, MTU, IP addresses (usable at once, without duplicate address detection; kept when the interface goes down), default routes; up.
 * 0; -ERR_IO with error_text. */
int kernel_link_setup(const char *name, uint32_t index, const uint8_t mac[6], uint16_t mtu, const struct config_port *config,
		      uint32_t metric, char *error_text);
