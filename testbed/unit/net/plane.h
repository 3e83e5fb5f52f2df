/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "dataplane.h"
#include "tables/tables.h"

/* A stand-in for the data plane's face: what the kernel sends is kept, exceptions are handed in. */

#define PLANE_MAC  { 2, 0, 0, 0, 0, 1 } /* of its port */
#define FRAMES	  64
#define EXCEPTIONS 16

struct exception {
	enum exception_kind kind;
	uint32_t length;
	uint8_t bytes[2048];
};

struct dataplane {
	struct dataplane_config config;
	struct tables tables;
	int event_fd;
	struct exception exceptions[EXCEPTIONS];
	unsigned exception_count;
	struct exception frames[FRAMES]; /* the kernel's */
	unsigned frame_count;
	bool full;
};
