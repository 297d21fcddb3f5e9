/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * KVM exitstats: read the figures of the VM that this program runs in.
 *
 * For any guest program, privileged or not; needs nothing but the uapi header.
 * Each reading is one CPUID, thus one VM exit, which is counted when it has been
 * handled: it is not in the figures that it returns, but in the next ones.
 *
 *	struct exitstats before = exitstats_read();
 *	critical_section();
 *	disturbed = exitstats_between(before, exitstats_read());
 *
 * The figures are those of the whole VM. To ask about one vCPU, leave the others
 * idle.
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
 * struct exitstats - VM exits and what they cost
 * @exits: how many
 * @cycles: host TSC cycles from the exits until they had been handled
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
 * @ecx: ECX, for exitstats the basic exit reason
 *
 * CPUID serializes: what stands before it in the program is complete before the
 * reading, and nothing after it has begun.
 *
 * Return: the four registers; zeros where there is no CPUID
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
 * Ask once, before the first reading: a host that does not answers the leaves
 * with figures that mean something else.
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
 * Return: all VM exits since the VM was made, and their cycles
 */
static inline struct exitstats exitstats_read(void)
{
	struct exitstats_regs r = exitstats_cpuid(KVM_EXITSTATS_LEAF_TOTAL, 0);
	struct exitstats s;

	s.exits = (unsigned long long)r.edx << 32 | r.eax;
	s.cycles = (unsigned long long)r.ebx << 32 | r.ecx;
	return s;
}

/**
 * exitstats_between() - VM exits between two readings of the total
 * @before: the one
 * @after: the next one by this program
 *
 * Return: their number, without the exit that @before itself was
 */
static inline unsigned long long exitstats_between(struct exitstats before, struct exitstats after)
{
	return after.exits - before.exits - 1;
}

/**
 * exitstats_read_exits() - read the number of exits of one reason
 * @reason: basic exit reason
 * @exits: where to put it; 0 for a reason that is not defined
 *
 * Return: 0, or -1 for a reason that the SDM does not define
 */
static inline int exitstats_read_exits(unsigned int reason, unsigned long long *exits)
{
	struct exitstats_regs r = exitstats_cpuid(KVM_EXITSTATS_LEAF_EXITS, reason);

	*exits = (unsigned long long)r.ebx << 32 | r.eax;
	return r.edx == KVM_EXITSTATS_DEFINED ? 0 : -1;
}

/**
 * exitstats_read_cycles() - read the cycles of the exits of one reason
 * @reason: basic exit reason
 * @cycles: where to put them; 0 for a reason that is not defined
 *
 * Return: 0, or -1 for a reason that the SDM does not define
 */
static inline int exitstats_read_cycles(unsigned int reason, unsigned long long *cycles)
{
	struct exitstats_regs r = exitstats_cpuid(KVM_EXITSTATS_LEAF_CYCLES, reason);

	*cycles = (unsigned long long)r.ebx << 32 | r.ecx;
	return r.edx == KVM_EXITSTATS_DEFINED ? 0 : -1;
}

#endif /* EXITSTATS_READ_H */
