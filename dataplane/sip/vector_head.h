/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The lines of a message's head into its index as in quick_head.h, for level_avx512.c, which behind quick_line.h makes three passes of it: where the
 * lines begin, whatever number of them each block has; their places into headers[]; and then what each one is, the last one first, so that whether
 * another of its kind stands behind it is known. Few of its branches hang on what the message holds. */

#include "sip/quick_line.h"

#define HEAD_BYTES_MAX 8192 /* heads that are longer are read by others */

/* Of each line but the first and of the blank one, and some without meaning behind them: a block has at most 32, and so much is written of each. */
struct head_list {
	uint16_t begin[HEAD_BYTES_MAX / SCAN_BLOCK * 32 + 64];
};

struct head_search {
	__m512i from; /* the place behind the block's first byte */
	uint64_t before; /* line feeds of the block before */
	uint16_t *begin; /* the next */
};

/* A block's lines. true: the blank one is among them, and s->begin the first behind it. Two line feeds that are two bytes apart enclose it, or a line
 * without a colon; without such, there are no more than 32. */
static inline bool head_block(struct head_search *s, __m512i bytes)
{
	uint64_t feeds = _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8('\n')), blank = feeds & (feeds << 2 | s->before >> 62);
	__m512i found = _mm512_maskz_compress_epi8(feeds, _mm512_loadu_si512(head_bytes));

	_mm512_storeu_si512(s->begin, _mm512_add_epi16(_mm512_cvtepu8_epi16(_mm512_castsi512_si256(found)), s->from));
	if (blank)
		feeds &= _blsmsk_u64(blank) >> 1;
	s->begin += _mm_popcnt_u64(feeds);
	s->before = feeds;
	s->from = _mm512_add_epi16(s->from, _mm512_set1_epi16(SCAN_BLOCK));
	return blank;
}

/* How many lines there are before the blank one; 0: it is not found as it usually looks. */
static inline uint32_t head_find(const uint8_t *data, uint32_t len, struct head_list *list)
{
	struct head_search s = { _mm512_set1_epi16(1), 0, list->begin };
	uint32_t at = 0;

	for (; at + SCAN_BLOCK <= len && at < HEAD_BYTES_MAX; at += SCAN_BLOCK)
		if (head_block(&s, _mm512_loadu_si512(data + at)))
			goto found;
	if (at < HEAD_BYTES_MAX && head_block(&s, _mm512_maskz_loadu_epi8(below(len - at), data + at)))
		goto found;
	return 0;
found:
	return (uint32_t)(s.begin - list->begin);
}

/* Beginnings and ends of count lines into h, sixteen at a time: what is written too much stays within what the list has room for. */
static inline void head_store(const struct head_list *list, uint32_t count, struct sip_header *h)
{
	const __mmask32 words = 0x05050505; /* the lower ones of start and end */
	const __m512i next = _mm512_set1_epi16(4), first = _mm512_loadu_si512(head_words);

	for (uint32_t i = 0; i < count; i += 16) {
		__m512i begin = _mm512_loadu_si512(list->begin + i), from = first;

		for (uint32_t k = 0; k < 16; k += 4, from = _mm512_add_epi16(from, next))
			_mm512_storeu_si512(h + i + k, _mm512_maskz_permutexvar_epi16(words, from, begin));
	}
}

/* As name_load, of as many bytes as there are. */
static inline name_t name_load_any(const uint8_t *p, uint32_t n)
{
	return _mm256_maskz_loadu_epi8(_bzhi_u32(UINT32_MAX, n < NAME_BYTES ? n : NAME_BYTES), p);
}

/* The head of m->data into the index: true, or false with *m in some state. */
static __attribute__((noinline)) bool read_head(struct sip_message *m)
{
	const uint8_t *data = m->data;
	uint64_t len = m->len, safe = len - NAME_BYTES, present = 0, repeated = 0, start, tail, bit, id, left;
	const struct header_look *look;
	struct head_list list;
	struct sip_header *h;
	int16_t *first = m->first;
	uint32_t count;
	uint16_t next;
	name_t name;

	if (len < NAME_BYTES)
		return false;
	count = head_find(data, (uint32_t)len, &list);
	if (count - 2 > SIP_LINES_MAX - 18) /* one is the start line; and they are stored sixteen at a time */
		return false;
	count--;
	start = list.begin[count];
	m->head_end = (uint32_t)start;
	m->body = scan_blank(data, m->len, (uint32_t)start);
	m->header_count = (uint16_t)count;
	if (!m->body)
		return false;
	start_line(m, list.begin[0]);
	if (is_noise(m))
		return false;
	head_store(&list, count, m->headers);
	left = count - 1;
	h = m->headers + left;
	start = list.begin[left];
	name = name_load_any(data + start, (uint32_t)(len - start));
	for (;;) {
		look = header_look_of(name_first(name), name_length(name));
		if (__builtin_expect(!name_same(name, look), 0))
			goto other;
		tail = look->tail;
		bit = look->bit;
		id = look->id;
	link:
		next = (uint16_t)first[id];
		memcpy(&h->name_len, &tail, sizeof(tail));
		h->next = (int16_t)next;
		repeated |= present & bit;
		present |= bit;
		first[id] = (int16_t)left;
		first[SIP_H_OTHER] = -1;
		if (!left)
			break;
		left--;
		h--;
		start = list.begin[left];
		/* Of the last line alone it cannot be foretold. */
		name = __builtin_expect(start > safe, 0) ? name_load_any(data + start, (uint32_t)(len - start)) : name_load(data + start, NAME_BYTES);
	}
	m->present = present;
	m->repeated = repeated;
	return true;

other:
	if (data[start] <= ' ')
		return false;
	tail = other_line(data + start, (uint32_t)(list.begin[left + 1] - start));
	if (!tail)
		return false;
	id = tail >> 32 & 0xff;
	bit = id ? 1ull << id : 0;
	goto link;
}
