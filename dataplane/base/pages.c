/* SPDX-License-Identifier: Apache-2.0 */
#include "base/pages.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/poison.h"

#define HUGE_BYTES ((size_t)2 << 20)
#define LEFT_MIN   ((size_t)64 << 20) /* of the reserved ones, for what DPDK makes later */
#define LEFT_SHARE 4		      /* and a fourth of them for whoever else counts on them */

#ifndef MAP_HUGE_SHIFT
#define MAP_HUGE_SHIFT 26
#endif

static size_t number_in(const char *name)
{
	char path[96], text[24] = "";
	int fd;

	snprintf(path, sizeof(path), "/sys/kernel/mm/hugepages/hugepages-2048kB/%s", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	if (read(fd, text, sizeof(text) - 1) < 0)
		text[0] = '\0';
	close(fd);
	return (size_t)strtoul(text, NULL, 10);
}

/* From the pages that the operator set aside, which the kernel need not search for; whole, or not at all. */
static void *reserved_pages(size_t bytes)
{
	size_t available = number_in("free_hugepages"), promised = number_in("resv_hugepages");
	size_t left = number_in("nr_hugepages") / LEFT_SHARE * HUGE_BYTES;
	void *p;

	if (left < LEFT_MIN)
		left = LEFT_MIN;
	if (available < promised || (available - promised) * HUGE_BYTES < bytes + left)
		return NULL;
	p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | 21 << MAP_HUGE_SHIFT, -1, 0);
	return p == MAP_FAILED ? NULL : p;
}

/* Such as the kernel puts together as they are touched: only where both ends are aligned. */
static void *aligned_pages(size_t bytes)
{
	uint8_t *p = mmap(NULL, bytes + HUGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	size_t before;

	if (p == MAP_FAILED)
		return NULL;
	before = -(uintptr_t)p & (HUGE_BYTES - 1);
	if (before)
		(void)munmap(p, before);
	if (before < HUGE_BYTES)
		(void)munmap(p + before + bytes, HUGE_BYTES - before);
	(void)madvise(p + before, bytes, MADV_HUGEPAGE); /* a wish: 4 kB pages do as well */
	return p + before;
}

static size_t rounded(size_t bytes)
{
	return bytes < HUGE_BYTES ? bytes : (bytes + HUGE_BYTES - 1) & ~(HUGE_BYTES - 1);
}

void *pages_new(size_t bytes)
{
	void *p;

	if (!bytes || bytes > SIZE_MAX / 2)
		return NULL;
	if (bytes >= HUGE_BYTES) {
		p = reserved_pages(rounded(bytes));
		return p ? p : aligned_pages(rounded(bytes));
	}
	p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return p == MAP_FAILED ? NULL : p;
}

void pages_free(void *p, size_t bytes)
{
	if (!p)
		return;
	unpoison_region(p, rounded(bytes)); /* whoever gets these addresses next knows nothing of it */
	(void)munmap(p, rounded(bytes));
}

void pages_touch(void *p, size_t bytes)
{
#ifdef MADV_POPULATE_WRITE
	if (p)
		(void)madvise(p, rounded(bytes), MADV_POPULATE_WRITE);
#endif
}
