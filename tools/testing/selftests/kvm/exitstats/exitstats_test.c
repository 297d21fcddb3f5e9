// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM exitstats: a guest causes a known number of exits of one kind, and reads that number
 * from the leaves.
 *
 * The host's interrupts cause exits at any time, and each report to the test is an exit for
 * port I/O. So only the difference of two readings by the guest is exact, for one reason.
 */
#include "exitstats_util.h"

#define TEST_PAGES	64		/* twice that is less than a page table maps */

KVM_ONE_VCPU_TEST_SUITE(exitstats);

/* With EPT or NPT? KVM must intercept more without. */
static bool nested;

static void run_paging_case(struct kvm_vcpu *vcpu)
{
	sync_global_to_guest(vcpu->vm, nested);
	run_to_done(vcpu);
}

static void guest_cpuid(void)
{
	u32 eax, ebx, ecx, edx;

	GUEST_ASSERT_EQ(exits_of(EXIT_CPUID), 0);
	/* A reading's own exit is only in the next reading. */
	GUEST_ASSERT_EQ(exits_of(EXIT_CPUID), 1);
	GUEST_ASSERT_EQ(exits_during(EXIT_CPUID, 100,
				     __cpuid(0, 0, &eax, &ebx, &ecx, &edx)), 101);
	GUEST_DONE();
}

KVM_ONE_VCPU_TEST(exitstats, cpuid, guest_cpuid)
{
	run_to_done(vcpu);
}

static void guest_port_io(void)
{
	GUEST_ASSERT_EQ(exits_during(EXIT_IO, 20, port_read(TEST_PORT)), 20);
	GUEST_ASSERT_EQ(exits_during(EXIT_IO, 20, port_write(TEST_PORT)), 20);
	GUEST_DONE();
}

KVM_ONE_VCPU_TEST(exitstats, port_io, guest_port_io)
{
	run_to_done(vcpu);
}

static void guest_msr(void)
{
	u64 base = rdmsr(MSR_IA32_APICBASE), value;

	GUEST_ASSERT_EQ(exits_during(EXIT_RDMSR, 20, rdmsr(MSR_IA32_APICBASE)), 20);
	GUEST_ASSERT_EQ(exits_during(EXIT_WRMSR, 20,
				     wrmsr(MSR_IA32_APICBASE, base)), 20);

	/* Accesses that end in #GP exit, too. */
	GUEST_ASSERT_EQ(exits_during(EXIT_RDMSR, 20,
				     rdmsr_safe(MSR_IA32_VMX_BASIC - 1, &value)), 20);
	GUEST_ASSERT_EQ(exits_during(EXIT_WRMSR, 20,
				     wrmsr_safe(MSR_IA32_APICBASE, ~0ull)), 20);
	GUEST_DONE();
}

KVM_ONE_VCPU_TEST(exitstats, msr, guest_msr)
{
	run_to_done(vcpu);
}

static void guest_hlt(void)
{
	x2apic_enable();
	GUEST_ASSERT_EQ(exits_during(EXIT_HLT, 20, halt_with_irq(0)), 20);
	GUEST_DONE();
}

KVM_ONE_VCPU_TEST(exitstats, hlt, guest_hlt)
{
	vm_install_exception_handler(vcpu->vm, TEST_VECTOR, guest_irq_handler);
	run_to_done(vcpu);
}

static void guest_hypercall(void)
{
	GUEST_ASSERT_EQ(exits_during(EXIT_HYPERCALL, 20,
				     kvm_hypercall(KVM_HC_VAPIC_POLL_IRQ, 0, 0, 0, 0)), 20);
	GUEST_DONE();
}

KVM_ONE_VCPU_TEST(exitstats, hypercall, guest_hypercall)
{
	run_to_done(vcpu);
}

static void guest_xsetbv(void)
{
	set_cr4(get_cr4() | X86_CR4_OSXSAVE);
	GUEST_ASSERT_EQ(exits_during(EXIT_XSETBV, 20, xsetbv(0, xgetbv(0))), 20);
	GUEST_DONE();
}

TEST_F(exitstats, xsetbv)
{
	if (!xsetbv_exits())
		SKIP(return, "no XSAVE, or QEMU's TCG, which does not intercept XSETBV");

	vcpu_arch_set_entry_point(self->vcpu, guest_xsetbv);
	run_to_done(self->vcpu);
}

