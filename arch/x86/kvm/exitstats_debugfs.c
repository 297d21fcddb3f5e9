// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM exitstats: the tables in debugfs, kvm/<pid>-<fd>/exitstats for a VM and
 * kvm/<pid>-<fd>/vcpu<n>/exitstats for a vCPU.
 *
 * An open file does not hold the VM: KVM removes the VM's directory before it
 * frees anything, which waits for readers, and debugfs keeps those that come
 * later away. If it did hold the VM, closing a file could be what destroys the VM,
 * after the vendor module was unloaded, which not all kernels' VMs prevent.
 */
#include <linux/debugfs.h>
#include <linux/kvm_host.h>
#include <linux/math64.h>
#include <linux/seq_file.h>
#include <linux/tracepoint-defs.h>
#include <asm/vmx.h>

#include "exitstats.h"

static const char *exitstats_name(u32 slot)
{
	static const struct trace_print_flags names[] = { VMX_EXIT_REASONS };
	int i;

	for (i = 0; i < ARRAY_SIZE(names); i++) {
		if (names[i].mask == slot)
			return names[i].name;
	}
	return slot == KVM_EXITSTATS_OTHER ? "other" : "-";
}

static void exitstats_show_row(struct seq_file *m, const char *reason, const char *name,
			       u64 exits, u64 cycles)
{
	seq_printf(m, "%-6s %-20s %16llu %20llu %12llu\n", reason, name, exits, cycles,
		   exits ? div64_u64(cycles, exits) : 0);
}

/*
 * The exits are read ahead of their cycles, as they are counted after them. The
 * totals are those of the rows, so that a table adds up while vCPUs run.
 */
static void exitstats_show(struct seq_file *m, struct kvm *kvm, struct kvm_vcpu *vcpu)
{
	u64 exits, cycles, total_exits = 0, total_cycles = 0;
	char reason[8];
	u32 slot;

	seq_printf(m, "%-6s %-20s %16s %20s %12s\n",
		   "reason", "name", "exits", "cycles", "average");

	for (slot = 0; slot < KVM_EXITSTATS_NR_SLOTS; slot++) {
		if (vcpu) {
			exits = local64_read(&vcpu->stat.exits_by_reason[slot]);
			cycles = local64_read(&vcpu->stat.cycles_by_reason[slot]);
		} else {
			exits = kvm_exitstats_sum(kvm, stat.exits_by_reason[slot]);
			cycles = kvm_exitstats_sum(kvm, stat.cycles_by_reason[slot]);
		}
		if (!exits)
			continue;

		snprintf(reason, sizeof(reason), slot == KVM_EXITSTATS_OTHER ? "-" : "%u", slot);
		exitstats_show_row(m, reason, exitstats_name(slot), exits, cycles);
		total_exits += exits;
		total_cycles += cycles;
	}

	exitstats_show_row(m, "total", "-", total_exits, total_cycles);
}

static int exitstats_vm_show(struct seq_file *m, void *unused)
{
	exitstats_show(m, m->private, NULL);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(exitstats_vm);

static int exitstats_vcpu_show(struct seq_file *m, void *unused)
{
	struct kvm_vcpu *vcpu = m->private;

	exitstats_show(m, vcpu->kvm, vcpu);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(exitstats_vcpu);

/**
 * kvm_exitstats_create_vm_debugfs() - make the table of a VM
 * @kvm: the VM, with its directory made
 */
void kvm_exitstats_create_vm_debugfs(struct kvm *kvm)
{
	if (kvm->arch.exitstats.supported)
		debugfs_create_file("exitstats", 0400, kvm->debugfs_dentry, kvm,
				    &exitstats_vm_fops);
}

/**
 * kvm_exitstats_create_vcpu_debugfs() - make the table of a vCPU
 * @vcpu: the vCPU
 * @dir: its directory
 */
void kvm_exitstats_create_vcpu_debugfs(struct kvm_vcpu *vcpu, struct dentry *dir)
{
	if (vcpu->kvm->arch.exitstats.supported)
		debugfs_create_file("exitstats", 0400, dir, vcpu, &exitstats_vcpu_fops);
}
