/* SPDX-License-Identifier: Apache-2.0 */
#include "micro.h"
#include "peers.h"

static struct {
	uint32_t len;
	uint8_t text[MESSAGE_MAX];
} invites[CORPUS_MESSAGES];

const uint8_t *corpus_invite(uint32_t i, uint32_t *ret_len)
{
	i %= CORPUS_MESSAGES;
	if (!invites[i].len) {
		struct call_name name = { .serial = i * 0x100000001ull + 7, .caller_ip = 0x0a080002u + i * 0x101, .number = 442035550100ull + i * 37 };

		invites[i].len = peer_invite(invites[i].text, MIX_USUAL, &name);
	}
	*ret_len = invites[i].len;
	return invites[i].text;
}

uint32_t corpus_mean_bytes(void)
{
	uint32_t sum = 0, len;

	for (uint32_t i = 0; i < CORPUS_MESSAGES; i++) {
		corpus_invite(i, &len);
		sum += len;
	}
	return sum / CORPUS_MESSAGES;
}
