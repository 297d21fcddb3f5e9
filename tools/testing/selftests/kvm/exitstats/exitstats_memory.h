/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The kernel's own use of memory, for tests that look for leaks. Independent of the
 * selftests' framework.
 */
#ifndef SELFTEST_KVM_EXITSTATS_MEMORY_H
#define SELFTEST_KVM_EXITSTATS_MEMORY_H

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static inline long read_kernel_memory(void)
{
	static const char *const names[] = { "Slab", "VmallocUsed", "Percpu", NULL };
	FILE *file = fopen("/proc/meminfo", "r");
	char line[128], name[32];
	const char *const *n;
	long sum = 0, kb;

	while (file && fgets(line, sizeof(line), file))
		for (n = names; *n; n++)
			if (sscanf(line, "%31[^:]: %ld", name, &kb) == 2 && !strcmp(name, *n))
				sum += kb;
	if (file)
		fclose(file);
	return sum;
}

/*
 * Return slabs, vmalloc and per-CPU memory in KB, without file caches. RCU frees some memory
 * only after a grace period, so take the least of several readings within a second.
 */
static inline long kernel_memory(void)
{
	int fd = open("/proc/sys/vm/drop_caches", O_WRONLY), i;
	long least = -1, now;

	for (i = 0; i < 10; i++) {
		if (fd >= 0 && write(fd, "3", 1) != 1) {
			close(fd);
			fd = -1;
		}
		usleep(100000);
		now = read_kernel_memory();
		if (least < 0 || now < least)
			least = now;
	}
	if (fd >= 0)
		close(fd);
	return least;
}

#endif /* SELFTEST_KVM_EXITSTATS_MEMORY_H */
