/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <jansson.h>
#include <stdio.h>

/* Draws the messages of a trace (the operation's answer) as a ladder: a column for each party, Strowger behind the first, an arrow for each
 * message with its method or status, and the first line beside it. */
void ladder_print(const json_t *messages, FILE *f);
