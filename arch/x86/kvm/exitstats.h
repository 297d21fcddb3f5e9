/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * KVM exitstats: the ledger. Each vCPU of a VM that counts has a clock, which is in
 * exactly one account at any time.
 *
 *	guest        ______|""""|__|""""|________|"""|_________|"""|________|"""|_______
 *	exit reason  ___________|""|____|"|____|"|___|"|_____|"|___|"|____|"|___|"|_____
 *	halted       __________________________________|"""""|__________________________
 *	preempted    _____________________|""""|________________________________________
 *	asleep       ________________________________________________|""""|_____________
 *	userspace    |"""""|______________________________________________________|"""""
 *
 * The cycles of an exit belong to its reason: from the VM exit until the guest is
 * entered again, including the completion of an exit to userspace, excluding the time
 * away. An exit is counted when the guest is entered again, or when the vCPU leaves to
 * userspace or halts, whichever comes first. Before the first VM entry, all time except
 * halted time is userspace.
 *
 *	kvm_exitstats_enter()		guest		\ the hot path: right around the
 *	kvm_exitstats_exit()		exit reason	/ guest, interrupts disabled
 *	kvm_exitstats_no_entry()	exit reason	an exit without a VM entry
 *	kvm_exitstats_load()		exit reason	KVM_RUN is called, or scheduled in
 *	kvm_exitstats_put()		userspace	KVM_RUN returns
 *					preempted	scheduled out while runnable
 *					asleep		scheduled out otherwise
 *	kvm_exitstats_block()		halted		KVM blocks the vCPU
 *	kvm_exitstats_unblock()		exit reason	the vCPU wakes up
 *
 * kvm_exitstats_run_begin() and kvm_exitstats_run_end() tell the vCPU's load and put in
 * KVM_RUN from those of other ioctls.
 *
 * At any time, the accounts of a vCPU add up to the TSC cycles since it was created.
 *
 * With a histogram, each exit is also counted by the logarithm of the cycles that it took,
 * when the guest is entered again.
 *
 * Only the thread that holds vcpu->mutex writes. The guest (exitstats_cpuid.c), KVM's
 * statistics (exitstats_stats.c), debugfs (exitstats_debugfs.c) and a VMM that saves the VM
 * (exitstats_state.c) may read on any CPU and at any time.
 *
 * A vendor module joins with kvm_exitstats_enter() and kvm_exitstats_exit() around the
 * guest, kvm_exitstats_no_entry() where its vcpu_run() returns without having entered
 * it, kvm_exitstats_init_vm() in its vm_init(), kvm_exitstats_hardware_setup() in its
 * hardware_setup(), and its exit reasons in exitstats_reasons.c.
 */
#ifndef __KVM_X86_EXITSTATS_H
#define __KVM_X86_EXITSTATS_H

#include <linux/kvm_host.h>
#include <uapi/linux/kvm_exitstats.h>

#ifdef CONFIG_KVM_EXITSTATS

#include <linux/bitops.h>
#include <linux/jump_label_ratelimit.h>
#include <linux/minmax.h>
#include <linux/tracepoint-defs.h>
#include <asm/msr.h>

DECLARE_TRACEPOINT(kvm_exitstats_tp);	/* exitstats_trace.h */

/* VM entry needs buckets for another exit reason, or an exit has to be traced. */
#define KVM_REQ_EXITSTATS	KVM_ARCH_REQ(55)

/* Enabled while a vCPU counts; disabled up to a minute after the last one is gone. */
extern struct static_key_false_deferred kvm_exitstats_key;

/*
 * Index of an exit reason in kvm_exitstats_offset_of[]. The four SVM exit codes from 0x400
 * on have the last four indexes. All unknown codes from 0xfb on share
 * KVM_EXITSTATS_NO_INDEX.
 */
#define KVM_EXITSTATS_FAR_CODE		0x400
#define KVM_EXITSTATS_FAR_INDEX		0xfc
#define KVM_EXITSTATS_NO_INDEX		0xfb
#define KVM_EXITSTATS_NR_INDEXES	0x100

/* The offset in bytes of an exit reason's account in a ledger. */
extern u16 kvm_exitstats_offset_of[KVM_EXITSTATS_NR_INDEXES];

/* Pass @code untruncated, so that an unknown code is not mistaken for a known one. */
static __always_inline unsigned long kvm_exitstats_index(u64 code)
{
	if (likely(code < KVM_EXITSTATS_NO_INDEX))
		return code;
	if (code - KVM_EXITSTATS_FAR_CODE < KVM_EXITSTATS_NR_INDEXES - KVM_EXITSTATS_FAR_INDEX)
		return code - KVM_EXITSTATS_FAR_CODE + KVM_EXITSTATS_FAR_INDEX;
	return KVM_EXITSTATS_NO_INDEX;
}

void __kvm_exitstats_enter_rare(struct kvm_vcpu *vcpu, u64 now);
void __kvm_exitstats_request(struct kvm_vcpu *vcpu);
void __kvm_exitstats_no_entry(struct kvm_vcpu *vcpu, u64 code);
void __kvm_exitstats_block(struct kvm_vcpu *vcpu);
void __kvm_exitstats_unblock(struct kvm_vcpu *vcpu);
void __kvm_exitstats_put(struct kvm_vcpu *vcpu, u64 now);
void __kvm_exitstats_load(struct kvm_vcpu *vcpu);

static __always_inline bool kvm_exitstats_in_use(void)
{
	return static_branch_likely(&kvm_exitstats_key.key);
}

/* The bucket of the histogram for an exit that took @cycles. */
static __always_inline unsigned long kvm_exitstats_bucket(u64 cycles)
{
	return __fls(min_t(u64, cycles, U32_MAX) | 1);
}

/*
 * The tail of @account in a ledger with a histogram; without one, @account itself, which has
 * its longest exit in the same place.
 */
static __always_inline struct kvm_exitstats_tail *
kvm_exitstats_tail(const struct kvm_vcpu_exitstats *stats,
		   const struct kvm_exitstats_account *account)
{
	return (void *)account + stats->tail;
}

static inline struct kvm_exitstats_tail *
kvm_exitstats_tail_of(const struct kvm_vcpu_exitstats *stats, u32 account)
{
	return kvm_exitstats_tail(stats, &stats->accounts[account]);
}

/*
 * Count an exit that took @cycles in the histogram.
 * Return: false if there is no histogram, or if the exit needs the rare path, which includes
 * an exit of 0 cycles.
 */
static __always_inline bool __kvm_exitstats_enter_tail(struct kvm_vcpu_exitstats *stats,
						       struct kvm_exitstats_account *reason,
						       u64 cycles)
{
	struct kvm_exitstats_tail *tail = kvm_exitstats_tail(stats, reason);

	if (!stats->tail || cycles - 1 >= tail->limit)
		return false;

	tail->buckets[__fls(cycles)]++;
	return true;
}

static __always_inline void __kvm_exitstats_enter(struct kvm_vcpu *vcpu, u64 now)
{
	struct kvm_vcpu_exitstats *stats = vcpu->arch.exitstats;
	struct kvm_exitstats_account *all = &stats->accounts[KVM_EXITSTATS_ALL];
	struct kvm_exitstats_account *reason = stats->account;
	u64 cycles = now - stats->since;

	/* The longest exit so far, or one in several pieces: see struct kvm_vcpu_exitstats. */
	if (unlikely((s64)cycles > (s64)reason->longest) &&
	    !__kvm_exitstats_enter_tail(stats, reason, cycles)) {
		__kvm_exitstats_enter_rare(vcpu, now);
		return;
	}

	/* Write the cycles first, so that a reader who sees the exit also sees its cycles. */
	reason->cycles += cycles;
	all->cycles += cycles;
	barrier();
	reason->exits++;
	all->exits++;

	stats->since = now;
	stats->account = NULL;
	stats->accounts[KVM_EXITSTATS_GUEST].exits++;
}

static __always_inline void __kvm_exitstats_exit(struct kvm_vcpu_exitstats *stats, u64 code,
						 u64 now)
{
	u64 cycles = now - stats->since;

	OPTIMIZER_HIDE_VAR(cycles);	/* one addition to memory */
	stats->accounts[KVM_EXITSTATS_GUEST].cycles += cycles;
	stats->since = now;
	stats->account = (void *)stats + kvm_exitstats_offset_of[kvm_exitstats_index(code)];
}

/* Right before VM entry; the account "guest" starts. */
static __always_inline void kvm_exitstats_enter(struct kvm_vcpu *vcpu)
{
	u64 now;

	if (!kvm_exitstats_in_use() || !vcpu->arch.exitstats)
		return;

	now = rdtsc();
	if (tracepoint_enabled(kvm_exitstats_tp))
		__kvm_exitstats_enter_rare(vcpu, now);
	else
		__kvm_exitstats_enter(vcpu, now);
}

/* Right after the VM exit for @code; the account of that exit reason starts. */
static __always_inline void kvm_exitstats_exit(struct kvm_vcpu *vcpu, u64 code)
{
	if (kvm_exitstats_in_use() && vcpu->arch.exitstats)
		__kvm_exitstats_exit(vcpu->arch.exitstats, code, rdtsc());
}

/* Return the TSC at the latest exit, or the current TSC if the vCPU does not count. */
static __always_inline u64 kvm_exitstats_exit_tsc(struct kvm_vcpu *vcpu)
{
	if (kvm_exitstats_in_use() && vcpu->arch.exitstats)
		return vcpu->arch.exitstats->since;
	return rdtsc();
}

/* An exit for @code without a VM entry; the account of that exit reason starts. */
static inline void kvm_exitstats_no_entry(struct kvm_vcpu *vcpu, u64 code)
{
	if (kvm_exitstats_in_use())
		__kvm_exitstats_no_entry(vcpu, code);
}

/* Allocate and trace, which VM entry cannot do. */
static inline void kvm_exitstats_check_request(struct kvm_vcpu *vcpu)
{
	if (kvm_exitstats_in_use() && kvm_test_request(KVM_REQ_EXITSTATS, vcpu))
		__kvm_exitstats_request(vcpu);
}

/*
 * KVM_RUN is called; with the next load, the account of the latest exit continues. Whether the
 * vCPU counts does not matter: asking costs more than this store.
 */
static inline void kvm_exitstats_run_begin(struct kvm_vcpu *vcpu)
{
	vcpu->arch.exitstats_running = true;
}

/* KVM_RUN returns; with the next put, the account "userspace" starts. */
static inline void kvm_exitstats_run_end(struct kvm_vcpu *vcpu)
{
	vcpu->arch.exitstats_running = false;
}

/* KVM blocks the vCPU, or polls before that; the account "halted" starts. */
static inline void kvm_exitstats_block(struct kvm_vcpu *vcpu)
{
	if (kvm_exitstats_in_use())
		__kvm_exitstats_block(vcpu);
}

/* The vCPU wakes up; the account of the latest exit continues. */
static inline void kvm_exitstats_unblock(struct kvm_vcpu *vcpu)
{
	if (kvm_exitstats_in_use())
		__kvm_exitstats_unblock(vcpu);
}

/*
 * The vCPU leaves the CPU at @now; in the middle of an exit, the account "preempted",
 * "asleep" or, after the end of KVM_RUN, "userspace" starts.
 */
static inline void kvm_exitstats_put(struct kvm_vcpu *vcpu, u64 now)
{
	if (kvm_exitstats_in_use())
		__kvm_exitstats_put(vcpu, now);
}

/* The vCPU gets a CPU; in KVM_RUN, the account of the latest exit continues. */
static inline void kvm_exitstats_load(struct kvm_vcpu *vcpu)
{
	if (kvm_exitstats_in_use())
		__kvm_exitstats_load(vcpu);
}

/* exitstats_reasons.c; constant once the vendor module is loaded */
extern u32 kvm_exitstats_numbering;
extern u32 kvm_exitstats_nr_accounts;

void kvm_exitstats_setup_reasons(u32 numbering);
u32 kvm_exitstats_account_of(u64 code);
bool kvm_exitstats_is_defined(u32 code);
u32 kvm_exitstats_code_of(u32 account);

/* exitstats.c */
struct kvm_vcpu_exitstats *kvm_exitstats_alloc(bool histogram);
u64 *kvm_exitstats_alloc_buckets(gfp_t gfp);
void kvm_exitstats_free(struct kvm_vcpu_exitstats *stats);
void kvm_exitstats_hardware_setup(u32 numbering);
void kvm_exitstats_module_exit(void);
void kvm_exitstats_init_vm(struct kvm *kvm);
void kvm_exitstats_destroy_vm(struct kvm *kvm);
int kvm_exitstats_create_vcpu(struct kvm_vcpu *vcpu);
void kvm_exitstats_postcreate_vcpu(struct kvm_vcpu *vcpu);
void kvm_exitstats_destroy_vcpu(struct kvm_vcpu *vcpu);
int kvm_exitstats_check_extension(struct kvm *kvm);
int kvm_exitstats_enable_cap(struct kvm *kvm, const struct kvm_enable_cap *cap);
void kvm_exitstats_snapshot(struct kvm_vcpu *vcpu, struct kvm_exitstats_account *accounts);
u64 kvm_exitstats_longest(const struct kvm_vcpu_exitstats *stats, u32 account);
void kvm_exitstats_add_buckets(const struct kvm_vcpu_exitstats *stats, u32 account,
			       u64 *buckets);

/* exitstats_cpuid.c */
bool __kvm_exitstats_cpuid(struct kvm_vcpu *vcpu, u32 *eax, u32 *ebx, u32 *ecx, u32 *edx);
struct kvm_exitstats_account kvm_exitstats_guest_view(struct kvm_vcpu *vcpu, u32 account);
void kvm_exitstats_ledger_buckets(struct kvm_vcpu *vcpu, u32 account, u64 *buckets);
void kvm_exitstats_guest_buckets(struct kvm_vcpu *vcpu, u32 account, u64 *buckets);

/* Answer CPUID if *@eax is one of the four leaves and the VM counts. */
static inline bool kvm_exitstats_cpuid(struct kvm_vcpu *vcpu, u32 *eax, u32 *ebx, u32 *ecx,
				       u32 *edx)
{
	return kvm_exitstats_in_use() && *eax - KVM_EXITSTATS_LEAF_CYCLES < 4 &&
	       vcpu->arch.exitstats && __kvm_exitstats_cpuid(vcpu, eax, ebx, ecx, edx);
}

int kvm_exitstats_device_attr(struct kvm_vcpu *vcpu, unsigned int ioctl,
			      const struct kvm_device_attr *attr);
void kvm_exitstats_create_debugfs(struct kvm_vcpu *vcpu, struct dentry *dir);

#else

static __always_inline void kvm_exitstats_enter(struct kvm_vcpu *vcpu) {}
static __always_inline void kvm_exitstats_exit(struct kvm_vcpu *vcpu, u64 code) {}
static __always_inline u64 kvm_exitstats_exit_tsc(struct kvm_vcpu *vcpu) { return rdtsc(); }
static inline void kvm_exitstats_no_entry(struct kvm_vcpu *vcpu, u64 code) {}
static inline void kvm_exitstats_check_request(struct kvm_vcpu *vcpu) {}
static inline void kvm_exitstats_run_begin(struct kvm_vcpu *vcpu) {}
static inline void kvm_exitstats_run_end(struct kvm_vcpu *vcpu) {}
static inline void kvm_exitstats_block(struct kvm_vcpu *vcpu) {}
static inline void kvm_exitstats_unblock(struct kvm_vcpu *vcpu) {}
static inline void kvm_exitstats_put(struct kvm_vcpu *vcpu, u64 now) {}
static inline void kvm_exitstats_load(struct kvm_vcpu *vcpu) {}
static inline void kvm_exitstats_hardware_setup(u32 numbering) {}
static inline void kvm_exitstats_module_exit(void) {}
static inline void kvm_exitstats_init_vm(struct kvm *kvm) {}
static inline void kvm_exitstats_destroy_vm(struct kvm *kvm) {}
static inline int kvm_exitstats_create_vcpu(struct kvm_vcpu *vcpu) { return 0; }
static inline void kvm_exitstats_postcreate_vcpu(struct kvm_vcpu *vcpu) {}
static inline void kvm_exitstats_destroy_vcpu(struct kvm_vcpu *vcpu) {}
static inline int kvm_exitstats_check_extension(struct kvm *kvm) { return 0; }
static inline int kvm_exitstats_enable_cap(struct kvm *kvm, const struct kvm_enable_cap *cap)
{
	return -EINVAL;
}

static inline bool kvm_exitstats_cpuid(struct kvm_vcpu *vcpu, u32 *eax, u32 *ebx, u32 *ecx,
				       u32 *edx)
{
	return false;
}

static inline int kvm_exitstats_device_attr(struct kvm_vcpu *vcpu, unsigned int ioctl,
					    const struct kvm_device_attr *attr)
{
	return -ENXIO;
}

static inline void kvm_exitstats_create_debugfs(struct kvm_vcpu *vcpu, struct dentry *dir) {}

#endif /* CONFIG_KVM_EXITSTATS */

#endif /* __KVM_X86_EXITSTATS_H */
