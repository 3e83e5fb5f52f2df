/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* A conformance case: one rule of one document, and the play that shows it. */
struct law {
	const char *name;
	const char *source;  /* "rfc3261" ... ; "design": a rule of our own */
	const char *rule;    /* section and one sentence */
	void (*play)(void);  /* on the stage that script.h sets; fails as a cmocka test does */
	const char *deviates; /* why we do otherwise than the rule says; the play then asserts what we do. NULL: we follow it */
};

#define LAW(source, play, rule)		      { #play, source, rule, play, NULL }
#define DEVIATES(source, play, rule, because) { #play, source, rule, play, because }

struct law_book {
	const char *file;
	const struct law *laws;
	size_t count;
};

/* Each file of cases exports its book. */
#define LAW_BOOK(name, ...)                                                                                            \
	static const struct law name##_laws[] = { __VA_ARGS__ };                                                       \
	const struct law_book name##_book = { #name, name##_laws, sizeof(name##_laws) / sizeof(name##_laws[0]) }

extern const struct law_book rfc3261_16_book, rfc3261_16_responses_book, rfc3261_16_best_book, rfc3261_16_cancel_book,
	rfc3261_17_client_book, rfc3261_17_server_book, rfc3261_18_book, rfc3581_book, rfc4320_book, rfc5393_book, rfc5658_book, rfc6026_book,
	routing_book, rescue_book, ringing_book, dialogs_book, tokens_book, torture_own_book, torture_values_book,
	streams_book, stream_calls_book, large_book, rfc5630_book;
/* The messages of RFC 4475 and RFC 5118, where they are at hand. */
extern const struct law_book torture_book;
bool torture_present(void);

/* The case that is being played. */
extern const struct law *law_playing;
