// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM exitstats: INVALID_STATE has two causes. Without unrestricted guest, which needs EPT,
 * KVM emulates a guest whose state VMX would refuse, and synthesizes such exits one after
 * the other. With unrestricted guest, the CPU refuses the VM entry with that reason.
 */
#include "exitstats_bare.h"

/* In real mode that VM86 cannot run, KVM emulates each CPUID and each port access. */
TEST(emulated)
{
	bool unrestricted = get_kvm_intel_param_bool("unrestricted_guest");
	struct kvm_vcpu *vcpu = bare_cpuid_vcpu(BARE_BIG_REAL);
	struct stats stats;
	u64 exits;
	int i;

	for (i = 0; i < 20; i++) {
		/* The exit in which KVM emulates this CPUID is not counted yet. */
		exits = bare_exits_of(vcpu, EXIT_REASON_INVALID_STATE);
		if (unrestricted)
			TEST_ASSERT_EQ(exits, 0);
		else
			TEST_ASSERT(exits >= i, "%lu exits for %d times in userspace", exits, i);
	}

	read_stats(vcpu, &stats);
	TEST_ASSERT_EQ(stats.exits_by_reason[EXIT_REASON_CPUID], unrestricted ? 20 : 0);
	TEST_ASSERT_EQ(stats.exits_by_reason[EXIT_REASON_IO_INSTRUCTION], unrestricted ? 20 : 0);
	if (unrestricted)
		TEST_ASSERT_EQ(stats.exits_by_reason[EXIT_REASON_INVALID_STATE], 0);
	else
		TEST_ASSERT_EQ(stats.exits_by_reason[EXIT_REASON_INVALID_STATE], stats.exits);
	assert_stats(vcpu);
	kvm_vm_free(vcpu->vm);
}

/* VM entry fails if the task register is not present. */
TEST(failed_entry)
{
	struct kvm_vcpu *vcpu = bare_cpuid_vcpu(BARE_KERNEL);
	struct kvm_sregs sregs;
	struct stats stats;

	if (!get_kvm_intel_param_bool("unrestricted_guest"))
		SKIP(return, "unrestricted_guest=N: KVM emulates where entry would fail");

	TEST_ASSERT_EQ(bare_exits_of(vcpu, EXIT_REASON_INVALID_STATE), 0);

	vcpu_sregs_get(vcpu, &sregs);
	sregs.tr.unusable = 1;
	vcpu_sregs_set(vcpu, &sregs);
	vcpu_run(vcpu);
	TEST_ASSERT_KVM_EXIT_REASON(vcpu, KVM_EXIT_FAIL_ENTRY);
	TEST_ASSERT_EQ(vcpu->run->fail_entry.hardware_entry_failure_reason,
		       EXIT_REASON_FAILED_VMENTRY | EXIT_REASON_INVALID_STATE);

	/* The exit counts for its basic reason. The guest can continue and read it. */
	read_stats(vcpu, &stats);
	TEST_ASSERT_EQ(stats.exits_by_reason[EXIT_REASON_INVALID_STATE], 1);
	assert_stats(vcpu);

	sregs.tr.unusable = 0;
	vcpu_sregs_set(vcpu, &sregs);
	TEST_ASSERT_EQ(bare_exits_of(vcpu, EXIT_REASON_INVALID_STATE), 1);
	assert_stats(vcpu);
	kvm_vm_free(vcpu->vm);
}

int main(int argc, char *argv[])
{
	require_vmx();
	return test_harness_run(argc, argv);
}
