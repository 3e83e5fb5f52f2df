/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <string.h>

#include "sip/message.h"
#include "sip/uri.h"
#include "sip/via.h"

/* Whether two readings of the same bytes are the same: spans by place, everything else by value. */

static inline bool same_span(struct span a, struct span b)
{
	return a.p == b.p && a.n == b.n;
}

static inline bool same_via(const struct via *a, const struct via *b)
{
	return same_span(a->whole, b->whole) && a->transport == b->transport && same_span(a->transport_name, b->transport_name) &&
	       same_span(a->host, b->host) && a->host_kind == b->host_kind && ip_eq(&a->ip, &b->ip) && a->port == b->port &&
	       same_span(a->sent_by, b->sent_by) && same_span(a->params, b->params) && same_span(a->branch, b->branch) &&
	       same_span(a->received, b->received) && same_span(a->maddr, b->maddr) && a->rport == b->rport &&
	       same_span(a->rport_value, b->rport_value) && same_span(a->rport_whole, b->rport_whole) &&
	       same_span(a->received_whole, b->received_whole);
}

static inline bool same_uri(const struct sip_uri *a, const struct sip_uri *b)
{
	if (a->scheme != b->scheme || !same_span(a->text, b->text))
		return false;
	return a->scheme == URI_OTHER ||
	       (same_span(a->user, b->user) && same_span(a->password, b->password) && same_span(a->host, b->host) &&
		a->host_kind == b->host_kind && ip_eq(&a->ip, &b->ip) && a->port == b->port && same_span(a->hostport, b->hostport) &&
		same_span(a->params, b->params) && same_span(a->headers, b->headers));
}

static inline bool same_element(const struct name_addr *a, const struct name_addr *b)
{
	return same_span(a->whole, b->whole) && same_span(a->display, b->display) && same_span(a->uri, b->uri) &&
	       same_span(a->params, b->params);
}

static inline bool same_header(const struct sip_header *a, const struct sip_header *b)
{
	return a->start == b->start && a->end == b->end && a->name_len == b->name_len && a->id == b->id && a->next == b->next;
}

static inline bool same_start(const struct sip_message *a, const struct sip_message *b)
{
	return a->data == b->data && a->len == b->len && a->is_request == b->is_request && a->method == b->method &&
	       a->status == b->status && same_span(a->method_name, b->method_name) && same_span(a->request_uri, b->request_uri) &&
	       same_span(a->reason, b->reason) && a->start_line_end == b->start_line_end && a->head_end == b->head_end &&
	       a->body == b->body && !a->uri.text.p == !b->uri.text.p && (!a->uri.text.p || same_uri(&a->uri, &b->uri));
}

static inline bool same_message(const struct sip_message *a, const struct sip_message *b)
{
	if (!same_start(a, b) || a->cseq != b->cseq || a->max_forwards != b->max_forwards || a->fault != b->fault)
		return false;
	if (!same_span(a->call_id, b->call_id) || !same_span(a->from_tag, b->from_tag) || !same_span(a->to_tag, b->to_tag))
		return false;
	if (!a->top_via.whole.p != !b->top_via.whole.p || !same_span(a->via_rest, b->via_rest) ||
	    (a->top_via.whole.p && !same_via(&a->top_via, &b->top_via)))
		return false;
	if (a->header_count != b->header_count || a->present != b->present || a->repeated != b->repeated || memcmp(a->first, b->first, sizeof(a->first)))
		return false;
	for (int i = 0; i < a->header_count; i++)
		if (!same_header(&a->headers[i], &b->headers[i]))
			return false;
	return true;
}
