// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the bare tracepoint passes, summed by exit reason over all VMs, beside what is in their
 * ledgers when KVM frees them: the two are the same, to the cycle. As BPF would, this module
 * attaches to the tracepoint by its name.
 *
 *	/sys/kernel/debug/lab_tracer	REASON,EXITS,CYCLES,EXITS,CYCLES: traced, and in the
 *					ledgers, for each reason that occurred, "other" being
 *					the largest
 *
 * The last exits of a vCPU are not traced: one that is not over, and one that is and that KVM
 * would have traced before the next VM entry. Both are known from the ledger.
 *
 * KVM's modules are unloaded and loaded again meanwhile: this module stays, and attaches to each
 * kvm.ko that comes, before it has VMs.
 */
#include <linux/debugfs.h>
#include <linux/hashtable.h>
#include <linux/kvm_host.h>
#include <linux/module.h>
#include <linux/seq_file.h>
#include <linux/spinlock.h>
#include <linux/tracepoint.h>

#include "exitstats.h"

/* Which exit reason an account is: the kernel's own table, which exports nothing here */
#undef EXPORT_SYMBOL_FOR_KVM_INTERNAL
#define EXPORT_SYMBOL_FOR_KVM_INTERNAL(symbol)
#include "exitstats_reasons.c"

#define OTHER		0x500
#define NR_REASONS	(OTHER + 1)

struct figures {
	atomic64_t exits, cycles;
};

static struct figures traced[NR_REASONS], counted[NR_REASONS];

/* The ledgers of vCPUs that had an exit traced and were not freed */
struct ledger {
	struct hlist_node node;
	struct kvm_vcpu_exitstats *stats;
};

static DEFINE_HASHTABLE(ledgers, 10);
static DEFINE_RAW_SPINLOCK(lock);
static struct ledger pool[4096];
static HLIST_HEAD(unused);

static void add(struct figures *to, s64 exits, s64 cycles)
{
	atomic64_add(exits, &to->exits);
	atomic64_add(cycles, &to->cycles);
}

static struct ledger *find_ledger(const void *stats)
{
	struct ledger *ledger;

	hash_for_each_possible(ledgers, ledger, node, (unsigned long)stats)
		if (ledger->stats == stats)
			return ledger;
	return NULL;
}

static void on_exit(void *data, struct kvm_vcpu *vcpu, u32 reason, u64 cycles)
{
	struct ledger *ledger;
	unsigned long flags;

	if (WARN_ON_ONCE(reason >= OTHER && reason != U32_MAX) ||
	    WARN_ON_ONCE(rcu_access_pointer(vcpu->pid) != task_pid(current)))
		return;

	add(&traced[min_t(u32, reason, OTHER)], 1, cycles);
	raw_spin_lock_irqsave(&lock, flags);
	if (!find_ledger(vcpu->arch.exitstats) && !WARN_ON_ONCE(hlist_empty(&unused))) {
		ledger = hlist_entry(unused.first, struct ledger, node);
		hlist_del(&ledger->node);
		ledger->stats = vcpu->arch.exitstats;
		hash_add(ledgers, &ledger->node, (unsigned long)ledger->stats);
	}
	raw_spin_unlock_irqrestore(&lock, flags);
}

static u32 reason_of(const struct kvm_vcpu_exitstats *stats,
		     const struct kvm_exitstats_account *account)
{
	u32 i = account - stats->accounts;

	return i == KVM_EXITSTATS_OTHER ? OTHER : kvm_exitstats_code_of(i);
}

static void sum_ledger(const struct kvm_vcpu_exitstats *stats)
{
	const struct kvm_exitstats_account *first = &stats->accounts[KVM_EXITSTATS_OTHER], *account;

	for (account = first; account < &stats->accounts[kvm_exitstats_nr_accounts]; account++)
		add(&counted[reason_of(stats, account)], account->exits, account->cycles);

	/* This one is not over ... */
	if (stats->reason >= first)
		add(&counted[reason_of(stats, stats->reason)], -(s64)stats->counted, -stats->took);
	/* ... and this one has not been traced. */
	if (stats->traced)
		add(&counted[reason_of(stats, stats->traced)], -1, -stats->traced_cycles);
}

static void on_free(void *data, unsigned long call_site, const void *object)
{
	struct ledger *ledger;
	unsigned long flags;

	raw_spin_lock_irqsave(&lock, flags);
	ledger = find_ledger(object);
	if (ledger) {
		hash_del(&ledger->node);
		hlist_add_head(&ledger->node, &unused);
	}
	raw_spin_unlock_irqrestore(&lock, flags);
	if (ledger)
		sum_ledger(object);
}

static int on_module(struct notifier_block *nb, unsigned long event, void *data)
{
	struct module *mod = ((struct tp_module *)data)->mod;
	unsigned int i;

	for (i = 0; i < mod->num_tracepoints; i++) {
		struct tracepoint *tp = tracepoint_ptr_deref(&mod->tracepoints_ptrs[i]);

		/* Its name ends in _tp in newer kernels. */
		if (strcmp(tp->name, "kvm_exitstats") && strcmp(tp->name, "kvm_exitstats_tp"))
			continue;
		if (event == MODULE_STATE_COMING)
			WARN_ON(tracepoint_probe_register(tp, on_exit, NULL));
		else if (event == MODULE_STATE_GOING)
			tracepoint_probe_unregister(tp, on_exit, NULL);
	}
	return NOTIFY_OK;
}

static struct notifier_block nb = { .notifier_call = on_module };

static int lab_tracer_show(struct seq_file *s, void *unused)
{
	int i;

	for (i = 0; i < NR_REASONS; i++)
		if (atomic64_read(&traced[i].exits) || atomic64_read(&counted[i].exits))
			seq_printf(s, "%d,%lld,%lld,%lld,%lld\n", i,
				   atomic64_read(&traced[i].exits),
				   atomic64_read(&traced[i].cycles),
				   atomic64_read(&counted[i].exits),
				   atomic64_read(&counted[i].cycles));
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(lab_tracer);

static void attach_free(struct tracepoint *tp, void *data)
{
	if (!strcmp(tp->name, "kmem_cache_free"))
		WARN_ON(tracepoint_probe_register(tp, on_free, NULL));
}

static int __init lab_tracer_init(void)
{
	unsigned int i;

	kvm_exitstats_setup_reasons(boot_cpu_has(X86_FEATURE_SVM) ? KVM_EXITSTATS_NUMBERING_SVM :
								     KVM_EXITSTATS_NUMBERING_VMX);
	for (i = 0; i < ARRAY_SIZE(pool); i++)
		hlist_add_head(&pool[i].node, &unused);
	for_each_kernel_tracepoint(attach_free, NULL);
	debugfs_create_file("lab_tracer", 0444, NULL, NULL, &lab_tracer_fops);
	return register_tracepoint_module_notifier(&nb);
}
module_init(lab_tracer_init);

MODULE_DESCRIPTION("Exits by the bare tracepoint, over all VMs");
MODULE_LICENSE("GPL");
