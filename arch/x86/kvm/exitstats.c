// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM exitstats: which VMs count, and the rare paths of the ledger.
 *
 * exitstats.h draws the ledger and has its hot path; start there.
 * Documentation/virt/kvm/exitstats.rst describes the interfaces.
 */
#include <linux/kvm_host.h>
#include <linux/moduleparam.h>
#include <linux/preempt.h>
#include <linux/slab.h>

#include "exitstats.h"

#define CREATE_TRACE_POINTS
#include "exitstats_trace.h"
EXPORT_TRACEPOINT_SYMBOL_GPL(kvm_exitstats_tp);

/* Decides for VMs whose VMM does not use KVM_CAP_X86_EXITSTATS; read when a VM is created. */
static bool exitstats = IS_ENABLED(CONFIG_KVM_EXITSTATS_DEFAULT_ON);
module_param(exitstats, bool, 0644);
MODULE_PARM_DESC(exitstats, "Keep exit statistics for VMs whose VMM does not decide");

static bool exitstats_hist;
module_param(exitstats_hist, bool, 0644);
MODULE_PARM_DESC(exitstats_hist, "Keep a histogram, too, for VMs whose VMM does not decide");

/*
 * Switching the key interrupts all CPUs. Turn it off with a delay, so that a host that starts
 * one VM after the other does not switch it for each of them.
 */
DEFINE_STATIC_KEY_DEFERRED_FALSE(kvm_exitstats_key, 60 * HZ);
EXPORT_SYMBOL_FOR_KVM_INTERNAL(kvm_exitstats_key);

static_assert(sizeof(struct kvm_exitstats_tail) == sizeof(struct kvm_exitstats_account));
static_assert(offsetof(struct kvm_exitstats_tail, longest) ==
	      offsetof(struct kvm_exitstats_account, longest));

/* Ledgers without and with a histogram; the former exists if KVM can count. */
static struct kmem_cache *exitstats_cache[2];

/* Is it an exit reason's account, or @pieces, which replaces it? */
static __always_inline bool exitstats_is_reason(const struct kvm_vcpu_exitstats *stats,
						const struct kvm_exitstats_account *account)
{
	return account >= &stats->accounts[KVM_EXITSTATS_OTHER];
}

/*
 * Credit the latest exit, *@reason, with the time since @since, and count it if @over. Before
 * the first VM entry, the time is userspace's. The time started on this CPU.
 * Return: the cycles that the exit has taken so far.
 */
static __always_inline u64 exitstats_settle(struct kvm_vcpu_exitstats *stats,
					    struct kvm_exitstats_account **reason, bool over,
					    u64 now)
{
	struct kvm_exitstats_account *all = &stats->accounts[KVM_EXITSTATS_ALL];
	u64 cycles = now - stats->since, took = cycles;
	bool first = stats->account != stats->pieces;

	*reason = stats->account;
	if (!first) {
		*reason = stats->reason;
		took += stats->took;
	}

	(*reason)->cycles += cycles;
	if (first || exitstats_is_reason(stats, *reason)) {
		all->cycles += cycles;
		barrier();	/* as in __kvm_exitstats_enter() */
		if (over && (first || !stats->counted)) {
			(*reason)->exits++;
			all->exits++;
		}
	}
	stats->since = now;
	return took;
}

/* Leave the latest exit for account @to. @over: count the exit. */
static __always_inline void exitstats_away(struct kvm_vcpu_exitstats *stats, u32 to, bool over,
					   u64 now)
{
	struct kvm_exitstats_account *reason;
	u64 took = exitstats_settle(stats, &reason, over, now);

	WRITE_ONCE(stats->took, took);
	WRITE_ONCE(stats->reason, reason);
	if (over)
		WRITE_ONCE(stats->counted, true);
	stats->account = &stats->accounts[to];
	stats->account->exits++;
}

/* Continue the latest exit. */
static __always_inline void exitstats_back(struct kvm_vcpu_exitstats *stats)
{
	u64 now = rdtsc(), cycles = now - stats->since;

	/* This CPU's TSC is behind that of the CPU where the period started: count 0. */
	if (unlikely((s64)cycles < 0)) {
		stats->created += cycles;
		cycles = 0;
	}
	stats->account->cycles += cycles;
	barrier();
	stats->since = now;
	stats->account = stats->pieces;
}

