/* SPDX-License-Identifier: Apache-2.0 */
#include "sip/number.h"

#include "base/err.h"
#include "base/partial.h"
#include "sip/lex.h"

#define DIGITS_MAX   15
#define NATIONAL_MIN 8	/* bare digits that are fewer are somebody's extension, not E.164 */
#define DIALLED_MAX  32 /* a dialled string with its prefixes; more is no number */

/* A number being dialled: digits as values, and whether '+' stood before them. */
struct dialled {
	uint8_t digit[DIALLED_MAX];
	uint32_t n;
	bool plus;
};

static e164 pack(const uint8_t *digit, uint32_t n)
{
	e164 number = (uint64_t)n << 60;

	for (uint32_t i = 0; i < n; i++)
		number |= (uint64_t)digit[i] << (56 - 4 * i);
	return number;
}

int e164_parse(struct span text, e164 *ret_number)
{
	uint8_t digit[DIGITS_MAX];

	if (text.n && text.p[0] == '+')
		text.p++, text.n--;
	if (!text.n || text.n > DIGITS_MAX)
		return -ERR_INVALID;
	for (uint32_t i = 0; i < text.n; i++) {
		digit[i] = (uint8_t)(text.p[i] - '0');
		if (digit[i] > 9)
			return -ERR_INVALID;
	}
	*ret_number = pack(digit, text.n);
	return 0;
}

uint32_t e164_format(e164 number, char *out)
{
	uint32_t n = e164_digits(number);

	out[0] = '+';
	for (uint32_t i = 0; i < n; i++)
		out[1 + i] = (char)('0' + (number >> (56 - 4 * i) & 15));
	out[1 + n] = 0;
	return 1 + n;
}

e164 e164_truncate(e164 n, unsigned digits)
{
	if (!digits)
		return 0;
	return (uint64_t)digits << 60 | (n & ~(UINT64_MAX >> 4 >> 4 * digits) & (UINT64_MAX >> 4));
}

static int hex_digit(uint8_t c)
{
	if ((uint8_t)(c - '0') < 10)
		return c - '0';
	c |= 0x20;
	return (uint8_t)(c - 'a') < 6 ? c - 'a' + 10 : -1;
}

/* The byte at *p with its percent escape undone; *p moves on. -1: a bad escape. */
static int next_byte(const uint8_t **p, const uint8_t *end)
{
	int high, low;

	if (**p != '%')
		return *(*p)++;
	if (end - *p < 3 || (high = hex_digit((*p)[1])) < 0 || (low = hex_digit((*p)[2])) < 0)
		return -1;
	*p += 3;
	return high << 4 | low;
}

/* RFC 3966 §5.1.1: visual separators mean nothing. A ';' begins parameters of the user part, unless it is escaped. */
static bool read_dialled(struct span user, struct dialled *d)
{
	const uint8_t *p = user.p, *end = span_end(user);

	d->n = 0;
	d->plus = false;
	while (p < end && *p != ';') {
		int c = next_byte(&p, end);

		if (c == '+' && !d->plus && !d->n) {
			d->plus = true;
		} else if (c >= '0' && c <= '9') {
			if (d->n == DIALLED_MAX)
				return false;
			d->digit[d->n++] = (uint8_t)(c - '0');
		} else if (c != '-' && c != '.' && c != '(' && c != ')' && c != ' ') {
			return false;
		}
	}
	return d->n > 0;
}

/* How many digits the prefix has when d begins with it and goes on; 0 when it does not, or the rule is off. */
static uint32_t match_prefix(const struct dialled *d, const char *prefix)
{
	uint32_t n = 0;

	for (; prefix[n]; n++)
		if (n >= d->n || d->digit[n] != (uint8_t)(prefix[n] - '0'))
			return 0;
	return n < d->n ? n : 0;
}

static int finish(const uint8_t *digit, uint32_t n, e164 *ret_number)
{
	/* no country code begins with 0 (E.164 §6) */
	if (!n || n > DIGITS_MAX || !digit[0])
		return -ERR_NOT_FOUND;
	*ret_number = pack(digit, n);
	return 0;
}

