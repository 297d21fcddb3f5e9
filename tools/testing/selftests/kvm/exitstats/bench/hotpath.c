// SPDX-License-Identifier: GPL-2.0-only
/*
 * The inline functions of exitstats.h as real functions, compiled with the kernel's flags,
 * so that structure.sh can inspect their instructions.
 */
#include "exitstats.h"

static noinline __used void hotpath_enter(struct kvm_vcpu *vcpu)
{
	kvm_exitstats_enter(vcpu);
}

static noinline __used void hotpath_exit(struct kvm_vcpu *vcpu, u16 code)
{
	kvm_exitstats_exit(vcpu, code);
}

static noinline __used u64 hotpath_exit_tsc(struct kvm_vcpu *vcpu)
{
	return kvm_exitstats_exit_tsc(vcpu);
}