static void guest_invd(void)
{
	u64 tcg = 0;

	/* In QEMU's TCG, INVD exits as WBINVD. */
	if (!host_cpu_is_intel)
		tcg = exits_during(SVM_EXIT_WBINVD, 20, asm volatile("invd"));
	GUEST_ASSERT_EQ(exits_during(by_vendor(EXIT_REASON_INVD, SVM_EXIT_INVD), 20,
				     asm volatile("invd")), 20 - tcg);
	GUEST_DONE();
}

static void guest_wbinvd(void)
{
	GUEST_ASSERT_EQ(exits_during(SVM_EXIT_WBINVD, 20, asm volatile("wbinvd")), 20);
	GUEST_DONE();
}

KVM_ONE_VCPU_TEST(exitstats, invd, guest_invd)
{
	run_to_done(vcpu);
}

TEST_F(exitstats, wbinvd)
{
	if (host_cpu_is_intel)
		SKIP(return, "WBINVD need not exit");

	vcpu_arch_set_entry_point(self->vcpu, guest_wbinvd);
	run_to_done(self->vcpu);
}

static void guest_mov_dr(void)
{
	unsigned long dr7;

	GUEST_ASSERT_EQ(exits_during(EXIT_READ_DR7, 20,
				     asm volatile("mov %%dr7, %0" : "=r"(dr7))), 20);
	GUEST_ASSERT_EQ(exits_during(EXIT_WRITE_DR7, 20,
				     asm volatile("mov %0, %%dr7" : : "r"(dr7))), 20);
	GUEST_DONE();
}

KVM_ONE_VCPU_TEST(exitstats, mov_dr, guest_mov_dr)
{
	/* With a debugger, KVM keeps the registers for itself, and each access exits. */
	struct kvm_guest_debug debug = { .control = KVM_GUESTDBG_ENABLE };

	vcpu_guest_debug_set(vcpu, &debug);
	run_to_done(vcpu);
}

static void guest_rdpmc(void)
{
	u64 value;

	/* RDPMC always exits, whether or not the counter exists. */
	GUEST_ASSERT_EQ(exits_during(EXIT_RDPMC, 20, rdpmc_safe(0, &value)), 20);
	GUEST_DONE();
}

KVM_ONE_VCPU_TEST(exitstats, rdpmc, guest_rdpmc)
{
	run_to_done(vcpu);
}

/* Without nested paging, KVM must intercept everything that changes the guest's translations. */
static void guest_invlpg(void)
{
	GUEST_ASSERT_EQ(exits_during(EXIT_INVLPG, 20,
				     asm volatile("invlpg (%0)" : : "r"(TEST_MEMORY))),
			nested ? 0 : 20);
	GUEST_DONE();
}

KVM_ONE_VCPU_TEST(exitstats, invlpg, guest_invlpg)
{
	run_paging_case(vcpu);
}

static void guest_mov_cr3(void)
{
	u64 cr3 = get_cr3();

	GUEST_ASSERT_EQ(exits_during(EXIT_WRITE_CR3, 20,
				     asm volatile("mov %0, %%cr3" : : "r"(cr3) : "memory")),
			nested ? 0 : 20);
	GUEST_DONE();
}

KVM_ONE_VCPU_TEST(exitstats, mov_cr3, guest_mov_cr3)
{
	run_paging_case(vcpu);
}

/*
 * The first write to a page causes an EPT violation or nested page fault, or without nested
 * paging a page fault. So does the first execution of this code: run it twice, and check
 * only the second time.
 */
static void guest_touch_pages(void)
{
	u64 faults, nested_faults, again;
	int round, i;

	for (round = 0; round < 2; round++) {
		faults = exits_of(EXIT_PAGE_FAULT);
		nested_faults = exits_of(EXIT_NESTED);
		for (i = 0; i < TEST_PAGES; i++)
			memory_write(TEST_MEMORY + (round * TEST_PAGES + i) * PAGE_SIZE);
		faults = exits_of(EXIT_PAGE_FAULT) - faults;
		nested_faults = exits_of(EXIT_NESTED) - nested_faults;

		/* Now the pages are mapped. */
		again = exits_during(nested ? EXIT_NESTED : EXIT_PAGE_FAULT, TEST_PAGES,
				     memory_write(TEST_MEMORY + __i * PAGE_SIZE));
	}

	GUEST_ASSERT_EQ(faults, nested ? 0 : TEST_PAGES);
	GUEST_ASSERT_EQ(nested_faults, nested ? TEST_PAGES : 0);
	GUEST_ASSERT_EQ(again, 0);
	GUEST_DONE();
}