/*
 * Record @took, the longest exit of @reason so far, or any that kvm_exitstats_enter() cannot
 * count in the histogram. The first exit of its reason takes the spare buckets. They exist, as
 * KVM handles the request for the next ones before VM entry.
 */
static __always_inline void exitstats_keep_longest(struct kvm_vcpu *vcpu,
						   struct kvm_exitstats_account *reason, u64 took)
{
	struct kvm_vcpu_exitstats *stats = vcpu->arch.exitstats;
	struct kvm_exitstats_tail *tail = kvm_exitstats_tail(stats, reason);

	WRITE_ONCE(tail->longest, max(tail->longest, took));
	if (!stats->tail)
		return;

	if (!tail->buckets) {
		tail->buckets = stats->spare;
		stats->spare = NULL;
		kvm_make_request(KVM_REQ_EXITSTATS, vcpu);
	}
	tail->buckets[kvm_exitstats_bucket(took)]++;
	tail->limit = min_t(u64, tail->longest, BIT_ULL(KVM_EXITSTATS_NR_BUCKETS) - 1);
}

/* End the latest exit. */
static __always_inline void exitstats_finish(struct kvm_vcpu *vcpu, u64 now)
{
	struct kvm_vcpu_exitstats *stats = vcpu->arch.exitstats;
	struct kvm_exitstats_account *reason;
	u64 took = exitstats_settle(stats, &reason, true, now);

	if (exitstats_is_reason(stats, reason) &&
	    unlikely((s64)took > (s64)reason->longest) &&
	    !__kvm_exitstats_enter_tail(stats, reason, took))
		exitstats_keep_longest(vcpu, reason, took);
	WRITE_ONCE(stats->counted, false);

	if (tracepoint_enabled(kvm_exitstats_tp) && exitstats_is_reason(stats, reason)) {
		stats->traced = reason;
		stats->traced_cycles = took;
		kvm_make_request(KVM_REQ_EXITSTATS, vcpu);
	}
}

/*
 * VM entry after a new longest exit or one in several pieces, the first VM entry, and any VM
 * entry while exits are traced.
 */
noinstr void __kvm_exitstats_enter_rare(struct kvm_vcpu *vcpu, u64 now)
{
	struct kvm_vcpu_exitstats *stats = vcpu->arch.exitstats;

	instrumentation_begin();
	exitstats_finish(vcpu, now);
	instrumentation_end();

	stats->account = NULL;
	stats->accounts[KVM_EXITSTATS_GUEST].exits++;
}
EXPORT_SYMBOL_FOR_KVM_INTERNAL(__kvm_exitstats_enter_rare);

u64 *kvm_exitstats_alloc_buckets(gfp_t gfp)
{
	return kcalloc(KVM_EXITSTATS_NR_BUCKETS, sizeof(u64), gfp);
}

/* The exit reason of @account, or U32_MAX for "other" */
static u32 exitstats_code_of(const struct kvm_vcpu_exitstats *stats,
			     const struct kvm_exitstats_account *account)
{
	u32 i = account - stats->accounts;

	return i == KVM_EXITSTATS_OTHER ? U32_MAX : kvm_exitstats_code_of(i);
}

void __kvm_exitstats_request(struct kvm_vcpu *vcpu)
{
	struct kvm_vcpu_exitstats *stats = vcpu->arch.exitstats;

	kvm_clear_request(KVM_REQ_EXITSTATS, vcpu);
	if (stats->tail && !stats->spare)
		stats->spare = kvm_exitstats_alloc_buckets(GFP_KERNEL_ACCOUNT | __GFP_NOFAIL);

	if (stats->traced) {
		trace_kvm_exitstats_tp(vcpu, exitstats_code_of(stats, stats->traced),
				       stats->traced_cycles);
		stats->traced = NULL;
	}
}

void __kvm_exitstats_no_entry(struct kvm_vcpu *vcpu, u64 code)
{
	struct kvm_vcpu_exitstats *stats = vcpu->arch.exitstats;

	if (!stats)
		return;

	preempt_disable();
	exitstats_finish(vcpu, rdtsc());
	stats->account = &stats->accounts[kvm_exitstats_account_of(code)];
	preempt_enable();
}
EXPORT_SYMBOL_FOR_KVM_INTERNAL(__kvm_exitstats_no_entry);

