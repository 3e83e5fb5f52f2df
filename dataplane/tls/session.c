/* SPDX-License-Identifier: Apache-2.0 */
/* One session: its life, the bytes that come and go, its end. */
#include "tls/session.h"

#include <stdio.h>
#include <string.h>

#include <openssl/err.h>

#include "base/err.h"
#include "base/pool.h"
#include "tls/certificate.h"

/* What is left in the queue would be taken for the next call's. To look is a tenth of what it costs to clear it. */
static void clean_errors(void)
{
	if (ERR_peek_error())
		ERR_clear_error();
}

/* ---- life */

int session_new(struct tls *t, SSL_CTX *ctx, const struct ip_port *remote, void *user, struct tls_session **ret_session)
{
	struct tls_session *s = pool_get(t->pool);
	BIO *bio;

	if (!s) {
		tls_count(t, COUNTER_tls_refused_full);
		return -ERR_FULL;
	}
	*s = (struct tls_session){ .t = t, .user = user, .remote = *remote, .state = SESSION_HANDSHAKE };
	s->ssl = SSL_new(ctx);
	bio = s->ssl ? BIO_new(t->bio) : NULL;
	if (!bio) {
		SSL_free(s->ssl);
		pool_put(t->pool, s);
		tls_count(t, COUNTER_tls_no_memory);
		ERR_clear_error();
		return -ERR_NOMEM;
	}
	BIO_set_data(bio, s);
	SSL_set_bio(s->ssl, bio, bio); /* owns it */
	engine_list_add(&t->all, s, LINK(all));
	engine_list_add(&t->young, s, LINK(young));
	s->is_young = true;
	s->deadline_us = t->now_us + t->config.handshake_timeout_ms * 1000ULL;
	*ret_session = s;
	return 0;
}

void session_leave_lists(struct tls_session *s)
{
	struct tls *t = s->t;

	if (s->is_young) {
		engine_list_remove(&t->young, s, LINK(young));
		t->accepting -= s->server != NULL;
	}
	if (s->is_waiting)
		engine_list_remove(s->peer ? &t->ours : &t->theirs, s, LINK(waiting));
	if (s->is_ended)
		engine_list_remove(&t->ended, s, LINK(ended));
	if (t->granted == s)
		t->granted = NULL;
	s->is_young = s->is_waiting = s->is_ended = false;
}

