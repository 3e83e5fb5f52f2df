/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stddef.h>

struct control;

/* JSON-RPC 2.0 over the table of operations: one request or batch in, one line with its newline out, newly allocated. NULL: nothing is to
 * be answered (notifications), or no memory. control-only */
char *rpc_answer(struct control *c, const char *request, size_t bytes);
