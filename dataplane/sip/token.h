/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/cmac.h"
#include "base/span.h"

/* The user part of our Record-Route URI: all that a node needs to route a mid-dialog request with no state, under a MAC (CMAC,
 * cut to 64 bits) that covers the Call-ID and the caller's tag, so that a token is worth nothing in another dialog. */

#define TOKEN_KEYS_MAX 4
#define TOKEN_TEXT_MAX 128
#define TOKEN_TEXT_USUAL 58 /* of one without an address: none is shorter */

/* The fields up to `endpoint` lie as they are sent, so that they are copied at once. */
struct token {
	uint8_t key_id;	       /* which key signed it; set by token_encode */
	uint8_t worker;	       /* hints: owner, and its live-call record */
	uint16_t node;	       /* node that set the call up */
	uint16_t boot;	       /* its boot epoch: the hints hold only within it */
	uint16_t generation;   /* hint */
	uint32_t slot;	       /* hint; 24 bits */
	uint32_t setup_s;      /* UNIX time, seconds */
	uint32_t caller_trunk; /* trunk ids (hash of the name) of the two sides */
	uint32_t target_trunk;
	uint32_t endpoint;     /* endpoint id within the target's trunk */
	struct ip_port caller_flow; /* where the caller's packets really come from, when it sits behind a NAT; family IP_NONE: absent */
};

enum token_side { TOKEN_FROM_CALLER, TOKEN_FROM_TARGET };

/* Keys by id; key_id % TOKEN_KEYS_MAX is the place. Several verify, one signs. */
struct token_keys {
	struct hash_key key[TOKEN_KEYS_MAX];
	bool present[TOKEN_KEYS_MAX];
	uint8_t signing;
};

/* The same keys, ready for use. */
struct token_signer {
	struct {
		struct cmac mac;
		struct hash_key dialog;
	} key[TOKEN_KEYS_MAX];
	bool present[TOKEN_KEYS_MAX];
	uint8_t signing;
};

/* control-only */
void token_signer_init(struct token_signer *ret_signer, const struct token_keys *keys);

/* The key that Call-IDs and tags are hashed with for tokens signed by that key: the same wherever the keys are, so that what a worker hashes once
 * for its own tables serves for its tokens too. control-only */
struct hash_key token_dialog_key(const struct token_keys *keys, uint8_t key_id);

/* What a token is bound to. The hashes (dialog_hash.h) are by `key`, the dialog key of the signing key; a token that another
 * key signed is verified by the texts. */
struct token_dialog {
	const struct hash_key *key;
	uint64_t call_hash, from_hash;
	struct span call_id, from_tag, to_tag;
};

/* Writes at most TOKEN_TEXT_MAX characters (base32, no NUL); returns the length. any */
uint32_t token_encode(const struct token_signer *signer, const struct token *t, uint64_t call_hash, uint64_t caller_tag_hash, char *out);

/* Verifies text against Call-ID and, in turn, the request's From tag (the caller speaks) and To tag (the target speaks). Tags compare without
 * case.
 * 0; -ERR_NOT_FOUND: not of our shape; -ERR_FORGED: shape right, MAC wrong or its key gone. any */
int token_decode(const struct token_signer *signer, struct span text, const struct token_dialog *dialog, struct token *ret_token,
		 enum token_side *ret_side);
