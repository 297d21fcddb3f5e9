// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM exitstats: the CPUID leaves, where the guest reads.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/kvm_host.h>
#include <linux/nospec.h>

#include "cpuid.h"
#include "exitstats.h"

/*
 * The one table of what the SDM defines: vol. 3, appendix "VMX Basic Exit
 * Reasons", as of 2026. VMX_EXIT_REASONS names a part of it.
 */
static bool exitstats_reason_defined(u32 reason)
{
	switch (reason) {
	case 0 ... 34:
	case 36 ... 37:
	case 39 ... 41:
	case 43 ... 70:
	case 72 ... 81:
	case 84 ... 85:
		return true;
	default:
		return false;
	}
}

/**
 * kvm_exitstats_cpuid() - answer CPUID if the leaf is one of exitstats
 * @vcpu: the vCPU that executes CPUID; the VMM gave it no entry for that leaf
 *	  and index
 * @eax: in: leaf; out: as uapi linux/kvm_exitstats.h tells, like @ebx and @edx
 * @ebx: out
 * @ecx: in: basic exit reason, any value that the guest likes; out
 * @edx: out
 *
 * Exits are counted when they have been handled: this CPUID is in the next
 * reading.
 *
 * Return: false if the leaf is not answered here, the registers left alone: the
 * VM does not count, or the leaf is another or the VMM's own
 */
bool kvm_exitstats_cpuid(struct kvm_vcpu *vcpu, u32 *eax, u32 *ebx, u32 *ecx, u32 *edx)
{
	u32 leaf = *eax, index = *ecx, reason, status;
	struct kvm *kvm = vcpu->kvm;
	u64 exits = 0, cycles = 0;

	if (leaf < KVM_EXITSTATS_LEAF_CYCLES || leaf > KVM_EXITSTATS_LEAF_TOTAL ||
	    !kvm->arch.exitstats.enabled || kvm_find_cpuid_entry(vcpu, leaf))
		return false;

	/* Bounded for the table, too: compilers may make it data. */
	reason = array_index_nospec(min(index, KVM_EXITSTATS_OTHER), KVM_EXITSTATS_NR_SLOTS);
	status = exitstats_reason_defined(reason) ? KVM_EXITSTATS_DEFINED : KVM_EXITSTATS_UNDEFINED;

	if (leaf == KVM_EXITSTATS_LEAF_TOTAL)
		exits = kvm_exitstats_sum(kvm, arch.exitstats.exits);
	else if (leaf != KVM_EXITSTATS_LEAF_CYCLES && status == KVM_EXITSTATS_DEFINED)
		exits = kvm_exitstats_sum(kvm, stat.exits_by_reason[reason]);

	if (leaf == KVM_EXITSTATS_LEAF_TOTAL || leaf == KVM_EXITSTATS_LEAF_REASON)
		cycles = kvm_exitstats_sum(kvm, arch.exitstats.cycles);
	else if (leaf == KVM_EXITSTATS_LEAF_CYCLES && status == KVM_EXITSTATS_DEFINED)
		cycles = kvm_exitstats_sum(kvm, stat.cycles_by_reason[reason]);

	*eax = lower_32_bits(exits);
	*ebx = leaf == KVM_EXITSTATS_LEAF_EXITS ? upper_32_bits(exits) : upper_32_bits(cycles);
	*ecx = lower_32_bits(cycles);
	*edx = leaf == KVM_EXITSTATS_LEAF_TOTAL ? upper_32_bits(exits) : status;

	vcpu_debug(vcpu, "exitstats: leaf %x reason %u: %llu exits, %llu cycles\n",
		   leaf, index, exits, cycles);
	return true;
}
