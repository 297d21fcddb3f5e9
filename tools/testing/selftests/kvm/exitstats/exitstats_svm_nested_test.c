// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM exitstats: exits of a nested guest on SVM. KVM sees them first, and counts them for
 * L1's VM, whether or not it reflects them to L1.
 */
#include "exitstats_nested.h"

KVM_ONE_VCPU_TEST_SUITE(exitstats_svm_nested);

/* Without a loop, as neither the framework nor L1 preserves L2's registers */
static void l2_cpuid(void)
{
	asm volatile(".rept %c0; cpuid; .endr; vmmcall" : : "i"(NR_EXITS));
}

static void l1_init(struct svm_test_data *svm, void *l2_code)
{
	static u64 l2_stack[64];

	generic_svm_setup(svm, l2_code, &l2_stack[ARRAY_SIZE(l2_stack)]);
}

static u64 l1_enter(void *data)
{
	struct svm_test_data *svm = data;

	run_guest(svm->vmcb, svm->vmcb_gpa);
	return svm->vmcb->control.exit_code;
}

static void l1_skip(void *data)
{
	struct svm_test_data *svm = data;

	svm->vmcb->save.rip += 2;
}

/* L1 intercepts L2's CPUID and VMMCALL, so each exit costs one VMRUN. */
static void l1_cpuid(struct svm_test_data *svm)
{
	u64 vmrun;

	l1_init(svm, l2_cpuid);
	svm->vmcb->control.intercept |= BIT_ULL(INTERCEPT_CPUID);
	vmrun = exits_of(SVM_EXIT_VMRUN);
	l1_takes_all(svm, l1_enter, l1_skip);

	/* L1's exits for entering L2 */
	GUEST_ASSERT_EQ(exits_of(SVM_EXIT_VMRUN) - vmrun, NR_EXITS + 1);
	GUEST_DONE();
}

/* L1 does not intercept CPUID: KVM answers, and L2 reads the same as L1. */
static u64 l2_read;

static void l2_reads(void)
{
	u32 eax = KVM_EXITSTATS_LEAF_EXITS, ebx, ecx = SVM_EXIT_VMRUN, edx;

	asm volatile("cpuid" : "+a"(eax), "=b"(ebx), "+c"(ecx), "=d"(edx));
	l2_read = make_u64(ebx, eax);
	vmmcall();
}

static void l1_lets_l2_read(struct svm_test_data *svm)
{
	u64 vmrun = exits_of(SVM_EXIT_VMRUN);

	l1_init(svm, l2_reads);
	run_guest(svm->vmcb, svm->vmcb_gpa);
	GUEST_ASSERT_EQ(svm->vmcb->control.exit_code, SVM_EXIT_VMMCALL);
	GUEST_ASSERT_EQ(l2_read, vmrun + 1);
	GUEST_DONE();
}

TEST_F(exitstats_svm_nested, l2_exits)
{
	run_l1(self->vcpu, l1_cpuid);
}

TEST_F(exitstats_svm_nested, l2_reads)
{
	run_l1(self->vcpu, l1_lets_l2_read);
}

/* KVM reflects an invalid VMRUN of L1 without executing it, so VMEXIT_INVALID is not counted. */
static void l1_invalid(struct svm_test_data *svm)
{
	u64 vmrun, other;

	l1_init(svm, l2_cpuid);
	svm->vmcb->control.asid = 0;
	vmrun = exits_of(SVM_EXIT_VMRUN);
	other = exits_of(KVM_EXITSTATS_SELECT_ACCOUNT(KVM_EXITSTATS_ACCOUNT_OTHER));
	run_guest(svm->vmcb, svm->vmcb_gpa);
	GUEST_ASSERT_EQ((u32)svm->vmcb->control.exit_code, (u32)SVM_EXIT_ERR);
	GUEST_ASSERT_EQ(exits_of(SVM_EXIT_VMRUN) - vmrun, 1);
	GUEST_ASSERT_EQ(exits_of(KVM_EXITSTATS_SELECT_ACCOUNT(KVM_EXITSTATS_ACCOUNT_OTHER)), other);
	GUEST_DONE();
}

TEST_F(exitstats_svm_nested, refused_vmrun)
{
	run_l1(self->vcpu, l1_invalid);
}

int main(int argc, char *argv[])
{
	require_svm();
	__TEST_REQUIRE(kvm_cpu_has(X86_FEATURE_SVM), "nested=0");
	return test_harness_run(argc, argv);
}
