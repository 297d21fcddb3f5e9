/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * For tests that run in the emulated host and start the lab's QEMU guest themselves.
 */
#ifndef LAB_GUEST_H
#define LAB_GUEST_H

#include <cpuid.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <unistd.h>

/*
 * Start the guest as init's command "guest" does with @options. Its messages (stream.h)
 * go to @out. Return the pid of a process, or -1. The process ends after QEMU, and at the
 * latest with the test. Its exit status is the guest's, or GUEST_DIED.
 */
static inline pid_t start_guest(char *const options[], int out)
{
	char *argv[16] = { "/init", "guest" };
	pid_t pid = fork();
	int i;

	if (pid)
		return pid;
	for (i = 0; options[i] && i < 13; i++)
		argv[2 + i] = options[i];
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	dup2(out, 1);
	execv(argv[0], argv);
	_exit(127);
}

#define GUEST_DIED	125

/* With SVM, KVM's vendor module is kvm_amd, not kvm_intel. */
static inline bool vendor_is_amd(void)
{
	unsigned int a, b, c = 0, d;

	return __get_cpuid(0x80000001, &a, &b, &c, &d) && c & 1 << 2;
}

#endif /* LAB_GUEST_H */
