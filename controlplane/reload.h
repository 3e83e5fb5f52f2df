/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

struct control;

/* SIGHUP: reads again what can be, certificates and routing, and says in the log what was done, what was not and why. What fails leaves
 * everything in force as it was. control-only */
void reload_file(struct control *c);
