// SPDX-License-Identifier: GPL-2.0-only
/*
 * The figures of all VMs that ever were, summed: the other side of the oracle beneath
 * KVM (oracle.c has the processor's). VMs come and go faster than debugfs can be read,
 * so this reads each vCPU's ledger when KVM frees it.
 *
 *	/sys/kernel/debug/lab_oracle	REASON,EXITS for each reason that occurred, "other"
 *					being the largest; and uncounted,ENTRIES: how often
 *					vCPUs were entered that do not count
 *
 * KVM's modules are unloaded and loaded again meanwhile, some of them without the
 * series: this module stays, and attaches to each kvm.ko that comes.
 */
#include <linux/debugfs.h>
#include <linux/hashtable.h>
#include <linux/kvm_host.h>
#include <linux/module.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/tracepoint.h>

#include "exitstats.h"

/* Which exit reason an account is: the kernel's own table, which exports nothing here */
#undef EXPORT_SYMBOL_FOR_KVM_INTERNAL
#define EXPORT_SYMBOL_FOR_KVM_INTERNAL(symbol)
#include "exitstats_reasons.c"

#define OTHER		0x500
#define NR_REASONS	(OTHER + 1)

static atomic64_t counted[NR_REASONS];
static atomic64_t uncounted;
static bool has_exitstats;	/* the kvm.ko that is loaded */

/* The ledgers of vCPUs that were entered and not freed */
struct ledger {
	struct hlist_node node;
	struct kvm_vcpu_exitstats *stats;
};

static DEFINE_HASHTABLE(ledgers, 10);
static DEFINE_RAW_SPINLOCK(lock);
static struct ledger pool[4096];
static HLIST_HEAD(unused);

static struct ledger *find_ledger(const void *stats)
{
	struct ledger *ledger;

	hash_for_each_possible(ledgers, ledger, node, (unsigned long)stats)
		if (ledger->stats == stats)
			return ledger;
	return NULL;
}

/* Each VM entry ends in one VM exit. Newer kernels pass more arguments. */
static void on_entry(void *data, struct kvm_vcpu *vcpu)
{
	struct ledger *ledger;
	unsigned long flags;

	if (!has_exitstats || !vcpu->arch.exitstats) {
		atomic64_inc(&uncounted);
		return;
	}
	raw_spin_lock_irqsave(&lock, flags);
	if (!find_ledger(vcpu->arch.exitstats) && !WARN_ON_ONCE(hlist_empty(&unused))) {
		ledger = hlist_entry(unused.first, struct ledger, node);
		hlist_del(&ledger->node);
		ledger->stats = vcpu->arch.exitstats;
		hash_add(ledgers, &ledger->node, (unsigned long)ledger->stats);
	}
	raw_spin_unlock_irqrestore(&lock, flags);
}

static void on_free(void *data, unsigned long call_site, const void *object)
{
	struct ledger *ledger;
	unsigned long flags;
	u32 account;

	raw_spin_lock_irqsave(&lock, flags);
	ledger = find_ledger(object);
	if (ledger) {
		hash_del(&ledger->node);
		hlist_add_head(&ledger->node, &unused);
	}
	raw_spin_unlock_irqrestore(&lock, flags);
	if (!ledger)
		return;

	for (account = KVM_EXITSTATS_OTHER; account < kvm_exitstats_nr_accounts; account++) {
		u32 code = account == KVM_EXITSTATS_OTHER ? OTHER : kvm_exitstats_code_of(account);
		const struct kvm_vcpu_exitstats *stats = object;

		atomic64_add(stats->accounts[account].exits, &counted[code]);
	}
}

static void attach_to(struct tracepoint *tp, void *probe)
{
	if (tracepoint_probe_register(tp, probe, NULL))
		pr_err("lab_oracle: %s: cannot attach\n", tp->name);
}

static int on_module(struct notifier_block *nb, unsigned long event, void *data)
{
	struct module *mod = ((struct tp_module *)data)->mod;
	unsigned int i;

	if (strcmp(mod->name, "kvm") ||
	    (event != MODULE_STATE_COMING && event != MODULE_STATE_GOING))
		return NOTIFY_OK;

	for (i = 0; i < mod->num_tracepoints; i++) {
		struct tracepoint *tp = tracepoint_ptr_deref(&mod->tracepoints_ptrs[i]);

		if (strcmp(tp->name, "kvm_entry"))
			continue;
		if (event == MODULE_STATE_COMING)
			attach_to(tp, on_entry);
		else
			tracepoint_probe_unregister(tp, on_entry, NULL);
	}

	has_exitstats = false;
	for (i = 0; event == MODULE_STATE_COMING && i < mod->num_kp; i++)
		if (!strcmp(mod->kp[i].name, "exitstats"))
			has_exitstats = true;
	return NOTIFY_OK;
}

static struct notifier_block nb = { .notifier_call = on_module };

static int lab_oracle_show(struct seq_file *s, void *unused)
{
	int i;

	for (i = 0; i < NR_REASONS; i++)
		if (atomic64_read(&counted[i]))
			seq_printf(s, "%d,%lld\n", i, atomic64_read(&counted[i]));
	seq_printf(s, "uncounted,%lld\n", atomic64_read(&uncounted));
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(lab_oracle);

static void attach_free(struct tracepoint *tp, void *data)
{
	if (!strcmp(tp->name, "kmem_cache_free"))
		attach_to(tp, on_free);
}

static int __init lab_oracle_init(void)
{
	unsigned int i;

	kvm_exitstats_setup_reasons(boot_cpu_has(X86_FEATURE_SVM) ? KVM_EXITSTATS_NUMBERING_SVM :
								     KVM_EXITSTATS_NUMBERING_VMX);
	for (i = 0; i < ARRAY_SIZE(pool); i++)
		hlist_add_head(&pool[i].node, &unused);
	for_each_kernel_tracepoint(attach_free, NULL);
	debugfs_create_file("lab_oracle", 0444, NULL, NULL, &lab_oracle_fops);
	return register_tracepoint_module_notifier(&nb);
}
module_init(lab_oracle_init);

MODULE_DESCRIPTION("VM exits by reason, over all VMs");
MODULE_LICENSE("GPL");
