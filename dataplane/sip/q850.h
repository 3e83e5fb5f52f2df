/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdint.h>

struct sip_message;

/* The cause of ITU-T Q.850 in a message's Reason headers (RFC 3326: "Q.850;cause=38;text=..."), 1..127; 0: none, or not to
 * be read. Beside other protocols' values only the first of Q.850 counts. any */
uint8_t q850_cause(const struct sip_message *m);
