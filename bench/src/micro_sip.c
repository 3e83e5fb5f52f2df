/* SPDX-License-Identifier: Apache-2.0 */
/* Steps of the SIP floor, on INVITEs that come in turn. */
#include <stdlib.h>
#include <string.h>

#include "base/siphash.h"
#include "micro.h"
#include "peers.h"
#include "sip/branch.h"
#include "sip/dialog_hash.h"
#include "sip/edit.h"
#include "sip/message.h"
#include "sip/number.h"
#include "sip/quick.h"
#include "sip/scan.h"
#include "sip/token.h"
#include "sip/uri.h"
#include "sip/via.h"

static const struct hash_key key = { 1, 2 };
static struct sip_message *views; /* of each message, parsed beforehand */
static struct sip_message *scratch;
static struct span vias[CORPUS_MESSAGES], froms[CORPUS_MESSAGES], uris[CORPUS_MESSAGES], ips[CORPUS_MESSAGES];
static char branches[CORPUS_MESSAGES][BRANCH_TEXT], tokens[CORPUS_MESSAGES][TOKEN_TEXT_MAX];
static uint32_t token_bytes[CORPUS_MESSAGES];
static uint64_t call_hashes[CORPUS_MESSAGES], tag_hashes[CORPUS_MESSAGES];
static const struct token_keys token_keys = { .key = { { 3, 4 } }, .present = { true } };
static struct token_signer signer;
static struct cmac branch_mac;
static struct edit_list edits;
static uint8_t out[2 * MESSAGE_MAX];

static struct token token_at(uint32_t i)
{
	return (struct token){ .node = 1, .boot = 1, .slot = i, .setup_s = 1000 + i, .caller_trunk = mix64(i) & 0xffffffff, .target_trunk = 77,
			       .endpoint = 99 };
}

static int parse_all(void)
{
	if (views)
		return 1;
	views = calloc(CORPUS_MESSAGES, sizeof(*views));
	scratch = calloc(1, sizeof(*scratch));
	token_signer_init(&signer, &token_keys);
	branch_key(&branch_mac, &key);
	for (uint32_t i = 0; i < CORPUS_MESSAGES; i++) {
		uint32_t len;
		const uint8_t *m = corpus_invite(i, &len);
		struct sip_uri uri;
		struct token t = token_at(i);
		struct branch b = { .kind = BRANCH_TRANSACTION, .slot = i, .generation = 7, .loop = i * 77 };

		if (sip_parse(m, len, &views[i]) != SIP_OK || uri_parse(views[i].request_uri, &uri))
			return 0;
		vias[i] = sip_first(&views[i], SIP_H_VIA);
		froms[i] = sip_first(&views[i], SIP_H_FROM);
		uris[i] = views[i].request_uri;
		ips[i] = views[i].top_via.host;
		branch_encode(&branch_mac, &b, branches[i]);
		call_hashes[i] = call_id_hash(&key, views[i].call_id);
		tag_hashes[i] = tag_hash(&key, views[i].from_tag);
		token_bytes[i] = token_encode(&signer, &t, call_hashes[i], tag_hashes[i], tokens[i]);
	}
	return 1;
}

static uint64_t scan(uint32_t i)
{
	static struct scan_line lines[128];
	uint32_t len, count = 0, head;
	const uint8_t *m = corpus_invite(i, &len);

	return scan_lines(m, len, lines, 128, &count, &head) == SCAN_COMPLETE && count > 10;
}

static int use_scalar(void)
{
	return scan_select(SCAN_SCALAR);
}

static int use_avx2(void)
{
	return scan_select(SCAN_AVX2);
}

/* The widest there is. */
static int use_best(void)
{
	return scan_select(SCAN_AVX512) || scan_select(SCAN_AVX2) || scan_select(SCAN_SCALAR);
}

static int use_avx512(void)
{
	return scan_select(SCAN_AVX512);
}

static int best_and_parsed(void)
{
	return use_best() && parse_all();
}

static uint64_t parse(uint32_t i)
{
	uint32_t len;
	const uint8_t *m = corpus_invite(i, &len);

	return sip_parse(m, len, scratch) == SIP_OK;
}

static uint64_t quick(uint32_t i)
{
	struct quick look;
	uint32_t len;
	const uint8_t *m = corpus_invite(i, &len);

	quick_look(m, len, &look);
	return look.kind == QUICK_REQUEST && look.call_id.n;
}

static uint64_t header_names(uint32_t i)
{
	const struct sip_message *m = &views[i % CORPUS_MESSAGES];
	uint64_t known = 0;

	for (int k = 0; k < 8; k++)
		known += sip_header_lookup(sip_name(m, k)) != SIP_H_OTHER;
	return known;
}

static uint64_t via(uint32_t i)
{
	struct span rest = vias[i % CORPUS_MESSAGES];
	struct via v;

	return via_next(&rest, &v) == 1 && v.branch.n;
}

static uint64_t name_addr(uint32_t i)
{
	struct span rest = froms[i % CORPUS_MESSAGES];
	struct name_addr e;

	return name_addr_next(&rest, &e) == 1 && e.uri.n;
}

