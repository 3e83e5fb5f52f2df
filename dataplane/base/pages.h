/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stddef.h>

/* Zeroed memory from the system at a cache line's start, touched when first used, in huge pages: of those that the operator reserved (hugetlbfs) where
 * enough are left, else such as the kernel makes of itself (madvise). Up to 1 MiB shares one with its neighbours, which are freed when all of
 * them are: for what a worker uses all the time and what lives as long as it. NULL: no memory. control-only */
void *pages_new(size_t bytes);
/* NULL is ignored; bytes as given to pages_new. control-only */
void pages_free(void *p, size_t bytes);
/* Touches all of it now, its content staying what it is, so that nobody waits for the kernel to clear a page later. Where the kernel cannot
 * (before Linux 5.14, no memory) the pages are touched when first used. control-only */
void pages_touch(void *p, size_t bytes);
