/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stddef.h>

/* Zeroed pages from the system, touched when first used; huge ones where the kernel gives them. NULL: no memory. control-only */
void *pages_new(size_t bytes);
/* NULL is ignored. control-only */
void pages_free(void *p, size_t bytes);