static uint64_t uri(uint32_t i)
{
	struct sip_uri u;

	return uri_parse(uris[i % CORPUS_MESSAGES], &u) == 0 && u.user.n;
}

static uint64_t ip(uint32_t i)
{
	struct ip_addr a;

	return ip_parse(ips[i % CORPUS_MESSAGES], &a) == 0;
}

static uint64_t number(uint32_t i)
{
	static const struct number_plan plan = { "44", "00", "0" };
	struct sip_uri u;
	e164 n = 0;

	return uri_parse(uris[i % CORPUS_MESSAGES], &u) == 0 && number_from_uri(&u, &plan, &n) == 0 && n;
}

static uint64_t hash_call_id(uint32_t i)
{
	struct span id = views[i % CORPUS_MESSAGES].call_id;

	return call_id_hash(&key, id) | 1;
}

static uint64_t hash_tag(uint32_t i)
{
	return tag_hash(&key, views[i % CORPUS_MESSAGES].from_tag);
}

static uint64_t branch_make(uint32_t i)
{
	struct branch b = { .kind = BRANCH_TRANSACTION, .slot = i & 0xffffff, .generation = 7, .loop = i * 77 };
	char text[BRANCH_TEXT];

	branch_encode(&branch_mac, &b, text);
	__asm__ volatile("" : : "r"(text) : "memory");
	return 1;
}

static uint64_t branch_read(uint32_t i)
{
	struct branch b;

	i %= CORPUS_MESSAGES;
	return branch_decode(&branch_mac, span_of(branches[i], BRANCH_TEXT), &b) == 0 && b.slot == i;
}

static uint64_t token_make(uint32_t i)
{
	struct token t = token_at(i & 0xffffff);
	char text[TOKEN_TEXT_MAX];

	return token_encode(&signer, &t, call_hashes[i % CORPUS_MESSAGES], tag_hashes[i % CORPUS_MESSAGES], text);
}

/* side 0: the caller speaks; 1: the target, so that From and To have changed places. The Call-ID is hashed for other ends already. */
static uint64_t token_read(uint32_t i, unsigned side)
{
	const struct sip_message *m = &views[i %= CORPUS_MESSAGES];
	const struct span other = SPAN_LIT("t7f3a9c21");
	const struct token_dialog d = { &key, call_hashes[i], side ? tag_hash(&key, other) : tag_hashes[i], m->call_id,
					side ? other : m->from_tag, side ? m->from_tag : other };
	enum token_side who;
	struct token t;

	return token_decode(&signer, span_of(tokens[i], token_bytes[i]), &d, &t, &who) == 0 && t.slot == i && who == (side ? TOKEN_FROM_TARGET : TOKEN_FROM_CALLER);
}

static uint64_t token_of_caller(uint32_t i)
{
	return token_read(i, 0);
}

static uint64_t token_of_target(uint32_t i)
{
	return token_read(i, 1);
}

static uint64_t compose(uint32_t i)
{
	const struct sip_message *m = &views[i % CORPUS_MESSAGES];

	edit_reset(&edits);
	edit_replace(&edits, m->start_line_end, 0, SPAN_LIT("Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKabcdefghijklmnopqrstuvwxy\r\n"));
	edit_replace_span(&edits, m, sip_first(m, SIP_H_MAX_FORWARDS), SPAN_LIT("69"));
	return edit_compose(&edits, m, out, sizeof(out)) > (int)m->len;
}

const struct micro_step sip_steps[] = {
	{ .name = "scan/scalar", .run = scan, .prepare = use_scalar },
	{ .name = "scan/avx2", .run = scan, .prepare = use_avx2 },
	{ .name = "scan/avx512", .run = scan, .prepare = use_avx512 },
	{ .name = "sip/quick_look", .run = quick, .prepare = best_and_parsed },
	{ .name = "sip/parse", .run = parse, .prepare = best_and_parsed },
	{ .name = "sip/header_name", .run = header_names, .operations = 8, .prepare = best_and_parsed },
	{ .name = "sip/via", .run = via, .prepare = best_and_parsed },
	{ .name = "sip/name_addr", .run = name_addr, .prepare = best_and_parsed },
	{ .name = "sip/uri", .run = uri, .prepare = best_and_parsed },
	{ .name = "sip/ip", .run = ip, .prepare = best_and_parsed },
	{ .name = "sip/uri_and_number", .run = number, .prepare = best_and_parsed },
	{ .name = "sip/hash_call_id", .run = hash_call_id, .prepare = best_and_parsed },
	{ .name = "sip/hash_tag", .run = hash_tag, .prepare = best_and_parsed },
	{ .name = "sip/branch_encode", .run = branch_make, .prepare = best_and_parsed },
	{ .name = "sip/branch_decode", .run = branch_read, .prepare = best_and_parsed },
	{ .name = "sip/token_encode", .run = token_make, .prepare = best_and_parsed },
	{ .name = "sip/token_decode_caller", .run = token_of_caller, .prepare = best_and_parsed },
	{ .name = "sip/token_decode_target", .run = token_of_target, .prepare = best_and_parsed },
	{ .name = "sip/compose", .run = compose, .prepare = best_and_parsed },
	{ .name = NULL },
};
