/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdint.h>

struct call_record;
struct mailbox;
struct records;

/* The call records on their way from the workers to the control thread: one mailbox a worker, in one mapped file, so that what was posted survives
 * a SIGKILL (not a power cut: nothing is synced). */

/* path NULL or empty: plain memory. A file of other numbers (workers, layout) is moved aside to PATH.old, so that nothing of it is
 * lost unseen. NULL with error_text (256 bytes). control-only */
struct records *records_open(const char *path, unsigned workers, char *error_text);
void records_close(struct records *r);

/* The worker posts here. */
struct mailbox *records_mailbox(const struct records *r, unsigned worker);

/* The oldest of one worker's, turn by turn; NULL: none waits. control-only */
const struct call_record *records_peek(struct records *r);
/* Takes what was peeked at. control-only */
void records_drop(struct records *r);
