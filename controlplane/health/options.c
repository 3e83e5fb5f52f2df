/* SPDX-License-Identifier: Apache-2.0 */
/* The one file that knows libosip2, whose names clash with those of sip/. */
#include "health/options.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>

#include <osipparser2/osip_parser.h>

#define ADDRESS_MAX 400

static int fill(osip_message_t *m, const struct options_request *r)
{
	char from[ADDRESS_MAX], to[ADDRESS_MAX], contact[ADDRESS_MAX];
	osip_uri_t *uri = NULL;
	int err = osip_uri_init(&uri);

	if (err)
		return err;
	err = osip_uri_parse(uri, r->uri);
	osip_message_set_uri(m, uri);
	osip_message_set_method(m, osip_strdup("OPTIONS"));
	osip_message_set_version(m, osip_strdup("SIP/2.0"));
	if (err || !m->sip_method || !m->sip_version || snprintf(from, sizeof(from), "<%s>;tag=%s", r->own, r->tag) >= ADDRESS_MAX ||
	    snprintf(to, sizeof(to), "<%s>", r->uri) >= ADDRESS_MAX || snprintf(contact, sizeof(contact), "<%s>", r->own) >= ADDRESS_MAX)
		return -1;
	err = osip_message_set_from(m, from);
	if (!err)
		err = osip_message_set_to(m, to);
	if (!err)
		err = osip_message_set_call_id(m, r->call_id);
	if (!err)
		err = osip_message_set_cseq(m, "1 OPTIONS");
	if (!err)
		err = osip_message_set_max_forwards(m, "70");
	if (!err)
		err = osip_message_set_contact(m, contact);
	if (!err && r->user_agent[0])
		err = osip_message_set_user_agent(m, r->user_agent);
	return err;
}

size_t options_write(const struct options_request *r, char *out, size_t bytes)
{
	static bool ready;
	osip_message_t *m = NULL;
	char *text = NULL;
	size_t n = 0;

	if (!ready) {
		parser_init();
		ready = true;
	}
	if (osip_message_init(&m))
		return 0;
	if (fill(m, r) || osip_message_to_str(m, &text, &n) || n > bytes)
		n = 0;
	if (n)
		memcpy(out, text, n);
	osip_free(text);
	osip_message_free(m);
	return n;
}
