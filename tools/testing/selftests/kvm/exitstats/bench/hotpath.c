// SPDX-License-Identifier: GPL-2.0-only
/*
 * The inlines of exitstats.h as functions, compiled as the kernel compiles KVM, for
 * structure.sh to look at their instructions.
 */
#include "exitstats.h"

static noinline __used u64 hotpath_stamp(struct kvm_vcpu *vcpu, u64 tsc)
{
	return kvm_exitstats_stamp(vcpu, tsc);
}

static noinline __used void hotpath_count(struct kvm_vcpu *vcpu, fastpath_t completion)
{
	kvm_exitstats_count(vcpu, completion);
}

static noinline __used void hotpath_stamp_fastpath(struct kvm_vcpu *vcpu)
{
	kvm_exitstats_stamp_fastpath(vcpu);
}

static noinline __used
fastpath_t hotpath_count_fastpath(struct kvm_vcpu *vcpu, fastpath_t completion)
{
	return kvm_exitstats_count_fastpath(vcpu, completion);
}
