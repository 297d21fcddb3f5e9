// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM exitstats: the CPUID leaves that the guest reads.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/kvm_host.h>
#include <linux/llist.h>
#include <linux/nospec.h>

#include "cpuid.h"
#include "exitstats.h"
#include "x86.h"

#define EXITSTATS_NO_ACCOUNT	U32_MAX

/* A decoded selector. */
struct exitstats_selection {
	bool defined;
	bool vcpu;		/* the vCPU's figures, not the VM's */
	bool numbering;		/* the numbering, not figures */
	bool bucket;		/* bucket @nr of the account's histogram, not its figures */
	u32 nr;
	u32 account;		/* NO_ACCOUNT: the figures are 0 */
};

/*
 * Decode @selector for a VM, which may have a histogram. It comes from the guest: bound each
 * index derived from it, also under speculation.
 */
static struct exitstats_selection exitstats_select(u32 selector, bool histogram)
{
	struct exitstats_selection s = { .account = EXITSTATS_NO_ACCOUNT };
	u32 n = selector & U16_MAX, kind = selector - n;

	/* Plain numbers cannot be combined with it. */
	if (kind > KVM_EXITSTATS_SELECT_REASON(0))
		kind &= ~KVM_EXITSTATS_SELECT_VCPU;

	switch (kind) {
	case KVM_EXITSTATS_SELECT_BUCKET(0, 0) ...
	     KVM_EXITSTATS_SELECT_BUCKET(KVM_EXITSTATS_NR_BUCKETS - 1, 0):
		if (!histogram)
			break;
		s.bucket = true;
		s.nr = (kind - KVM_EXITSTATS_SELECT_BUCKET(0, 0)) >> 16;
		s.nr = array_index_nospec(s.nr, KVM_EXITSTATS_NR_BUCKETS);
		fallthrough;
	case 0:
	case KVM_EXITSTATS_SELECT_REASON(0):
		s.defined = kvm_exitstats_is_defined(n);
		n = kvm_exitstats_account_of(n);
		if (n != KVM_EXITSTATS_OTHER)
			s.account = n;
		break;
	case KVM_EXITSTATS_SELECT_ACCOUNT(0):
		s.numbering = n == (KVM_EXITSTATS_SELECT_NUMBERING & U16_MAX);
		s.defined = s.numbering || n <= KVM_EXITSTATS_OTHER;
		if (n <= KVM_EXITSTATS_OTHER)
			s.account = array_index_nospec(n, KVM_EXITSTATS_FIRST_REASON);
		break;
	}
	s.vcpu = s.defined && (selector & KVM_EXITSTATS_SELECT_VCPU);
	return s;
}

/* Offsets in a ledger of the counters to sum over the vCPUs, and an account */
struct exitstats_figures {
	u32 exits;
	u32 cycles;
	u32 longest;	/* the account whose longest exit is needed, or NO_ACCOUNT */
};

#define exitstats_offset(account, member)					\
	offsetof(struct kvm_vcpu_exitstats, accounts[account].member)

static u64 exitstats_read(const struct kvm_vcpu_exitstats *stats, u32 offset)
{
	return READ_ONCE(*(const u64 *)((const void *)stats + offset));
}

/* The longest exit of all reasons is not in the ledger, which keeps it for each reason. */
static u64 exitstats_longest(const struct kvm_vcpu_exitstats *stats, u32 account)
{
	u64 longest = 0;
	u32 i;

	if (account != KVM_EXITSTATS_ALL)
		return kvm_exitstats_longest(stats, account);

	for (i = KVM_EXITSTATS_OTHER; i < kvm_exitstats_nr_accounts; i++)
		longest = max(longest, kvm_exitstats_longest(stats, i));
	return longest;
}

/*
 * Convert to guest TSC cycles. The ratio is 0 if the CPU cannot scale the TSC and the host has
 * recalibrated its TSC since KVM was loaded: then the guest's TSC runs like the host's.
 */
static u64 exitstats_to_guest(struct kvm_vcpu *vcpu, u64 cycles)
{
	u64 ratio = vcpu->arch.l1_tsc_scaling_ratio;

	return ratio ? kvm_scale_tsc(cycles, ratio) : cycles;
}

