/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * KVM exitstats: counting VM exits in the exit path.
 *
 *	the vCPU exits
 *	kvm_exitstats_stamp()		note the time and the reason
 *	the fastpath or the vendor's handle_exit() handles the exit
 *	kvm_exitstats_count()		exits_by_reason[reason] += 1
 *					cycles_by_reason[reason] += now - time
 *
 * Each return of the vendor's vcpu_run() is counted once, by the side that
 * handled it: if the fastpath did, in the vendor's vcpu_run(), and if it said
 * EXIT_FASTPATH_NONE, in vcpu_enter_guest(). What vcpu_enter_guest() makes of an
 * exit that the fastpath handled (back into the guest, or out of the loop and
 * through handle_exit()) makes no difference.
 *
 * Only the thread that holds vcpu->mutex counts. Whoever wants to reads, at any
 * time: exitstats_cpuid.c for the guest, KVM's statistics and
 * exitstats_debugfs.c for the host.
 *
 * A vendor module joins by calling the two functions for the fastpath around it,
 * and one each in its hardware_setup(), vm_init(), vcpu_create() and vcpu_free().
 */
#ifndef __KVM_X86_EXITSTATS_H
#define __KVM_X86_EXITSTATS_H

#include <linux/kvm_host.h>
#include <uapi/linux/kvm_exitstats.h>

#ifdef CONFIG_KVM_EXITSTATS

#include <linux/jump_label.h>
#include <asm/msr.h>

/* On while there is a vCPU that counts. */
DECLARE_STATIC_KEY_FALSE(kvm_exitstats_key);

static __always_inline void __kvm_exitstats_stamp(struct kvm_vcpu_exitstats *stats, u64 tsc)
{
	stats->tsc = tsc;
	stats->reason = *stats->vendor_reason;
}

static __always_inline void __kvm_exitstats_count(struct kvm_vcpu *vcpu)
{
	struct kvm_vcpu_exitstats *stats = &vcpu->arch.exitstats;
	u64 cycles = rdtsc() - stats->tsc;
	unsigned long slot = stats->reason;

	if (unlikely(slot > KVM_EXITSTATS_OTHER)) {
		barrier();	/* a branch, not a CMOV on every exit */
		slot = KVM_EXITSTATS_OTHER;
	}

	/* The handler may have slept, and woken up on a CPU whose TSC is behind. */
	if (unlikely((s64)cycles < 0)) {
		barrier();
		cycles = 0;
	}

	/*
	 * The cycles first: whoever sees the exit sees its cycles. An addition is one
	 * instruction if gcc does not see that the two have their index in common.
	 */
	OPTIMIZER_HIDE_VAR(slot);
	local64_add(cycles, &vcpu->stat.cycles_by_reason[slot]);
	local64_add(cycles, &stats->cycles);
	OPTIMIZER_HIDE_VAR(slot);
	local64_inc(&vcpu->stat.exits_by_reason[slot]);
	local64_inc(&stats->exits);
}

/**
 * kvm_exitstats_stamp() - note when and why a vCPU exited
 * @vcpu: the vCPU
 * @tsc: host TSC, read after the exit
 *
 * The reason is read here, as handlers may change the vendor's copy of it.
 *
 * Return: @tsc, which vcpu_enter_guest() needs as well
 */
static __always_inline u64 kvm_exitstats_stamp(struct kvm_vcpu *vcpu, u64 tsc)
{
	if (static_branch_likely(&kvm_exitstats_key))
		__kvm_exitstats_stamp(&vcpu->arch.exitstats, tsc);
	return tsc;
}

/**
 * kvm_exitstats_count() - count an exit, handle_exit() having returned
 * @vcpu: the vCPU
 * @completion: what the fastpath made of the exit; if anything, it counted it
 */
static __always_inline void kvm_exitstats_count(struct kvm_vcpu *vcpu, fastpath_t completion)
{
	if (static_branch_likely(&kvm_exitstats_key) &&
	    likely(completion == vcpu->arch.exitstats.uncounted))
		__kvm_exitstats_count(vcpu);
}

