// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM exitstats: save and restore the figures that a VM's guest reads, for live migration.
 *
 * A restored VM's guest continues from the saved figures. They are separate from the
 * ledgers, as a base value of the VM that only the leaves add, because the host's
 * statistics describe this host only.
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

/* The entries of a state that is being saved */
struct exitstats_writer {
	struct kvm_exitstats_entry __user *entries;
	u32 room;
	u32 nr;
};

static int exitstats_write(struct exitstats_writer *w, u32 selector, u64 exits, u64 cycles,
			   u64 longest)
{
	struct kvm_exitstats_entry entry = {
		.selector = selector,
		.exits = exits,
		.cycles = cycles,
		.longest = longest,
	};

	if (w->nr < w->room && copy_to_user(&w->entries[w->nr], &entry, sizeof(entry)))
		return -EFAULT;
	w->nr++;
	return 0;
}

static u64 exitstats_sum(const u64 *buckets)
{
	u64 sum = 0;
	u32 i;

	for (i = 0; i < KVM_EXITSTATS_NR_BUCKETS; i++)
		sum += buckets[i];
	return sum;
}

static int exitstats_write_buckets(struct exitstats_writer *w, u32 account, const u64 *buckets)
{
	u32 code = kvm_exitstats_code_of(account), i;
	int r;

	for (i = 0; i < KVM_EXITSTATS_NR_BUCKETS; i++) {
		if (!buckets[i])
			continue;
		r = exitstats_write(w, KVM_EXITSTATS_SELECT_BUCKET(i, code), buckets[i], 0, 0);
		if (r)
			return r;
	}
	return 0;
}

static int exitstats_get_state(struct kvm_vcpu *vcpu, struct kvm_exitstats_state __user *state)
{
	struct exitstats_writer w = { .entries = state->entries };
	u64 buckets[KVM_EXITSTATS_NR_BUCKETS];
	struct kvm_exitstats_account view;
	bool histogram;
	u32 account;
	int r;

	if (get_user(w.room, &state->nr))
		return -EFAULT;

	for (account = KVM_EXITSTATS_GUEST; account < kvm_exitstats_nr_accounts; account++) {
		view = kvm_exitstats_guest_view(vcpu, account);
		histogram = vcpu->arch.exitstats->tail && account >= KVM_EXITSTATS_FIRST_REASON;
		if (histogram) {
			/* Make the buckets add up to the exits, even while vCPUs run. */
			kvm_exitstats_guest_buckets(vcpu, account, buckets);
			view.exits = exitstats_sum(buckets);
		}
		if (!view.exits && !view.cycles)
			continue;
		r = exitstats_write(&w, exitstats_selector(account), view.exits, view.cycles,
				    view.longest);
		if (!r && histogram)
			r = exitstats_write_buckets(&w, account, buckets);
		if (r)
			return r;
	}

	if (put_user(w.nr, &state->nr) || put_user(kvm_exitstats_numbering, &state->numbering))
		return -EFAULT;
	return w.nr > w.room ? -E2BIG : 0;
}

/* Return the account of an entry, or 0 if its selector is not valid. */
static u32 exitstats_account(const struct kvm_exitstats_entry *entry)
{
	u32 n = entry->selector & U16_MAX;

	switch (entry->selector - n) {
	case KVM_EXITSTATS_SELECT_REASON(0):
		return kvm_exitstats_account_of(n);
	case KVM_EXITSTATS_SELECT_ACCOUNT(0):
		return n <= KVM_EXITSTATS_OTHER ? n : 0;
	default:
		return 0;
	}
}

static bool exitstats_is_bucket(u32 selector)
{
	return selector - KVM_EXITSTATS_SELECT_BUCKET(0, 0) <
	       KVM_EXITSTATS_SELECT_BUCKET(KVM_EXITSTATS_NR_BUCKETS, 0) -
	       KVM_EXITSTATS_SELECT_BUCKET(0, 0);
}

static int exitstats_read_bucket(struct kvm_vcpu_exitstats *figures,
				 const struct kvm_exitstats_entry *entry)
{
	u32 nr = (entry->selector - KVM_EXITSTATS_SELECT_BUCKET(0, 0)) >> 16;
	u32 account = kvm_exitstats_account_of(entry->selector & U16_MAX);

	if (!figures->tail || entry->reserved || entry->cycles || entry->longest)
		return -EINVAL;

	nr = array_index_nospec(nr, KVM_EXITSTATS_NR_BUCKETS);
	kvm_exitstats_tail_of(figures, account)->buckets[nr] += entry->exits;
	return 0;
}

static int exitstats_read_entry(struct kvm_vcpu_exitstats *figures,
				const struct kvm_exitstats_entry *entry)
{
	struct kvm_exitstats_account *all = &figures->accounts[KVM_EXITSTATS_ALL], *to;
	u32 account = exitstats_account(entry);
	struct kvm_exitstats_tail *tail;

	if (!account || entry->reserved)
		return -EINVAL;

	to = &figures->accounts[array_index_nospec(account, kvm_exitstats_nr_accounts)];
	tail = kvm_exitstats_tail(figures, to);
	tail->longest = max(tail->longest, entry->longest);
	to->exits += entry->exits;
	to->cycles += entry->cycles;
	if (account >= KVM_EXITSTATS_OTHER) {
		all->exits += entry->exits;
		all->cycles += entry->cycles;
	}
	return 0;
}

