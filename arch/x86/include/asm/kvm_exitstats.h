/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * KVM exitstats: the data of a VM and its vCPUs. The code is in
 * arch/x86/kvm/exitstats.h (the hot path) and exitstats*.c (everything else).
 */
#ifndef _ASM_X86_KVM_EXITSTATS_H
#define _ASM_X86_KVM_EXITSTATS_H

#include <linux/cache.h>
#include <linux/llist.h>
#include <linux/mutex.h>
#include <linux/types.h>

struct kvm;
struct kvm_vcpu;

#ifdef CONFIG_KVM_EXITSTATS

/**
 * struct kvm_exitstats_account - the time that a vCPU spent in one way
 * @cycles: time in this account, in host TSC cycles
 * @exits: for an exit reason, the number of counted exits; for another
 *	   account, how often it was entered
 * @longest: for an exit reason, the host TSC cycles of its longest exit that has ended
 */
struct kvm_exitstats_account {
	u64 cycles;
	u64 exits;
	u64 longest;
};

/* Instead of @longest. Each exit takes longer, so that kvm_exitstats_enter() looks closer. */
#define KVM_EXITSTATS_NO_LONGEST	(-1ULL)

/**
 * struct kvm_exitstats_tail - additional data of each account in a ledger with a histogram
 * @buckets: the exits by the logarithm of the host TSC cycles that they took,
 *	     KVM_EXITSTATS_NR_BUCKETS of them; NULL before the first exit
 * @limit: kvm_exitstats_enter() takes the rare path for longer exits: @longest, but at most
 *	   2^32 - 1, so that the logarithm of all others is the bucket
 * @longest: replaces the account's longest, which is KVM_EXITSTATS_NO_LONGEST
 */
struct kvm_exitstats_tail {
	u64 *buckets;
	u64 limit;
	u64 longest;
};

/*
 * The accounts of a vCPU, by index. The first indexes, up to KVM_EXITSTATS_OTHER, are the
 * account numbers in uapi linux/kvm_exitstats.h. One account follows for each exit reason
 * that can occur (exitstats_reasons.c).
 */
enum {
	KVM_EXITSTATS_ALL,		/* the sum of OTHER and all exit reasons */
	KVM_EXITSTATS_GUEST,
	KVM_EXITSTATS_USERSPACE,
	KVM_EXITSTATS_HALTED,
	KVM_EXITSTATS_PREEMPTED,
	KVM_EXITSTATS_ASLEEP,
	KVM_EXITSTATS_OTHER,		/* exits of any other reason */
	KVM_EXITSTATS_FIRST_REASON,
};

/**
 * struct kvm_vcpu_exitstats - the ledger of a vCPU
 * @created: host TSC when the vCPU was created. A negative period moves it back by the
 *	     same amount, so that the accounts always add up to @since - @created
 * @reason: while @account is not an exit reason, the account of the latest exit; before
 *	    the first VM entry, userspace
 * @took: while @account is not an exit reason, host TSC cycles of the latest exit's
 *	  earlier pieces
 * @pieces: replaces @reason as @account while an exit continues after its first piece.
 *	    Its longest exit is KVM_EXITSTATS_NO_LONGEST
 * @spare: zeroed buckets for the next exit reason that needs some, as VM entry cannot
 *	   allocate
 * @traced: the account of an exit that has not been traced yet, or NULL
 * @traced_cycles: the cycles of that exit
 * @next: the next one of this VM's ledgers
 * @counted: the latest exit has been counted already
 * @since: host TSC when the clock moved to @account
 * @account: the account that the time since @since belongs to; NULL: the guest
 * @tail: with a histogram, the distance in bytes from an account to its struct
 *	  kvm_exitstats_tail; without, 0
 * @accounts: see the enum above; followed by @pieces and, with a histogram, the tails of all
 *
 * Only the thread that holds vcpu->mutex writes, with preemption or interrupts
 * disabled. Any CPU may read at any time: each counter has one writer and is aligned, so
 * that no reader sees a torn value.
 *
 * The fields up to @next are for the rare paths. An exit writes to two or three cache
 * lines: that of @since, which also holds the sum over all exits and the guest's account,
 * and that of the exit reason, or two if its account straddles a line.
 */
struct kvm_vcpu_exitstats {
	u64 created;
	struct kvm_exitstats_account *reason;
	u64 took;
	struct kvm_exitstats_account *pieces;
	u64 *spare;
	struct kvm_exitstats_account *traced;
	u64 traced_cycles;
	struct llist_node next;

	u64 since ____cacheline_aligned;
	struct kvm_exitstats_account *account;
	bool counted;
	u32 tail;
	struct kvm_exitstats_account accounts[];
};

/**
 * struct kvm_exitstats - exitstats of a VM
 * @flags: KVM_EXITSTATS_* flags of KVM_CAP_X86_EXITSTATS; constant once the VM has
 *	   a vCPU
 * @supported: the vendor module counts the exits of this type of VM; constant
 * @ledgers: the ledgers of its vCPUs, which join when they have been created, and stay until
 *	     the VM is destroyed; read at any time
 * @base: the restored figures, in guest TSC cycles, or NULL. Only the accounts of this ledger
 *	  are used; read at any time
 * @base_lock: to write @base and its accounts; taken under vcpu->mutex
 */
struct kvm_exitstats {
	u8 flags;
	bool supported;
	struct llist_head ledgers;
	struct kvm_vcpu_exitstats *base;
	struct mutex base_lock;	/* see above */
};

/* The statistics of a vCPU that has a ledger, see kvm_vcpu_stats_read(). */
#define __KVM_HAVE_ARCH_VCPU_STATS

ssize_t kvm_arch_vcpu_stats_read(struct kvm_vcpu *vcpu, char __user *buffer, size_t size,
				 loff_t *offset);

#else

struct kvm_exitstats {};

#endif /* CONFIG_KVM_EXITSTATS */

#endif /* _ASM_X86_KVM_EXITSTATS_H */