/* d's digits behind `skip` of them, with the code (digits, perhaps behind '+' and with separators) before them. */
static int finish_with(const char *code, uint32_t code_n, const struct dialled *d, uint32_t skip, e164 *ret_number)
{
	uint8_t digit[DIGITS_MAX];
	uint32_t n = 0;

	for (uint32_t i = 0; i < code_n; i++) {
		uint8_t v = (uint8_t)(code[i] - '0');

		if (v > 9) {
			if (code[i] == '+' || code[i] == '-' || code[i] == '.' || code[i] == '(' || code[i] == ')')
				continue;
			return -ERR_NOT_FOUND;
		}
		if (n == DIGITS_MAX)
			return -ERR_NOT_FOUND;
		digit[n++] = v;
	}
	if (!n || d->n - skip > DIGITS_MAX - n)
		return -ERR_NOT_FOUND;
	memcpy(digit + n, d->digit + skip, d->n - skip);
	return finish(digit, n + d->n - skip, ret_number);
}

/* Eight digits, the first in the lowest byte, as text behind which there are zeros: as nibbles, the first highest. *odd gets a bit where another
 * character stands. */
static inline uint32_t nibbles(uint64_t text, uint32_t n, uint64_t *odd)
{
	uint64_t v = (text ^ 0x3030303030303030ULL) & (n < 8 ? (1ULL << 8 * n) - 1 : UINT64_MAX);

	*odd |= (v | (v + 0x0606060606060606ULL)) & 0xf0f0f0f0f0f0f0f0ULL;
	v = __builtin_bswap64(v);
	v = (v | v >> 4) & 0x00ff00ff00ff00ffULL;
	v = (v | v >> 8) & 0x0000ffff0000ffffULL;
	return (uint32_t)(v | v >> 16);
}

/* Nothing but digits, perhaps behind a '+', and no prefix of the plan's before them. 0: look closer. */
static e164 number_look(struct span user, const struct number_plan *plan)
{
	bool plus = user.p[0] == '+';
	uint32_t n = user.n - plus;
	const uint8_t *p = user.p + plus;
	uint64_t low, high, odd = 0;
	e164 number;

	if (n - 1 >= DIGITS_MAX || *p == '0')
		return 0;
	if (!plus && (n < NATIONAL_MIN || *p == (uint8_t)plan->international_prefix[0] || *p == (uint8_t)plan->national_prefix[0]))
		return 0;
	load_pair(p, n, &low, &high);
	number = (uint64_t)nibbles(low, n, &odd) << 28;
	number |= nibbles(high, n < 8 ? 0 : n - 8, &odd) >> 4;
	return odd ? 0 : (uint64_t)n << 60 | number;
}

int number_from_user(struct span user, const struct number_plan *plan, e164 *ret_number)
{
	e164 number = user.n ? number_look(user, plan) : 0;
	struct dialled d;
	uint32_t skip;

	if (number) {
		*ret_number = number;
		return 0;
	}
	if (!read_dialled(user, &d))
		return -ERR_NOT_FOUND;
	if (d.plus)
		return finish(d.digit, d.n, ret_number);
	skip = match_prefix(&d, plan->international_prefix);
	if (skip)
		return finish(d.digit + skip, d.n - skip, ret_number);
	skip = match_prefix(&d, plan->national_prefix);
	if (skip && plan->country_code[0])
		return finish_with(plan->country_code, (uint32_t)strlen(plan->country_code), &d, skip, ret_number);
	if (d.n < NATIONAL_MIN)
		return -ERR_NOT_FOUND;
	return finish(d.digit, d.n, ret_number);
}

int number_from_uri(const struct sip_uri *uri, const struct number_plan *plan, e164 *ret_number)
{
	struct span context;
	struct dialled d;

	if (uri->scheme == URI_OTHER || !uri->user.n)
		return -ERR_NOT_FOUND;
	/* RFC 3966 §5.1.5: a local number is told apart by its context, here the global number it continues */
	if (uri->scheme == URI_TEL && param_find(uri->params, "phone-context", &context) && context.n && context.p[0] == '+') {
		if (!read_dialled(uri->user, &d))
			return -ERR_NOT_FOUND;
		if (!d.plus)
			return finish_with((const char *)context.p, context.n, &d, 0, ret_number);
	}
	return number_from_user(uri->user, plan, ret_number);
}
