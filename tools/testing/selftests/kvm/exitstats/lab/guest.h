/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * QEMU's guest of the lab, started by a test in the emulated host.
 */
#ifndef LAB_GUEST_H
#define LAB_GUEST_H

#include <signal.h>
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

#endif /* LAB_GUEST_H */
