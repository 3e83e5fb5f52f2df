/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdint.h>

#include "base/span.h"
#include "sip/uri.h"

/* E.164 numbers: at most 15 digits, packed 4 bits a digit, left-aligned below a length, so that equal numbers are equal words
 * and a prefix is a shorter number. Layout: bits 63..60 = digit count (1..15), bits 59..0 = digits from the left, unused digits 0.
 * 0 is no number. */
typedef uint64_t e164;

/* How local users write numbers; empty strings switch a rule off. */
struct number_plan {
	char country_code[4];	      /* "44": what a national number belongs to */
	char international_prefix[5]; /* "00" */
	char national_prefix[5];      /* "0" */
};

#define E164_TEXT_MAX 17 /* '+', 15 digits, NUL */

/* '+' optional, digits only. 0, -ERR_INVALID. any */
int e164_parse(struct span text, e164 *ret_number);
/* "+442035550100" with NUL; returns the length. any */
uint32_t e164_format(e164 number, char *out);

static inline unsigned e164_digits(e164 n)
{
	return (unsigned)(n >> 60);
}

/* The first `digits` digits of n (digits <= its count). any */
e164 e164_truncate(e164 n, unsigned digits);

/* The number that the user part of a sip/sips URI, or a tel URI, dials: percent escapes decoded, visual separators ( - . ( ) space )
 * dropped, anything from ';' in the user part ignored; then in this order: "+" and digits are E.164; the international prefix
 * and digits; the national prefix and digits with the country code; else bare digits: 8 to 15 of them are taken for E.164
 * without its '+'. A tel URI with phone-context=+CC (RFC 3966) is prefixed by it. 0, -ERR_NOT_FOUND when it dials no number. any */
int number_from_uri(const struct sip_uri *uri, const struct number_plan *plan, e164 *ret_number);
/* The same from a bare user part. any */
int number_from_user(struct span user, const struct number_plan *plan, e164 *ret_number);
