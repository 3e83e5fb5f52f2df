/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* No thread that is started from now on can gain privileges by an exec (it is an attribute of each thread). 0, -ERR_IO. control-only */
int privileges_seal(char *error);

/* Gives up every capability that the running daemon has no use for. Called once everything is open. Capabilities belong to threads:
 * this is for the calling one alone. 0, -ERR_IO. control-only */
int privileges_drop(char *error);
