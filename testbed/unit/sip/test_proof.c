/* SPDX-License-Identifier: Apache-2.0 */
#include "base/aes.h"
#include "base/cpu.h"
#include "base/err.h"
#include "exact.h"
#include "sip/branch.h"
#include "sip/dialog_hash.h"
#include "sip/token.h"
#include "sip/via.h"

/* Text that proves it came from us: branches and Record-Route tokens. */

static const struct hash_key key = { 0x1122334455667788, 0x99aabbccddeeff00 };

static struct cmac mac_by(uint64_t k0, uint64_t k1)
{
	struct cmac mac;

	branch_key(&mac, &(struct hash_key){ k0, k1 });
	return mac;
}

static void branches(void **state)
{
	const struct cmac mac = mac_by(key.k0, key.k1), other = mac_by(key.k0, key.k1 + 1);
	static const struct branch cases[] = {
		{ BRANCH_TRANSACTION, 0, 0, 0, 0, 0 },
		{ BRANCH_TRANSACTION, 63, 0x3ffffff, 0xffff, 0, UINT32_MAX },
		{ BRANCH_TRANSACTION, 63, 0, 0, 0, 0 },
		{ BRANCH_TRANSACTION, 0, 0x3ffffff, 0, 0, 0 },
		{ BRANCH_TRANSACTION, 0, 0, 0xffff, 0, 0 },
		{ BRANCH_TRANSACTION, 3, 0x123456, 0x789a, 0, 0xdeadbeef },
		{ BRANCH_STATELESS, 255, 0, 0, 0xffffffffffULL, 5 },
		{ BRANCH_STATELESS, 0, 0, 0, 0x0123456789ULL, 0 },
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		char *text = malloc(BRANCH_TEXT);
		struct span s = { (uint8_t *)text, BRANCH_TEXT };
		struct branch b;

		assert_non_null(text);
		branch_encode(&mac, &cases[i], text);
		assert_true(via_branch_is_3261(s));
		assert_int_equal(branch_decode(&mac, s, &b), 0);
		assert_int_equal(b.kind, cases[i].kind);
		assert_int_equal(b.worker, cases[i].worker);
		assert_int_equal(b.slot, cases[i].slot);
		assert_int_equal(b.generation, cases[i].generation);
		assert_int_equal(b.digest, cases[i].digest);
		assert_int_equal(b.loop, cases[i].loop);
		assert_int_equal(branch_decode(&other, s, &b), -ERR_FORGED);
		assert_int_equal(branch_decode(&mac, span_of(text, BRANCH_TEXT - 1), &b), -ERR_NOT_FOUND);
		/* peers may change case */
		for (int c = 0; c < BRANCH_TEXT; c++)
			text[c] = (char)(text[c] >= 'a' && text[c] <= 'z' ? text[c] - 32 : text[c]);
		assert_int_equal(branch_decode(&mac, s, &b), 0);
		/* but nothing else */
		for (int c = 0; c < BRANCH_TEXT; c++) {
			char keep = text[c];

			text[c] = keep == 'S' ? 'T' : 'S';
			assert_true(branch_decode(&mac, s, &b) < 0);
			text[c] = keep;
		}
		free(text);
	}
	struct branch b;

	assert_int_equal(branch_decode(&mac, SPAN_LIT("z9hG4bK-524287-1-0"), &b), -ERR_NOT_FOUND);
	assert_int_equal(branch_decode(&mac, (struct span){ 0, 0 }, &b), -ERR_NOT_FOUND);
}

static struct token sample(const char *flow)
{
	struct token t = { .node = 0x1234, .boot = 9, .worker = 3, .slot = 0xabcdef, .generation = 77, .setup_s = 1700000000,
			   .caller_trunk = 0xcafe, .target_trunk = 0xfeed0000, .endpoint = 42 };

	if (flow)
		assert_int_equal(ip_port_parse(span_str(flow), 0, &t.caller_flow), 0);
	return t;
}

/* By the dialog key of the signing key, as a worker hashes them. */
static int decode(const struct token_keys *keys, struct span text, struct span call_id, struct span from, struct span to, struct token *ret_token,
		  enum token_side *ret_side)
{
	struct hash_key by = token_dialog_key(keys, keys->signing);
	struct token_dialog d = { &by, call_id_hash(&by, call_id), tag_hash(&by, from), call_id, from, to };
	struct token_signer signer;

	token_signer_init(&signer, keys);
	return token_decode(&signer, text, &d, ret_token, ret_side);
}

static uint32_t encode(const struct token_keys *keys, const struct token *t, struct span call_id, struct span tag, char *out)
{
	struct hash_key by = token_dialog_key(keys, keys->signing);
	struct token_signer signer;

	token_signer_init(&signer, keys);
	return token_encode(&signer, t, call_id_hash(&by, call_id), tag_hash(&by, tag), out);
}