/* A blocked vCPU stays halted, wherever it is scheduled: put and load leave it alone. */
void __kvm_exitstats_block(struct kvm_vcpu *vcpu)
{
	struct kvm_vcpu_exitstats *stats = vcpu->arch.exitstats;

	if (!stats)
		return;

	preempt_disable();
	exitstats_away(stats, KVM_EXITSTATS_HALTED, true, rdtsc());
	vcpu->arch.exitstats_running = false;
	preempt_enable();
}

void __kvm_exitstats_unblock(struct kvm_vcpu *vcpu)
{
	struct kvm_vcpu_exitstats *stats = vcpu->arch.exitstats;

	if (!stats)
		return;

	preempt_disable();
	exitstats_back(stats);
	if (!exitstats_is_reason(stats, stats->reason))
		stats->reason->exits++;
	vcpu->arch.exitstats_running = true;
	preempt_enable();
}

/* With preemption disabled, like kvm_arch_vcpu_put() */
void __kvm_exitstats_put(struct kvm_vcpu *vcpu, u64 now)
{
	struct kvm_vcpu_exitstats *stats = vcpu->arch.exitstats;
	struct kvm_exitstats_account *reason;

	if (!stats || !exitstats_is_reason(stats, stats->account))
		return;

	/* Before the first VM entry, there is no exit to leave. */
	if (stats->account == stats->pieces && !exitstats_is_reason(stats, stats->reason)) {
		exitstats_settle(stats, &reason, false, now);
		stats->account = reason;
		return;
	}

	if (!vcpu->arch.exitstats_running)
		exitstats_away(stats, KVM_EXITSTATS_USERSPACE, true, now);
	else if (vcpu->preempted)
		exitstats_away(stats, KVM_EXITSTATS_PREEMPTED, false, now);
	else
		exitstats_away(stats, KVM_EXITSTATS_ASLEEP, false, now);
}

/* With preemption disabled, like kvm_arch_vcpu_load() */
void __kvm_exitstats_load(struct kvm_vcpu *vcpu)
{
	struct kvm_vcpu_exitstats *stats = vcpu->arch.exitstats;

	if (stats && vcpu->arch.exitstats_running)
		exitstats_back(stats);
}

/*
 * Has the latest exit been counted but not ended, and is it one of @reason? *@took is what it
 * took so far.
 */
static bool exitstats_is_open(const struct kvm_vcpu_exitstats *stats,
			      const struct kvm_exitstats_account *reason, u64 *took)
{
	bool open;

	/* Retry if *@took was that of an earlier exit, which it is until the count. */
	do {
		*took = READ_ONCE(stats->took);
		open = READ_ONCE(stats->counted) && READ_ONCE(stats->reason) == reason;
	} while (open && *took != READ_ONCE(stats->took));
	return open;
}

/* The longest exit of @account, among those that have been counted. */
u64 kvm_exitstats_longest(const struct kvm_vcpu_exitstats *stats, u32 account)
{
	u64 took;

	if (account < KVM_EXITSTATS_OTHER)
		return 0;

	if (!exitstats_is_open(stats, &stats->accounts[account], &took))
		took = 0;
	smp_rmb();	/* An exit is among the longest before it ends, see exitstats_finish(). */
	return max(took, READ_ONCE(kvm_exitstats_tail_of(stats, account)->longest));
}

/*
 * Copy the accounts of a vCPU, which may be running. Retry until they add up to the time on
 * its clock: then all are of one moment. Add the time since then to the current account. If
 * all retries fail, because the vCPU is too fast, use the last copy.
 */
void kvm_exitstats_snapshot(struct kvm_vcpu *vcpu, struct kvm_exitstats_account *accounts)
{
	struct kvm_vcpu_exitstats *stats = vcpu->arch.exitstats;
	struct kvm_exitstats_account *account;
	int i, retries = 100;
	u64 now, since, sum;

	do {
		now = rdtsc_ordered();
		since = READ_ONCE(stats->since);
		account = READ_ONCE(stats->account);
		if (account == stats->pieces)
			account = READ_ONCE(stats->reason);
		sum = 0;
		for (i = 0; i < kvm_exitstats_nr_accounts; i++) {
			/* The cycles last, see __kvm_exitstats_enter(). */
			accounts[i].longest = kvm_exitstats_longest(stats, i);
			accounts[i].exits = READ_ONCE(stats->accounts[i].exits);
			smp_rmb();	/* pairs with its barrier() */
			accounts[i].cycles = READ_ONCE(stats->accounts[i].cycles);
			if (i != KVM_EXITSTATS_ALL)
				sum += accounts[i].cycles;
		}
		smp_rmb();	/* pairs with the barrier() before since changes */
	} while ((sum != since - READ_ONCE(stats->created) || since != READ_ONCE(stats->since)) &&
		 --retries);

	if (!account)
		account = &stats->accounts[KVM_EXITSTATS_GUEST];
	if ((s64)(now - since) > 0) {
		i = account - stats->accounts;
		accounts[i].cycles += now - since;
		if (i >= KVM_EXITSTATS_OTHER)
			accounts[KVM_EXITSTATS_ALL].cycles += now - since;
	}

	for (i = KVM_EXITSTATS_OTHER; i < kvm_exitstats_nr_accounts; i++)
		accounts[KVM_EXITSTATS_ALL].longest = max(accounts[KVM_EXITSTATS_ALL].longest,
							  accounts[i].longest);
}

