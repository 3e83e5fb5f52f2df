/* SPDX-License-Identifier: Apache-2.0 */
#include "base/pages.h"

#include <sys/mman.h>

#define HUGE_BYTES ((size_t)2 << 20)

void *pages_new(size_t bytes)
{
	void *p;

	if (!bytes)
		return NULL;
	p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		return NULL;
	if (bytes >= 2 * HUGE_BYTES)
		(void)madvise(p, bytes, MADV_HUGEPAGE); /* a wish: 4 kB pages do as well */
	return p;
}

void pages_free(void *p, size_t bytes)
{
	if (p)
		(void)munmap(p, bytes);
}
