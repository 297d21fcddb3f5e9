/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * KVM exitstats: read the figures of the VM, or the vCPU, that this program runs in.
 *
 * For any guest program in C or C++, 64 or 32 bits, privileged or not. It needs only the
 * uapi header. Each reading is one CPUID, thus one VM exit, which KVM counts when it has
 * handled it: not in the figures that this reading returns, but in the next ones.
 *
 * Did any vCPU of this VM exit in my critical section?
 *
 *	struct exitstats before = exitstats_read();
 *	critical_section();
 *	disturbed = exitstats_between(before, exitstats_read());
 *
 * Did my own vCPU exit? For a thread that stays on its CPU:
 *
 *	unsigned long long before = exitstats_read_vcpu_exits();
 *	critical_section();
 *	disturbed = exitstats_vcpu_exits_between(before, exitstats_read_vcpu_exits());
 *
 * Where does its time go? Use any selector of linux/kvm_exitstats.h:
 *
 *	exitstats_read_cycles(KVM_EXITSTATS_SELECT_ACCOUNT(KVM_EXITSTATS_ACCOUNT_HALTED) |
 *			      KVM_EXITSTATS_SELECT_VCPU, &cycles);
 *
 * How long do its exits take? If the VM has the histogram, it counts them by powers of two.
 * For the exits of a reason on this vCPU:
 *
 *	struct exitstats_histogram histogram;
 *
 *	if (!exitstats_read_histogram(reason, KVM_EXITSTATS_SELECT_VCPU, &histogram))
 *		long_ones = histogram.exits[20] + histogram.exits[21];
 *
 * Call exitstats_present() first. A host of the first edition has neither accounts nor
 * figures of one vCPU: call exitstats_has_accounts() before using those. Only VMs for which
 * the host enabled it have the histogram: call exitstats_has_histogram().
 */
#ifndef EXITSTATS_READ_H
#define EXITSTATS_READ_H

#include <linux/kvm_exitstats.h>

#ifdef __x86_64__
#define EXITSTATS_HAS_CPUID
#elif defined(__i386__)
#define EXITSTATS_HAS_CPUID
#endif

/**
 * struct exitstats - VM exits and their cost
 * @exits: number of exits; for an account, how often it was entered
 * @cycles: guest TSC cycles from the exits until the guest was entered again, without the
 *	    time in userspace, halted or scheduled out
 */
struct exitstats {
	unsigned long long exits;
	unsigned long long cycles;
};

/**
 * struct exitstats_regs - what CPUID returns
 * @eax: register
 * @ebx: register
 * @ecx: register
 * @edx: register
 */
struct exitstats_regs {
	unsigned int eax;
	unsigned int ebx;
	unsigned int ecx;
	unsigned int edx;
};

/**
 * exitstats_cpuid() - execute CPUID
 * @leaf: EAX
 * @ecx: ECX, for exitstats the selector
 *
 * CPUID serializes: all instructions before it are complete before the reading, and none
 * after it has begun.
 *
 * Return: the four registers; zeros on an architecture without CPUID
 */
static inline struct exitstats_regs exitstats_cpuid(unsigned int leaf, unsigned int ecx)
{
	struct exitstats_regs r = { 0, 0, 0, 0 };

#ifdef EXITSTATS_HAS_CPUID
	__asm__ volatile("cpuid"
			 : "=a" (r.eax), "=b" (r.ebx), "=c" (r.ecx), "=d" (r.edx)
			 : "0" (leaf), "2" (ecx)
			 : "memory");
#else
	(void)leaf;
	(void)ecx;
#endif
	return r;
}

/**
 * exitstats_present() - does this host report exit statistics?
 *
 * Call this once, before the first reading: a host that does not report them returns
 * values in the leaves that mean something else.
 *
 * Return: 1 if it does, else 0
 */
static inline int exitstats_present(void)
{
	struct exitstats_regs r = exitstats_cpuid(1, 0);

	if (!(r.ecx & 1u << 31))	/* not in a VM */
		return 0;

	r = exitstats_cpuid(KVM_EXITSTATS_LEAF_EXITS, KVM_EXITSTATS_PROBE);
	return !r.eax && !r.ebx && !r.ecx && r.edx == KVM_EXITSTATS_UNDEFINED;
}

/**
 * exitstats_read() - read the VM's total
 *
 * Return: all VM exits since the VM was created, and their cycles
 */
static inline struct exitstats exitstats_read(void)
{
	struct exitstats_regs r = exitstats_cpuid(KVM_EXITSTATS_LEAF_TOTAL, 0);
	struct exitstats s;

	s.exits = r.edx;
	s.exits = s.exits << 32 | r.eax;
	s.cycles = r.ebx;
	s.cycles = s.cycles << 32 | r.ecx;
	return s;
}

/**
 * exitstats_between() - VM exits between two readings of the total
 * @before: the earlier one
 * @after: this program's next reading
 *
 * Return: their number, without the exit of the reading @before itself
 */
static inline unsigned long long exitstats_between(struct exitstats before, struct exitstats after)
{
	return after.exits - before.exits - 1;
}

