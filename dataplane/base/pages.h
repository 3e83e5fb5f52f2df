/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stddef.h>

/* Zeroed pages from the system, touched when first used. From 2 MiB on huge ones: of those that the operator reserved (hugetlbfs) where
 * enough are left, else such as the kernel makes of itself (madvise). NULL: no memory. control-only */
void *pages_new(size_t bytes);
/* NULL is ignored; bytes as given to pages_new. control-only */
void pages_free(void *p, size_t bytes);