static void release(struct tls_session *s)
{
	struct tls *t = s->t;

	/* A connection that was cut is no reason not to resume its session, as OpenSSL would take it (RFC 5246 §7.2.1 does not ask for that
	 * any more). */
	SSL_set_shutdown(s->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	SSL_free(s->ssl);
	ERR_clear_error();
	bio_drop(t, &s->pending);
	bio_drop(t, &s->left);
	tls_server_put(s->server);
	tls_peer_put(s->peer);
	pool_put(t->pool, s);
}

void tls_free_session(struct tls *t, struct tls_session *s)
{
	if (s->freed)
		return;
	session_leave_lists(s);
	engine_list_remove(&t->all, s, LINK(all));
	s->state = SESSION_ENDED;
	s->freed = true;
	if (!s->depth)
		release(s);
}

void session_enter(struct tls_session *s)
{
	s->depth++;
}

void session_leave(struct tls_session *s)
{
	if (--s->depth)
		return;
	if (s->freed)
		release(s);
	else if (s->closing)
		bio_drop(s->t, &s->left); /* nobody reads it any more; a handler may have been in the midst of it */
}

/* ---- its end */

static void count_end(struct tls *t, enum tls_end why)
{
	static const enum counter counters[TLS_ENDS] = {
		[TLS_END_CLOSED] = COUNTER_tls_closed,
		[TLS_END_CUT] = COUNTER_tls_cut,
		[TLS_END_TIMEOUT] = COUNTER_tls_timed_out,
		[TLS_END_REFUSED] = COUNTER_tls_refused_by_peer,
		[TLS_END_ALERT] = COUNTER_tls_refused_by_peer,
		[TLS_END_PROTOCOL] = COUNTER_tls_failed_protocol,
		[TLS_END_NO_MEMORY] = COUNTER_tls_no_memory,
	};

	tls_count(t, counters[why] ? counters[why] : COUNTER_tls_failed_verification);
	if (why != TLS_END_CLOSED && why != TLS_END_CUT)
		tls_count(t, COUNTER_tls_failed);
}

void session_end(struct tls_session *s, enum tls_end why, const char *text)
{
	struct tls *t = s->t;

	if (s->state == SESSION_ENDED)
		return;
	if (s->state != SESSION_OPEN)
		resume_forget(s);
	session_leave_lists(s);
	s->state = SESSION_ENDED;
	bio_drop(t, &s->left);
	count_end(t, why);
	t->config.handlers->closed(t->config.ctx, s->user, why, text);
}

/* From where the owner may not be told: it is, in tls_advance. */
static void end_later(struct tls_session *s, enum tls_end why)
{
	if (s->is_ended || s->state == SESSION_ENDED)
		return;
	s->end = (uint8_t)why;
	s->is_ended = true;
	engine_list_add(&s->t->ended, s, LINK(ended));
}

void session_fail(struct tls_session *s, int error)
{
	struct tls *t = s->t;
	unsigned long code = ERR_peek_error();
	int reason = ERR_GET_LIB(code) == ERR_LIB_SSL ? ERR_GET_REASON(code) : 0;
	bool young = s->state != SESSION_OPEN;
	const char *text;

	if (error == SSL_ERROR_ZERO_RETURN) {
		session_end(s, TLS_END_CLOSED, young ? "closed during the handshake" : "closed");
	} else if (t->why != TLS_ENDS) {
		ERR_clear_error();
		session_end(s, t->why, t->text);
	} else if (reason > SSL_AD_REASON_OFFSET) {
		snprintf(t->text, sizeof(t->text), "they %s: %s", young ? "refused" : "broke off", SSL_alert_desc_string_long(reason - SSL_AD_REASON_OFFSET));
		ERR_clear_error();
		session_end(s, young ? TLS_END_REFUSED : TLS_END_ALERT, t->text);
	} else if (reason == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE) {
		text = "no certificate was given";
		ERR_clear_error();
		seen_post(s, NULL, false, true, TLS_END_NO_CERTIFICATE, text);
		session_end(s, TLS_END_NO_CERTIFICATE, text);
	} else if (ERR_GET_REASON(code) == ERR_R_MALLOC_FAILURE) {
		ERR_clear_error();
		session_end(s, TLS_END_NO_MEMORY, "out of memory");
	} else {
		text = code ? ERR_reason_error_string(code) : "what it is sent is not read";
		ERR_clear_error();
		session_end(s, TLS_END_PROTOCOL, text ? text : "not TLS");
	}
}

void session_prepare(struct tls *t)
{
	clean_errors();
	t->why = TLS_ENDS;
}

/* ---- bytes in */

/* Plain bytes to the owner; what it does not take is kept, and nothing more is read. */
static void deliver(struct tls_session *s, struct span bytes)
{
	struct tls *t = s->t;
	uint32_t taken;

	if (s->closing)
		return;
	taken = t->config.handlers->data(t->config.ctx, s->user, bytes);
	if (taken < bytes.n && s->state == SESSION_OPEN && !s->closing && !bio_keep(t, &s->left, bytes.p + taken, bytes.n - taken))
		session_end(s, TLS_END_NO_MEMORY, "out of memory");
}

static void read_records(struct tls_session *s)
{
	struct tls *t = s->t;

	while (s->state == SESSION_OPEN && s->in.n && !s->left) {
		size_t n = 0;
		int result, error;

		session_prepare(t);
		result = SSL_read_ex(s->ssl, t->plain, sizeof(t->plain), &n);
		if (result == 1) {
			deliver(s, span_of(t->plain, (uint32_t)n));
			continue;
		}
		error = SSL_get_error(s->ssl, result);
		if (error != SSL_ERROR_WANT_READ)
			session_fail(s, error);
	}
}

/* In the midst of a message of theirs about the session itself (a new key, a ticket) OpenSSL does not write. */
static void go_on_writing(struct tls_session *s)
{
	if (!s->held_up || s->state != SESSION_OPEN || SSL_in_init(s->ssl))
		return;
	s->held_up = false;
	tls_writable(s->t, s);
}

uint32_t tls_input(struct tls *t, struct tls_session *s, struct span bytes)
{
	uint32_t taken = bytes.n;

	if (s->state == SESSION_ENDED || !bytes.n)
		return bytes.n;
	if (s->state == SESSION_UNSTARTED)
		s->early = true;
	if (s->left || s->state == SESSION_UNSTARTED)
		return 0;
	if (s->state == SESSION_HANDSHAKE && !handshake_may_step(s)) {
		handshake_await_turn(s);
		return 0;
	}
	session_enter(s);
	s->in = bytes;
	if (s->state == SESSION_HANDSHAKE) {
		handshake_step(s);
		s->young_bytes += bytes.n - s->in.n;
		/* OpenSSL would put together a hello of 128 KiB, and as much of certificates. */
		if (s->state == SESSION_HANDSHAKE && s->young_bytes > YOUNG_BYTES_MAX)
			session_end(s, TLS_END_PROTOCOL, "the handshake is too long");
	}
	read_records(s);
	if (s->state != SESSION_ENDED)
		taken -= s->in.n;
	s->in = span_of(NULL, 0);
	go_on_writing(s);
	session_leave(s);
	return taken;
}

bool tls_read(struct tls *t, struct tls_session *s)
{
	struct kept *k = s->left;
	uint32_t taken;

	if (!k)
		return true;
	session_enter(s);
	taken = t->config.handlers->data(t->config.ctx, s->user, span_of(k->bytes + k->at, k->end - k->at));
	if (s->left == k) {
		k->at += taken;
		if (k->at == k->end)
			bio_drop(t, &s->left);
	}
	k = s->closing ? NULL : s->left;
	session_leave(s);
	return !k;
}

void tls_cut(struct tls *t, struct tls_session *s)
{
	session_enter(s);
	session_end(s, TLS_END_CUT, "the connection ended without close_notify");
	session_leave(s);
}

/* ---- bytes out */

uint32_t tls_send(struct tls *t, struct tls_session *s, struct span bytes)
{
	uint32_t at = 0;

	if (s->state != SESSION_OPEN || s->closing || s->is_ended)
		return 0;
	while (at < bytes.n && !s->pending) {
		uint32_t n = bytes.n - at < PLAIN_MAX ? bytes.n - at : PLAIN_MAX;
		size_t written = 0;

		clean_errors();
		if (SSL_write_ex(s->ssl, bytes.p + at, n, &written) != 1) {
			s->held_up = SSL_get_error(s->ssl, 0) == SSL_ERROR_WANT_READ;
			if (!s->held_up)
				end_later(s, ERR_GET_REASON(ERR_peek_error()) == ERR_R_MALLOC_FAILURE ? TLS_END_NO_MEMORY : TLS_END_PROTOCOL);
			ERR_clear_error();
			break;
		}
		at += (uint32_t)written;
	}
	s->wants_to_write = at < bytes.n;
	return at;
}

void tls_writable(struct tls *t, struct tls_session *s)
{
	bio_drain(s);
	if (s->pending || !s->wants_to_write || s->state != SESSION_OPEN)
		return;
	s->wants_to_write = false;
	session_enter(s);
	t->config.handlers->writable(t->config.ctx, s->user);
	session_leave(s);
}

uint32_t tls_pending(const struct tls_session *s)
{
	return s->pending ? s->pending->end - s->pending->at : 0;
}

void tls_close(struct tls *t, struct tls_session *s)
{
	if (s->state == SESSION_OPEN && !s->closing) {
		s->closing = true;
		if (!s->depth)
			bio_drop(t, &s->left);
		ERR_clear_error();
		SSL_shutdown(s->ssl);
		ERR_clear_error();
	} else if (s->state != SESSION_OPEN && s->state != SESSION_ENDED) {
		session_leave_lists(s);
		s->state = SESSION_ENDED;
	}
}
