/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdint.h>

/* Of what stat says of a file, mixed into `hash`: another one where it was written or replaced. any */
uint64_t file_signature(uint64_t hash, const char *path);
