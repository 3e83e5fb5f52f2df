/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "sip/message.h"

/* Whether bytes begin like a SIP message: a method token and a space, or "SIP/". Looks at the first few only. any */
bool start_line_plausible(const uint8_t *data, uint32_t len);

/* Reads line (with its line end) into is_request, method, method_name, request_uri, status and reason; what a fault leaves
 * unread stays as it was. SIP_FINE or the fault. any */
enum sip_fault start_line_read(struct span line, struct sip_message *m);
