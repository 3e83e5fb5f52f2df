/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>
#include <unistd.h>

/* A veth pair in a network namespace of a child process, which ends with 1 where something is not as it must be. */

#define WAIT_MS 2000

#define CHECK(condition)                                                                                               \
	do {                                                                                                           \
		if (!(condition)) {                                                                                    \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                                \
			_exit(1);                                                                                      \
		}                                                                                                      \
	} while (0)

/* A shell command; the process ends where it fails. */
void run(const char *command);
/* fn in a child with a namespace of its own; the test is skipped where there may be none. */
void in_child(void (*fn)(void));
/* port0 and peer, of which the kernel itself sends nothing. */
void make_veth(unsigned queues);
int raw_socket(const char *interface);
/* What the peer's socket receives, in bytes; 0: nothing in time. Frames that it sent itself are passed over. */
ssize_t peer_receive(int peer, uint8_t *bytes, size_t room);
