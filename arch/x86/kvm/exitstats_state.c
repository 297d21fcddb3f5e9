// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM exitstats: save and restore of a vCPU's counters, for live migration.
 */
#include <linux/kvm_host.h>
#include <linux/nospec.h>
#include <linux/uaccess.h>

#include "exitstats.h"

static int exitstats_get_state(struct kvm_vcpu *vcpu, struct kvm_exitstats_state __user *state)
{
	struct kvm_exitstats_entry entry = {};
	u32 room, slot, nr = 0;

	if (get_user(room, &state->nr))
		return -EFAULT;

	for (slot = 0; slot < KVM_EXITSTATS_NR_SLOTS; slot++) {
		entry.reason = slot == KVM_EXITSTATS_OTHER ? KVM_EXITSTATS_REASON_OTHER : slot;
		entry.exits = local64_read(&vcpu->stat.exits_by_reason[slot]);
		entry.cycles = local64_read(&vcpu->stat.cycles_by_reason[slot]);
		if (!entry.exits && !entry.cycles)
			continue;
		if (nr < room && copy_to_user(&state->entries[nr], &entry, sizeof(entry)))
			return -EFAULT;
		nr++;
	}

	if (put_user(nr, &state->nr) || put_user(0, &state->reserved))
		return -EFAULT;
	return nr > room ? -E2BIG : 0;
}

static void exitstats_reset(struct kvm_vcpu *vcpu)
{
	u32 slot;

	for (slot = 0; slot < KVM_EXITSTATS_NR_SLOTS; slot++) {
		local64_set(&vcpu->stat.exits_by_reason[slot], 0);
		local64_set(&vcpu->stat.cycles_by_reason[slot], 0);
	}
	local64_set(&vcpu->arch.exitstats.exits, 0);
	local64_set(&vcpu->arch.exitstats.cycles, 0);
}

static int exitstats_set_state(struct kvm_vcpu *vcpu,
			       const struct kvm_exitstats_state __user *user)
{
	struct kvm_exitstats_state *state, header;
	const struct kvm_exitstats_entry *entry;
	u32 i, slot;
	int r = -EINVAL;

	/* KVM's sign of a vCPU that never entered the guest */
	if (vcpu->arch.last_vmentry_cpu != -1)
		return -EBUSY;
	if (copy_from_user(&header, user, sizeof(header)))
		return -EFAULT;
	if (header.nr > KVM_EXITSTATS_MAX_ENTRIES || header.reserved)
		return -EINVAL;

	state = memdup_user(user, struct_size(state, entries, header.nr));
	if (IS_ERR(state))
		return PTR_ERR(state);

	for (i = 0; i < header.nr; i++) {
		if (state->entries[i].reserved)
			goto out;
	}

	exitstats_reset(vcpu);
	for (i = 0; i < header.nr; i++) {
		entry = &state->entries[i];
		slot = min(entry->reason, KVM_EXITSTATS_OTHER);
		slot = array_index_nospec(slot, KVM_EXITSTATS_NR_SLOTS);
		local64_add(entry->cycles, &vcpu->stat.cycles_by_reason[slot]);
		local64_add(entry->cycles, &vcpu->arch.exitstats.cycles);
		local64_add(entry->exits, &vcpu->stat.exits_by_reason[slot]);
		local64_add(entry->exits, &vcpu->arch.exitstats.exits);
	}

	r = 0;
out:
	kfree(state);
	return r;
}

/**
 * kvm_exitstats_device_attr() - KVM_{HAS,GET,SET}_DEVICE_ATTR of KVM_VCPU_EXITSTATS
 * @vcpu: the vCPU, its mutex held
 * @ioctl: which of the three
 * @attr: what userspace passed, see uapi linux/kvm_exitstats.h
 *
 * Return: 0 or -errno
 */
int kvm_exitstats_device_attr(struct kvm_vcpu *vcpu, unsigned int ioctl,
			      const struct kvm_device_attr *attr)
{
	struct kvm_exitstats_state __user *state = u64_to_user_ptr(attr->addr);

	if (!vcpu->kvm->arch.exitstats.enabled || attr->attr != KVM_VCPU_EXITSTATS_STATE)
		return -ENXIO;

	switch (ioctl) {
	case KVM_GET_DEVICE_ATTR:
		return exitstats_get_state(vcpu, state);
	case KVM_SET_DEVICE_ATTR:
		return exitstats_set_state(vcpu, state);
	default:
		return 0;
	}
}
