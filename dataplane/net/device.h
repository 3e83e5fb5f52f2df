/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* DPDK device arguments: "0000:00:05.0,key=value" or "net_af_xdp0,iface=eth1,start_queue=0". Text only, but for what the kernel
 * says of an interface. */

enum device_kind {
	DEVICE_PCI,
	DEVICE_AF_PACKET,
	DEVICE_AF_XDP,
	DEVICE_TAP,
	DEVICE_OTHER, /* another virtual device */
};

#define DEVICE_NAME_MAX 64

/* any */
enum device_kind device_kind(const char *arguments);

/* What stands before the first comma: the name that EAL and ethdev know it by. 0, -ERR_INVALID: empty or too long. any */
int device_name(const char *arguments, char ret_name[DEVICE_NAME_MAX]);

/* The value of key. false: not given, or longer than the room. any */
bool device_value(const char *arguments, const char *key, char *ret_value, unsigned bytes);
uint32_t device_number(const char *arguments, const char *key, uint32_t otherwise);

/* The other end reads and writes our own buffers (memif's client): it has to be given the memory that they lie in. any */
bool device_shares_buffers(const char *arguments);

/* Somebody else has to listen before it starts (memif's client, which it is where no role is given). any */
bool device_connects(const char *arguments);

/* The kernel interface below (af_packet, af_xdp). false: there is none. any */
bool device_interface(const char *arguments, char ret_name[16]);

struct interface {
	uint32_t index;
	uint32_t mtu;
	unsigned rx_queues; /* 0: unknown */
};

/* 0, -ERR_NOT_FOUND. control-only */
int interface_read(const char *name, struct interface *ret);
