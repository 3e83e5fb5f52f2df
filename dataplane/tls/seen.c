/* SPDX-License-Identifier: Apache-2.0 */
/* What was seen of other people's certificates, on its way to the control thread. */
#include <stdio.h>
#include <string.h>

#include "base/mailbox.h"
#include "tls/certificate.h"
#include "tls/session.h"

void seen_post(struct tls_session *s, const X509 *leaf, bool verified, bool refused, enum tls_end why, const char *text)
{
	struct tls_seen seen = {
		.accepted = s->server,
		.verified = verified,
		.refused = refused,
		.server = s->server_index,
		.peer = s->peer ? s->peer->id : 0,
		.why = verified ? 0 : (uint8_t)why,
		.remote = s->remote,
	};

	if (leaf)
		certificate_describe(leaf, &seen.certificate);
	if (!verified)
		snprintf(seen.text, sizeof(seen.text), "%s", text);
	if (!mailbox_post(s->t->seen, &seen))
		tls_count(s->t, COUNTER_tls_seen_lost);
}

bool tls_seen_take(struct tls *t, struct tls_seen *ret_seen)
{
	return mailbox_take(t->seen, ret_seen);
}
