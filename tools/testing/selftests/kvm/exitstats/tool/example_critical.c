// SPDX-License-Identifier: GPL-2.0-only
/*
 * Did any VM exit happen in my critical section?
 *
 * This program runs a short loop, which should not exit, and a section that always exits.
 * Exit status 3 means that this host does not report exit statistics.
 */
#include <stdio.h>

#include "exitstats_read.h"

static void quiet_section(void)
{
	int i;

	for (i = 0; i < 1000; i++)
		__asm__ volatile("");
}

static void noisy_section(void)
{
	exitstats_cpuid(0, 0);
}

static unsigned long long exits_in(void (*critical_section)(void))
{
	struct exitstats before = exitstats_read();

	critical_section();
	return exitstats_between(before, exitstats_read());
}

int main(void)
{
	if (!exitstats_present()) {
		fprintf(stderr, "example_critical: this host does not report exit statistics\n");
		return 3;
	}

	exits_in(quiet_section);	/* warm up, so that its pages are in memory */
	printf("VM exits in the quiet section: %llu\n", exits_in(quiet_section));
	printf("VM exits in the noisy section: %llu\n", exits_in(noisy_section));
	return 0;
}