/* The figures of @vcpu alone. Read the exits first, see __kvm_exitstats_enter(). */
static struct kvm_exitstats_account exitstats_of_vcpu(struct kvm_vcpu *vcpu,
						      const struct exitstats_figures *which)
{
	const struct kvm_vcpu_exitstats *stats = vcpu->arch.exitstats;
	struct kvm_exitstats_account sum;

	sum.exits = exitstats_read(stats, which->exits);
	sum.cycles = exitstats_to_guest(vcpu, exitstats_read(stats, which->cycles));
	sum.longest = which->longest == EXITSTATS_NO_ACCOUNT ? 0 :
		      exitstats_to_guest(vcpu, exitstats_longest(stats, which->longest));
	return sum;
}

/*
 * The figures of the VM: the sum over its vCPUs and the restored base. The counters of a vCPU
 * only grow, and vCPUs only join while the VM runs, so for one reader the sum never goes
 * backwards.
 */
static struct kvm_exitstats_account exitstats_of_vm(struct kvm_vcpu *vcpu,
						    const struct exitstats_figures *which)
{
	struct kvm_exitstats *vm = &vcpu->kvm->arch.exitstats;
	/* Pairs with exitstats_set_base(). */
	const struct kvm_vcpu_exitstats *base = smp_load_acquire(&vm->base), *stats;
	struct llist_node *first = READ_ONCE(vm->ledgers.first);
	struct kvm_exitstats_account sum = {};

	llist_for_each_entry(stats, first, next) {
		sum.exits += exitstats_read(stats, which->exits);
		sum.cycles += exitstats_read(stats, which->cycles);
	}
	sum.cycles = exitstats_to_guest(vcpu, sum.cycles);

	if (which->longest != EXITSTATS_NO_ACCOUNT) {
		llist_for_each_entry(stats, first, next)
			sum.longest = max(sum.longest, exitstats_longest(stats, which->longest));
		sum.longest = exitstats_to_guest(vcpu, sum.longest);
	}

	if (base) {
		sum.exits += exitstats_read(base, which->exits);
		sum.cycles += exitstats_read(base, which->cycles);
		if (which->longest != EXITSTATS_NO_ACCOUNT)
			sum.longest = max(sum.longest, exitstats_longest(base, which->longest));
	}
	return sum;
}

/* The figures of @account that the guest reads for its VM, in guest TSC cycles */
struct kvm_exitstats_account kvm_exitstats_guest_view(struct kvm_vcpu *vcpu, u32 account)
{
	const struct exitstats_figures which = {
		.exits = exitstats_offset(account, exits),
		.cycles = exitstats_offset(account, cycles),
		.longest = account,
	};

	return exitstats_of_vm(vcpu, &which);
}

/*
 * The guest's bucket to which the middle of host bucket @nr belongs. If the guest's TSC is scaled,
 * a bucket of the host can straddle two of the guest.
 */
static u32 exitstats_guest_bucket(struct kvm_vcpu *vcpu, u32 nr)
{
	return kvm_exitstats_bucket(exitstats_to_guest(vcpu, (3ULL << nr) / 2));
}

/* Add the buckets of @stats, a ledger of @vcpu's VM, to the guest's @buckets. */
static void exitstats_add_guest_buckets(struct kvm_vcpu *vcpu,
					const struct kvm_vcpu_exitstats *stats, u32 account,
					u64 *buckets)
{
	u64 host[KVM_EXITSTATS_NR_BUCKETS] = {};
	u32 i;

	kvm_exitstats_add_buckets(stats, account, host);
	for (i = 0; i < KVM_EXITSTATS_NR_BUCKETS; i++)
		buckets[exitstats_guest_bucket(vcpu, i)] += host[i];
}

/* Add the histograms that the VM's ledgers have for @account, an exit reason. */
void kvm_exitstats_ledger_buckets(struct kvm_vcpu *vcpu, u32 account, u64 *buckets)
{
	struct llist_node *first = READ_ONCE(vcpu->kvm->arch.exitstats.ledgers.first);
	const struct kvm_vcpu_exitstats *stats;

	llist_for_each_entry(stats, first, next)
		exitstats_add_guest_buckets(vcpu, stats, account, buckets);
}

/*
 * Set @buckets to the histogram of @account, an exit reason, that the guest reads for its VM.
 *
 * The base subtracts an exit that had not ended when the state was restored from its bucket at
 * that time. The exit may have moved to a later bucket since: subtract it there.
 */
