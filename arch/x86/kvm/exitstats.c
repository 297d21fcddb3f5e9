// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM exitstats: who counts.
 *
 * exitstats.h counts in the exit path; its comment is the place to start. The guest
 * reads in exitstats_cpuid.c, the host in exitstats_debugfs.c and exitstats_state.c.
 * Documentation/virt/kvm/exitstats.rst is the interface.
 */
#include <linux/kvm_host.h>
#include <linux/moduleparam.h>
#include <linux/rcupdate.h>
#include <linux/xarray.h>

#include "exitstats.h"

/* What a VM does whose VMM does not say; for VMs made after it is written. */
static bool exitstats = true;
module_param(exitstats, bool, 0644);
MODULE_PARM_DESC(exitstats, "Count VM exits for guests, unless the VMM decides (default: Y)");

DEFINE_STATIC_KEY_FALSE(kvm_exitstats_key);
EXPORT_SYMBOL_FOR_KVM_INTERNAL(kvm_exitstats_key);

/* The vendor module's exit path counts. */
static bool exitstats_supported __read_mostly;

/**
 * kvm_exitstats_hardware_setup() - announce that a vendor module counts exits
 *
 * Called by the vendor's hardware_setup().
 */
void kvm_exitstats_hardware_setup(void)
{
	exitstats_supported = true;
}
EXPORT_SYMBOL_FOR_KVM_INTERNAL(kvm_exitstats_hardware_setup);

/**
 * kvm_exitstats_init_vm() - apply the module parameter to a new VM
 * @kvm: the VM
 *
 * Called by the vendor's vm_init() if its exit path counts exits for @kvm.
 */
void kvm_exitstats_init_vm(struct kvm *kvm)
{
	kvm->arch.exitstats.supported = true;
	kvm->arch.exitstats.enabled = READ_ONCE(exitstats);
}
EXPORT_SYMBOL_FOR_KVM_INTERNAL(kvm_exitstats_init_vm);

/**
 * kvm_exitstats_check_extension() - KVM_CHECK_EXTENSION of KVM_CAP_X86_EXITSTATS
 * @kvm: the VM, or NULL for the host
 *
 * Return: 1 if its exits can be counted, else 0
 */
int kvm_exitstats_check_extension(struct kvm *kvm)
{
	return kvm ? kvm->arch.exitstats.supported : exitstats_supported;
}

/**
 * kvm_exitstats_enable_cap() - KVM_ENABLE_CAP of KVM_CAP_X86_EXITSTATS
 * @kvm: the VM
 * @cap: what userspace asks for, see uapi linux/kvm_exitstats.h
 *
 * Return: 0, -EINVAL or -EBUSY
 */
int kvm_exitstats_enable_cap(struct kvm *kvm, const struct kvm_enable_cap *cap)
{
	int r = 0;

	if (!kvm->arch.exitstats.supported || cap->args[0] > 1 ||
	    cap->args[1] || cap->args[2] || cap->args[3])
		return -EINVAL;

	mutex_lock(&kvm->lock);
	if (kvm->created_vcpus)
		r = -EBUSY;
	else
		kvm->arch.exitstats.enabled = cap->args[0];
	mutex_unlock(&kvm->lock);

	return r;
}

/**
 * kvm_exitstats_create_vcpu() - let a new vCPU count if its VM does
 * @vcpu: the vCPU, which has not run yet
 * @vendor_reason: where the vendor module keeps its basic exit reason
 *
 * Called by the vendor's vcpu_create(), with nothing after it that can fail.
 */
void kvm_exitstats_create_vcpu(struct kvm_vcpu *vcpu, const u16 *vendor_reason)
{
	vcpu->arch.exitstats.vendor_reason = vendor_reason;
	vcpu->arch.exitstats.uncounted = -1;

	if (vcpu->kvm->arch.exitstats.enabled) {
		vcpu->arch.exitstats.uncounted = EXIT_FASTPATH_NONE;
		static_branch_inc(&kvm_exitstats_key);
	}
}
EXPORT_SYMBOL_FOR_KVM_INTERNAL(kvm_exitstats_create_vcpu);

/**
 * kvm_exitstats_destroy_vcpu() - undo kvm_exitstats_create_vcpu()
 * @vcpu: the vCPU, which will not run again
 *
 * Called by the vendor's vcpu_free().
 */
void kvm_exitstats_destroy_vcpu(struct kvm_vcpu *vcpu)
{
	if (vcpu->kvm->arch.exitstats.enabled)
		static_branch_dec(&kvm_exitstats_key);
}
EXPORT_SYMBOL_FOR_KVM_INTERNAL(kvm_exitstats_destroy_vcpu);

/**
 * __kvm_exitstats_sum() - sum a counter over the vCPUs of a VM
 * @kvm: the VM
 * @offset: of the counter, a local64_t, in struct kvm_vcpu
 *
 * The counters of vCPUs that have run only grow, and vCPUs only join while the VM
 * runs: for one reader the sum never goes backwards, unless the VMM restores counters
 * a second time while other vCPUs run, or root clears them.
 *
 * kvm_for_each_vcpu() looks each vCPU up from the root of the array; this walks,
 * which is a third of it, as a guest may have a thousand vCPUs and read at will.
 *
 * Return: the sum
 */
u64 __kvm_exitstats_sum(struct kvm *kvm, size_t offset)
{
	int online = atomic_read(&kvm->online_vcpus);
	XA_STATE(xas, &kvm->vcpu_array, 0);
	struct kvm_vcpu *vcpu;
	u64 sum = 0;

	/* As in kvm_get_vcpu(): the first @online of the array are vCPUs. */
	smp_rmb();

	if (!online)
		return 0;

	rcu_read_lock();
	xas_for_each(&xas, vcpu, online - 1) {
		if (!xas_retry(&xas, vcpu))
			sum += local64_read((local64_t *)((void *)vcpu + offset));
	}
	rcu_read_unlock();

	return sum;
}
