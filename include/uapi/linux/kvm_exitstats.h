/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * KVM exitstats: VM exits by reason and their cycles, for the guest and the VMM.
 *
 * Documentation/virt/kvm/exitstats.rst tells what the figures mean.
 */
#ifndef _UAPI_LINUX_KVM_EXITSTATS_H
#define _UAPI_LINUX_KVM_EXITSTATS_H

#include <linux/types.h>

/*
 * The CPUID leaves, available at any privilege level. In: EAX is the leaf and
 * ECX the basic exit reason (Intel SDM vol. 3, appendix "VMX Basic Exit
 * Reasons"). Out: figures of the VM that executes CPUID, over all its vCPUs,
 * since the VM was made. "hi" and "lo" are the halves of one 64-bit figure.
 *
 *	leaf		EAX		EBX		ECX		EDX
 *	TOTAL		total exits lo	total cycles hi	total cycles lo	total exits hi
 *	REASON		exits lo	total cycles hi	total cycles lo	status
 *	EXITS		exits lo	exits hi	0		status
 *	CYCLES		0		cycles hi	cycles lo	status
 *
 * TOTAL ignores ECX.
 */
#define KVM_EXITSTATS_LEAF_CYCLES	0x4ffffffc
#define KVM_EXITSTATS_LEAF_EXITS	0x4ffffffd
#define KVM_EXITSTATS_LEAF_REASON	0x4ffffffe
#define KVM_EXITSTATS_LEAF_TOTAL	0x4fffffff

/*
 * Status of a reason. For an undefined one, its own exits and cycles read 0.
 */
#define KVM_EXITSTATS_DEFINED		0		/* the SDM lists it */
#define KVM_EXITSTATS_UNDEFINED		0xffffffff	/* the SDM does not */

/*
 * Presence: with ECX = KVM_EXITSTATS_PROBE, LEAF_EXITS answers EAX = EBX =
 * ECX = 0 and EDX = KVM_EXITSTATS_UNDEFINED. No other host does.
 */
#define KVM_EXITSTATS_PROBE		0xffffffff

/*
 * For the VMM: KVM_CHECK_EXTENSION says 1 where the host can count, and
 * KVM_ENABLE_CAP on a VM, before its first vCPU, decides for that VM: args[0] is
 * 1 (count, and answer the leaves) or 0 (neither); args[1] to args[3] are 0.
 * EINVAL: other arguments, or a host or VM type that cannot count. EBUSY: the VM
 * has a vCPU already. The number lies far from those that the kernel hands out,
 * so that it is the same for every kernel that the series is applied to.
 */
#define KVM_CAP_X86_EXITSTATS		0x4ffffffc

/*
 * For live migration: group and attribute of a vCPU's KVM_GET_DEVICE_ATTR and
 * KVM_SET_DEVICE_ATTR, whose addr points to struct kvm_exitstats_state.
 *
 * Get: nr says for how many entries there is room and becomes the number of those
 * filled in, one for each reason that occurred. E2BIG: no room, nr says how much
 * is needed (KVM_EXITSTATS_MAX_ENTRIES always does).
 * Set: replaces all counters of a vCPU that has not run yet. A reason that this
 * kernel has no counter for is added to KVM_EXITSTATS_REASON_OTHER. EBUSY: the
 * vCPU has run. EINVAL: nr is too large, or reserved is not 0.
 * ENXIO for both: the VM does not count.
 */
#define KVM_VCPU_EXITSTATS		0x4ffffffc
#define KVM_VCPU_EXITSTATS_STATE	0

#define KVM_EXITSTATS_REASON_OTHER	0xffffffff
#define KVM_EXITSTATS_MAX_ENTRIES	256

struct kvm_exitstats_entry {
	__u32 reason;	/* basic exit reason, or KVM_EXITSTATS_REASON_OTHER */
	__u32 reserved;
	__u64 exits;
	__u64 cycles;	/* host TSC cycles */
};

struct kvm_exitstats_state {
	__u32 nr;
	__u32 reserved;
	struct kvm_exitstats_entry entries[];
};

#endif /* _UAPI_LINUX_KVM_EXITSTATS_H */