static void tokens(void **state)
{
	static const char *const flows[] = { NULL, "192.0.2.7:1024", "[2001:db8::7]:65535" };
	static const struct {
		const char *what, *call_id, *from, *to;
		int result;
		enum token_side side;
	} cases[] = {
		{ "the caller speaks", "c1", "caller", "target", 0, TOKEN_FROM_CALLER },
		{ "the target speaks", "c1", "target", "caller", 0, TOKEN_FROM_TARGET },
		{ "another call", "c2", "caller", "target", -ERR_FORGED, 0 },
		{ "other tags", "c1", "x", "y", -ERR_FORGED, 0 },
		{ "bytes moved from Call-ID to tag", "c", "1caller", "target", -ERR_FORGED, 0 },
	};
	struct token_keys keys = { .key = { [1] = { 5, 6 }, [2] = { 7, 8 } }, .present = { [1] = true, [2] = true }, .signing = 6 };
	struct token_keys rotated = keys;

	for (size_t f = 0; f < COUNT_OF(flows); f++) {
		struct token t = sample(flows[f]), back;
		char out[TOKEN_TEXT_MAX];
		uint32_t n = encode(&keys, &t, SPAN_LIT("c1"), SPAN_LIT("caller"), out);
		struct span text = exact(out, n);
		enum token_side side;

		for (size_t i = 0; i < COUNT_OF(cases); i++) {
			int r = decode(&keys, text, span_str(cases[i].call_id), span_str(cases[i].from),
					     span_str(cases[i].to), &back, &side);

			if (r != cases[i].result)
				fail_msg("%s: %d", cases[i].what, r);
			if (r == 0)
				assert_int_equal(side, cases[i].side);
		}
		assert_int_equal(decode(&keys, text, SPAN_LIT("c1"), SPAN_LIT("caller"), (struct span){ 0, 0 }, &back, &side), 0);
		assert_int_equal(decode(&keys, text, SPAN_LIT("c1"), SPAN_LIT("CALLER"), (struct span){ 0, 0 }, &back, &side), 0);
		/* signed by what is no longer the signing key */
		rotated.signing = 1;
		for (size_t i = 0; i < COUNT_OF(cases); i++)
			assert_int_equal(decode(&rotated, text, span_str(cases[i].call_id), span_str(cases[i].from), span_str(cases[i].to),
						&back, &side), cases[i].result);
		t.key_id = 6;
		assert_int_equal(back.key_id, 6);
		assert_true(back.node == t.node && back.boot == t.boot && back.worker == t.worker && back.slot == t.slot);
		assert_true(back.generation == t.generation && back.setup_s == t.setup_s && back.endpoint == t.endpoint);
		assert_true(back.caller_trunk == t.caller_trunk && back.target_trunk == t.target_trunk);
		assert_true(ip_port_eq(&back.caller_flow, &t.caller_flow));
		exact_free(text);
	}
}

static void tokens_refused(void **state)
{
	struct token_keys keys = { .key = { [1] = { 5, 6 } }, .present = { [1] = true }, .signing = 1 };
	struct token t = sample("192.0.2.7:1024"), back;
	char out[TOKEN_TEXT_MAX];
	uint32_t n = encode(&keys, &t, SPAN_LIT("c"), SPAN_LIT("f"), out);
	enum token_side side;

	for (uint32_t i = 0; i < n; i++) {
		char keep = out[i];

		out[i] = keep == 'b' ? 'c' : 'b';
		assert_true(decode(&keys, span_of(out, n), SPAN_LIT("c"), SPAN_LIT("f"), SPAN_LIT("t"), &back, &side) < 0);
		out[i] = keep;
	}
	for (uint32_t cut = 0; cut < n; cut++) {
		struct span s = exact(out, cut);

		assert_true(decode(&keys, s, SPAN_LIT("c"), SPAN_LIT("f"), SPAN_LIT("t"), &back, &side) < 0);
		exact_free(s);
	}
	keys.present[1] = false;
	assert_int_equal(decode(&keys, span_of(out, n), SPAN_LIT("c"), SPAN_LIT("f"), SPAN_LIT("t"), &back, &side), -ERR_FORGED);
	assert_int_equal(decode(&keys, SPAN_LIT("alice"), SPAN_LIT("c"), SPAN_LIT("f"), SPAN_LIT("t"), &back, &side),
			 -ERR_NOT_FOUND);
}

/* ---- every way that this CPU has, beside the one that needs nothing of it */

#define WAYS (2 * CPU_LEVELS)

static bool choose(int way)
{
	return aes_select(way / CPU_LEVELS) && cpu_select((enum cpu_level)(way % CPU_LEVELS));
}

static uint32_t some(void)
{
	static uint64_t x = 1;

	x = x * 6364136223846793005ULL + 1442695040888963407ULL;
	return (uint32_t)(x >> 32);
}

static const char foreign[] = "aZ27180@[`{/:!\x19\x14\x80\xff";

/* One character becomes another one, half of the time one of base32. */
static void spoil(char *text, uint32_t n)
{
	text[some() % n] = some() & 1 ? (char)('a' + some() % 26) : foreign[some() % (sizeof(foreign) - 1)];
}

