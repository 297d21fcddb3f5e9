/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * KVM exitstats: what a VM and its vCPUs hold. The code is in
 * arch/x86/kvm/exitstats.h (counting) and exitstats*.c (everything else).
 */
#ifndef _ASM_X86_KVM_EXITSTATS_H
#define _ASM_X86_KVM_EXITSTATS_H

#include <linux/types.h>
#include <asm/local64.h>

#ifdef CONFIG_KVM_EXITSTATS

/*
 * One slot for each basic exit reason of the Intel SDM, today 0 to 85, and one
 * for whatever lies beyond. They are the buckets of the two histograms in struct
 * kvm_vcpu_stat, exits_by_reason and cycles_by_reason.
 */
#define KVM_EXITSTATS_OTHER	86u
#define KVM_EXITSTATS_NR_SLOTS	(KVM_EXITSTATS_OTHER + 1)

/**
 * struct kvm_exitstats - exitstats of a VM, constant once it has a vCPU
 * @supported: the vendor module counts the exits of this type of VM
 * @enabled: its exits are counted, and it has the CPUID leaves
 */
struct kvm_exitstats {
	bool supported;
	bool enabled;
};

/**
 * struct kvm_vcpu_exitstats - exitstats of a vCPU, beside the histograms
 * @tsc: host TSC at the latest exit
 * @vendor_reason: where the vendor module has the basic exit reason
 * @reason: basic exit reason of the latest exit
 * @uncounted: the fastpath completion of an exit that is still to be counted
 *	       when handle_exit() has returned: EXIT_FASTPATH_NONE, or -1, which
 *	       is none, for a vCPU that does not count
 * @exits: sum of exits_by_reason
 * @cycles: sum of cycles_by_reason, in host TSC cycles
 *
 * Written only by the thread that holds vcpu->mutex; any vCPU of the VM and any
 * reader of the statistics reads at any time. local64_t is what fits one writer:
 * a 64-bit atomic that is never torn, without the LOCK prefix.
 */
struct kvm_vcpu_exitstats {
	u64 tsc;
	const u16 *vendor_reason;
	u32 reason;
	int uncounted;
	local64_t exits;
	local64_t cycles;
};

#else

struct kvm_exitstats {};
struct kvm_vcpu_exitstats {};

#endif /* CONFIG_KVM_EXITSTATS */

#endif /* _ASM_X86_KVM_EXITSTATS_H */
