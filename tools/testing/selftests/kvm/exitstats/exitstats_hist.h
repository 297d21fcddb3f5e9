/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tracing's own count of every exit, for the tests of KVM exitstats: a hist trigger on
 * kvm:kvm_exit, by thread. That is by vCPU if each vCPU has its own thread.
 */
#ifndef SELFTEST_KVM_EXITSTATS_HIST_H
#define SELFTEST_KVM_EXITSTATS_HIST_H

#include <sys/syscall.h>

#include "exitstats_util.h"

#define TRACING		"/sys/kernel/tracing/"
#define EXIT_EVENT	TRACING "events/kvm/kvm_exit/"

static inline void tracing_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_TRUNC);

	TEST_ASSERT(fd >= 0, "%s: %s", path, strerror(errno));
	test_write(fd, text, strlen(text));
	close(fd);
}

static inline bool hist_is_there(void)
{
	return !access(EXIT_EVENT "hist", R_OK);
}

/* A unique name tells this trigger from others. */
static inline void hist_name(char *name, size_t size)
{
	snprintf(name, size, "hist:name=exitstats_%d:keys=common_pid,exit_reason", getpid());
}

static inline void hist_start(void)
{
	char name[80];

	hist_name(name, sizeof(name));
	tracing_write(EXIT_EVENT "trigger", name);
}

static inline void hist_stop(void)
{
	char name[80] = "!";

	hist_name(name + 1, sizeof(name) - 1);
	tracing_write(EXIT_EVENT "trigger", name);
}

#define HIST_LINE " { common_pid: %d, exit_reason: %lu } hitcount: %lu"

/* The calling thread's hits since hist_start() */
static inline void hist_read(u64 *hits)
{
	FILE *hist = fopen(EXIT_EVENT "hist", "r");
	char line[256], name[80];
	int tid = syscall(SYS_gettid), by;
	bool mine = false;
	u64 reason, n;

	TEST_ASSERT(hist, "%s: %s", EXIT_EVENT "hist", strerror(errno));
	hist_name(name, sizeof(name));
	memset(hits, 0, MAX_SLOTS * sizeof(*hits));
	while (fgets(line, sizeof(line), hist)) {
		if (strstr(line, "trigger info:"))
			mine = strstr(line, name);
		if (mine && !strncmp(line, "    Dropped:", 12))
			TEST_ASSERT(!atoi(line + 12), "the histogram is too small");
		if (!mine || sscanf(line, HIST_LINE, &by, &reason, &n) != 3 || by != tid)
			continue;
		/* The event has all 32 bits of the reason; on VMX, the upper half has flags. */
		hits[slot_of(by_vendor(reason & 0xffff, reason))] += n;
	}
	fclose(hist);
}

/* KVM does not trace INVALID_STATE exits that it synthesizes while it emulates. */
static inline void assert_hist(const u64 *exits, const u64 *hits)
{
	bool same = true, synthesized = emulates_invalid_state();
	int i;

	for (i = 0; i < NR_SLOTS; i++) {
		if (exits[i] == hits[i] || (synthesized && i == EXIT_REASON_INVALID_STATE))
			continue;
		ksft_print_msg("reason %d: exitstats %lu, kvm:kvm_exit %lu\n", i,
			       exits[i], hits[i]);
		same = false;
	}
	TEST_ASSERT(same, "exitstats and kvm:kvm_exit disagree");
}

#endif /* SELFTEST_KVM_EXITSTATS_HIST_H */