static void branches_alike(void **state)
{
	const struct cmac mac = mac_by(1, 2);

	for (int i = 0; i < 3000; i++) {
		struct branch in = { .kind = some() & 1 ? BRANCH_TRANSACTION : BRANCH_STATELESS, .worker = (uint8_t)some(), .slot = some(),
				     .generation = (uint16_t)some(), .digest = (uint64_t)some() << 20 ^ some(), .loop = some() }, out;
		const char room[BRANCH_TEXT] = { 0 };
		struct span text[2] = { exact(room, BRANCH_TEXT), exact(room, BRANCH_TEXT) };
		int verdict[2] = { 0 };

		for (int way = 0; way < WAYS; way++) {
			if (!choose(way))
				continue;
			branch_encode(&mac, &in, (char *)text[way > 0].p);
			assert_memory_equal(text[way > 0].p, text[0].p, BRANCH_TEXT);
		}
		if (i & 1)
			spoil((char *)text[0].p, BRANCH_TEXT);
		for (int way = 0; way < WAYS; way++) {
			if (!choose(way))
				continue;
			verdict[way > 0] = branch_decode(&mac, text[0], &out);
			assert_int_equal(verdict[way > 0], verdict[0]);
			if (verdict[0])
				continue;
			assert_true(out.kind == in.kind && out.loop == in.loop);
			assert_int_equal(out.worker, in.kind == BRANCH_TRANSACTION ? in.worker & 63 : in.worker);
			assert_int_equal(out.slot, in.kind == BRANCH_TRANSACTION ? in.slot & 0x3ffffff : 0);
			assert_int_equal(out.generation, in.kind == BRANCH_TRANSACTION ? in.generation : 0);
			assert_int_equal(out.digest, in.kind == BRANCH_TRANSACTION ? 0 : in.digest & 0xffffffffffULL);
		}
		exact_free(text[0]);
		exact_free(text[1]);
	}
	choose(WAYS - 1);
}

static struct token any_token(void)
{
	static const char *const flows[] = { NULL, "192.0.2.7:1024", "[2001:db8::7]:65535" };
	struct token t = sample(flows[some() % 8 < 3 ? some() % 3 : 0]);

	t.slot = some();
	t.setup_s = some();
	t.node = (uint16_t)some();
	t.endpoint = some();
	t.target_trunk = some();
	return t;
}

static void tokens_alike(void **state)
{
	static const struct token_keys keys = { .key = { [0] = { 5, 6 }, [3] = { 7, 8 } }, .present = { [0] = true, [3] = true }, .signing = 3 };
	struct token_keys gone = keys, rotated = keys;
	const struct token_keys *readers[] = { &keys, &keys, &keys, &gone, &rotated };

	gone.present[3] = false;
	rotated.signing = 0;
	for (int i = 0; i < 1500; i++) {
		struct token in = any_token(), out[2];
		char text[2][TOKEN_TEXT_MAX];
		uint32_t n[2] = { 0 }, bytes;
		enum token_side side[2];
		int verdict[2] = { 0 };
		struct span whole;

		for (int way = 0; way < WAYS; way++) {
			if (!choose(way))
				continue;
			n[way > 0] = encode(&keys, &in, SPAN_LIT("c1"), SPAN_LIT("caller"), text[way > 0]);
			assert_int_equal(n[way > 0], n[0]);
			assert_memory_equal(text[way > 0], text[0], n[0]);
		}
		if (i % 3 == 1)
			spoil(text[0], n[0]);
		bytes = n[0] - (i % 3 == 2 ? some() % 4 : 0);
		whole = exact(text[0], bytes);
		for (int way = 0; way < WAYS; way++) {
			if (!choose(way))
				continue;
			verdict[way > 0] = decode(readers[i % 5], whole, SPAN_LIT("c1"), i & 1 ? SPAN_LIT("caller") : SPAN_LIT("target"),
						  i & 1 ? SPAN_LIT("target") : SPAN_LIT("CALLER"), &out[way > 0], &side[way > 0]);
			assert_int_equal(verdict[way > 0], verdict[0]);
			if (verdict[0])
				continue;
			assert_int_equal(side[way > 0], i & 1 ? TOKEN_FROM_CALLER : TOKEN_FROM_TARGET);
			assert_true(out[way > 0].slot == (in.slot & 0xffffff) && out[way > 0].key_id == 3);
			in.slot = out[0].slot;
			in.key_id = 3;
			assert_memory_equal(&out[way > 0], &in, offsetof(struct token, caller_flow));
			assert_true(ip_port_eq(&out[way > 0].caller_flow, &in.caller_flow));
		}
		exact_free(whole);
	}
	choose(WAYS - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(branches),
		cmocka_unit_test(tokens),
		cmocka_unit_test(tokens_refused),
	};
	const struct CMUnitTest beside[] = {
		cmocka_unit_test(branches_alike),
		cmocka_unit_test(tokens_alike),
	};

	for (int way = 0; way < WAYS; way++)
		if (choose(way) && cmocka_run_group_tests(tests, NULL, NULL))
			return 1;
	return cmocka_run_group_tests(beside, NULL, NULL);
}
