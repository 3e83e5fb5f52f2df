/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "model/model.h"

/* A DNS answer's bytes (RFC 1035 §4) into records: no I/O, and nothing in the bytes is trusted. */

enum dns_type { DNS_A = 1, DNS_CNAME = 5, DNS_SOA = 6, DNS_AAAA = 28, DNS_SRV = 33, DNS_NAPTR = 35 };

#define DNS_RECORDS_MAX 128 /* of an answer; more are counted in left_out */
#define DNS_CHAIN_MAX	8   /* CNAMEs, one after the other */

/* Names are text in lower case without a last dot; "" is the root. */
struct dns_srv {
	uint16_t priority, weight, port;
	char target[DNS_TEXT_MAX];
};

struct dns_naptr {
	uint16_t order, preference;
	char flags[8], service[32]; /* upper case */
	bool has_regexp;
	char replacement[DNS_TEXT_MAX];
};

struct dns_record {
	uint32_t ttl_s; /* its own; 0 where it has the top bit set (RFC 2181 §8) */
	union {
		struct ip_addr ip; /* A, AAAA */
		struct dns_srv srv;
		struct dns_naptr naptr;
	};
};

enum dns_outcome {
	DNS_RECORDS, /* at least one that can be read */
	DNS_NO_DATA, /* the name has none of this type */
	DNS_NO_NAME, /* there is no such name (NXDOMAIN) */
};

struct dns_answer {
	enum dns_outcome outcome;
	char name[DNS_TEXT_MAX]; /* at the end of the CNAMEs */
	uint32_t ttl_s;	   /* the least: of the records and the CNAMEs that lead there; without records RFC 2308's: of the SOA, and its MINIMUM */
	bool has_soa;	   /* without records: the server says so itself, and how long that holds */
	uint16_t count;
	uint16_t left_out; /* beyond DNS_RECORDS_MAX */
	uint16_t unread;   /* of the right name and type, but damaged */
	struct dns_record records[];
};

/* Reads an answer to a question for name (as above) and type, class IN. A damaged record is left out and counted; records of other names,
 * types and classes mean nothing. 0 and an answer that the caller frees; -ERR_INVALID: these bytes are no answer to that question;
 * -ERR_IO: the server says that it cannot answer (SERVFAIL, REFUSED ...); -ERR_NOMEM. any */
int dns_answer_read(const uint8_t *bytes, size_t n, const char *name, uint16_t type, struct dns_answer **ret_answer);

/* "SRV"; "?" for a type that is not among the above. any */
const char *dns_type_name(uint16_t type);
