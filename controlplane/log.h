/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* One line to stderr; under systemd's journal it begins with the priority, "<6>". Only main, the daemon, the doors, the prober, the
 * resolver, the keeper of certificates and the call records' writer log. any */

enum log_level { LOG_LEVEL_ERROR = 3, LOG_LEVEL_WARNING = 4, LOG_LEVEL_NOTICE = 5, LOG_LEVEL_INFO = 6 };

void log_line(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));
