// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM exitstats: what no guest can bring about, on the kernel's own source: exit
 * reasons beyond the table, and counts beyond 32 bits. Needs no KVM.
 */
#include <string.h>

#include <linux/kvm_exitstats.h>

#include "kselftest_harness.h"

#include "../../../../../arch/x86/kvm/exitstats.c"
#include "../../../../../arch/x86/kvm/exitstats_cpuid.c"

/* What an exit takes here. */
#define CYCLES	((1ull << 33) + 5)

static u64 sum(const local64_t *slots)
{
	u64 sum = 0;
	int i;

	for (i = 0; i < KVM_EXITSTATS_NR_SLOTS; i++)
		sum += slots[i].value;
	return sum;
}

static bool intact(const u64 *canary, size_t size)
{
	size_t i;

	for (i = 0; i < size / sizeof(*canary); i++)
		if (canary[i] != SHIM_CANARY)
			return false;
	return true;
}

FIXTURE(exitstats_bound) {
	struct kvm *kvm;
	struct kvm_vcpu *vcpu;
	u32 exit_reason;	/* as the VMCS field: more than the basic reason */
};

FIXTURE_SETUP(exitstats_bound)
{
	int i;

	self->kvm = calloc(1, sizeof(*self->kvm));
	ASSERT_NE(self->kvm, NULL);
	self->vcpu = &self->kvm->vcpu_array[0];
	self->kvm->online_vcpus = SHIM_VCPUS;
	kvm_exitstats_init_vm(self->kvm);
	for (i = 0; i < SHIM_VCPUS; i++) {
		struct kvm_vcpu *vcpu = &self->kvm->vcpu_array[i];

		vcpu->kvm = self->kvm;
		memset(vcpu->stat.before, SHIM_CANARY & 0xff, sizeof(vcpu->stat.before));
		memset(vcpu->stat.between, SHIM_CANARY & 0xff, sizeof(vcpu->stat.between));
		memset(vcpu->stat.after, SHIM_CANARY & 0xff, sizeof(vcpu->stat.after));
		kvm_exitstats_create_vcpu(vcpu, (u16 *)&self->exit_reason);
	}
}

FIXTURE_TEARDOWN(exitstats_bound)
{
	free(self->kvm);
}

static void vm_exit(struct kvm_vcpu *vcpu, u32 *field, u32 reason)
{
	*field = reason;
	kvm_exitstats_stamp(vcpu, shim_tsc);
	shim_tsc += CYCLES;
	*field = ~reason;	/* handlers may do that */
	kvm_exitstats_count(vcpu, EXIT_FASTPATH_NONE);
}

/* Each reason is in its slot or in "other", and nowhere else. */
TEST_F(exitstats_bound, every_reason)
{
	struct kvm_vcpu *vcpu = self->vcpu;
	u32 reason, slot;
	u64 exits;

	for (reason = 0; reason <= 0xffff; reason++) {
		slot = reason <= 85 ? reason : KVM_EXITSTATS_OTHER;
		exits = local64_read(&vcpu->stat.exits_by_reason[slot]);

		/* A failed VM entry, from an enclave: bits above the basic reason. */
		vm_exit(vcpu, &self->exit_reason, reason | 0x88000000);

		ASSERT_EQ(local64_read(&vcpu->stat.exits_by_reason[slot]), exits + 1);
		ASSERT_EQ(local64_read(&vcpu->stat.cycles_by_reason[slot]), (exits + 1) * CYCLES);
		ASSERT_EQ(local64_read(&vcpu->arch.exitstats.exits), reason + 1);
		ASSERT_EQ(local64_read(&vcpu->arch.exitstats.cycles), (reason + 1) * CYCLES);
	}

	ASSERT_EQ(sum(vcpu->stat.exits_by_reason), 0x10000);
	ASSERT_EQ(sum(vcpu->stat.cycles_by_reason), 0x10000 * CYCLES);
	ASSERT_EQ(local64_read(&vcpu->stat.exits_by_reason[KVM_EXITSTATS_OTHER]), 0x10000 - 86);
	ASSERT_TRUE(intact(vcpu->stat.before, sizeof(vcpu->stat.before)));
	ASSERT_TRUE(intact(vcpu->stat.between, sizeof(vcpu->stat.between)));
	ASSERT_TRUE(intact(vcpu->stat.after, sizeof(vcpu->stat.after)));
}

static struct kvm_vcpu *hook_vcpu;
static u64 hook_cycles;
static int hook_calls;

static void expect_cycles(void)
{
	if (sum(hook_vcpu->stat.cycles_by_reason) != hook_cycles ||
	    local64_read(&hook_vcpu->arch.exitstats.cycles) != hook_cycles)
		hook_calls = -100;
	hook_calls++;
}

/* Whoever sees the exit sees its cycles, of the reason and in total. */
TEST_F(exitstats_bound, cycles_first)
{
	hook_vcpu = self->vcpu;
	hook_cycles = CYCLES;
	shim_inc_hook = expect_cycles;
	vm_exit(self->vcpu, &self->exit_reason, 10);
	shim_inc_hook = NULL;
	ASSERT_EQ(hook_calls, 2);
}

