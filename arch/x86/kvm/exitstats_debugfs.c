// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM exitstats: the tables in debugfs, kvm/<pid>-<fd>/exitstats for a VM and
 * kvm/<pid>-<fd>/vcpu<n>/exitstats for a vCPU.
 *
 * An open file does not hold a reference to the VM. KVM removes the VM's directory before
 * it frees anything: this waits for readers, and later reads fail. With a reference, closing
 * a file could destroy the VM after the vendor module was unloaded, which not all kernels
 * prevent.
 */
#include <linux/debugfs.h>
#include <linux/kvm_host.h>
#include <linux/math64.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/tracepoint-defs.h>
#include <asm/svm.h>
#include <asm/vmx.h>

#include "exitstats.h"

static const char * const exitstats_accounts[] = {
	[KVM_EXITSTATS_GUEST]		= "guest",
	[KVM_EXITSTATS_USERSPACE]	= "userspace",
	[KVM_EXITSTATS_HALTED]		= "halted",
	[KVM_EXITSTATS_PREEMPTED]	= "preempted",
	[KVM_EXITSTATS_ASLEEP]		= "asleep",
};

static const struct trace_print_flags exitstats_vmx_names[] = { VMX_EXIT_REASONS };
static const struct trace_print_flags exitstats_svm_names[] = { SVM_EXIT_REASONS };

static const char *exitstats_name(u32 code)
{
	bool svm = kvm_exitstats_numbering == KVM_EXITSTATS_NUMBERING_SVM;
	const struct trace_print_flags *names = svm ? exitstats_svm_names : exitstats_vmx_names;
	size_t i, nr = svm ? ARRAY_SIZE(exitstats_svm_names) : ARRAY_SIZE(exitstats_vmx_names);

	for (i = 0; i < nr; i++) {
		if (names[i].mask == code)
			return names[i].name;
	}
	return "-";
}

static void exitstats_show_row(struct seq_file *m, const char *reason, const char *name,
			       const struct kvm_exitstats_account *account)
{
	seq_printf(m, "%-7s %-26s %16llu %20llu %12llu %16llu\n", reason, name, account->exits,
		   account->cycles,
		   account->exits ? div64_u64(account->cycles, account->exits) : 0,
		   account->longest);
}

static void exitstats_show_reason(struct seq_file *m, u32 code,
				  const struct kvm_exitstats_account *account)
{
	char reason[8], name[32];

	snprintf(reason, sizeof(reason),
		 kvm_exitstats_numbering == KVM_EXITSTATS_NUMBERING_SVM ? "0x%x" : "%u", code);
	/* Each cell is one word, but some names of SVM exits contain a space. */
	strscpy(name, exitstats_name(code), sizeof(name));
	strreplace(name, ' ', '_');
	exitstats_show_row(m, reason, name, account);
}

/*
 * Print a row for each exit reason that occurred, their total, and the other accounts. The
 * total is computed from the rows, so that a table adds up while vCPUs run.
 */
static void exitstats_show(struct seq_file *m, const struct kvm_exitstats_account *accounts)
{
	struct kvm_exitstats_account total = {};
	u32 i;

	seq_printf(m, "%-7s %-26s %16s %20s %12s %16s\n",
		   "reason", "name", "exits", "cycles", "average", "longest");

	for (i = KVM_EXITSTATS_OTHER; i < kvm_exitstats_nr_accounts; i++) {
		if (!accounts[i].exits && !accounts[i].cycles)
			continue;
		if (i == KVM_EXITSTATS_OTHER)
			exitstats_show_row(m, "-", "other", &accounts[i]);
		else
			exitstats_show_reason(m, kvm_exitstats_code_of(i), &accounts[i]);
		total.exits += accounts[i].exits;
		total.cycles += accounts[i].cycles;
		total.longest = max(total.longest, accounts[i].longest);
	}

	exitstats_show_row(m, "total", "-", &total);
	for (i = KVM_EXITSTATS_GUEST; i < KVM_EXITSTATS_OTHER; i++)
		exitstats_show_row(m, "account", exitstats_accounts[i], &accounts[i]);
}

static struct kvm_exitstats_account *exitstats_alloc(void)
{
	return kcalloc(kvm_exitstats_nr_accounts, sizeof(struct kvm_exitstats_account),
		       GFP_KERNEL);
}

static int exitstats_vcpu_show(struct seq_file *m, void *unused)
{
	struct kvm_exitstats_account *accounts = exitstats_alloc();

	if (!accounts)
		return -ENOMEM;

	kvm_exitstats_snapshot(m->private, accounts);
	exitstats_show(m, accounts);
	kfree(accounts);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(exitstats_vcpu);

static int exitstats_vm_show(struct seq_file *m, void *unused)
{
	struct kvm_exitstats_account *one = exitstats_alloc(), *sum = exitstats_alloc();
	struct kvm *kvm = m->private;
	struct kvm_vcpu *vcpu;
	unsigned long v;
	int r = -ENOMEM;
	u32 i;

	if (!one || !sum)
		goto out;

	kvm_for_each_vcpu(v, vcpu, kvm) {
		kvm_exitstats_snapshot(vcpu, one);
		for (i = 0; i < kvm_exitstats_nr_accounts; i++) {
			sum[i].exits += one[i].exits;
			sum[i].cycles += one[i].cycles;
			sum[i].longest = max(sum[i].longest, one[i].longest);
		}
	}
	exitstats_show(m, sum);
	r = 0;
out:
	kfree(sum);
	kfree(one);
	return r;
}
DEFINE_SHOW_ATTRIBUTE(exitstats_vm);

/* @dir is the directory of @vcpu. The VM's table is created with its first vCPU. */
void kvm_exitstats_create_debugfs(struct kvm_vcpu *vcpu, struct dentry *dir)
{
	struct kvm *kvm = vcpu->kvm;

	if (!vcpu->arch.exitstats)
		return;

	debugfs_create_file("exitstats", 0400, dir, vcpu, &exitstats_vcpu_fops);
	if (!vcpu->vcpu_idx)
		debugfs_create_file("exitstats", 0400, kvm->debugfs_dentry, kvm,
				    &exitstats_vm_fops);
}