KVM_ONE_VCPU_TEST(exitstats, touch_pages, guest_touch_pages)
{
	vm_userspace_mem_region_add(vcpu->vm, VM_MEM_SRC_ANONYMOUS, TEST_MEMORY, 1,
				    2 * TEST_PAGES, 0);
	virt_map(vcpu->vm, TEST_MEMORY, TEST_MEMORY, 2 * TEST_PAGES);
	run_paging_case(vcpu);
}

/*
 * Accesses outside memory cause EPT misconfigurations, once KVM has cached that, and nested
 * page faults on SVM.
 */
static void guest_mmio(void)
{
	u64 reads, writes, faults, violations = 0;
	int round;

	for (round = 0; round < 2; round++) {
		reads = exits_during(EXIT_MMIO, 20, memory_read(TEST_MMIO));
		writes = exits_during(EXIT_MMIO, 20, memory_write(TEST_MMIO));
		faults = exits_during(EXIT_PAGE_FAULT, 20, memory_write(TEST_MMIO));
		if (host_cpu_is_intel)
			violations = exits_during(EXIT_REASON_EPT_VIOLATION, 20,
						  memory_write(TEST_MMIO));
	}

	GUEST_ASSERT_EQ(reads, nested ? 20 : 0);
	GUEST_ASSERT_EQ(writes, nested ? 20 : 0);
	GUEST_ASSERT_EQ(faults, nested ? 0 : 20);
	GUEST_ASSERT_EQ(violations, 0);
	GUEST_DONE();
}

KVM_ONE_VCPU_TEST(exitstats, mmio, guest_mmio)
{
	virt_map(vcpu->vm, TEST_MMIO, TEST_MMIO, 1);
	run_paging_case(vcpu);
}

static unsigned int guest_nmis;

static void guest_nmi_handler(struct ex_regs *regs)
{
	if (!guest_nmis++)
		GUEST_SYNC(0);
}

static void guest_gets_nmis(void)
{
	GUEST_SYNC(0);
	GUEST_ASSERT_EQ(guest_nmis, 2);
	GUEST_DONE();
}

/*
 * The second NMI comes while the first one's handler masks NMIs. KVM needs an exit to learn
 * when the mask ends: VMX has one for that, SVM has that of IRET.
 */
TEST_F(exitstats, nmi)
{
	struct kvm_vcpu *vcpu = self->vcpu;
	struct stats stats;
	u64 windows;
	int i;

	vcpu_arch_set_entry_point(vcpu, guest_gets_nmis);
	vm_install_exception_handler(vcpu->vm, NMI_VECTOR, guest_nmi_handler);
	for (i = 0; i < 2; i++) {
		TEST_ASSERT_EQ(run_guest(vcpu), UCALL_SYNC);
		vcpu_ioctl(vcpu, KVM_NMI, NULL);
	}
	run_to_done(vcpu);

	windows = vcpu_stat(vcpu, "nmi_window_exits");
	read_stats(vcpu, &stats);
	TEST_ASSERT_EQ(stats.exits_by_reason[EXIT_NMI_WINDOW], windows);
	if (!windows)
		SKIP(return, "this processor delivers the second NMI without an exit");
}

/* Without an IDT, a fault becomes a triple fault, the last exit. */
static void guest_triple_fault(void)
{
	struct desc_ptr idt = {};

	asm volatile("lidt %0; ud2" : : "m"(idt));
}

KVM_ONE_VCPU_TEST(exitstats, triple_fault, guest_triple_fault)
{
	struct stats stats;

	vcpu_run(vcpu);
	TEST_ASSERT_KVM_EXIT_REASON(vcpu, KVM_EXIT_SHUTDOWN);

	read_stats(vcpu, &stats);
	TEST_ASSERT_EQ(stats.exits_by_reason[EXIT_SHUTDOWN], 1);
	assert_stats(vcpu);
}

int main(int argc, char *argv[])
{
	require_exitstats();
	nested = nested_paging();
	return test_harness_run(argc, argv);
}
