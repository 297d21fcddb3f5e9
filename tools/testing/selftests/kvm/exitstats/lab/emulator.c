// SPDX-License-Identifier: GPL-2.0-only
/*
 * Choose the emulator and its command line.
 *
 * Bochs emulates VMX, and QEMU's TCG emulates SVM. Where this machine's KVM can nest,
 * QEMU with KVM is a hundred times as fast, but provides only its own vendor's extension.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lab.h"

static bool file_has(const char *path, const char *line_start, const char *word)
{
	FILE *from = fopen(path, "re");
	size_t size = 0, len = strlen(word);
	char *line = NULL, *p;
	bool found = false;

	while (from && !found && getline(&line, &size, from) > 0) {
		if (strncmp(line, line_start, strlen(line_start)))
			continue;
		for (p = line; (p = strstr(p, word)); p += len) {
			if ((p == line || strchr(" \t", p[-1])) && strchr("\n ", p[len])) {
				found = true;
				break;
			}
		}
	}
	if (from)
		fclose(from);
	free(line);
	return found;
}

/*
 * @asked is the value of LAB=, or NULL. @oracle: the plan needs the log of an emulated
 * processor. Return the emulator, and in @why a remark on the choice, or NULL. If the choice
 * is impossible, return a negative number, and the error in @why. @root replaces / for the
 * test.
 */
enum emulator choose_emulator(const char *asked, bool svm, bool oracle, const char *root,
			      char **why)
{
	const char *flag = svm ? "svm" : "vmx", *module = svm ? "kvm_amd" : "kvm_intel";
	enum emulator emulated = svm ? QEMU_TCG : BOCHS;
	const char *name = svm ? "tcg" : "bochs";
	char *dev = format("%s/dev/kvm", root), *missing = NULL;
	char *nested = format("%s/sys/module/%s/parameters/nested", root, module);
	bool has_flag;

	*why = NULL;
	if (asked && strcmp(asked, "kvm")) {
		/* For an AMD host, LAB=bochs means TCG: an emulator, not KVM. */
		if (!strcmp(asked, name) || !strcmp(asked, "bochs"))
			return emulated;
		*why = format("LAB=%s: neither bochs nor kvm", asked);
		return -1;
	}
	if (oracle && asked) {
		*why = format("LAB=kvm: this plan needs a processor that logs its exits: LAB=%s",
			      name);
		return -1;
	}
	if (oracle)
		return emulated;

	has_flag = file_has(format("%s/proc/cpuinfo", root), "flags", flag);
	if (!has_flag)
		missing = format("this processor has no %s (no %s in /proc/cpuinfo)",
				 svm ? "SVM" : "VMX", flag);
	else if (access(dev, F_OK))
		missing = format("there is no /dev/kvm: modprobe %s", module);
	else if (access(dev, R_OK | W_OK))
		missing = format("/dev/kvm is not yours: run as root, or join its group");
	else if (!file_has(nested, "", "Y") && !file_has(nested, "", "1"))
		missing = format("KVM does not nest: modprobe -r %s; modprobe %s nested=1",
				 module, module);
	if (!missing)
		return QEMU_KVM;
	if (asked) {
		*why = format("LAB=kvm: %s", missing);
		return -1;
	}
	/* Users who have VMX or SVM may want to know why they do not get the fast lab. */
	if (has_flag)
		*why = format("in %s, not QEMU with KVM: %s", svm ? "TCG" : "Bochs", missing);
	return emulated;
}

static void add_words(struct words *words, char *text)
{
	char *word, *next = NULL;

	for (word = strtok_r(text, " ", &next); word; word = strtok_r(NULL, " ", &next))
		add_word(words, word);
}

/* The emulator starts in the run's own directory; paths are relative to it. */
struct words emulator_command(struct lab *lab, struct plan *plan, enum emulator emulator)
{
	struct words w = {};
	char *accel;

	/* Bochs with two CPUs hangs in HLT. */
	plan->append = format("console=ttyS0,115200 panic=-1 reboot=t printk.devkmsg=on%s%s%s%s",
			      emulator == BOCHS && plan->host_cpus > 1 ? " idle=poll" : "",
			      /*
			       * On a busy machine, TCG's timers can fail Linux's checks. When
			       * the TSC is unstable, KVM stops the guest's TSC now and then.
			       */
			      emulator == QEMU_TCG ? " no_timer_check tsc=nowatchdog" : "",
			      plan->append ? " " : "", plan->append ?: "");
	if (emulator == BOCHS) {
		if (plan->icount)
			die("icount is QEMU's: in Bochs, the TSC counts instructions anyway");
		/* Debian's Bochs is a debugger. Without "c" it would wait at its prompt. */
		add_words(&w, format("bochs -q -f %s/bochsrc -rc debugger", lab->source));
		add_word(&w, format("cpu: count=%ld", plan->host_cpus));
		if (plan->oracle) {
			add_word(&w, "log: oracle");
			add_word(&w, plan->host_cpus > 1 ?
				 "debug: action=ignore, cpu0=report, cpu1=report" :
				 "debug: action=ignore, cpu0=report");
		}
	} else {
		/*
		 * If TCG translates code while another processor changes it, it may go on with
		 * the old code: a breakpoint of text_poke() then stays forever. QEMU 8.1 locks
		 * the page (tb_lock_page0()), 7.2 does not.
		 */
		accel = emulator == QEMU_KVM ? "kvm -cpu host" : !plan->svm ? NULL :
			plan->host_cpus == 1 || plan->parallel ? "tcg -cpu EPYC,svm=on,npt=on" :
			"tcg,thread=single -cpu EPYC,svm=on,npt=on";
		add_words(&w, format("qemu-system-x86_64 -accel %s", plan->accel ?: accel));
		add_words(&w, format("-smp %ld -m 1024 -nodefaults -display none -no-reboot",
				     plan->host_cpus));
		add_words(&w, format("-serial file:console.log -serial file:stream"));
		add_words(&w, format("-initrd run.cpio -kernel"));
		add_word(&w, plan->kernel ?: format("%s/linux/arch/x86/boot/bzImage", lab->build));
		add_word(&w, "-append");
		add_word(&w, plan->append);
		if (plan->icount)
			add_words(&w, format("-icount shift=0,sleep=off -rtc clock=vm"));
		if (plan->oracle)
			add_words(&w, format("-d in_asm -dfilter 0x1+1 -D oracle"));
	}
	add_word(&w, NULL);
	return w;
}
