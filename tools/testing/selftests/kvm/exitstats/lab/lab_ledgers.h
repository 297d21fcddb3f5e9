/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The ledgers of all vCPUs that a module of the lab has seen. VMs come and go faster than
 * debugfs can be read, so the module sums up each ledger when KVM frees it.
 *
 * The lab's module stays loaded while KVM's modules, with or without the series, are unloaded
 * and loaded. It attaches to each kvm.ko before that has VMs.
 */
#ifndef LAB_LEDGERS_H
#define LAB_LEDGERS_H

#include <linux/debugfs.h>
#include <linux/hashtable.h>
#include <linux/kvm_host.h>
#include <linux/module.h>
#include <linux/seq_file.h>
#include <linux/spinlock.h>
#include <linux/tracepoint.h>

#include "exitstats.h"

/* KVM's own table tells which exit reason an account has. This copy exports nothing. */
#undef EXPORT_SYMBOL_FOR_KVM_INTERNAL
#define EXPORT_SYMBOL_FOR_KVM_INTERNAL(symbol)
#include "exitstats_reasons.c"

#define OTHER		0x500
#define NR_REASONS	(OTHER + 1)

struct ledger {
	struct hlist_node node;
	const struct kvm_vcpu_exitstats *stats;
};

static DEFINE_HASHTABLE(ledgers, 10);
static DEFINE_RAW_SPINLOCK(lock);
static struct ledger pool[4096];
static HLIST_HEAD(unused);

/* Each module defines this. Nothing writes to @stats any more. */
static void sum_ledger(const struct kvm_vcpu_exitstats *stats);

static u32 reason_of(const struct kvm_vcpu_exitstats *stats,
		     const struct kvm_exitstats_account *account)
{
	u32 i = account - stats->accounts;

	return i == KVM_EXITSTATS_OTHER ? OTHER : kvm_exitstats_code_of(i);
}

static struct ledger *find_ledger(const void *stats)
{
	struct ledger *ledger;

	hash_for_each_possible(ledgers, ledger, node, (unsigned long)stats)
		if (ledger->stats == stats)
			return ledger;
	return NULL;
}

static void note_ledger(const struct kvm_vcpu_exitstats *stats)
{
	struct ledger *ledger;
	unsigned long flags;

	raw_spin_lock_irqsave(&lock, flags);
	if (!find_ledger(stats) && !WARN_ON_ONCE(hlist_empty(&unused))) {
		ledger = hlist_entry(unused.first, struct ledger, node);
		hlist_del(&ledger->node);
		ledger->stats = stats;
		hash_add(ledgers, &ledger->node, (unsigned long)stats);
	}
	raw_spin_unlock_irqrestore(&lock, flags);
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

static void attach_to(struct tracepoint *tp, void *probe)
{
	WARN(tracepoint_probe_register(tp, probe, NULL), "%s: cannot attach\n", tp->name);
}

static void attach_free(struct tracepoint *tp, void *data)
{
	if (!strcmp(tp->name, "kmem_cache_free"))
		attach_to(tp, on_free);
}

/* Attach to or detach from tracepoint @name if @mod, which comes or goes by @event, has it. */
static void follow_module(const struct module *mod, unsigned long event, const char *name,
			  void *probe)
{
	unsigned int i;

	for (i = 0; i < mod->num_tracepoints; i++) {
		struct tracepoint *tp = tracepoint_ptr_deref(&mod->tracepoints_ptrs[i]);

		if (strcmp(tp->name, name))
			continue;
		if (event == MODULE_STATE_COMING)
			attach_to(tp, probe);
		else if (event == MODULE_STATE_GOING)
			tracepoint_probe_unregister(tp, probe, NULL);
	}
}

/* The figures are in the file @name in debugfs. */
static int __init follow_ledgers(const char *name, const struct file_operations *fops,
				 struct notifier_block *nb)
{
	unsigned int i;

	kvm_exitstats_setup_reasons(boot_cpu_has(X86_FEATURE_SVM) ? KVM_EXITSTATS_NUMBERING_SVM :
								     KVM_EXITSTATS_NUMBERING_VMX);
	for (i = 0; i < ARRAY_SIZE(pool); i++)
		hlist_add_head(&pool[i].node, &unused);
	for_each_kernel_tracepoint(attach_free, NULL);
	debugfs_create_file(name, 0444, NULL, NULL, fops);
	return register_tracepoint_module_notifier(nb);
}

#endif /* LAB_LEDGERS_H */