/* Sum the entries by account into @figures, and those of exit reasons into "all". */
static int exitstats_read_entries(struct kvm_vcpu_exitstats *figures,
				  const struct kvm_exitstats_state *state)
{
	u32 i;
	int r;

	for (i = 0; i < state->nr; i++) {
		if (exitstats_is_bucket(state->entries[i].selector))
			r = exitstats_read_bucket(figures, &state->entries[i]);
		else
			r = exitstats_read_entry(figures, &state->entries[i]);
		if (r)
			return r;
	}

	/* The guest cannot read the buckets of "other", and they are not saved. */
	for (i = KVM_EXITSTATS_FIRST_REASON; figures->tail && i < kvm_exitstats_nr_accounts; i++) {
		if (exitstats_sum(kvm_exitstats_tail_of(figures, i)->buckets) !=
		    figures->accounts[i].exits)
			return -EINVAL;
	}
	return 0;
}

/* Return: an empty ledger for a VM's figures, with all buckets of the histogram, or NULL. */
static struct kvm_vcpu_exitstats *exitstats_alloc_figures(bool histogram)
{
	struct kvm_vcpu_exitstats *figures = kvm_exitstats_alloc(histogram);
	struct kvm_exitstats_tail *tail;
	u32 i;

	for (i = KVM_EXITSTATS_OTHER; figures && histogram && i < kvm_exitstats_nr_accounts; i++) {
		tail = kvm_exitstats_tail_of(figures, i);
		tail->buckets = kvm_exitstats_alloc_buckets(GFP_KERNEL_ACCOUNT);
		if (!tail->buckets) {
			kvm_exitstats_free(figures);
			return NULL;
		}
	}
	return figures;
}

static void exitstats_set_buckets(struct kvm_vcpu *vcpu, struct kvm_vcpu_exitstats *base,
				  const struct kvm_vcpu_exitstats *figures, u32 account)
{
	const u64 *from = kvm_exitstats_tail_of(figures, account)->buckets;
	u64 *to = kvm_exitstats_tail_of(base, account)->buckets;
	u64 here[KVM_EXITSTATS_NR_BUCKETS] = {};
	u32 i;

	kvm_exitstats_ledger_buckets(vcpu, account, here);
	for (i = 0; i < KVM_EXITSTATS_NR_BUCKETS; i++)
		WRITE_ONCE(to[i], from[i] - here[i]);
}

/* Make the guest's view equal @figures: set the base to the difference to the ledgers. */
static int exitstats_set_base(struct kvm_vcpu *vcpu, const struct kvm_vcpu_exitstats *figures)
{
	struct kvm_exitstats *vm = &vcpu->kvm->arch.exitstats;
	struct kvm_vcpu_exitstats *base = vm->base;
	const struct kvm_exitstats_account *from;
	struct kvm_exitstats_account view, *to;
	u32 i;

	if (!base) {
		base = exitstats_alloc_figures(figures->tail);
		if (!base)
			return -ENOMEM;
	}

	for (i = 0; i < kvm_exitstats_nr_accounts; i++) {
		if (figures->tail && i >= KVM_EXITSTATS_FIRST_REASON)
			exitstats_set_buckets(vcpu, base, figures, i);
		view = kvm_exitstats_guest_view(vcpu, i);
		from = &figures->accounts[i];
		to = &base->accounts[i];
		WRITE_ONCE(to->cycles, to->cycles + from->cycles - view.cycles);
		WRITE_ONCE(to->exits, to->exits + from->exits - view.exits);
		WRITE_ONCE(kvm_exitstats_tail_of(base, i)->longest,
			   kvm_exitstats_tail_of(figures, i)->longest);
	}

	/* Pairs with exitstats_of_vm(). */
	smp_store_release(&vm->base, base);
	return 0;
}

static int exitstats_set_state(struct kvm_vcpu *vcpu,
			       const struct kvm_exitstats_state __user *user)
{
	struct kvm_vcpu_exitstats *figures = NULL;
	struct kvm_exitstats_state *state, header;
	int r;

	if (copy_from_user(&header, user, sizeof(header)))
		return -EFAULT;
	if (header.nr > KVM_EXITSTATS_MAX_ENTRIES || header.numbering != kvm_exitstats_numbering)
		return -EINVAL;

	state = vmemdup_user(user, struct_size(state, entries, header.nr));
	if (IS_ERR(state))
		return PTR_ERR(state);
	state->nr = header.nr;

	r = -ENOMEM;
	figures = exitstats_alloc_figures(vcpu->arch.exitstats->tail);
	if (!figures)
		goto out;

	r = exitstats_read_entries(figures, state);
	if (r)
		goto out;

	mutex_lock(&vcpu->kvm->arch.exitstats.base_lock);
	r = exitstats_set_base(vcpu, figures);
	mutex_unlock(&vcpu->kvm->arch.exitstats.base_lock);
out:
	if (figures)
		kvm_exitstats_free(figures);
	kvfree(state);
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
