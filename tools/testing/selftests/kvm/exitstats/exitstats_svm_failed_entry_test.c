// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM exitstats: a failed VMRUN. The processor refuses the guest's state, with the exit code
 * VMEXIT_INVALID (-1), which counts as another reason.
 */
#include "exitstats_util.h"

#define EFER_LMSLE	BIT_ULL(13)	/* long mode segment limit enable */

#define OTHER	KVM_EXITSTATS_SELECT_ACCOUNT(KVM_EXITSTATS_ACCOUNT_OTHER)

KVM_ONE_VCPU_TEST_SUITE(exitstats_svm);

static void guest_continues(void)
{
	GUEST_ASSERT_EQ(exits_of(OTHER), 0);
	GUEST_SYNC(0);
	GUEST_ASSERT_EQ(exits_of(OTHER), 1);
	GUEST_DONE();
}

/*
 * Make the state of the guest, which is in 64-bit mode, inconsistent in a way that KVM does not
 * refuse. QEMU's TCG does not have EFER.LMSLE, and does not check the code segment.
 */
static void make_inconsistent(struct kvm_sregs *sregs)
{
	if (host_is_tcg())
		sregs->efer |= EFER_LMSLE;
	else
		sregs->cs.db = 1;
}

KVM_ONE_VCPU_TEST(exitstats_svm, failed_entry, guest_continues)
{
	struct kvm_sregs good, bad;
	struct kvm_regs regs;
	struct stats stats;

	TEST_ASSERT_EQ(run_guest(vcpu), UCALL_SYNC);
	vcpu_regs_get(vcpu, &regs);
	vcpu_sregs_get(vcpu, &good);
	bad = good;
	make_inconsistent(&bad);
	vcpu_sregs_set(vcpu, &bad);
	vcpu_run(vcpu);
	TEST_ASSERT_KVM_EXIT_REASON(vcpu, KVM_EXIT_FAIL_ENTRY);
	TEST_ASSERT_EQ((s32)vcpu->run->fail_entry.hardware_entry_failure_reason, -1);

	read_stats(vcpu, &stats);
	TEST_ASSERT_EQ(stats.exits_by_reason[OTHER_SLOT], 1);
	assert_stats(vcpu);

	/* The guest can continue and read it. TCG has overwritten its registers. */
	vcpu_sregs_set(vcpu, &good);
	vcpu_regs_set(vcpu, &regs);
	run_to_done(vcpu);
}

int main(int argc, char *argv[])
{
	require_svm();
	return test_harness_run(argc, argv);
}
