// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM exitstats against tracing, which counts every exit independently: a hist trigger on
 * kvm:kvm_exit must have the same counts, reason by reason.
 */
#include "exitstats_hist.h"

#define CPUID_EVENT	TRACING "events/kvm/kvm_cpuid/"
#define DYNAMIC_DEBUG	"/sys/kernel/debug/dynamic_debug/control"

#define TEST_PAGES	64

KVM_ONE_VCPU_TEST_SUITE(exitstats_trace);

/* A mix of exits: slow, in the fastpath, in KVM, to userspace */
static void guest_mixture(void)
{
	int i;

	x2apic_enable();
	for (i = 0; i < TEST_PAGES; i++) {
		memory_write(TEST_MEMORY + i * PAGE_SIZE);
		memory_write(TEST_MMIO);
		port_write(TEST_PORT);
		flush_caches();
		asm volatile("invlpg (%0)" : : "r"(TEST_MEMORY));
		kvm_hypercall(KVM_HC_VAPIC_POLL_IRQ, 0, 0, 0, 0);
		wrmsr(APIC_BASE_MSR + (APIC_ICR >> 4),
		      APIC_INT_ASSERT | APIC_DM_FIXED | TEST_VECTOR);
		kick_on_svm(0);
		asm volatile("sti; hlt; cli" : : : "memory");
		exits_of(i);
	}
	GUEST_DONE();
}

TEST_F(exitstats_trace, kvm_exit_histogram)
{
	struct kvm_vcpu *vcpu = self->vcpu;
	u64 hits[MAX_SLOTS];
	struct stats stats;

	if (!hist_is_there())
		SKIP(return, "no " EXIT_EVENT "hist: needs tracefs, hist triggers and root");

	vm_userspace_mem_region_add(vcpu->vm, VM_MEM_SRC_ANONYMOUS, TEST_MEMORY, 1, TEST_PAGES, 0);
	virt_map(vcpu->vm, TEST_MEMORY, TEST_MEMORY, TEST_PAGES);
	virt_map(vcpu->vm, TEST_MMIO, TEST_MMIO, 1);
	vm_install_exception_handler(vcpu->vm, TEST_VECTOR, guest_irq_handler);
	vcpu_arch_set_entry_point(vcpu, guest_mixture);

	hist_start();
	run_to_done(vcpu);
	hist_read(hits);
	hist_stop();

	read_stats(vcpu, &stats);
	assert_hist(stats.exits_by_reason, hits);
	TEST_ASSERT(hits[EXIT_FLUSH] == TEST_PAGES, "the trigger missed exits");
}

static struct leaf guest_read;

static void guest_reading(void)
{
	guest_read = read_leaf(KVM_EXITSTATS_LEAF_REASON, EXIT_CPUID);
	GUEST_DONE();
}

/* kvm:kvm_cpuid shows the values that the guest reads, as an entry that was found. */
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
		 KVM_EXITSTATS_LEAF_REASON, (u32)EXIT_CPUID,
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

static void debug_prints(const char *flag)
{
	char query[64];

	snprintf(query, sizeof(query), "func __kvm_exitstats_cpuid %s", flag);
	tracing_write(DYNAMIC_DEBUG, query);
}

/* Skip what is in the kernel's log, or count its new lines that contain @text. */
static int new_log_lines(int log, const char *text)
{
	char line[1024];
	ssize_t len;
	int n = 0;

	for (;;) {
		len = read(log, line, sizeof(line) - 1);
		if (len < 0 && errno == EPIPE)	/* the log has lost lines */
			continue;
		if (len < 0)
			return n;
		line[len] = 0;
		n += !!strstr(line, text);
	}
}

/* The kernel's log shows each reading, once somebody asks for that. */
TEST_F(exitstats_trace, debug_print)
{
	int log = open("/dev/kmsg", O_RDONLY | O_NONBLOCK);
	char expected[128];
	u64 exits, cycles;

	if (log < 0 || access(DYNAMIC_DEBUG, W_OK))
		SKIP(return, "no " DYNAMIC_DEBUG ": needs CONFIG_DYNAMIC_DEBUG and root");

	new_log_lines(log, "");
	debug_prints("+p");
	vcpu_arch_set_entry_point(self->vcpu, guest_reading);
	run_to_done(self->vcpu);
	debug_prints("-p");

	sync_global_from_guest(self->vcpu->vm, guest_read);
	exits = guest_read.eax;
	cycles = make_u64(guest_read.ebx, guest_read.ecx);
	snprintf(expected, sizeof(expected),
		 "exitstats: leaf %x selector %x: %lu exits, %lu cycles\n",
		 KVM_EXITSTATS_LEAF_REASON, (u32)EXIT_CPUID, exits, cycles);
	TEST_ASSERT(new_log_lines(log, expected) == 1, "not in the log: %s", expected);

	vcpu_arch_set_entry_point(self->vcpu, guest_reading);
	run_to_done(self->vcpu);
	TEST_ASSERT_EQ(new_log_lines(log, "exitstats: leaf"), 0);
	close(log);
}

int main(int argc, char *argv[])
{
	require_exitstats();
	return test_harness_run(argc, argv);
}
