/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Saving and restoring a vCPU's counters, for the tests of KVM exitstats.
 */
#ifndef SELFTEST_KVM_EXITSTATS_STATE_H
#define SELFTEST_KVM_EXITSTATS_STATE_H

#include "exitstats_util.h"

/* With room for one more than is allowed */
struct state {
	struct kvm_exitstats_state header;
	struct kvm_exitstats_entry entries[KVM_EXITSTATS_MAX_ENTRIES + 1];
};

static inline int get_state(struct kvm_vcpu *vcpu, struct state *state)
{
	return __vcpu_device_attr_get(vcpu, KVM_VCPU_EXITSTATS, KVM_VCPU_EXITSTATS_STATE, state);
}

static inline int set_state(struct kvm_vcpu *vcpu, const struct state *state)
{
	return __vcpu_device_attr_set(vcpu, KVM_VCPU_EXITSTATS, KVM_VCPU_EXITSTATS_STATE,
				      (void *)state);
}

static inline void must_set(struct kvm_vcpu *vcpu, const struct state *state)
{
	TEST_ASSERT(!set_state(vcpu, state), "set: %s", strerror(errno));
}

static inline void add_entry(struct state *state, u32 reason, u64 exits, u64 cycles)
{
	state->entries[state->header.nr++] = (struct kvm_exitstats_entry) {
		.reason = reason, .exits = exits, .cycles = cycles,
	};
}

#endif /* SELFTEST_KVM_EXITSTATS_STATE_H */
