// SPDX-License-Identifier: GPL-2.0-only
/*
 * What KVM counted, summed over all VMs that ever were: the other side of the oracle
 * (../oracle.c has the processor's). VMs come and go faster than debugfs can be read,
 * so this counts where KVM counts, at the tracepoint kvm_exitstats.
 *
 *	/sys/kernel/debug/lab_oracle	REASON,EXITS for each reason that occurred;
 *					uncounted,ENTRIES of VMs that do not count
 *
 * KVM's modules are unloaded and loaded again meanwhile, some of them without the
 * series: this one stays, and attaches to each kvm.ko that comes.
 */
#include <linux/debugfs.h>
#include <linux/kvm_host.h>
#include <linux/module.h>
#include <linux/seq_file.h>
#include <linux/tracepoint.h>

#define MAX_REASON	0x500

static atomic64_t counted[MAX_REASON + 1];
static atomic64_t uncounted;
static bool has_exitstats;	/* the kvm.ko that is loaded */

static void on_exitstats(void *data, struct kvm_vcpu *vcpu, u32 reason, u64 cycles)
{
	atomic64_inc(&counted[min_t(u32, reason, MAX_REASON)]);
}

/* Its second argument differs between kernels; it is not used. */
static void on_entry(void *data, struct kvm_vcpu *vcpu, unsigned long unused)
{
	if (!has_exitstats || !vcpu->arch.exitstats)
		atomic64_inc(&uncounted);
}

static void attach(struct tracepoint *tp, void *probe, bool coming)
{
	if (coming ? tracepoint_probe_register(tp, probe, NULL) :
		     tracepoint_probe_unregister(tp, probe, NULL))
		pr_err("lab_oracle: %s: cannot attach\n", tp->name);
}

static int on_module(struct notifier_block *nb, unsigned long event, void *data)
{
	struct module *mod = ((struct tp_module *)data)->mod;
	bool coming = event == MODULE_STATE_COMING;
	unsigned int i;

	if (strcmp(mod->name, "kvm"))
		return NOTIFY_OK;
	has_exitstats = false;
	for (i = 0; i < mod->num_tracepoints; i++) {
		struct tracepoint *tp = tracepoint_ptr_deref(&mod->tracepoints_ptrs[i]);

		if (!strcmp(tp->name, "kvm_entry"))
			attach(tp, on_entry, coming);
		if (!strcmp(tp->name, "kvm_exitstats")) {
			attach(tp, on_exitstats, coming);
			has_exitstats = coming;
		}
	}
	return NOTIFY_OK;
}

static struct notifier_block nb = { .notifier_call = on_module };

static int lab_oracle_show(struct seq_file *s, void *unused)
{
	int i;

	for (i = 0; i <= MAX_REASON; i++)
		if (atomic64_read(&counted[i]))
			seq_printf(s, "%d,%lld\n", i, atomic64_read(&counted[i]));
	seq_printf(s, "uncounted,%lld\n", atomic64_read(&uncounted));
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(lab_oracle);

static int __init lab_oracle_init(void)
{
	debugfs_create_file("lab_oracle", 0444, NULL, NULL, &lab_oracle_fops);
	return register_tracepoint_module_notifier(&nb);
}
module_init(lab_oracle_init);

MODULE_DESCRIPTION("VM exits that KVM counted, over all VMs");
MODULE_LICENSE("GPL");
