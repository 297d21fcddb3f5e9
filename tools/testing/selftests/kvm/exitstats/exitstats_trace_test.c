// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM exitstats against tracing, which has its own idea of every exit: a hist
 * trigger on kvm:kvm_exit must come to the same counts, reason by reason.
 */
#include <linux/kvm_para.h>

#include "apic.h"
#include "exitstats_util.h"

#define TRACING		"/sys/kernel/tracing/"
#define EXIT_EVENT	TRACING "events/kvm/kvm_exit/"
#define CPUID_EVENT	TRACING "events/kvm/kvm_cpuid/"

#define TEST_PORT	0x80
#define TEST_MMIO	0x50000000ul
#define TEST_MEMORY	0x40000000ul
#define TEST_PAGES	64
#define TEST_VECTOR	0x40

KVM_ONE_VCPU_TEST_SUITE(exitstats_trace);

static void tracing_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_TRUNC);

	TEST_ASSERT(fd >= 0, "%s: %s", path, strerror(errno));
	test_write(fd, text, strlen(text));
	close(fd);
}

static void guest_irq_handler(struct ex_regs *regs)
{
	x2apic_write_reg(APIC_EOI, 0);
}

/* Some of everything: slow, fast, in KVM, in userspace. */
static void guest_mixture(void)
{
	int i;

	x2apic_enable();
	for (i = 0; i < TEST_PAGES; i++) {
		memory_write(TEST_MEMORY + i * PAGE_SIZE);
		memory_write(TEST_MMIO);
		port_write(TEST_PORT);
		asm volatile("invd");
		asm volatile("invlpg (%0)" : : "r"(TEST_MEMORY));
		kvm_hypercall(KVM_HC_VAPIC_POLL_IRQ, 0, 0, 0, 0);
		wrmsr(APIC_BASE_MSR + (APIC_ICR >> 4),
		      APIC_INT_ASSERT | APIC_DM_FIXED | TEST_VECTOR);
		asm volatile("sti; hlt; cli" : : : "memory");
		exits_of(i);
	}
	GUEST_DONE();
}

#define HIST_LINE " { exit_reason: %lu } hitcount: %lu"

/* The hitcount lines of the histogram that @trigger made. */
static void read_hist(const char *trigger, u64 *hits)
{
	FILE *hist = fopen(EXIT_EVENT "hist", "r");
	bool mine = false;
	char line[256];
	u64 reason, n;

	TEST_ASSERT(hist, "%s: %s", EXIT_EVENT "hist", strerror(errno));
	memset(hits, 0, NR_SLOTS * sizeof(*hits));
	while (fgets(line, sizeof(line), hist)) {
		if (strstr(line, "trigger info:"))
			mine = strstr(line, trigger);
		if (!mine || sscanf(line, HIST_LINE, &reason, &n) != 2)
			continue;
		/* The event has all 32 bits. */
		reason &= 0xffff;
		hits[reason < NR_REASONS ? reason : NR_REASONS] += n;
	}
	fclose(hist);
}

TEST_F(exitstats_trace, kvm_exit_histogram)
{
	bool same = true, synthesized = !get_kvm_intel_param_bool("unrestricted_guest");
	struct kvm_vcpu *vcpu = self->vcpu;
	char filter[64], trigger[128];
	u64 hits[NR_SLOTS];
	struct stats stats;
	int i;

	if (access(EXIT_EVENT "hist", R_OK))
		SKIP(return, "no " EXIT_EVENT "hist: needs tracefs, hist triggers and root");

	vm_userspace_mem_region_add(vcpu->vm, VM_MEM_SRC_ANONYMOUS, TEST_MEMORY, 1, TEST_PAGES, 0);
	virt_map(vcpu->vm, TEST_MEMORY, TEST_MEMORY, TEST_PAGES);
	virt_map(vcpu->vm, TEST_MMIO, TEST_MMIO, 1);
	vm_install_exception_handler(vcpu->vm, TEST_VECTOR, guest_irq_handler);
	vcpu_arch_set_entry_point(vcpu, guest_mixture);

	/* Other VMs of this host are none of our business. */
	snprintf(filter, sizeof(filter), "common_pid == %d", getpid());
	snprintf(trigger, sizeof(trigger), "hist:keys=exit_reason if %s", filter);
	tracing_write(EXIT_EVENT "trigger", trigger);
	run_to_done(vcpu);
	read_hist(filter, hits);
	snprintf(trigger, sizeof(trigger), "!hist:keys=exit_reason if %s", filter);
	tracing_write(EXIT_EVENT "trigger", trigger);

	read_stats(vcpu, &stats);
	for (i = 0; i < NR_SLOTS; i++) {
		/* What KVM makes up it does not trace. */
		if (stats.exits_by_reason[i] == hits[i] ||
		    (synthesized && i == EXIT_REASON_INVALID_STATE))
			continue;
		ksft_print_msg("reason %d: exitstats %lu, kvm:kvm_exit %lu\n", i,
			       stats.exits_by_reason[i], hits[i]);
		same = false;
	}
	TEST_ASSERT(same, "exitstats and kvm:kvm_exit disagree");
	TEST_ASSERT(hits[EXIT_REASON_INVD] == TEST_PAGES, "the trigger saw nothing");
}

static struct leaf guest_read;

static void guest_reading(void)
{
	guest_read = read_leaf(KVM_EXITSTATS_LEAF_REASON, EXIT_REASON_CPUID);
	GUEST_DONE();
}

/* kvm:kvm_cpuid shows what the guest gets, as an entry that was found. */
TEST_F(exitstats_trace, kvm_cpuid)
{
	char line[512], expected[256];
	bool found = false;
	FILE *trace;

	if (access(CPUID_EVENT "enable", W_OK))
		SKIP(return, "no " CPUID_EVENT "enable: needs tracefs and root");

	tracing_write(CPUID_EVENT "enable", "1");
	vcpu_arch_set_entry_point(self->vcpu, guest_reading);
	run_to_done(self->vcpu);
	tracing_write(CPUID_EVENT "enable", "0");

	sync_global_from_guest(self->vcpu->vm, guest_read);
	snprintf(expected, sizeof(expected),
		 "func %x idx %x rax %x rbx %x rcx %x rdx %x, cpuid entry found\n",
		 KVM_EXITSTATS_LEAF_REASON, EXIT_REASON_CPUID,
		 guest_read.eax, guest_read.ebx, guest_read.ecx, guest_read.edx);

	trace = fopen(TRACING "trace", "r");
	TEST_ASSERT(trace, "%s: %s", TRACING "trace", strerror(errno));
	while (fgets(line, sizeof(line), trace)) {
		if (strstr(line, "kvm_cpuid: ") && strstr(line, expected))
			found = true;
	}
	fclose(trace);
	TEST_ASSERT(found, "not in the trace: %s", expected);
}

int main(int argc, char *argv[])
{
	require_exitstats();
	return test_harness_run(argc, argv);
}
