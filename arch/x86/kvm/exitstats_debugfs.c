// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM exitstats: the tables in debugfs, kvm/<pid>-<fd>/exitstats for a VM and
 * kvm/<pid>-<fd>/vcpu<n>/exitstats for a vCPU, and the histograms, exitstats_histogram in the
 * same directories.
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

/* The cells for an exit reason in a table. Each is one word. */
struct exitstats_label {
	char reason[8];
	char name[32];
};

static void exitstats_name_account(struct exitstats_label *label, u32 account)
{
	bool svm = kvm_exitstats_numbering == KVM_EXITSTATS_NUMBERING_SVM;
	u32 code;

	if (account == KVM_EXITSTATS_OTHER) {
		strscpy(label->reason, "-", sizeof(label->reason));
		strscpy(label->name, "other", sizeof(label->name));
		return;
	}

	code = kvm_exitstats_code_of(account);
	snprintf(label->reason, sizeof(label->reason), svm ? "0x%x" : "%u", code);
	/* Some names of SVM exits contain a space. */
	strscpy(label->name, exitstats_name(code), sizeof(label->name));
	strreplace(label->name, ' ', '_');
}

static void exitstats_show_row(struct seq_file *m, const char *reason, const char *name,
			       const struct kvm_exitstats_account *account)
{
	seq_printf(m, "%-7s %-26s %16llu %20llu %12llu %16llu\n", reason, name, account->exits,
		   account->cycles,
		   account->exits ? div64_u64(account->cycles, account->exits) : 0,
		   account->longest);
}

/*
 * Print a row for each exit reason that occurred, their total, and the other accounts. The
 * total is computed from the rows, so that a table adds up while vCPUs run.
 */
static void exitstats_show(struct seq_file *m, const struct kvm_exitstats_account *accounts)
{
	struct kvm_exitstats_account total = {};
	struct exitstats_label label;
	u32 i;

	seq_printf(m, "%-7s %-26s %16s %20s %12s %16s\n",
		   "reason", "name", "exits", "cycles", "average", "longest");

	for (i = KVM_EXITSTATS_OTHER; i < kvm_exitstats_nr_accounts; i++) {
		if (!accounts[i].exits && !accounts[i].cycles)
			continue;
		exitstats_name_account(&label, i);
		exitstats_show_row(m, label.reason, label.name, &accounts[i]);
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

/* Print a row for each bucket that is not empty. */
static void exitstats_show_buckets(struct seq_file *m, const char *reason, const char *name,
				   const u64 *buckets)
{
	u32 i;

	for (i = 0; i < KVM_EXITSTATS_NR_BUCKETS; i++) {
		if (!buckets[i])
			continue;
		seq_printf(m, "%-7s %-26s %12llu ", reason, name, i ? BIT_ULL(i) : 0);
		if (i == KVM_EXITSTATS_NR_BUCKETS - 1)
			seq_printf(m, "%12s", "-");
		else
			seq_printf(m, "%12llu", BIT_ULL(i + 1) - 1);
		seq_printf(m, " %16llu\n", buckets[i]);
	}
}

/* Print the histograms of @vcpu, or if NULL, of all vCPUs of @kvm, and their sum. */
static void exitstats_show_histogram(struct seq_file *m, struct kvm *kvm, struct kvm_vcpu *vcpu)
{
	u64 total[KVM_EXITSTATS_NR_BUCKETS] = {}, buckets[KVM_EXITSTATS_NR_BUCKETS];
	const struct kvm_vcpu_exitstats *stats;
	struct llist_node *first = READ_ONCE(kvm->arch.exitstats.ledgers.first);
	struct exitstats_label label;
	u32 i, b;

	seq_printf(m, "%-7s %-26s %12s %12s %16s\n", "reason", "name", "from", "to", "exits");

	for (i = KVM_EXITSTATS_OTHER; i < kvm_exitstats_nr_accounts; i++) {
		memset(buckets, 0, sizeof(buckets));
		if (vcpu)
			kvm_exitstats_add_buckets(vcpu->arch.exitstats, i, buckets);
		else
			llist_for_each_entry(stats, first, next)
				kvm_exitstats_add_buckets(stats, i, buckets);

		exitstats_name_account(&label, i);
		exitstats_show_buckets(m, label.reason, label.name, buckets);
		for (b = 0; b < KVM_EXITSTATS_NR_BUCKETS; b++)
			total[b] += buckets[b];
	}
	exitstats_show_buckets(m, "total", "-", total);
}

static int exitstats_vcpu_histogram_show(struct seq_file *m, void *unused)
{
	struct kvm_vcpu *vcpu = m->private;

	exitstats_show_histogram(m, vcpu->kvm, vcpu);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(exitstats_vcpu_histogram);

static int exitstats_vm_histogram_show(struct seq_file *m, void *unused)
{
	exitstats_show_histogram(m, m->private, NULL);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(exitstats_vm_histogram);

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

	if (!vcpu->arch.exitstats->tail)
		return;

	debugfs_create_file("exitstats_histogram", 0400, dir, vcpu,
			    &exitstats_vcpu_histogram_fops);
	if (!vcpu->vcpu_idx)
		debugfs_create_file("exitstats_histogram", 0400, kvm->debugfs_dentry, kvm,
				    &exitstats_vm_histogram_fops);
}