/*
 * Add the buckets of @account, an exit reason, to @buckets. An exit that has been counted but
 * has not ended is in the bucket for its cycles so far. Retry until they add up to the exits.
 */
void kvm_exitstats_add_buckets(const struct kvm_vcpu_exitstats *stats, u32 account, u64 *buckets)
{
	const struct kvm_exitstats_account *reason = &stats->accounts[account];
	u64 copy[KVM_EXITSTATS_NR_BUCKETS], exits, took, sum;
	int i, retries = 100;
	const u64 *from;

	do {
		exits = READ_ONCE(reason->exits);
		from = READ_ONCE(kvm_exitstats_tail_of(stats, account)->buckets);
		sum = 0;
		for (i = 0; i < KVM_EXITSTATS_NR_BUCKETS; i++) {
			copy[i] = from ? READ_ONCE(from[i]) : 0;
			sum += copy[i];
		}
		if (exitstats_is_open(stats, reason, &took)) {
			copy[kvm_exitstats_bucket(took)]++;
			sum++;
		}
	} while (sum != exits && --retries);

	for (i = 0; i < KVM_EXITSTATS_NR_BUCKETS; i++)
		buckets[i] += copy[i];
}

/* Return: an empty ledger, or NULL. */
struct kvm_vcpu_exitstats *kvm_exitstats_alloc(bool histogram)
{
	struct kvm_vcpu_exitstats *stats;
	u32 i;

	stats = kmem_cache_zalloc(exitstats_cache[histogram], GFP_KERNEL_ACCOUNT);
	if (!stats)
		return NULL;

	stats->pieces = &stats->accounts[kvm_exitstats_nr_accounts];
	stats->pieces->longest = KVM_EXITSTATS_NO_LONGEST;
	if (!histogram)
		return stats;

	for (i = 0; i < kvm_exitstats_nr_accounts; i++)
		stats->accounts[i].longest = KVM_EXITSTATS_NO_LONGEST;
	stats->tail = (kvm_exitstats_nr_accounts + 1) * sizeof(*stats->pieces);
	stats->spare = kvm_exitstats_alloc_buckets(GFP_KERNEL_ACCOUNT);
	if (!stats->spare) {
		kvm_exitstats_free(stats);
		return NULL;
	}
	return stats;
}

void kvm_exitstats_free(struct kvm_vcpu_exitstats *stats)
{
	u32 i;

	for (i = KVM_EXITSTATS_OTHER; stats->tail && i < kvm_exitstats_nr_accounts; i++)
		kfree(kvm_exitstats_tail_of(stats, i)->buckets);
	kfree(stats->spare);
	kmem_cache_free(exitstats_cache[!!stats->tail], stats);
}

static struct kmem_cache *exitstats_create_cache(const char *name, u32 nr)
{
	struct kvm_vcpu_exitstats *stats;

	/* Avoid the padding in sizeof(*stats) after the beginning of the accounts. */
	return kmem_cache_create(name, offsetof(typeof(*stats), accounts) +
				 nr * sizeof(stats->accounts[0]), __alignof__(*stats),
				 SLAB_ACCOUNT, NULL);
}

/* Called by hardware_setup() of a vendor module that counts exits. */
void kvm_exitstats_hardware_setup(u32 numbering)
{
	u32 nr;

	if (exitstats_cache[1])
		return;

	kvm_exitstats_setup_reasons(numbering);
	nr = kvm_exitstats_nr_accounts + 1;
	exitstats_cache[0] = exitstats_create_cache("kvm_exitstats", nr);
	if (!exitstats_cache[0])
		return;
	exitstats_cache[1] = exitstats_create_cache("kvm_exitstats_hist", 2 * nr);
	if (!exitstats_cache[1]) {
		kmem_cache_destroy(exitstats_cache[0]);
		exitstats_cache[0] = NULL;
	}
}
EXPORT_SYMBOL_FOR_KVM_INTERNAL(kvm_exitstats_hardware_setup);

