/* SPDX-License-Identifier: Apache-2.0 */
#include "plane.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/err.h"
#include "port.h"

struct tables *dataplane_tables(struct dataplane *d)
{
	return &d->tables;
}

const struct dataplane_config *dataplane_configuration(const struct dataplane *d)
{
	return &d->config;
}

struct port *dataplane_port(struct dataplane *d, unsigned index)
{
	return (struct port *)&d->config.ports[index];
}

int dataplane_event_fd(const struct dataplane *d)
{
	return d->event_fd;
}

uint64_t dataplane_now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

unsigned dataplane_exceptions(struct dataplane *d, unsigned max,
			      void (*fn)(void *ctx, enum exception_kind kind, uint16_t port, const uint8_t *data, uint32_t len), void *ctx)
{
	unsigned n = d->exception_count;
	uint64_t told;

	assert_int_equal(read(d->event_fd, &told, sizeof(told)), sizeof(told));
	for (unsigned i = 0; i < n; i++)
		fn(ctx, d->exceptions[i].kind, 0, d->exceptions[i].bytes, d->exceptions[i].length);
	d->exception_count = 0;
	return n;
}

int dataplane_inject(struct dataplane *d, uint16_t port, const uint8_t *frame, uint32_t len)
{
	assert_int_equal(port, 0);
	if (d->full)
		return -ERR_FULL;
	if (d->frame_count < FRAMES && len <= sizeof(d->frames[0].bytes)) {
		d->frames[d->frame_count].length = len;
		memcpy(d->frames[d->frame_count++].bytes, frame, len);
	}
	return 0;
}

uint16_t port_mtu(const struct port *p)
{
	return ((const struct port_config *)p)->mtu;
}

void port_mac(const struct port *p, uint8_t ret_mac[6])
{
	memcpy(ret_mac, (const uint8_t[6])PLANE_MAC, 6);
}

const char *port_name(const struct port *p)
{
	return ((const struct port_config *)p)->name;
}
