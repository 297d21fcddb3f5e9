/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Save and restore the figures that a guest reads, for the tests of KVM exitstats.
 */
#ifndef SELFTEST_KVM_EXITSTATS_STATE_H
#define SELFTEST_KVM_EXITSTATS_STATE_H

#include "exitstats_util.h"

/* Has room for one entry more than allowed */
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

static inline void must_get(struct kvm_vcpu *vcpu, struct state *state)
{
	memset(state, 0xff, sizeof(*state));
	state->header.nr = KVM_EXITSTATS_MAX_ENTRIES;
	TEST_ASSERT(!get_state(vcpu, state), "get: %s", strerror(errno));
	TEST_ASSERT_EQ(state->header.numbering, by_vendor(KVM_EXITSTATS_NUMBERING_VMX,
							  KVM_EXITSTATS_NUMBERING_SVM));
}

static inline void init_state(struct state *state)
{
	state->header = (struct kvm_exitstats_state) {
		.numbering = by_vendor(KVM_EXITSTATS_NUMBERING_VMX, KVM_EXITSTATS_NUMBERING_SVM),
	};
}

static inline void add_entry(struct state *state, u32 selector, u64 exits, u64 cycles,
			     u64 longest)
{
	state->entries[state->header.nr++] = (struct kvm_exitstats_entry) {
		.selector = selector, .exits = exits, .cycles = cycles, .longest = longest,
	};
}

/* Return the entry of @selector, or zeros if there is none. */
static inline struct kvm_exitstats_entry find_entry(const struct state *state, u32 selector)
{
	u32 i;

	for (i = 0; i < state->header.nr; i++)
		if (state->entries[i].selector == selector)
			return state->entries[i];
	return (struct kvm_exitstats_entry) { .selector = selector };
}

#endif /* SELFTEST_KVM_EXITSTATS_STATE_H */
