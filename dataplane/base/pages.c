/* SPDX-License-Identifier: Apache-2.0 */
#include "base/pages.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/poison.h"

#define HUGE_BYTES ((size_t)2 << 20)
#define SMALL_BYTES ((size_t)4096)
#define PART_MAX   (HUGE_BYTES / 2) /* more has huge pages of its own */
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
	return (bytes + HUGE_BYTES - 1) & ~(HUGE_BYTES - 1);
}

/* ---- less than a huge page: several share one */

/* At a huge page's start. Its bytes are given out once, so they are the kernel's zeros; what is given back lies idle until all of it is. */
struct shared {
	size_t used;
	unsigned parts; /* that are not given back */
};

#define PART_ALIGN 64

static pthread_mutex_t sharing = PTHREAD_MUTEX_INITIALIZER;
static struct shared *filling; /* the newest; NULL: there is none that has room */

static size_t part_bytes(size_t bytes)
{
	return (bytes + POISON_GAP_BYTES + PART_ALIGN - 1) & ~(size_t)(PART_ALIGN - 1);
}

static void *huge_pages(size_t bytes)
{
	void *p = reserved_pages(bytes);

	return p ? p : aligned_pages(bytes);
}

static void *part_new(size_t bytes)
{
	size_t room = part_bytes(bytes);
	void *p = NULL;

	pthread_mutex_lock(&sharing);
	if (!filling || HUGE_BYTES - filling->used < room) {
		struct shared *s = huge_pages(HUGE_BYTES);

		if (s) {
			s->used = PART_ALIGN;
			poison_region((uint8_t *)s + s->used, HUGE_BYTES - s->used);
			root_region(s, HUGE_BYTES);
			filling = s;
		}
	}
	if (filling && HUGE_BYTES - filling->used >= room) {
		p = (uint8_t *)filling + filling->used;
		unpoison_region(p, bytes);
		filling->used += room;
		filling->parts++;
	}
	pthread_mutex_unlock(&sharing);
	return p;
}

static void part_free(void *p)
{
	struct shared *s = (struct shared *)((uintptr_t)p & ~(uintptr_t)(HUGE_BYTES - 1));
	bool last;

	pthread_mutex_lock(&sharing);
	last = !--s->parts;
	if (last && s == filling)
		filling = NULL;
	pthread_mutex_unlock(&sharing);
	if (last) {
		unroot_region(s, HUGE_BYTES);
		unpoison_region(s, HUGE_BYTES); /* whoever gets these addresses next knows nothing of it */
		(void)munmap(s, HUGE_BYTES);
	}
}

void *pages_new(size_t bytes)
{
	if (!bytes || bytes > SIZE_MAX / 2)
		return NULL;
	return bytes <= PART_MAX ? part_new(bytes) : huge_pages(rounded(bytes));
}

void pages_free(void *p, size_t bytes)
{
	if (!p)
		return;
	if (bytes <= PART_MAX) {
		poison_region(p, bytes);
		part_free(p);
		return;
	}
	unpoison_region(p, rounded(bytes));
	(void)munmap(p, rounded(bytes));
}

void pages_touch(void *p, size_t bytes)
{
#ifdef MADV_POPULATE_WRITE
	uintptr_t from = (uintptr_t)p & ~(uintptr_t)(SMALL_BYTES - 1);

	if (p)
		(void)madvise((void *)from, (uintptr_t)p + bytes - from, MADV_POPULATE_WRITE);
#endif
}
