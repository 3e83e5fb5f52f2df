/* SPDX-License-Identifier: Apache-2.0 */
#include "eal.h"

#include <dirent.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_errno.h>

#include "base/err.h"
#include "net/device.h"

#define ARGUMENTS_MAX  300
#define ARGUMENT_BYTES 288
#define MEMORY_MIN_MB  64

/* Arguments as EAL takes them; it may reorder the pointers, so the texts are kept apart. */
struct arguments {
	int count;
	char *pointers[ARGUMENTS_MAX + 1];
	char texts[ARGUMENTS_MAX][ARGUMENT_BYTES];
};

__attribute__((format(printf, 2, 3))) static void add(struct arguments *a, const char *format, ...)
{
	va_list list;

	if (a->count == ARGUMENTS_MAX)
		return;
	va_start(list, format);
	vsnprintf(a->texts[a->count], ARGUMENT_BYTES, format, list);
	va_end(list);
	a->pointers[a->count] = a->texts[a->count];
	a->count++;
}

static unsigned long number_in(const char *size, const char *name)
{
	unsigned long n = 0;
	char path[320];
	FILE *f;

	snprintf(path, sizeof(path), "/sys/kernel/mm/hugepages/%.200s/%s", size, name);
	f = fopen(path, "re");
	if (!f)
		return 0;
	if (fscanf(f, "%lu", &n) != 1)
		n = 0;
	fclose(f);
	return n;
}

/* MB in hugepages of all sizes that are free and promised to nobody. */
static uint64_t free_hugepages_mb(void)
{
	DIR *d = opendir("/sys/kernel/mm/hugepages");
	uint64_t total_kb = 0;
	struct dirent *e;

	if (!d)
		return 0;
	while ((e = readdir(d))) {
		unsigned long kb, n, promised;

		if (sscanf(e->d_name, "hugepages-%lukB", &kb) != 1)
			continue;
		n = number_in(e->d_name, "free_hugepages");
		promised = number_in(e->d_name, "resv_hugepages");
		total_kb += (uint64_t)(n > promised ? n - promised : 0) * kb;
	}
	closedir(d);
	return total_kb / 1024;
}

static void add_memory(struct arguments *a, const struct eal_config *config, bool hugepages)
{
	bool shared = false;

	for (unsigned i = 0; i < config->device_count; i++)
		shared |= device_shares_buffers(config->devices[i]);
	add(a, "--iova-mode=va");
	/* memif gives the other end one file with all of the memory, not one of each page */
	if (shared)
		add(a, "--single-file-segments");
	if (hugepages) {
		add(a, "--in-memory");
		return;
	}
	/* --in-memory does not go with -m. Memory is not taken before it is touched. */
	add(a, "--no-huge");
	add(a, "--no-shconf");
	add(a, "-m");
	add(a, "%u", config->memory_mb < MEMORY_MIN_MB ? MEMORY_MIN_MB : config->memory_mb);
}

static void add_devices(struct arguments *a, const struct eal_config *config)
{
	bool pci = false;

	for (unsigned i = 0; i < config->device_count; i++) {
		const char *device = config->devices[i];

		if (device_kind(device) == DEVICE_PCI) {
			add(a, "--allow=%s", device);
			pci = true;
		} else {
			add(a, "--vdev=%s", device);
		}
	}
	if (!pci)
		add(a, "--no-pci");
}

int eal_start(const struct eal_config *config, bool *ret_hugepages, char *error_text)
{
	uint64_t huge_mb = free_hugepages_mb();
	bool hugepages = huge_mb && huge_mb >= config->memory_mb;
	struct arguments *a = calloc(1, sizeof(*a));
	cpu_set_t cpus;
	int cpu = 0, status;

	if (!a) {
		snprintf(error_text, 256, "no memory");
		return -ERR_NOMEM;
	}
	pthread_getaffinity_np(pthread_self(), sizeof(cpus), &cpus);
	while (cpu < CPU_SETSIZE - 1 && !CPU_ISSET(cpu, &cpus))
		cpu++;
	add(a, "strowger");
	/* Lcore 0 on a CPU that we may use; the number of that CPU may be larger than DPDK's largest lcore. */
	add(a, "--lcores=0@%d", cpu);
	add(a, "--file-prefix=strowger-%d", (int)getpid());
	add(a, "--no-telemetry");
	add(a, "--log-level=%s", config->verbose ? "info" : "error");
	add_memory(a, config, hugepages);
	add_devices(a, config);
	status = rte_eal_init(a->count, a->pointers);
	/* EAL pinned this thread to its lcore, and every thread made later would inherit that. */
	pthread_setaffinity_np(pthread_self(), sizeof(cpus), &cpus);
	free(a);
	if (status < 0) {
		snprintf(error_text, 256, "DPDK does not start: %s (%u devices, %s)", rte_strerror(rte_errno), config->device_count,
			 hugepages ? "hugepages" : "no hugepages");
		return -ERR_IO;
	}
	*ret_hugepages = hugepages;
	return 0;
}

void eal_stop(void)
{
	rte_eal_cleanup();
}