void kvm_exitstats_guest_buckets(struct kvm_vcpu *vcpu, u32 account, u64 *buckets)
{
	/* Pairs with exitstats_set_base(). */
	const struct kvm_vcpu_exitstats *base = smp_load_acquire(&vcpu->kvm->arch.exitstats.base);
	u32 i;

	memset(buckets, 0, KVM_EXITSTATS_NR_BUCKETS * sizeof(*buckets));
	kvm_exitstats_ledger_buckets(vcpu, account, buckets);
	if (!base)
		return;

	/* The base has guest TSC cycles. */
	kvm_exitstats_add_buckets(base, account, buckets);
	for (i = 0; i < KVM_EXITSTATS_NR_BUCKETS - 1; i++) {
		if ((s64)buckets[i] < 0) {
			buckets[i + 1] += buckets[i];
			buckets[i] = 0;
		}
	}
}

static u64 exitstats_bucket(struct kvm_vcpu *vcpu, const struct exitstats_selection *s)
{
	u64 buckets[KVM_EXITSTATS_NR_BUCKETS] = {};

	if (s->vcpu)
		exitstats_add_guest_buckets(vcpu, vcpu->arch.exitstats, s->account, buckets);
	else
		kvm_exitstats_guest_buckets(vcpu, s->account, buckets);
	return buckets[s->nr];
}

/* KVM does not know the CPL of a guest with protected state: assume the worst. */
static bool exitstats_at_cpl0(struct kvm_vcpu *vcpu)
{
	return !vcpu->arch.guest_state_protected && !kvm_x86_ops.get_cpl(vcpu);
}

/*
 * Answer CPUID for one of the four leaves, @eax. @ecx is the selector and may have any
 * value. Exits are counted when they end, so the exit of this CPUID is only in the next
 * reading.
 *
 * Return: false, with the registers unchanged, if the VMM has its own entry for the leaf or
 * restricts it to CPL 0.
 */
bool __kvm_exitstats_cpuid(struct kvm_vcpu *vcpu, u32 *eax, u32 *ebx, u32 *ecx, u32 *edx)
{
	struct exitstats_figures which = {
		.exits = exitstats_offset(KVM_EXITSTATS_ALL, exits),
		.cycles = exitstats_offset(KVM_EXITSTATS_ALL, cycles),
		.longest = EXITSTATS_NO_ACCOUNT,
	};
	struct exitstats_selection s = {};
	struct kvm_exitstats_account sum;
	u32 leaf = *eax, selector = *ecx;
	u32 status;

	if (kvm_find_cpuid_entry(vcpu, leaf) ||
	    ((vcpu->kvm->arch.exitstats.flags & KVM_EXITSTATS_CPL0) && !exitstats_at_cpl0(vcpu)))
		return false;

	if (leaf != KVM_EXITSTATS_LEAF_TOTAL) {
		s = exitstats_select(selector, vcpu->arch.exitstats->tail);
		if (s.account != EXITSTATS_NO_ACCOUNT)
			which.exits = exitstats_offset(s.account, exits);
	}
	if (leaf == KVM_EXITSTATS_LEAF_CYCLES && s.account != EXITSTATS_NO_ACCOUNT && !s.bucket) {
		which.cycles = exitstats_offset(s.account, cycles);
		which.longest = s.account;
	}

	sum = s.vcpu ? exitstats_of_vcpu(vcpu, &which) : exitstats_of_vm(vcpu, &which);
	if (s.account == EXITSTATS_NO_ACCOUNT)
		sum.exits = s.numbering ? kvm_exitstats_numbering : 0;
	else if (s.bucket)
		sum.exits = exitstats_bucket(vcpu, &s);
	if ((s.account == EXITSTATS_NO_ACCOUNT || s.bucket) && leaf != KVM_EXITSTATS_LEAF_REASON)
		sum.cycles = 0;
	status = s.defined ? KVM_EXITSTATS_DEFINED : KVM_EXITSTATS_UNDEFINED;

	*ebx = upper_32_bits(sum.cycles);
	*ecx = lower_32_bits(sum.cycles);
	*edx = status;
	switch (leaf) {
	case KVM_EXITSTATS_LEAF_TOTAL:
		*eax = lower_32_bits(sum.exits);
		*edx = upper_32_bits(sum.exits);
		break;
	case KVM_EXITSTATS_LEAF_REASON:
		*eax = lower_32_bits(sum.exits);
		break;
	case KVM_EXITSTATS_LEAF_EXITS:
		*eax = lower_32_bits(sum.exits);
		*ebx = upper_32_bits(sum.exits);
		*ecx = 0;
		break;
	case KVM_EXITSTATS_LEAF_CYCLES:
		*eax = min_t(u64, sum.longest, U32_MAX);
		break;
	}

	vcpu_debug(vcpu, "exitstats: leaf %x selector %x: %llu exits, %llu cycles\n",
		   leaf, selector, sum.exits, sum.cycles);
	return true;
}
