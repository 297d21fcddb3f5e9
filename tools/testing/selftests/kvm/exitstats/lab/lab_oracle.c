// SPDX-License-Identifier: GPL-2.0-only
/*
 * The sum of the figures of all VMs since the boot, which "expect oracle" compares with
 * the processor's log (oracle.c).
 *
 *	/sys/kernel/debug/lab_oracle	REASON,EXITS for each reason that occurred, where
 *					"other" is the largest; and uncounted,ENTRIES: the
 *					VM entries of vCPUs that do not count
 */
#include "lab_ledgers.h"

static atomic64_t counted[NR_REASONS];
static atomic64_t uncounted;
static bool has_exitstats;	/* the loaded kvm.ko has the series */

/* Each VM entry ends in one VM exit. Newer kernels pass more arguments. */
static void on_entry(void *data, struct kvm_vcpu *vcpu)
{
	if (has_exitstats && vcpu->arch.exitstats)
		note_ledger(vcpu->arch.exitstats);
	else
		atomic64_inc(&uncounted);
}

static void sum_ledger(const struct kvm_vcpu_exitstats *stats)
{
	u32 i;

	for (i = KVM_EXITSTATS_OTHER; i < kvm_exitstats_nr_accounts; i++)
		atomic64_add(stats->accounts[i].exits,
			     &counted[reason_of(stats, &stats->accounts[i])]);
}

static int on_module(struct notifier_block *nb, unsigned long event, void *data)
{
	struct module *mod = ((struct tp_module *)data)->mod;
	unsigned int i;

	if (strcmp(mod->name, "kvm") ||
	    (event != MODULE_STATE_COMING && event != MODULE_STATE_GOING))
		return NOTIFY_OK;

	follow_module(mod, event, "kvm_entry", on_entry);

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

static int __init lab_oracle_init(void)
{
	return follow_ledgers("lab_oracle", &lab_oracle_fops, &nb);
}
module_init(lab_oracle_init);

MODULE_DESCRIPTION("VM exits by reason, over all VMs");
MODULE_LICENSE("GPL");
