// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM exitstats: exits of a nested guest on VMX. KVM sees them first, and counts them for
 * L1's VM, whether or not it reflects them to L1.
 */
#include "exitstats_nested.h"

KVM_ONE_VCPU_TEST_SUITE(exitstats_nested);

/* Without a loop, as neither the framework nor L1 preserves L2's registers */
static void l2_cpuid(void)
{
	asm volatile(".rept %c0; cpuid; .endr; vmcall" : : "i"(NR_EXITS));
}

static void l1_init(struct vmx_pages *vmx, void *l2_code)
{
	static u64 l2_stack[64];

	GUEST_ASSERT(prepare_for_vmx_operation(vmx));
	GUEST_ASSERT(load_vmcs(vmx));
	prepare_vmcs(vmx, l2_code, &l2_stack[ARRAY_SIZE(l2_stack)]);
}

static u64 l1_enter(void *launched)
{
	GUEST_ASSERT(!(*(bool *)launched ? vmresume() : vmlaunch()));
	*(bool *)launched = true;
	return vmreadz(VM_EXIT_REASON);
}

static void l1_skip(void *launched)
{
	vmwrite(GUEST_RIP, vmreadz(GUEST_RIP) + vmreadz(VM_EXIT_INSTRUCTION_LEN));
}

static void l1_cpuid(struct vmx_pages *vmx)
{
	u64 vmlaunch_, vmresume_;
	bool launched = false;

	l1_init(vmx, l2_cpuid);
	vmlaunch_ = exits_of(EXIT_REASON_VMLAUNCH);
	vmresume_ = exits_of(EXIT_REASON_VMRESUME);
	l1_takes_all(&launched, l1_enter, l1_skip);

	/* L1's exits for entering L2 */
	GUEST_ASSERT_EQ(exits_of(EXIT_REASON_VMLAUNCH) - vmlaunch_, 1);
	GUEST_ASSERT_EQ(exits_of(EXIT_REASON_VMRESUME) - vmresume_, NR_EXITS);
	GUEST_DONE();
}

/*
 * L1 has a pending interrupt that causes an exit from L2 at once. KVM must enter L2 first,
 * and uses the VMX-preemption timer to force an immediate exit, which the fastpath handles
 * (EXIT_HANDLED). The exit that L1 sees is synthesized.
 */
static void l1_forced_exit(struct vmx_pages *vmx)
{
	u64 timer, interrupts;

	x2apic_enable();
	l1_init(vmx, l2_cpuid);
	vmwrite(PIN_BASED_VM_EXEC_CONTROL,
		vmreadz(PIN_BASED_VM_EXEC_CONTROL) | PIN_BASED_EXT_INTR_MASK);

	asm volatile("cli");
	x2apic_write_reg(APIC_ICR, APIC_DEST_SELF | APIC_INT_ASSERT | TEST_VECTOR);

	timer = exits_of(EXIT_REASON_PREEMPTION_TIMER);
	interrupts = exits_of(EXIT_REASON_EXTERNAL_INTERRUPT);
	GUEST_ASSERT(!vmlaunch());
	GUEST_ASSERT_EQ(vmreadz(VM_EXIT_REASON), EXIT_REASON_EXTERNAL_INTERRUPT);
	interrupts = exits_of(EXIT_REASON_EXTERNAL_INTERRUPT) - interrupts;
	timer = exits_of(EXIT_REASON_PREEMPTION_TIMER) - timer;

	/* An interrupt of the host may come instead. */
	__GUEST_ASSERT(timer == 1 || (!timer && interrupts),
		       "%lu timer exits, %lu interrupts", timer, interrupts);
	GUEST_DONE();
}

TEST_F(exitstats_nested, l2_exits)
{
	if (!kvm_cpu_has(X86_FEATURE_VMX))
		SKIP(return, "nested=N");

	run_l1(self->vcpu, l1_cpuid);
}

TEST_F(exitstats_nested, forced_immediate_exit)
{
	if (!kvm_cpu_has(X86_FEATURE_VMX))
		SKIP(return, "nested=N");
	if (!get_kvm_intel_param_bool("preemption_timer"))
		SKIP(return, "preemption_timer=N");

	run_l1(self->vcpu, l1_forced_exit);
}

int main(int argc, char *argv[])
{
	require_vmx();
	return test_harness_run(argc, argv);
}
