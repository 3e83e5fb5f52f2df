/* SPDX-License-Identifier: Apache-2.0 */
#include "transaction/key.h"

#include <emmintrin.h>
#include <string.h>

#include "base/keyed_hash.h"
#include "base/partial.h"
#include "base/siphash.h"

/* Sixteen letters to lower case at once; other bytes stay. Those above 0x7f are less than any letter here. */
static inline void lower16(uint8_t *to, __m128i x)
{
	__m128i upper = _mm_and_si128(_mm_cmpgt_epi8(x, _mm_set1_epi8('A' - 1)), _mm_cmplt_epi8(x, _mm_set1_epi8('Z' + 1)));

	_mm_storeu_si128((__m128i *)to, _mm_or_si128(x, _mm_and_si128(upper, _mm_set1_epi8(0x20))));
}

/* Of a field that is not longer than FIELD_MAX. May write up to 15 bytes beyond its n. */
static inline void put_lower(uint8_t *to, const uint8_t *from, uint32_t n)
{
	uint64_t low, high;
	uint32_t i = 0;

	if (n < 16) {
		load_pair(from, n, &low, &high);
		lower16(to, _mm_set_epi64x((long long)high, (long long)low));
		return;
	}
	for (; i + 16 <= n; i += 16)
		lower16(to + i, _mm_loadu_si128((const __m128i *)(from + i)));
	lower16(to + n - 16, _mm_loadu_si128((const __m128i *)(from + n - 16)));
}

#define FIELD_MAX 96

/* Long fields are folded into a hash first, so that the buffer has a bound. Case is folded where SIP compares without it.
 * May write up to 15 bytes beyond what it returns. */
static inline __attribute__((always_inline)) uint32_t put_field(const struct hash_key *key, uint8_t *buffer, uint32_t at, struct span field, bool fold)
{
	buffer[at++] = (uint8_t)(field.n ? 1 + (field.n & 0x7f) : 0);
	if (__builtin_expect(field.n > FIELD_MAX, 0)) {
		uint64_t h = siphash24(&key[1], field.p, field.n);

		memcpy(buffer + at, &h, sizeof(h));
		return at + (uint32_t)sizeof(h);
	}
	if (fold)
		put_lower(buffer + at, field.p, field.n);
	else if (field.n)
		memcpy(buffer + at, field.p, field.n);
	return at + field.n;
}

struct txn_key txn_key_read(const struct hash_key key[2], const struct sip_message *m, const struct via *top, enum sip_method method)
{
	uint8_t buffer[6 * 100];
	uint32_t n = 0;
	struct txn_key ret;

	buffer[n++] = (uint8_t)method;
	if (method == SIP_UNKNOWN_METHOD)
		n = put_field(key, buffer, n, m->method_name, false);
	if (via_branch_is_3261(top->branch)) {
		n = put_field(key, buffer, n, top->branch, true);
		n = put_field(key, buffer, n, top->host, true);
		buffer[n++] = (uint8_t)(top->port >> 8);
		buffer[n++] = (uint8_t)top->port;
	} else {
		n = put_field(key, buffer, n, m->request_uri, false);
		n = put_field(key, buffer, n, m->from_tag, true);
		n = put_field(key, buffer, n, m->call_id, false);
		n = put_field(key, buffer, n, top->whole, false);
		memcpy(buffer + n, &m->cseq, sizeof(m->cseq));
		n += (uint32_t)sizeof(m->cseq);
	}
	keyed_hash_128(&key[0], buffer, n, &ret.a, &ret.b);
	return ret;
}