/**
 * kvm_exitstats_stamp_fastpath() - kvm_exitstats_stamp() for the fastpath
 * @vcpu: the vCPU, about to handle an exit in the fastpath
 *
 * The fastpath runs ahead of vcpu_enter_guest()'s reading of the TSC.
 */
static __always_inline void kvm_exitstats_stamp_fastpath(struct kvm_vcpu *vcpu)
{
	if (static_branch_likely(&kvm_exitstats_key))
		__kvm_exitstats_stamp(&vcpu->arch.exitstats, rdtsc());
}

/**
 * kvm_exitstats_count_fastpath() - count an exit if the fastpath handled it
 * @vcpu: the vCPU
 * @completion: what the fastpath made of the exit
 *
 * Return: @completion
 */
static __always_inline fastpath_t kvm_exitstats_count_fastpath(struct kvm_vcpu *vcpu,
							       fastpath_t completion)
{
	if (completion != EXIT_FASTPATH_NONE && static_branch_likely(&kvm_exitstats_key) &&
	    vcpu->arch.exitstats.uncounted == EXIT_FASTPATH_NONE)
		__kvm_exitstats_count(vcpu);
	return completion;
}

void kvm_exitstats_hardware_setup(void);
void kvm_exitstats_init_vm(struct kvm *kvm);
int kvm_exitstats_check_extension(struct kvm *kvm);
int kvm_exitstats_enable_cap(struct kvm *kvm, const struct kvm_enable_cap *cap);
void kvm_exitstats_create_vcpu(struct kvm_vcpu *vcpu, const u16 *vendor_reason);
void kvm_exitstats_destroy_vcpu(struct kvm_vcpu *vcpu);
bool kvm_exitstats_cpuid(struct kvm_vcpu *vcpu, u32 *eax, u32 *ebx, u32 *ecx, u32 *edx);
int kvm_exitstats_device_attr(struct kvm_vcpu *vcpu, unsigned int ioctl,
			      const struct kvm_device_attr *attr);
void kvm_exitstats_create_vm_debugfs(struct kvm *kvm);
void kvm_exitstats_create_vcpu_debugfs(struct kvm_vcpu *vcpu, struct dentry *dir);

u64 __kvm_exitstats_sum(struct kvm *kvm, size_t offset);
#define kvm_exitstats_sum(kvm, counter)	\
	__kvm_exitstats_sum(kvm, offsetof(struct kvm_vcpu, counter))

#else

static inline u64 kvm_exitstats_stamp(struct kvm_vcpu *vcpu, u64 tsc) { return tsc; }
static inline void kvm_exitstats_count(struct kvm_vcpu *vcpu, fastpath_t completion) {}
static inline void kvm_exitstats_stamp_fastpath(struct kvm_vcpu *vcpu) {}
static inline fastpath_t kvm_exitstats_count_fastpath(struct kvm_vcpu *vcpu,
						      fastpath_t completion)
{
	return completion;
}

static inline void kvm_exitstats_hardware_setup(void) {}
static inline void kvm_exitstats_init_vm(struct kvm *kvm) {}
static inline int kvm_exitstats_check_extension(struct kvm *kvm) { return 0; }
static inline int kvm_exitstats_enable_cap(struct kvm *kvm, const struct kvm_enable_cap *cap)
{
	return -EINVAL;
}

static inline void kvm_exitstats_create_vcpu(struct kvm_vcpu *vcpu, const u16 *vendor_reason) {}
static inline void kvm_exitstats_destroy_vcpu(struct kvm_vcpu *vcpu) {}
static inline bool kvm_exitstats_cpuid(struct kvm_vcpu *vcpu, u32 *eax, u32 *ebx,
				       u32 *ecx, u32 *edx)
{
	return false;
}

static inline int kvm_exitstats_device_attr(struct kvm_vcpu *vcpu, unsigned int ioctl,
					    const struct kvm_device_attr *attr)
{
	return -ENXIO;
}

static inline void kvm_exitstats_create_vm_debugfs(struct kvm *kvm) {}
static inline void kvm_exitstats_create_vcpu_debugfs(struct kvm_vcpu *vcpu,
						     struct dentry *dir) {}

#endif /* CONFIG_KVM_EXITSTATS */

#endif /* __KVM_X86_EXITSTATS_H */
