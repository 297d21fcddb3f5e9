// SPDX-License-Identifier: GPL-2.0-only
/*
 * lab_test: test the driver's choice of the emulator on various machines, its messages
 * for bad plans, and how it counts a processor's log.
 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest.h"
#include "lab.h"

#define MACHINE	"lab_test.machine"

/* Replaces the one in lab.c, which is not linked as it has a main(), too */
void die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	exit(LAB_ERROR);
}

static void write_file(const char *path, const char *text)
{
	FILE *to = fopen(path, "w");

	if (!to || fputs(text, to) < 0 || fclose(to))
		ksft_exit_fail_msg("%s: %m\n", path);
}

/* Make up a machine in a directory. @flag is in /proc/cpuinfo; @kvm: it has /dev/kvm. */
static void machine(const char *flag, const char *nested, bool kvm)
{
	if (system("rm -rf " MACHINE "; mkdir -p " MACHINE "/proc " MACHINE "/dev "
		   MACHINE "/sys/module/kvm_intel/parameters "
		   MACHINE "/sys/module/kvm_amd/parameters"))
		ksft_exit_fail_msg("no machine\n");
	write_file(MACHINE "/proc/cpuinfo",
		   format("flags\t\t: fpu %s sse\nvmx flags\t: vnmi\n", flag));
	write_file(MACHINE "/sys/module/kvm_intel/parameters/nested", nested);
	write_file(MACHINE "/sys/module/kvm_amd/parameters/nested", nested);
	if (kvm)
		write_file(MACHINE "/dev/kvm", "");
}

static bool oracle;	/* the plan needs the log of an emulated processor */

/* On this machine, LAB=@asked chooses @expected, with a remark that contains @says. */
static void chooses(const char *asked, bool svm, int expected, const char *says,
		    const char *what)
{
	char *why;
	int chosen = choose_emulator(asked, svm, oracle, MACHINE, &why);

	ksft_test_result(chosen == expected && (says ? why && strstr(why, says) : !why),
			 "emulator: %s\n", what);
	if (why)
		ksft_print_msg("%s\n", why);
}

/* Reading the plan @text must end its process with one line that contains @says. */
static void refuses(const char *text, const char *says, const char *what)
{
	char buf[512] = "";
	int out[2], status;
	ssize_t n;

	write_file("lab_test.plan", text);
	if (pipe(out))
		ksft_exit_fail_msg("pipe: %m\n");
	fflush(stdout);
	if (!fork()) {
		struct lab lab = { .build = ".", .source = "." };
		struct plan plan = {};

		dup2(out[1], 1);
		set_variable("ARGS", "a 'b", false);
		read_plan(&lab, &plan, "lab_test.plan");
		exit(0);
	}
	close(out[1]);
	n = read(out[0], buf, sizeof(buf) - 1);
	buf[n > 0 ? n : 0] = 0;
	close(out[0]);
	wait(&status);
	ksft_test_result(WEXITSTATUS(status) == LAB_ERROR && strstr(buf, says) &&
			 !strchr(buf, '\n'), "plan: %s\n", what);
	ksft_print_msg("%s\n", buf);
}

/* Two texts share a line. Feeding single bytes cuts each text everywhere. */
static bool oracle_counts(void)
{
	static const char log[] = "vmexit(00000072, 0)vmexit(00000400, 1) x\nvmrun! 10\n"
				  "vmexit(00000072, 0000000000000000, 0000000000000000)\n"
				  "vmexit(ffffffff, 0000000000000000, 0000000000000000)\n";
	char line[64] = "";
	size_t i;
	FILE *from;
	int a = 0, b = 0, c = 0;

	for (i = 0; i < sizeof(log) - 1; i++)
		oracle_feed(log + i, 1, true);
	oracle_write("lab_test.csv", true);
	from = fopen("lab_test.csv", "r");
	while (from && fgets(line, sizeof(line), from)) {
		a += !strcmp(line, "114,2\n");
		b += !strcmp(line, "1024,1\n");
		c += !strcmp(line, "1280,1\n");
	}
	return a == 1 && b == 1 && c == 1;
}

int main(void)
{
	ksft_print_header();
	ksft_set_plan(22);

	machine("lm", "Y\n", true);
	chooses(NULL, false, BOCHS, NULL, "no VMX: Bochs, without a remark");
	chooses(NULL, true, QEMU_TCG, NULL, "no SVM: TCG, without a remark");
	chooses("kvm", false, -1, "no VMX", "no VMX: LAB=kvm says so");
	chooses("kvm", true, -1, "no SVM", "no SVM: LAB=kvm says so");
	chooses("xen", false, -1, "LAB=xen: neither", "LAB=xen is refused");
	machine("vmx", "Y\n", true);
	chooses(NULL, false, QEMU_KVM, NULL, "VMX, /dev/kvm, nested=Y: KVM");
	chooses("bochs", false, BOCHS, NULL, "VMX, /dev/kvm, nested=Y: LAB=bochs is honoured");
	chooses(NULL, true, QEMU_TCG, NULL, "VMX does not help an AMD host");
	oracle = true;
	chooses(NULL, false, BOCHS, NULL, "the oracle needs Bochs, also with VMX");
	chooses("kvm", false, -1, "LAB=bochs", "the oracle refuses LAB=kvm");
	oracle = false;
	machine("svm", "1\n", true);
	chooses("kvm", true, QEMU_KVM, NULL, "SVM, /dev/kvm, nested=1: LAB=kvm");
	chooses(NULL, false, BOCHS, NULL, "SVM does not help an Intel host");
	machine("vmx", "N\n", true);
	chooses(NULL, false, BOCHS, "nested=1", "nested=N: Bochs, and what to do");
	chooses("kvm", false, -1, "nested=1", "nested=N: LAB=kvm says what to do");
	machine("svm", "Y\n", false);
	chooses(NULL, true, QEMU_TCG, "no /dev/kvm", "no /dev/kvm: TCG, and what to do");
	chooses("kvm", true, -1, "no /dev/kvm", "no /dev/kvm: LAB=kvm says what to do");

	refuses("run x $ARGS\n", "unbalanced quotes", "unbalanced quotes");
	refuses("jump over it\n", "lab_test.plan:1: jump", "an unknown word");
	refuses("for x 1 2\nkvm $x\n", "1 end is missing", "a loop without an end");
	refuses("kvm ept=$epd\n", "no such variable", "an unknown variable");
	refuses("run nothing_test\n", "no such program", "a program that is not built");
	ksft_test_result(oracle_counts(), "oracle: a processor's log is counted\n");
	ksft_finished();
}
