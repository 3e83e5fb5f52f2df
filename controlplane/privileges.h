/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Gives up every capability that the running daemon has no use for. Called once everything is open. 0, -ERR_IO. control-only */
int privileges_drop(char *error);
