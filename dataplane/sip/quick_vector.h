/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>

#include "base/cpu.h"
#include "sip/quick.h"

/* Not for other floors. */

#if CPU_X86
/* quick_look of what mostly comes, by AVX2, in a quarter of the instructions: a request with its Call-ID on a line as everybody writes it, a response with a
 * branch of the length of ours as the only parameter of its top Via. false: nothing is said of any other. any */
bool quick_look_vector(const uint8_t *data, uint32_t len, struct quick *ret_look);
#endif

/* What needs no vectors, and decides wherever the other says nothing. any */
void quick_look_careful(const uint8_t *data, uint32_t len, struct quick *ret_look);
