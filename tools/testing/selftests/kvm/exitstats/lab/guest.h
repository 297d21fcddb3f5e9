/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The emulated host, and QEMU's guest of the lab, started by a test there.
 */
#ifndef LAB_GUEST_H
#define LAB_GUEST_H

#include <cpuid.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <unistd.h>

/*
 * Start init's guest, with @options of that command, its messages (stream.h) going to
 * @out. Return init's pid, which ends after QEMU: with the guest's exit status, or with
 * GUEST_DIED; or -1. It does not outlive the test.
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

/* The host's processor has SVM: KVM's vendor module is kvm_amd, not kvm_intel. */
static inline bool vendor_is_amd(void)
{
	unsigned int a, b, c = 0, d;

	return __get_cpuid(0x80000001, &a, &b, &c, &d) && c & 1 << 2;
}

#endif /* LAB_GUEST_H */
