/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A nested guest, for the tests of KVM exitstats: L1 enters L2 and takes its exits. What
 * enters it is each vendor's own.
 */
#ifndef SELFTEST_KVM_EXITSTATS_NESTED_H
#define SELFTEST_KVM_EXITSTATS_NESTED_H

#include "kvm_util.h"
#include "svm_util.h"

/* The framework's run_guest(), which enters L2 on SVM, would clash with exitstats_util.h's. */
#define run_guest run_vcpu
#include "exitstats_util.h"
#undef run_guest

#define NR_EXITS	20

/*
 * Have L2 execute NR_EXITS CPUIDs, then a hypercall. @enter lets L2 run until its next exit for
 * L1, and returns the exit reason; @skip has L2 go on behind a CPUID.
 */
static inline void l1_takes_all(void *l2, u64 (*enter)(void *l2), void (*skip)(void *l2))
{
	u64 reason, hypercalls = exits_of(EXIT_HYPERCALL), cpuids = exits_of(EXIT_CPUID);
	int i;

	for (i = 0; i < NR_EXITS; i++) {
		reason = enter(l2);
		GUEST_ASSERT_EQ(reason, EXIT_CPUID);
		skip(l2);
	}
	reason = enter(l2);
	GUEST_ASSERT_EQ(reason, EXIT_HYPERCALL);

	/* L2's exits, and the reading before */
	GUEST_ASSERT_EQ(exits_of(EXIT_CPUID) - cpuids, NR_EXITS + 1);
	GUEST_ASSERT_EQ(exits_of(EXIT_HYPERCALL) - hypercalls, 1);
}

static inline void run_l1(struct kvm_vcpu *vcpu, void *l1_code)
{
	u64 data;

	if (host_cpu_is_intel)
		vcpu_alloc_vmx(vcpu->vm, &data);
	else
		vcpu_alloc_svm(vcpu->vm, &data);
	vcpu_arch_set_entry_point(vcpu, l1_code);
	vcpu_args_set(vcpu, 1, data);
	run_to_done(vcpu);
}

#endif /* SELFTEST_KVM_EXITSTATS_NESTED_H */