/**
 * exitstats_read_exits() - read a number of exits
 * @selector: an exit reason, or a selector of linux/kvm_exitstats.h
 * @exits: set to the number; 0 for a selector that the host does not know
 *
 * Return: 0, or -1 for a selector that the host does not know
 */
static inline int exitstats_read_exits(unsigned int selector, unsigned long long *exits)
{
	struct exitstats_regs r = exitstats_cpuid(KVM_EXITSTATS_LEAF_EXITS, selector);

	*exits = r.ebx;
	*exits = *exits << 32 | r.eax;
	return r.edx == KVM_EXITSTATS_DEFINED ? 0 : -1;
}

/**
 * exitstats_read_cycles() - read the cycles of exits
 * @selector: an exit reason, or a selector of linux/kvm_exitstats.h
 * @cycles: set to the cycles; 0 for a selector that the host does not know
 *
 * Return: 0, or -1 for a selector that the host does not know
 */
static inline int exitstats_read_cycles(unsigned int selector, unsigned long long *cycles)
{
	struct exitstats_regs r = exitstats_cpuid(KVM_EXITSTATS_LEAF_CYCLES, selector);

	*cycles = r.ebx;
	*cycles = *cycles << 32 | r.ecx;
	return r.edx == KVM_EXITSTATS_DEFINED ? 0 : -1;
}

/**
 * exitstats_numbering() - are the exit reasons those of VMX or of SVM?
 *
 * Return: KVM_EXITSTATS_NUMBERING_VMX or KVM_EXITSTATS_NUMBERING_SVM; a host that does
 * not know this selector counts VMX exits
 */
static inline unsigned int exitstats_numbering(void)
{
	unsigned long long numbering;

	if (exitstats_read_exits(KVM_EXITSTATS_SELECT_NUMBERING, &numbering))
		return KVM_EXITSTATS_NUMBERING_VMX;
	return numbering & 0xffffffff;
}

/**
 * exitstats_has_accounts() - does this host report accounts, and figures of one vCPU?
 *
 * Return: 1 if it does, else 0
 */
static inline int exitstats_has_accounts(void)
{
	unsigned long long exits;

	return !exitstats_read_exits(KVM_EXITSTATS_SELECT_ACCOUNT(KVM_EXITSTATS_ACCOUNT_ALL) |
				     KVM_EXITSTATS_SELECT_VCPU, &exits);
}

/**
 * exitstats_read_vcpu_exits() - read how often this vCPU exited
 *
 * This is the vCPU that executes CPUID: after a thread moves to another CPU, it reads
 * another vCPU's figures.
 *
 * Return: all VM exits of the vCPU since it was created
 */
static inline unsigned long long exitstats_read_vcpu_exits(void)
{
	unsigned long long exits;

	exitstats_read_exits(KVM_EXITSTATS_SELECT_ACCOUNT(KVM_EXITSTATS_ACCOUNT_ALL) |
			     KVM_EXITSTATS_SELECT_VCPU, &exits);
	return exits;
}

/**
 * exitstats_vcpu_exits_between() - VM exits between two readings of one vCPU
 * @before: the earlier one
 * @after: this program's next reading, on the same CPU
 *
 * Return: their number, without the exit of the reading @before itself
 */
static inline unsigned long long exitstats_vcpu_exits_between(unsigned long long before,
							      unsigned long long after)
{
	return after - before - 1;
}

/**
 * struct exitstats_histogram - how long the exits of a reason took
 * @exits: [b] has those of 2^b to 2^(b+1)-1 cycles; the first one also those of 0 cycles, the
 *	   last one also all longer ones
 */
struct exitstats_histogram {
	unsigned long long exits[KVM_EXITSTATS_NR_BUCKETS];
};

/**
 * exitstats_has_histogram() - does this VM have the histogram?
 *
 * Return: 1 if it does, else 0
 */
static inline int exitstats_has_histogram(void)
{
	unsigned long long exits;

	/* Both vendors define reason 0. */
	return !exitstats_read_exits(KVM_EXITSTATS_SELECT_BUCKET(0, 0), &exits);
}

/**
 * exitstats_read_histogram() - read how long the exits of a reason took
 * @reason: the exit reason
 * @scope: 0 for the whole VM; KVM_EXITSTATS_SELECT_VCPU for the vCPU that executes CPUID
 * @histogram: set to the buckets; zeros if there is no histogram
 *
 * Each bucket is a separate reading, thus an exit. If the buckets add up to the exits of the
 * reason, as read before or afterwards, they are of that moment. An exit of another vCPU that
 * has not ended, because the vCPU is in userspace or halted, may still move to a later bucket.
 *
 * Return: 0, or -1 if the VM has no histogram or the host does not know the reason
 */
static inline int exitstats_read_histogram(unsigned int reason, unsigned int scope,
					   struct exitstats_histogram *histogram)
{
	unsigned int b;
	int ret = 0;

	for (b = 0; b < KVM_EXITSTATS_NR_BUCKETS; b++) {
		if (exitstats_read_exits(KVM_EXITSTATS_SELECT_BUCKET(b, reason) | scope,
					 &histogram->exits[b]))
			ret = -1;
	}
	return ret;
}

#endif /* EXITSTATS_READ_H */
