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
#include <linux/kprobes.h>
#include <linux/kvm_host.h>
#include <linux/module.h>
#include <linux/seq_file.h>
#include <linux/tracepoint.h>

#define OTHER		0x500
#define NR_REASONS	(OTHER + 1)

static atomic64_t counted[NR_REASONS];
static atomic64_t uncounted;
static u32 (*code_of)(u32 account);
static bool has_exitstats;	/* the kvm.ko that is loaded */

/* Accounts of exit reasons are in the order of the reasons, and the array's rest is 0. */
static int on_destroy(struct kprobe *kp, struct pt_regs *regs)
{
	struct kvm_vcpu *vcpu = (void *)regs->di;
	struct kvm_vcpu_exitstats *stats = vcpu->arch.exitstats;
	u32 account = KVM_EXITSTATS_FIRST_REASON, code;

	if (!stats)
		return 0;
	atomic64_add(stats->accounts[KVM_EXITSTATS_OTHER].exits, &counted[OTHER]);
	do {
		code = code_of(account);
		atomic64_add(stats->accounts[account].exits, &counted[min(code, (u32)OTHER)]);
	} while (code_of(++account) > code);
	return 0;
}

static struct kprobe destroy_probe;

/* Each VM entry ends in one VM exit. Newer kernels pass more arguments. */
static void on_entry(void *data, struct kvm_vcpu *vcpu)
{
	if (!has_exitstats || !vcpu->arch.exitstats)
		atomic64_inc(&uncounted);
}

/* The address of a function of kvm.ko that is not exported */
static void *find(const char *name)
{
	struct kprobe kp = { .symbol_name = name };
	void *address;

	if (register_kprobe(&kp))
		return NULL;
	address = kp.addr;
	unregister_kprobe(&kp);
	return address;
}

static void attach(struct module *mod)
{
	unsigned int i;

	for (i = 0; i < mod->num_tracepoints; i++) {
		struct tracepoint *tp = tracepoint_ptr_deref(&mod->tracepoints_ptrs[i]);

		if (!strcmp(tp->name, "kvm_entry") &&
		    tracepoint_probe_register(tp, on_entry, NULL))
			pr_err("lab_oracle: kvm_entry: cannot attach\n");
	}

	code_of = find("kvm_exitstats_code_of");
	destroy_probe = (struct kprobe){
		.symbol_name = "kvm_exitstats_destroy_vcpu",
		.pre_handler = on_destroy,
	};
	has_exitstats = code_of && !register_kprobe(&destroy_probe);
}

static void detach(struct module *mod)
{
	unsigned int i;

	for (i = 0; i < mod->num_tracepoints; i++) {
		struct tracepoint *tp = tracepoint_ptr_deref(&mod->tracepoints_ptrs[i]);

		if (!strcmp(tp->name, "kvm_entry"))
			tracepoint_probe_unregister(tp, on_entry, NULL);
	}
	if (has_exitstats)
		unregister_kprobe(&destroy_probe);
	has_exitstats = false;
}

static int on_module(struct notifier_block *nb, unsigned long event, void *data)
{
	struct module *mod = ((struct tp_module *)data)->mod;

	if (strcmp(mod->name, "kvm"))
		return NOTIFY_OK;
	if (event == MODULE_STATE_COMING)
		attach(mod);
	else if (event == MODULE_STATE_GOING)
		detach(mod);
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
	debugfs_create_file("lab_oracle", 0444, NULL, NULL, &lab_oracle_fops);
	return register_tracepoint_module_notifier(&nb);
}
module_init(lab_oracle_init);

MODULE_DESCRIPTION("VM exits by reason, over all VMs");
MODULE_LICENSE("GPL");
