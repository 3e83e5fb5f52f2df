/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/span.h"

/* The next of a header's comma-separated values, trimmed; commas inside quotes and < > do not separate, empty values are
 * skipped. What is unbalanced runs to the end. Start with *rest = the header's value. false: no more. any */
bool value_next(struct span *rest, struct span *ret_value);
