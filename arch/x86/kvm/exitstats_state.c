// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM exitstats: save and restore of what a VM's guest reads, for live migration.
 *
 * A restored VM's guest continues from the saved figures. They are kept apart from the
 * ledgers, as a base value of the VM that only the leaves add: the host's statistics
 * describe this host.
 */
#include <linux/kvm_host.h>
#include <linux/nospec.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "exitstats.h"

static u32 exitstats_selector(u32 account)
{
	if (account < KVM_EXITSTATS_FIRST_REASON)
		return KVM_EXITSTATS_SELECT_ACCOUNT(account);
	return KVM_EXITSTATS_SELECT_REASON(kvm_exitstats_code_of(account));
}

static int exitstats_get_state(struct kvm_vcpu *vcpu, struct kvm_exitstats_state __user *state)
{
	struct kvm_exitstats_account view;
	struct kvm_exitstats_entry entry = {};
	u32 room, account, nr = 0;

	if (get_user(room, &state->nr))
		return -EFAULT;

	for (account = KVM_EXITSTATS_GUEST; account < kvm_exitstats_nr_accounts; account++) {
		view = kvm_exitstats_guest_view(vcpu, account);
		if (!view.exits && !view.cycles)
			continue;
		entry.selector = exitstats_selector(account);
		entry.exits = view.exits;
		entry.cycles = view.cycles;
		entry.longest = view.longest;
		if (nr < room && copy_to_user(&state->entries[nr], &entry, sizeof(entry)))
			return -EFAULT;
		nr++;
	}

	if (put_user(nr, &state->nr) || put_user(kvm_exitstats_numbering, &state->numbering))
		return -EFAULT;
	return nr > room ? -E2BIG : 0;
}

/* Return the account of an entry, or 0 if its selector is not valid. */
static u32 exitstats_account(const struct kvm_exitstats_entry *entry)
{
	u32 n = entry->selector & U16_MAX;

	switch (entry->selector - n) {
	case KVM_EXITSTATS_SELECT_REASON(0):
		return kvm_exitstats_account_of[array_index_nospec(kvm_exitstats_index(n),
								   KVM_EXITSTATS_NR_INDEXES)];
	case KVM_EXITSTATS_SELECT_ACCOUNT(0):
		return n <= KVM_EXITSTATS_OTHER ? n : 0;
	default:
		return 0;
	}
}

/* Sum the entries by account into @figures, and those of exit reasons into "all". */
static int exitstats_read_entries(struct kvm_exitstats_account *figures,
				  const struct kvm_exitstats_state *state)
{
	struct kvm_exitstats_account *all = &figures[KVM_EXITSTATS_ALL];
	const struct kvm_exitstats_entry *entry = state->entries;
	u32 account, i;

	for (i = 0; i < state->nr; i++, entry++) {
		account = exitstats_account(entry);
		if (!account || entry->reserved)
			return -EINVAL;
		account = array_index_nospec(account, kvm_exitstats_nr_accounts);
		figures[account].exits += entry->exits;
		figures[account].cycles += entry->cycles;
		figures[account].longest = max(figures[account].longest, entry->longest);
		if (account >= KVM_EXITSTATS_OTHER) {
			all->exits += entry->exits;
			all->cycles += entry->cycles;
			all->longest = max(all->longest, entry->longest);
		}
	}
	return 0;
}

/* Make the guest's view equal @figures: the base becomes what the ledgers lack. */
static int exitstats_set_base(struct kvm_vcpu *vcpu, const struct kvm_exitstats_account *figures)
{
	struct kvm_exitstats *vm = &vcpu->kvm->arch.exitstats;
	struct kvm_vcpu_exitstats *base = vm->base;
	struct kvm_exitstats_account view, *to;
	u32 i;

	if (!base) {
		base = kzalloc(struct_size(base, accounts, kvm_exitstats_nr_accounts),
			       GFP_KERNEL_ACCOUNT);
		if (!base)
			return -ENOMEM;
	}

	for (i = 0; i < kvm_exitstats_nr_accounts; i++) {
		view = kvm_exitstats_guest_view(vcpu, i);
		to = &base->accounts[i];
		WRITE_ONCE(to->cycles, to->cycles + figures[i].cycles - view.cycles);
		WRITE_ONCE(to->exits, to->exits + figures[i].exits - view.exits);
		WRITE_ONCE(to->longest, figures[i].longest);
	}

	/* Pairs with exitstats_of_vm(). */
	smp_store_release(&vm->base, base);
	return 0;
}

static int exitstats_set_state(struct kvm_vcpu *vcpu,
			       const struct kvm_exitstats_state __user *user)
{
	struct kvm_exitstats_account *figures = NULL;
	struct kvm_exitstats_state *state, header;
	int r;

	if (copy_from_user(&header, user, sizeof(header)))
		return -EFAULT;
	if (header.nr > KVM_EXITSTATS_MAX_ENTRIES || header.numbering != kvm_exitstats_numbering)
		return -EINVAL;

	state = memdup_user(user, struct_size(state, entries, header.nr));
	if (IS_ERR(state))
		return PTR_ERR(state);
	state->nr = header.nr;

	r = -ENOMEM;
	figures = kcalloc(kvm_exitstats_nr_accounts, sizeof(*figures), GFP_KERNEL);
	if (!figures)
		goto out;

	r = exitstats_read_entries(figures, state);
	if (r)
		goto out;

	mutex_lock(&vcpu->kvm->lock);
	r = exitstats_set_base(vcpu, figures);
	mutex_unlock(&vcpu->kvm->lock);
out:
	kfree(figures);
	kfree(state);
	return r;
}

/* KVM_{HAS,GET,SET}_DEVICE_ATTR of KVM_VCPU_EXITSTATS. Return: 0 or -errno. */
int kvm_exitstats_device_attr(struct kvm_vcpu *vcpu, unsigned int ioctl,
			      const struct kvm_device_attr *attr)
{
	struct kvm_exitstats_state __user *state = u64_to_user_ptr(attr->addr);

	if (!vcpu->arch.exitstats || attr->attr != KVM_VCPU_EXITSTATS_STATE)
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
