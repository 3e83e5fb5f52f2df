/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* TLS for the ends of ends.h: OpenSSL over memory, nothing of the data plane's. 1.3 unless told otherwise; nobody verifies anybody. */

struct ends_tls;
struct ends_session;

/* With a certificate for both sides, and for the other end too: P-256, made for this run, in PEM files that ends_tls_unlink or
 * ends_tls_free removes. NULL: no memory, no folder. */
struct ends_tls *ends_tls_new(void);
void ends_tls_free(struct ends_tls *t);
/* The files are not needed any more. */
void ends_tls_unlink(struct ends_tls *t);
const char *ends_tls_certificate(const struct ends_tls *t);
const char *ends_tls_key(const struct ends_tls *t);

/* client: it begins. NULL: no memory. */
struct ends_session *ends_session_new(struct ends_tls *t, bool client);
void ends_session_free(struct ends_session *s);
bool ends_session_stands(const struct ends_session *s);

/* Encrypted bytes came: plain ones go to fn. false: this is not TLS, or the session has ended. */
bool ends_session_input(struct ends_session *s, const uint8_t *bytes, uint32_t len, void (*fn)(void *ctx, const uint8_t *bytes, uint32_t len), void *ctx);
/* A message, whole. false: it does not stand. */
bool ends_session_send(struct ends_session *s, const uint8_t *message, uint32_t len);
/* What is to be sent: at most `room` bytes of it, taken off. Returns how many; 0: nothing waits. */
uint32_t ends_session_output(struct ends_session *s, uint8_t *to, uint32_t room);
/* No more will be sent: close_notify is the last that waits. */
void ends_session_close(struct ends_session *s);