void kvm_exitstats_module_exit(void)
{
	static_key_deferred_flush(&kvm_exitstats_key);
	kmem_cache_destroy(exitstats_cache[0]);
	kmem_cache_destroy(exitstats_cache[1]);
}

/* Called by vm_init() of the vendor module, for VMs whose exits it counts. */
void kvm_exitstats_init_vm(struct kvm *kvm)
{
	mutex_init(&kvm->arch.exitstats.base_lock);
	kvm->arch.exitstats.supported = exitstats_cache[1];
	if (!exitstats_cache[1] || !READ_ONCE(exitstats))
		return;
	kvm->arch.exitstats.flags = KVM_EXITSTATS_COUNT;
	if (READ_ONCE(exitstats_hist))
		kvm->arch.exitstats.flags |= KVM_EXITSTATS_HISTOGRAM;
}
EXPORT_SYMBOL_FOR_KVM_INTERNAL(kvm_exitstats_init_vm);

void kvm_exitstats_destroy_vm(struct kvm *kvm)
{
	if (kvm->arch.exitstats.base)
		kvm_exitstats_free(kvm->arch.exitstats.base);
}

/* Return: 0 or -ENOMEM. kvm_exitstats_destroy_vcpu() may be called in both cases. */
int kvm_exitstats_create_vcpu(struct kvm_vcpu *vcpu)
{
	struct kvm_vcpu_exitstats *stats;

	if (!(vcpu->kvm->arch.exitstats.flags & KVM_EXITSTATS_COUNT))
		return 0;

	stats = kvm_exitstats_alloc(vcpu->kvm->arch.exitstats.flags & KVM_EXITSTATS_HISTOGRAM);
	if (!stats)
		return -ENOMEM;

	stats->created = rdtsc();
	stats->since = stats->created;
	stats->account = &stats->accounts[KVM_EXITSTATS_USERSPACE];
	stats->account->exits = 1;
	stats->reason = stats->account;
	vcpu->arch.exitstats = stats;
	static_branch_inc(&kvm_exitstats_key.key);
	return 0;
}

/* Called when the creation of @vcpu can no longer fail. */
void kvm_exitstats_postcreate_vcpu(struct kvm_vcpu *vcpu)
{
	if (vcpu->arch.exitstats)
		llist_add(&vcpu->arch.exitstats->next, &vcpu->kvm->arch.exitstats.ledgers);
}

void kvm_exitstats_destroy_vcpu(struct kvm_vcpu *vcpu)
{
	if (!vcpu->arch.exitstats)
		return;

	kvm_exitstats_free(vcpu->arch.exitstats);
	vcpu->arch.exitstats = NULL;
	static_branch_slow_dec_deferred(&kvm_exitstats_key);
}

/*
 * KVM_CHECK_EXTENSION of KVM_CAP_X86_EXITSTATS: the flags that @kvm, or if NULL, the host
 * supports.
 */
int kvm_exitstats_check_extension(struct kvm *kvm)
{
	bool supported = kvm ? kvm->arch.exitstats.supported : !!exitstats_cache[1];

	return supported ? KVM_EXITSTATS_COUNT | KVM_EXITSTATS_CPL0 | KVM_EXITSTATS_HISTOGRAM : 0;
}

/* KVM_ENABLE_CAP of KVM_CAP_X86_EXITSTATS. Return: 0, -EINVAL or -EBUSY. */
int kvm_exitstats_enable_cap(struct kvm *kvm, const struct kvm_enable_cap *cap)
{
	u64 flags = cap->args[0];
	int r = 0;

	if (!kvm->arch.exitstats.supported ||
	    (flags & ~(u64)kvm_exitstats_check_extension(kvm)) ||
	    (flags && !(flags & KVM_EXITSTATS_COUNT)) ||
	    cap->args[1] || cap->args[2] || cap->args[3])
		return -EINVAL;

	mutex_lock(&kvm->lock);
	if (kvm->created_vcpus)
		r = -EBUSY;
	else
		kvm->arch.exitstats.flags = flags;
	mutex_unlock(&kvm->lock);

	return r;
}
