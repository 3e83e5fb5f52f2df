/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* No thread that is started from now on can gain privileges by an exec (it is an attribute of each thread). 0, -ERR_IO. control-only */
int privileges_seal(char *error);

/* Keeps the calling thread off these cores (those below 0 are none), unless it may be nowhere else: workers that spin there are not to be
 * interrupted. any */
void privileges_leave_cores(const int *cores, unsigned count);

/* Gives up every capability that the running daemon has no use for. Called once everything is open. Capabilities belong to threads:
 * this is for the calling one alone. 0, -ERR_IO. control-only */
int privileges_drop(char *error);