/* Handled by the fastpath: counted there, whatever becomes of the exit. */
TEST_F(exitstats_bound, every_completion)
{
	struct kvm_vcpu *vcpu = self->vcpu;
	int completion;

	for (completion = EXIT_FASTPATH_NONE; completion <= EXIT_FASTPATH_EXIT_USERSPACE;
	     completion++) {
		self->exit_reason = 12;
		kvm_exitstats_stamp_fastpath(vcpu);
		shim_tsc += CYCLES;
		ASSERT_EQ(kvm_exitstats_count_fastpath(vcpu, completion), completion);
		ASSERT_EQ(local64_read(&vcpu->arch.exitstats.exits),
			  completion + (completion != EXIT_FASTPATH_NONE));

		kvm_exitstats_stamp(vcpu, shim_tsc);
		shim_tsc += CYCLES;
		kvm_exitstats_count(vcpu, completion);
		ASSERT_EQ(local64_read(&vcpu->arch.exitstats.exits), completion + 1);
		ASSERT_EQ(local64_read(&vcpu->arch.exitstats.cycles), (completion + 1) * CYCLES);
	}
}

/* A vCPU that does not count, while another VM's does. */
TEST_F(exitstats_bound, not_enabled)
{
	struct kvm *kvm = calloc(1, sizeof(*kvm));
	struct kvm_vcpu *vcpu = &kvm->vcpu_array[0];
	u32 eax = KVM_EXITSTATS_LEAF_TOTAL, ebx = 1, ecx = 2, edx = 3;
	int completion;

	vcpu->kvm = kvm;
	kvm_exitstats_create_vcpu(vcpu, (u16 *)&self->exit_reason);
	for (completion = EXIT_FASTPATH_NONE; completion <= EXIT_FASTPATH_EXIT_USERSPACE;
	     completion++) {
		kvm_exitstats_stamp_fastpath(vcpu);
		kvm_exitstats_count_fastpath(vcpu, completion);
		kvm_exitstats_stamp(vcpu, shim_tsc);
		kvm_exitstats_count(vcpu, completion);
	}
	ASSERT_EQ(local64_read(&vcpu->arch.exitstats.exits), 0);
	ASSERT_EQ(sum(vcpu->stat.exits_by_reason), 0);

	ASSERT_FALSE(kvm_exitstats_cpuid(vcpu, &eax, &ebx, &ecx, &edx));
	ASSERT_TRUE(eax == KVM_EXITSTATS_LEAF_TOTAL && ebx == 1 && ecx == 2 && edx == 3);
	free(kvm);
}

static void read_leaf(struct kvm_vcpu *vcpu, u32 leaf, u32 reason, u32 regs[4])
{
	regs[0] = leaf;
	regs[1] = ~0u;
	regs[2] = reason;
	regs[3] = ~0u;
	if (!kvm_exitstats_cpuid(vcpu, &regs[0], &regs[1], &regs[2], &regs[3]))
		memset(regs, 0xaa, 4 * sizeof(*regs));
}

#define ASSERT_LEAF(leaf, reason, eax, ebx, ecx, edx)		\
do {								\
	u32 r[4];						\
								\
	read_leaf(self->vcpu, leaf, reason, r);			\
	ASSERT_EQ(r[0], eax);					\
	ASSERT_EQ(r[1], ebx);					\
	ASSERT_EQ(r[2], ecx);					\
	ASSERT_EQ(r[3], edx);					\
} while (0)

/* Both halves of each figure, the sums over two vCPUs carrying into the upper. */
TEST_F(exitstats_bound, both_halves)
{
	struct kvm_vcpu *vcpus = self->kvm->vcpu_array;

	vcpus[0].stat.exits_by_reason[10].value = 0x1ffffffff;
	vcpus[1].stat.exits_by_reason[10].value = 0x200000002;
	vcpus[0].stat.cycles_by_reason[10].value = 0x3ffffffff;
	vcpus[1].stat.cycles_by_reason[10].value = 0x400000003;
	vcpus[0].arch.exitstats.exits.value = 0x5ffffffff;
	vcpus[1].arch.exitstats.exits.value = 0x600000004;
	vcpus[0].arch.exitstats.cycles.value = 0x7ffffffff;
	vcpus[1].arch.exitstats.cycles.value = 0x800000005;

	ASSERT_LEAF(KVM_EXITSTATS_LEAF_TOTAL, ~0u, 3, 0x10, 4, 0xc);
	ASSERT_LEAF(KVM_EXITSTATS_LEAF_REASON, 10, 1, 0x10, 4, KVM_EXITSTATS_DEFINED);
	ASSERT_LEAF(KVM_EXITSTATS_LEAF_EXITS, 10, 1, 4, 0, KVM_EXITSTATS_DEFINED);
	ASSERT_LEAF(KVM_EXITSTATS_LEAF_CYCLES, 10, 0, 8, 2, KVM_EXITSTATS_DEFINED);

	/* Nothing of "other", nor of what lies behind it, is for the guest. */
	vcpus[0].stat.exits_by_reason[KVM_EXITSTATS_OTHER].value = 9;
	vcpus[0].stat.cycles_by_reason[KVM_EXITSTATS_OTHER].value = 9;
	ASSERT_LEAF(KVM_EXITSTATS_LEAF_REASON, KVM_EXITSTATS_OTHER, 0, 0x10, 4,
		    KVM_EXITSTATS_UNDEFINED);
	ASSERT_LEAF(KVM_EXITSTATS_LEAF_EXITS, KVM_EXITSTATS_OTHER, 0, 0, 0,
		    KVM_EXITSTATS_UNDEFINED);
	ASSERT_LEAF(KVM_EXITSTATS_LEAF_CYCLES, KVM_EXITSTATS_OTHER, 0, 0, 0,
		    KVM_EXITSTATS_UNDEFINED);
	ASSERT_LEAF(KVM_EXITSTATS_LEAF_EXITS, KVM_EXITSTATS_PROBE, 0, 0, 0,
		    KVM_EXITSTATS_UNDEFINED);
}

TEST_HARNESS_MAIN
