/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Lets the n-th allocation fail. Link with -Wl,--wrap=malloc,--wrap=calloc,--wrap=aligned_alloc,--wrap=mmap64,--wrap=pages_new:
 * calls from our own
 * objects come here (mmap by its 64-bit name, which meson asks for), those of shared libraries do not. */

#include <stdbool.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/types.h>

static long nomem_left = -1; /* allocations until one fails; negative: none does */
static bool nomem_hit;

void *__real_malloc(size_t bytes);
void *__real_calloc(size_t count, size_t bytes);
void *__real_aligned_alloc(size_t alignment, size_t bytes);
void *__real_mmap64(void *at, size_t bytes, int protection, int flags, int fd, off_t offset);
void *__real_pages_new(size_t bytes);
void *__wrap_malloc(size_t bytes);
void *__wrap_calloc(size_t count, size_t bytes);
void *__wrap_aligned_alloc(size_t alignment, size_t bytes);
void *__wrap_mmap64(void *at, size_t bytes, int protection, int flags, int fd, off_t offset);
void *__wrap_pages_new(size_t bytes);

static bool nomem_now(void)
{
	if (nomem_left < 0 || nomem_left-- > 0)
		return false;
	nomem_hit = true;
	return true;
}

void *__wrap_malloc(size_t bytes)
{
	return nomem_now() ? NULL : __real_malloc(bytes);
}

void *__wrap_calloc(size_t count, size_t bytes)
{
	return nomem_now() ? NULL : __real_calloc(count, bytes);
}

void *__wrap_aligned_alloc(size_t alignment, size_t bytes)
{
	return nomem_now() ? NULL : __real_aligned_alloc(alignment, bytes);
}

void *__wrap_mmap64(void *at, size_t bytes, int protection, int flags, int fd, off_t offset)
{
	return nomem_now() ? MAP_FAILED : __real_mmap64(at, bytes, protection, flags, fd, offset);
}

/* Most of it needs nothing of the system. */
void *__wrap_pages_new(size_t bytes)
{
	return nomem_now() ? NULL : __real_pages_new(bytes);
}

/* Runs scenario with its first allocation failing, then its second, until it meets no failure; returns how many there were. What is
 * not given back shows under LeakSanitizer. */
static inline unsigned nomem_run(void (*scenario)(void))
{
	unsigned n = 0;

	for (;; n++) {
		nomem_hit = false;
		nomem_left = n;
		scenario();
		nomem_left = -1;
		if (!nomem_hit)
			return n;
	}
}
