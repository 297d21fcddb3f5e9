/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * KVM exitstats: where a vCPU's time goes, for the guest and the VMM.
 *
 * Documentation/virt/kvm/exitstats.rst explains the figures.
 */
#ifndef _UAPI_LINUX_KVM_EXITSTATS_H
#define _UAPI_LINUX_KVM_EXITSTATS_H

#include <linux/types.h>

/*
 * The CPUID leaves. In: EAX is the leaf and ECX a selector, see below. Out:
 *
 *	leaf		EAX		EBX		ECX		EDX
 *	TOTAL		total exits lo	total cycles hi	total cycles lo	total exits hi
 *	REASON		exits lo	total cycles hi	total cycles lo	status
 *	EXITS		exits lo	exits hi	0		status
 *	CYCLES		longest exit	cycles hi	cycles lo	status
 *
 * "hi" and "lo" are the halves of one 64-bit figure. Totals are over all exit reasons.
 * Cycles are those of the guest's TSC. The longest exit saturates at 2^32 - 1 cycles.
 * TOTAL ignores ECX.
 */
#define KVM_EXITSTATS_LEAF_CYCLES	0x4ffffffc
#define KVM_EXITSTATS_LEAF_EXITS	0x4ffffffd
#define KVM_EXITSTATS_LEAF_REASON	0x4ffffffe
#define KVM_EXITSTATS_LEAF_TOTAL	0x4fffffff

/*
 * Selectors. A plain number below 0x10000 is an exit reason in the numbering of the
 * host's CPU, for the whole VM, the same as SELECT_REASON(n).
 *
 *	SELECT_REASON(n)	exit reason n: the VMX basic exit reason (Intel SDM
 *				vol. 3, appendix "VMX Basic Exit Reasons"), or the SVM
 *				exit code (AMD APM vol. 2, appendix "SVM Intercept Exit
 *				Codes")
 *	SELECT_ACCOUNT(a)	account a, one of KVM_EXITSTATS_ACCOUNT_*; "exits" is
 *				the number of times it was entered
 *	SELECT_NUMBERING	EAX of leaf EXITS is the numbering, one of
 *				KVM_EXITSTATS_NUMBERING_*
 *	SELECT_BUCKET(b, n)	if the VM has the histogram, exits of reason n that took
 *				2^b to 2^(b+1) - 1 cycles; the first bucket also has
 *				those of 0 cycles, the last one also all longer ones.
 *				A reason's buckets add up to its exits. An exit that has
 *				not ended may move to a later bucket. Cycles read 0
 *	SELECT_*() | SELECT_VCPU	the same for the vCPU that executes CPUID. Plain numbers
 *				cannot be combined with it
 */
#define KVM_EXITSTATS_SELECT_REASON(n)	(0x4f000000u + (n))
#define KVM_EXITSTATS_SELECT_ACCOUNT(a)	(0x4f010000u + (a))
#define KVM_EXITSTATS_SELECT_NUMBERING	0x4f01ffffu
#define KVM_EXITSTATS_SELECT_BUCKET(b, n) (0x4f200000u + (b) * 0x10000u + (n))
#define KVM_EXITSTATS_SELECT_VCPU	0x00800000u

#define KVM_EXITSTATS_NR_BUCKETS	32

#define KVM_EXITSTATS_ACCOUNT_ALL	0	/* all exits */
#define KVM_EXITSTATS_ACCOUNT_GUEST	1	/* in the guest */
#define KVM_EXITSTATS_ACCOUNT_USERSPACE	2	/* outside KVM_RUN */
#define KVM_EXITSTATS_ACCOUNT_HALTED	3	/* blocked by KVM, or polling before that */
#define KVM_EXITSTATS_ACCOUNT_PREEMPTED	4	/* scheduled out while runnable */
#define KVM_EXITSTATS_ACCOUNT_ASLEEP	5	/* scheduled out: KVM waits for something */
#define KVM_EXITSTATS_ACCOUNT_OTHER	6	/* exits with an unknown reason */

#define KVM_EXITSTATS_NUMBERING_VMX	1
#define KVM_EXITSTATS_NUMBERING_SVM	2

/*
 * Status of a selector. If it is undefined, its figures read 0; the totals in leaf REASON
 * are not affected.
 */
#define KVM_EXITSTATS_DEFINED		0
#define KVM_EXITSTATS_UNDEFINED		0xffffffff

/*
 * Presence: with ECX = KVM_EXITSTATS_PROBE, leaf EXITS returns EAX = EBX = ECX = 0
 * and EDX = KVM_EXITSTATS_UNDEFINED. No host without exitstats does.
 */
#define KVM_EXITSTATS_PROBE		0xffffffff

/*
 * For the VMM: KVM_CHECK_EXTENSION returns the flags that the host supports, 0 if it
 * cannot count. KVM_ENABLE_CAP on a VM, before its first vCPU, decides for that VM:
 * args[0] has the flags, or is 0 (do not count); args[1] to args[3] are 0.
 * EINVAL: other arguments, an unsupported flag, a flag without KVM_EXITSTATS_COUNT, or a
 * host or VM type that cannot count. EBUSY: the VM already has a vCPU. The number is far
 * from those that the kernel assigns, so that it is the same for every kernel to which the
 * series is applied.
 */
#define KVM_CAP_X86_EXITSTATS		0x4ffffffc

#define KVM_EXITSTATS_COUNT		1	/* count, and answer the leaves */
#define KVM_EXITSTATS_CPL0		2	/* answer the leaves at CPL 0 only */
#define KVM_EXITSTATS_HISTOGRAM		4	/* have the histogram, see SELECT_BUCKET() */

/*
 * For live migration: group and attribute of a vCPU's KVM_GET_DEVICE_ATTR and
 * KVM_SET_DEVICE_ATTR; addr points to struct kvm_exitstats_state. The state has the
 * figures of the VM that its guest reads in the leaves, and is the same for each vCPU.
 * Save it from one vCPU and restore it to one.
 *
 * Get: set nr to the number of entries for which there is room. KVM sets it to the number
 * of entries filled in. E2BIG: not enough room; nr is the number needed
 * (KVM_EXITSTATS_MAX_ENTRIES always suffices).
 * Set: the guest's next reading continues from these figures. Stop all vCPUs first; they may
 * have run before. The host's statistics do not change. An exit reason that
 * this kernel does not know is added to KVM_EXITSTATS_ACCOUNT_OTHER.
 * EINVAL: another numbering, another selector, nr too large, reserved is not 0, an exit
 * reason's buckets do not add up to its exits, or only one of the two VMs has the histogram.
 * ENXIO for both: the VM does not count.
 */
#define KVM_VCPU_EXITSTATS		0x4ffffffc
#define KVM_VCPU_EXITSTATS_STATE	0

#define KVM_EXITSTATS_MAX_ENTRIES	4096

struct kvm_exitstats_entry {
	__u32 selector;	/* SELECT_REASON(), SELECT_BUCKET(), SELECT_ACCOUNT() of GUEST to OTHER */
	__u32 reserved;
	__u64 exits;
	__u64 cycles;	/* guest TSC cycles; 0 for a bucket */
	__u64 longest;	/* guest TSC cycles; 0 for a bucket */
};

struct kvm_exitstats_state {
	__u32 nr;
	__u32 numbering;
	struct kvm_exitstats_entry entries[];
};

#endif /* _UAPI_LINUX_KVM_EXITSTATS_H */
