// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM exitstats: the binary statistics of a vCPU that has a ledger.
 *
 * A vCPU that counts has KVM's usual statistics, followed by those below, both in the
 * descriptors and in the data. Other vCPUs have only the usual ones.
 */
#include <linux/kvm_host.h>
#include <linux/mm.h>
#include <linux/string.h>

#include "exitstats.h"

struct exitstats_scalar {
	const char *name;
	u32 type;
	u32 account;
};

static const struct exitstats_scalar exitstats_scalars[] = {
	{ "exit_cycles", KVM_STATS_TYPE_CUMULATIVE, KVM_EXITSTATS_ALL },
	{ "guest_cycles", KVM_STATS_TYPE_CUMULATIVE, KVM_EXITSTATS_GUEST },
	{ "userspace_cycles", KVM_STATS_TYPE_CUMULATIVE, KVM_EXITSTATS_USERSPACE },
	{ "halted_cycles", KVM_STATS_TYPE_CUMULATIVE, KVM_EXITSTATS_HALTED },
	{ "preempted_cycles", KVM_STATS_TYPE_CUMULATIVE, KVM_EXITSTATS_PREEMPTED },
	{ "asleep_cycles", KVM_STATS_TYPE_CUMULATIVE, KVM_EXITSTATS_ASLEEP },
	{ "longest_exit_cycles", KVM_STATS_TYPE_PEAK, KVM_EXITSTATS_ALL },
};

/* exits_by_reason and cycles_by_reason */
#define EXITSTATS_NR_HISTS	2
#define EXITSTATS_NR_DESCS	(EXITSTATS_NR_HISTS + ARRAY_SIZE(exitstats_scalars))

/*
 * exit_cycles_hist, if the vCPU has the histogram. KVM's logarithmic histograms have an
 * additional first bucket for the value 0.
 */
#define EXITSTATS_NR_LOG	(1 + KVM_EXITSTATS_NR_BUCKETS)

/* The type of a descriptor with its name differs between kernels. */
#define EXITSTATS_SIZE_DESC	sizeof(kvm_vcpu_stats_desc[0])

/* One bucket for each number up to the last exit reason, and one for "other". */
static u32 exitstats_nr_buckets(void)
{
	return kvm_exitstats_code_of(kvm_exitstats_nr_accounts - 1) + 2;
}

static void exitstats_describe(void **next, const char *name, u32 flags, u32 nr,
			       u32 bucket_size, u32 *offset)
{
	struct kvm_stats_desc *desc = *next;

	desc->flags = flags | KVM_STATS_BASE_POW10;
	desc->size = nr;
	desc->bucket_size = bucket_size;
	desc->offset = *offset;
	strscpy(desc->name, name, KVM_STATS_NAME_SIZE);
	*next += EXITSTATS_SIZE_DESC;
	*offset += nr * sizeof(u64);
}

/* The unit of a linear histogram is that of its buckets' ranges: exit reasons have none. */
static void exitstats_describe_all(void *descs, u32 offset, bool histogram)
{
	u32 hist = KVM_STATS_TYPE_LINEAR_HIST | KVM_STATS_UNIT_NONE;
	u32 nr = exitstats_nr_buckets(), i;

	exitstats_describe(&descs, "exits_by_reason", hist, nr, 1, &offset);
	exitstats_describe(&descs, "cycles_by_reason", hist, nr, 1, &offset);
	for (i = 0; i < ARRAY_SIZE(exitstats_scalars); i++)
		exitstats_describe(&descs, exitstats_scalars[i].name,
				   exitstats_scalars[i].type | KVM_STATS_UNIT_CYCLES, 1, 0,
				   &offset);
	if (histogram)
		exitstats_describe(&descs, "exit_cycles_hist",
				   KVM_STATS_TYPE_LOG_HIST | KVM_STATS_UNIT_CYCLES,
				   EXITSTATS_NR_LOG, 0, &offset);
}

static int exitstats_fill(struct kvm_vcpu *vcpu, u64 *data)
{
	u64 *exits = data, *cycles = exits + exitstats_nr_buckets();
	u64 *scalar = cycles + exitstats_nr_buckets();
	struct kvm_exitstats_account *accounts;
	u32 i, bucket;

	accounts = kcalloc(kvm_exitstats_nr_accounts, sizeof(*accounts), GFP_KERNEL);
	if (!accounts)
		return -ENOMEM;

	kvm_exitstats_snapshot(vcpu, accounts);
	for (i = KVM_EXITSTATS_OTHER; i < kvm_exitstats_nr_accounts; i++) {
		bucket = i == KVM_EXITSTATS_OTHER ? exitstats_nr_buckets() - 1 :
						    kvm_exitstats_code_of(i);
		exits[bucket] = accounts[i].exits;
		cycles[bucket] = accounts[i].cycles;
	}
	for (i = 0; i < ARRAY_SIZE(exitstats_scalars); i++) {
		const struct kvm_exitstats_account *from = &accounts[exitstats_scalars[i].account];

		*scalar++ = exitstats_scalars[i].type == KVM_STATS_TYPE_PEAK ? from->longest :
									       from->cycles;
	}
	for (i = KVM_EXITSTATS_OTHER;
	     vcpu->arch.exitstats->tail && i < kvm_exitstats_nr_accounts; i++)
		kvm_exitstats_add_buckets(vcpu->arch.exitstats, i, scalar + 1);

	kfree(accounts);
	return 0;
}

/* Read from the statistics file of @vcpu. Return: as kvm_stats_read(), or -ENOMEM. */
ssize_t kvm_arch_vcpu_stats_read(struct kvm_vcpu *vcpu, char __user *buffer, size_t size,
				 loff_t *offset)
{
	struct kvm_stats_header header = kvm_vcpu_stats_header;
	u32 size_usual = header.num_desc * EXITSTATS_SIZE_DESC, size_descs, size_data;
	void *descs, *data;
	bool histogram;
	ssize_t r;

	if (!vcpu->arch.exitstats)
		return kvm_stats_read(vcpu->stats_id, &kvm_vcpu_stats_header, kvm_vcpu_stats_desc,
				      &vcpu->stat, sizeof(vcpu->stat), buffer, size, offset);

	histogram = vcpu->arch.exitstats->tail;
	header.num_desc += EXITSTATS_NR_DESCS + histogram;
	size_descs = header.num_desc * EXITSTATS_SIZE_DESC;
	header.data_offset = header.desc_offset + size_descs;
	size_data = sizeof(vcpu->stat) +
		    (EXITSTATS_NR_HISTS * exitstats_nr_buckets() + ARRAY_SIZE(exitstats_scalars) +
		     histogram * EXITSTATS_NR_LOG) * sizeof(u64);

	descs = kvzalloc(size_descs + size_data, GFP_KERNEL_ACCOUNT);
	if (!descs)
		return -ENOMEM;

	data = descs + size_descs;
	memcpy(descs, kvm_vcpu_stats_desc, size_usual);
	exitstats_describe_all(descs + size_usual, sizeof(vcpu->stat), histogram);
	memcpy(data, &vcpu->stat, sizeof(vcpu->stat));
	r = exitstats_fill(vcpu, data + sizeof(vcpu->stat));
	if (!r)
		r = kvm_stats_read(vcpu->stats_id, &header, descs, data, size_data, buffer, size,
				   offset);
	kvfree(descs);
	return r;
}
