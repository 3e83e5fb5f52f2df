/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* INVITEs as different makes of equipment write them: other headers, other orders, other lengths, another SDP. What is in braces
 * is filled in for each call, always with as many characters:
 *   {branch} 16  {tag} 12  {id} 16  {callee} 6  {caller} 6  {cseq} 4  {session} 9
 * and once for each run: {us} the proxy, {me} the caller, {by} the transport, {length} the body's. */
extern const char *const versus_texts[];
extern const unsigned versus_text_count;

/* What a target answers beside the headers that it copies: from Contact to the body. {it} is the target. */
extern const char *const versus_answers[];
extern const unsigned versus_answer_count;
