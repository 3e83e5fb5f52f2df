/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mailbox.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* Lamport's queue: both counters run freely, and each side keeps what it last saw of the other's, so that the line of the other
 * side is read only when the ring seems full or empty. */

#define LINE 64

struct mailbox {
	_Alignas(LINE) _Atomic(uint32_t) head; /* the producer's: messages ever posted */
	uint32_t tail_seen;
	_Alignas(LINE) _Atomic(uint32_t) tail; /* the consumer's: messages ever taken */
	uint32_t head_seen;
	_Alignas(LINE) uint32_t mask;
	uint32_t stride;
	uint32_t message_bytes;
	_Alignas(LINE) uint8_t messages[];
};

struct mailbox *mailbox_new(uint32_t capacity, uint32_t message_bytes)
{
	uint64_t stride = ((uint64_t)message_bytes + 7) & ~7ULL;
	uint64_t count = 1;
	struct mailbox *m;

	if (!capacity || capacity > 1u << 30 || !message_bytes || message_bytes > 1u << 20)
		return NULL;
	while (count < capacity)
		count *= 2;
	m = aligned_alloc(LINE, (sizeof(*m) + count * stride + LINE - 1) & ~(uint64_t)(LINE - 1));
	if (!m)
		return NULL;
	atomic_init(&m->head, 0);
	atomic_init(&m->tail, 0);
	m->tail_seen = m->head_seen = 0;
	m->mask = (uint32_t)count - 1;
	m->stride = (uint32_t)stride;
	m->message_bytes = message_bytes;
	return m;
}

void mailbox_free(struct mailbox *m)
{
	free(m);
}

bool mailbox_post(struct mailbox *m, const void *message)
{
	uint32_t head = atomic_load_explicit(&m->head, memory_order_relaxed);

	if (head - m->tail_seen > m->mask) {
		m->tail_seen = atomic_load_explicit(&m->tail, memory_order_acquire);
		if (head - m->tail_seen > m->mask)
			return false;
	}
	memcpy(m->messages + (size_t)(head & m->mask) * m->stride, message, m->message_bytes);
	atomic_store_explicit(&m->head, head + 1, memory_order_release);
	return true;
}

bool mailbox_take(struct mailbox *m, void *ret_message)
{
	uint32_t tail = atomic_load_explicit(&m->tail, memory_order_relaxed);

	if (tail == m->head_seen) {
		m->head_seen = atomic_load_explicit(&m->head, memory_order_acquire);
		if (tail == m->head_seen)
			return false;
	}
	memcpy(ret_message, m->messages + (size_t)(tail & m->mask) * m->stride, m->message_bytes);
	atomic_store_explicit(&m->tail, tail + 1, memory_order_release);
	return true;
}

uint32_t mailbox_pending(const struct mailbox *m)
{
	/* The tail first: read the other way round it could pass the head that was seen. */
	uint32_t tail = atomic_load_explicit((_Atomic(uint32_t) *)&m->tail, memory_order_acquire);
	uint32_t head = atomic_load_explicit((_Atomic(uint32_t) *)&m->head, memory_order_acquire);

	return head - tail > m->mask ? m->mask + 1 : head - tail;
}
