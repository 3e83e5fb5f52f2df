/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* A list of numbers on its way in (numbers.begin ... numbers.commit). */

struct number_load;

/* NULL is ignored. control-only */
void number_load_free(struct number_load *l);
