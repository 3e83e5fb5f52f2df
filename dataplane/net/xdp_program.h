/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdint.h>

/* The XDP program of an interface. That of an AF_XDP socket's library stays attached when its process is killed, and then takes
 * every frame away from whoever comes next. */

#define XDP_NAME_MAX 16

/* Detaches what an AF_XDP library left behind. 0: nothing is attached any more; -ERR_EXISTS: another program is, ret_name says which;
 * -ERR_IO: the kernel refused (CAP_NET_ADMIN is needed). control-only */
int xdp_program_clear(uint32_t interface_index, char ret_name[XDP_NAME_MAX]);
