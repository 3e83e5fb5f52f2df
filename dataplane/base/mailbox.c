/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mailbox.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/prefetch.h"

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
	uint64_t magic;
	_Alignas(LINE) uint8_t messages[];
};

#define MAGIC 0x786f626c69616d32ULL /* changes with the layout, of what is posted too */

/* capacity rounded up to a power of two, and the distance of two messages; false: out of range. */
static bool layout(uint32_t capacity, uint32_t message_bytes, uint64_t *ret_count, uint64_t *ret_stride)
{
	uint64_t count = 1;

	if (!capacity || capacity > 1u << 30 || !message_bytes || message_bytes > 1u << 20)
		return false;
	while (count < capacity)
		count *= 2;
	*ret_count = count;
	*ret_stride = ((uint64_t)message_bytes + 7) & ~7ULL;
	return true;
}

size_t mailbox_bytes(uint32_t capacity, uint32_t message_bytes)
{
	uint64_t count, stride;

	if (!layout(capacity, message_bytes, &count, &stride))
		return 0;
	return (sizeof(struct mailbox) + count * stride + LINE - 1) & ~(uint64_t)(LINE - 1);
}

static void start(struct mailbox *m, uint32_t capacity, uint32_t message_bytes)
{
	uint64_t count = 0, stride = 0;

	layout(capacity, message_bytes, &count, &stride);
	atomic_init(&m->head, 0);
	atomic_init(&m->tail, 0);
	m->tail_seen = m->head_seen = 0;
	m->mask = (uint32_t)count - 1;
	m->stride = (uint32_t)stride;
	m->message_bytes = message_bytes;
	m->magic = MAGIC;
}

struct mailbox *mailbox_new(uint32_t capacity, uint32_t message_bytes)
{
	size_t bytes = mailbox_bytes(capacity, message_bytes);
	struct mailbox *m = bytes ? aligned_alloc(LINE, bytes) : NULL;

	if (m)
		start(m, capacity, message_bytes);
	return m;
}

struct mailbox *mailbox_in(void *memory, uint32_t capacity, uint32_t message_bytes, uint32_t *ret_pending)
{
	struct mailbox *m = memory;
	uint64_t count, stride;
	uint32_t pending;

	if (!layout(capacity, message_bytes, &count, &stride))
		return NULL;
	pending = m->head - m->tail;
	if (m->magic != MAGIC || m->mask != count - 1 || m->stride != stride || m->message_bytes != message_bytes ||
	    pending > count)
		start(m, capacity, message_bytes);
	m->tail_seen = m->tail;
	m->head_seen = m->tail;
	*ret_pending = m->head - m->tail;
	return m;
}

void mailbox_free(struct mailbox *m)
{
	free(m);
}

static uint8_t *place(const struct mailbox *m, uint32_t index)
{
	return (uint8_t *)m->messages + (size_t)(index & m->mask) * m->stride;
}

void *mailbox_room(struct mailbox *m)
{
	uint32_t head = atomic_load_explicit(&m->head, memory_order_relaxed);

	if (head - m->tail_seen > m->mask) {
		m->tail_seen = atomic_load_explicit(&m->tail, memory_order_acquire);
		if (head - m->tail_seen > m->mask)
			return NULL;
	}
	return place(m, head);
}

void mailbox_posted(struct mailbox *m)
{
	atomic_store_explicit(&m->head, atomic_load_explicit(&m->head, memory_order_relaxed) + 1, memory_order_release);
}

void mailbox_prefetch_room(const struct mailbox *m, uint32_t bytes)
{
	const uint8_t *at = place(m, atomic_load_explicit(&m->head, memory_order_relaxed));

	for (uint32_t i = 0; i < bytes; i += LINE)
		prefetch_owned(at + i);
}

bool mailbox_post_part(struct mailbox *m, const void *message, uint32_t bytes)
{
	void *room = mailbox_room(m);

	if (!room)
		return false;
	memcpy(room, message, bytes < m->message_bytes ? bytes : m->message_bytes);
	mailbox_posted(m);
	return true;
}

bool mailbox_post(struct mailbox *m, const void *message)
{
	return mailbox_post_part(m, message, m->message_bytes);
}

const void *mailbox_peek(struct mailbox *m)
{
	uint32_t tail = atomic_load_explicit(&m->tail, memory_order_relaxed);

	if (tail == m->head_seen) {
		m->head_seen = atomic_load_explicit(&m->head, memory_order_acquire);
		if (tail == m->head_seen)
			return NULL;
	}
	return place(m, tail);
}

void mailbox_drop(struct mailbox *m)
{
	uint32_t tail = atomic_load_explicit(&m->tail, memory_order_relaxed);

	atomic_store_explicit(&m->tail, tail + 1, memory_order_release);
}

bool mailbox_take(struct mailbox *m, void *ret_message)
{
	const void *message = mailbox_peek(m);

	if (!message)
		return false;
	memcpy(ret_message, message, m->message_bytes);
	mailbox_drop(m);
	return true;
}

uint32_t mailbox_pending(const struct mailbox *m)
{
	/* The tail first: read the other way round it could pass the head that was seen. */
	uint32_t tail = atomic_load_explicit((_Atomic(uint32_t) *)&m->tail, memory_order_acquire);
	uint32_t head = atomic_load_explicit((_Atomic(uint32_t) *)&m->head, memory_order_acquire);

	return head - tail > m->mask ? m->mask + 1 : head - tail;
}
