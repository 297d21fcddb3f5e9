// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sum the exits and cycles that the bare tracepoint passes, by exit reason and over all VMs, and
 * those in the ledgers when KVM frees them. The two are the same, to the cycle. Like BPF, this
 * module attaches to the tracepoint by its name.
 *
 *	/sys/kernel/debug/lab_tracer	REASON,EXITS,CYCLES,EXITS,CYCLES: first traced, then
 *					from the ledgers, for each reason that occurred, where
 *					"other" is the largest
 *
 * Up to two last exits of a vCPU are not traced: one that has not ended, and one that has ended,
 * which KVM would have traced before the next VM entry. The ledger tells both, and this module
 * subtracts them.
 */
#include "lab_ledgers.h"

struct figures {
	atomic64_t exits, cycles;
};

static struct figures traced[NR_REASONS], counted[NR_REASONS];

static void add(struct figures *to, s64 exits, s64 cycles)
{
	atomic64_add(exits, &to->exits);
	atomic64_add(cycles, &to->cycles);
}

static void on_exit(void *data, struct kvm_vcpu *vcpu, u32 reason, u64 cycles)
{
	if (WARN_ON_ONCE(reason >= OTHER && reason != U32_MAX) ||
	    WARN_ON_ONCE(rcu_access_pointer(vcpu->pid) != task_pid(current)))
		return;

	add(&traced[min_t(u32, reason, OTHER)], 1, cycles);
	note_ledger(vcpu->arch.exitstats);
}

static void sum_ledger(const struct kvm_vcpu_exitstats *stats)
{
	const struct kvm_exitstats_account *first = &stats->accounts[KVM_EXITSTATS_OTHER], *account;

	for (account = first; account < &stats->accounts[kvm_exitstats_nr_accounts]; account++)
		add(&counted[reason_of(stats, account)], account->exits, account->cycles);

	/* This exit has not ended ... */
	if (stats->reason >= first)
		add(&counted[reason_of(stats, stats->reason)], -(s64)stats->counted, -stats->took);
	/* ... and this one has not been traced yet. */
	if (stats->traced)
		add(&counted[reason_of(stats, stats->traced)], -1, -stats->traced_cycles);
}

static int on_module(struct notifier_block *nb, unsigned long event, void *data)
{
	const struct module *mod = ((struct tp_module *)data)->mod;

	/* In newer kernels, its name ends in _tp. */
	follow_module(mod, event, "kvm_exitstats", on_exit);
	follow_module(mod, event, "kvm_exitstats_tp", on_exit);
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

static int __init lab_tracer_init(void)
{
	return follow_ledgers("lab_tracer", &lab_tracer_fops, &nb);
}
module_init(lab_tracer_init);

MODULE_DESCRIPTION("Exits by the bare tracepoint, over all VMs");
MODULE_LICENSE("GPL");
