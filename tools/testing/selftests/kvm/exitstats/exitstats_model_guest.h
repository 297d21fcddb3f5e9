/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A guest that exits at random, for the tests of KVM exitstats, and a model that knows
 * how often. The model is in the guest's memory. Each vCPU notes there the exits that it
 * is about to cause and those that it has caused. What any vCPU reads in a leaf must lie
 * between the two, each summed over the vCPUs; in a VM with one vCPU, the two are the
 * same.
 *
 * The guest alone does not determine interrupts and page faults. For reasons that depend
 * on them, the model knows only a minimum; tracing knows the exact number.
 *
 * This is the guest's part. exitstats_model_host.h creates, runs and checks such a VM.
 */
#ifndef SELFTEST_KVM_EXITSTATS_MODEL_GUEST_H
#define SELFTEST_KVM_EXITSTATS_MODEL_GUEST_H

#include "exitstats_fuzz.h"

#define MODEL_VCPUS	4
#define MODEL_PAGES	64
#define MODEL_ANSWERS	256	/* answers kept to show where two VMs differ */
#define MODEL_PIC_MASK	0x21	/* a port that KVM emulates */
#define MODEL_GUEST_HYPERCALL	1000	/* a hypercall that KVM does not know */

struct answer {
	u32 leaf, index;
	struct leaf regs;
};

struct model_vcpu {
	u64 begun[MAX_REASONS], done[MAX_REASONS], all_done;
	u32 last;		/* reason of the latest exits */
	/* The latest readings, below which the next ones must not fall */
	u64 exits[MAX_REASONS], cycles[MAX_REASONS], total_exits, total_cycles;
	/* Answers of leaves that are not ours */
	u64 nr_answers, digest;
	struct answer answers[MODEL_ANSWERS];
};

struct model {
	bool on;		/* this VM counts */
	bool histogram;
	bool nested, xsave, debugged;
	bool exact[MAX_REASONS];	/* only the guest causes exits for this reason */
	u32 nr_vcpus;
	u64 base[MAX_REASONS], base_total;	/* before the vCPUs start */
	struct model_vcpu vcpus[MODEL_VCPUS];
};

static struct model guest_model;

static inline void will(struct model_vcpu *vcpu, u32 reason, u64 count)
{
	WRITE_ONCE(vcpu->begun[reason], vcpu->begun[reason] + count);
	vcpu->last = reason;
	barrier();
}

static inline void did(struct model_vcpu *vcpu, u32 reason, u64 count)
{
	barrier();
	WRITE_ONCE(vcpu->done[reason], vcpu->done[reason] + count);
	WRITE_ONCE(vcpu->all_done, vcpu->all_done + count);
}

#define cause(vcpu, reason, count, insns)				\
do {									\
	struct model_vcpu *__vcpu = (vcpu);					\
	u32 __reason = (reason), __count = (count), __i;			\
									\
	will(__vcpu, __reason, __count);					\
	for (__i = 0; __i < __count; __i++) {				\
		insns;							\
	}								\
	did(__vcpu, __reason, __count);					\
} while (0)

/* The same for @insns that only exit if @exits */
#define cause_if(exits, vcpu, reason, count, insns)			\
	cause(vcpu, reason, (exits) ? (count) : 0, insns)

/* @counts is "done" or "begun" of struct model_vcpu. */
#define model_sum(counts, reason)						\
({										\
	u32 __reason = (reason), __i;						\
	u64 __sum = guest_model.base[__reason];					\
										\
	for (__i = 0; __i < guest_model.nr_vcpus; __i++)			\
		__sum += READ_ONCE(guest_model.vcpus[__i].counts[__reason]);	\
	__sum;									\
})

static inline u64 model_done(u32 reason)
{
	return model_sum(done, reason);
}

static inline u64 model_begun(u32 reason)
{
	return model_sum(begun, reason);
}

static inline u64 model_total(void)
{
	u64 sum = guest_model.base_total;
	u32 i;

	for (i = 0; i < guest_model.nr_vcpus; i++)
		sum += READ_ONCE(guest_model.vcpus[i].all_done);
	return sum;
}

static inline struct leaf guest_cpuid_once(struct model_vcpu *vcpu, u32 leaf, u32 index)
{
	struct leaf r;

	cause(vcpu, EXIT_CPUID, 1, r = read_leaf(leaf, index));
	return r;
}

static inline void guest_not_back(u64 *last, u64 now, const char *what, u32 index)
{
	__GUEST_ASSERT(now >= *last, "reason %u, %s: %lu after %lu", index, what, now, *last);
	*last = now;
}

static inline void guest_read_total(struct model_vcpu *vcpu, u32 index)
{
	u64 least = model_total(), exits;
	struct leaf r = guest_cpuid_once(vcpu, KVM_EXITSTATS_LEAF_TOTAL, index);

	exits = make_u64(r.edx, r.eax);
	__GUEST_ASSERT(exits >= least, "total of %lu exits, at least %lu", exits, least);
	guest_not_back(&vcpu->total_exits, exits, "total exits", index);
	guest_not_back(&vcpu->total_cycles, make_u64(r.ebx, r.ecx), "total cycles", index);
}

static inline void guest_read_undefined(struct model_vcpu *vcpu, u32 leaf, u32 index)
{
	struct leaf r = guest_cpuid_once(vcpu, leaf, index);

	__GUEST_ASSERT(!r.eax && r.edx == KVM_EXITSTATS_UNDEFINED &&
		       (leaf == KVM_EXITSTATS_LEAF_REASON || (!r.ebx && !r.ecx)),
		       "leaf %x, reason %x: %x %x %x %x", leaf, index, r.eax, r.ebx, r.ecx, r.edx);
	/* With the vCPU bit, a structured selector reads the vCPU's total. */
	if (leaf == KVM_EXITSTATS_LEAF_REASON && index >> 23 != 0x4f800000 >> 23)
		guest_not_back(&vcpu->total_cycles, make_u64(r.ebx, r.ecx), "total cycles", index);
}

static inline void guest_read_defined(struct model_vcpu *vcpu, u32 leaf, u32 reason)
{
	u64 least = model_done(reason), most, got;
	struct leaf r = guest_cpuid_once(vcpu, leaf, reason);
	bool ok;

	/* This reading's own exit is only in the next reading. */
	most = guest_model.exact[reason] ?
	       model_begun(reason) - (reason == EXIT_CPUID) : ~0ull;

	if (leaf == KVM_EXITSTATS_LEAF_CYCLES) {
		got = make_u64(r.ebx, r.ecx);
		ok = r.eax <= got && (!least || got);
		guest_not_back(&vcpu->cycles[reason], got, "cycles", reason);
	} else if (leaf == KVM_EXITSTATS_LEAF_EXITS) {
		got = make_u64(r.ebx, r.eax);
		ok = !r.ecx && got >= least && got <= most;
		guest_not_back(&vcpu->exits[reason], got, "exits", reason);
	} else {
		got = r.eax;
		ok = !guest_model.exact[reason] || (u32)(r.eax - least) <= most - least;
		guest_not_back(&vcpu->total_cycles, make_u64(r.ebx, r.ecx), "total cycles", reason);
	}
	__GUEST_ASSERT(ok && r.edx == KVM_EXITSTATS_DEFINED,
		       "leaf %x, reason %u: %lu, of %lu to %lu exits; %x %x %x %x", leaf, reason,
		       got, least, most, r.eax, r.ebx, r.ecx, r.edx);
}

/* A bucket never has more exits than its reason. Its cycles and longest exit read as 0. */
static inline void guest_read_bucket(struct model_vcpu *vcpu, u32 leaf, u32 selector, u32 reason)
{
	struct leaf r = guest_cpuid_once(vcpu, leaf, selector);
	u64 most = guest_model.exact[reason] ? model_begun(reason) : ~0ull;
	bool ok;

	if (leaf == KVM_EXITSTATS_LEAF_CYCLES)
		ok = !r.eax && !r.ebx && !r.ecx;
	else if (leaf == KVM_EXITSTATS_LEAF_EXITS)
		ok = !r.ecx && make_u64(r.ebx, r.eax) <= most;
	else
		ok = most >> 32 || r.eax <= most;
	__GUEST_ASSERT(ok && r.edx == KVM_EXITSTATS_DEFINED,
		       "leaf %x, selector %x: %x %x %x %x; at most %lu exits", leaf, selector,
		       r.eax, r.ebx, r.ecx, r.edx, most);
}

/*
 * Read all buckets of a reason. An exit that is counted but has not ended can change buckets
 * meanwhile, if its vCPU is halted or in userspace.
 */
static inline void guest_read_buckets(struct model_vcpu *vcpu, u32 reason)
{
	u64 least = model_done(reason), most, sum = 0;
	struct leaf r;
	u32 b;

	for (b = 0; b < KVM_EXITSTATS_NR_BUCKETS; b++) {
		r = guest_cpuid_once(vcpu, KVM_EXITSTATS_LEAF_EXITS,
				     KVM_EXITSTATS_SELECT_BUCKET(b, reason));
		__GUEST_ASSERT(!r.ecx && r.edx == KVM_EXITSTATS_DEFINED,
			       "bucket %u of %u: %x %x %x %x", b, reason, r.eax, r.ebx, r.ecx,
			       r.edx);
		sum += make_u64(r.ebx, r.eax);
	}

	if (guest_model.nr_vcpus > 1 && (reason == EXIT_IO || reason == EXIT_HLT))
		return;
	/* The last reading's own exit is only in the next reading. */
	most = guest_model.exact[reason] ?
	       model_begun(reason) - (reason == EXIT_CPUID) : ~0ull;
	__GUEST_ASSERT(sum >= least && sum <= most, "buckets of %u: %lu exits, of %lu to %lu",
		       reason, sum, least, most);
}

/* Any structured selector has one of the two states, and figures that fit the state. */
static inline void guest_read_structured(struct model_vcpu *vcpu, u32 leaf, u32 selector)
{
	u32 plain = selector & ~KVM_EXITSTATS_SELECT_VCPU, n = selector & 0xffff;
	u32 kind = plain - n;
	bool bucket = kind >= KVM_EXITSTATS_SELECT_BUCKET(0, 0) &&
		      kind < KVM_EXITSTATS_SELECT_BUCKET(KVM_EXITSTATS_NR_BUCKETS, 0);
	bool defined = (bucket && guest_model.histogram && is_defined(n)) ||
		       (kind == KVM_EXITSTATS_SELECT_REASON(0) && is_defined(n)) ||
		       (kind == KVM_EXITSTATS_SELECT_ACCOUNT(0) &&
			(n <= KVM_EXITSTATS_ACCOUNT_OTHER ||
			 plain == KVM_EXITSTATS_SELECT_NUMBERING));
	struct leaf r;

	if (!defined) {
		guest_read_undefined(vcpu, leaf, selector);
	} else if (bucket) {
		guest_read_bucket(vcpu, leaf, selector, n);
	} else if (plain == selector && kind == KVM_EXITSTATS_SELECT_REASON(0)) {
		guest_read_defined(vcpu, leaf, n);
	} else {
		r = guest_cpuid_once(vcpu, leaf, selector);
		GUEST_ASSERT_EQ(r.edx, KVM_EXITSTATS_DEFINED);
	}
}

/* Leaves that are not ours must return the same as in a VM that does not count. */
static inline void guest_read_other(struct model_vcpu *vcpu, u32 leaf, u32 index)
{
	struct answer a = { leaf, index, guest_cpuid_once(vcpu, leaf, index) };

	vcpu->answers[vcpu->nr_answers++ % MODEL_ANSWERS] = a;
	vcpu->digest = (vcpu->digest ^ make_u64(a.regs.eax, a.regs.ebx)) * 0x100000001b3ull;
	vcpu->digest = (vcpu->digest ^ make_u64(a.regs.ecx, a.regs.edx)) * 0x100000001b3ull;
}

static inline u32 model_random_leaf(struct rnd *r)
{
	switch (rnd_below(r, 12)) {
	case 0:
		return rnd_below(r, 0x24);
	case 1:
		return 0x40000000 + rnd_below(r, 0x110);
	case 2:
		return 0x80000000 + rnd_below(r, 0x28);
	case 3:
		return 0xc0000000 + rnd_below(r, 8);
	case 4:
		return rnd(r);
	case 5:
		return KVM_EXITSTATS_LEAF_CYCLES ^ 1u << rnd_below(r, 32);
	case 6:
	case 7:
		return KVM_EXITSTATS_LEAF_CYCLES - 8 + rnd_below(r, 20);
	default:
		return KVM_EXITSTATS_LEAF_CYCLES + rnd_below(r, 4);
	}
}

static inline u32 model_random_index(struct rnd *r)
{
	switch (rnd_below(r, 9)) {
	case 0:
		return rnd(r);
	case 8:
		return KVM_EXITSTATS_SELECT_BUCKET(rnd_below(r, KVM_EXITSTATS_NR_BUCKETS + 2),
						   rnd_below(r, NR_SLOTS + 1)) |
		       (rnd_below(r, 2) ? KVM_EXITSTATS_SELECT_VCPU : 0);
	case 1:
		return 1u << rnd_below(r, 32) | rnd_below(r, NR_SLOTS);
	case 2:
		return rnd_below(r, 2) ? -rnd_below(r, 100) : 0x4f000000 + (rnd(r) >> 7);
	case 3:
		return NR_REASONS - 4 + rnd_below(r, 8);
	default:
		return rnd_below(r, NR_REASONS);
	}
}

static inline void guest_read_random_leaf(struct model_vcpu *vcpu, struct rnd *r)
{
	u32 leaf = model_random_leaf(r), index = model_random_index(r);

	if (leaf < KVM_EXITSTATS_LEAF_CYCLES || leaf > KVM_EXITSTATS_LEAF_TOTAL)
		guest_read_other(vcpu, leaf, index);
	else if (!guest_model.on)
		guest_assert_absent(leaf, index);
	else if (leaf == KVM_EXITSTATS_LEAF_TOTAL)
		guest_read_total(vcpu, index);
	else if (index < 0x10000 && is_defined(index))
		guest_read_defined(vcpu, leaf, index);
	else if (index >> 24 == 0x4f)
		guest_read_structured(vcpu, leaf, index);
	else
		guest_read_undefined(vcpu, leaf, index);
}

static inline void guest_skip_ud2(struct ex_regs *regs)
{
	regs->rip += 2;
}

/*
 * Cause up to @burst exits of one kind; fewer of those that take long, and fewest of those
 * that involve userspace.
 */
static inline void guest_exit_at_random(struct model_vcpu *vcpu, u32 id, struct rnd *r, u32 burst)
{
	u32 n = 1 + rnd_below(r, burst), some = 1 + n % 64, few = 1 + n % 4, op = rnd_below(r, 20);
	u32 apic = guest_model.exact[EXIT_WRMSR] ? 2 : 0;
	unsigned long address = TEST_MEMORY + rnd_below(r, MODEL_PAGES) * PAGE_SIZE;
	u64 value, cr3;
	u32 a, b, c, d;

	switch (op) {
	case 0:
		cause(vcpu, EXIT_CPUID, n, __cpuid(0, 0, &a, &b, &c, &d));
		break;
	case 1:
		cause(vcpu, EXIT_RDMSR, n, rdmsr(MSR_IA32_APICBASE));
		break;
	case 2:
		cause(vcpu, EXIT_RDMSR, some, rdmsr_safe(MSR_IA32_VMX_BASIC - 1, &value));
		break;
	case 3:
		/* KVM handles this exit in the fastpath. */
		cause(vcpu, EXIT_WRMSR, n, wrmsr(MSR_IA32_TSC_DEADLINE, 0));
		break;
	case 4:
		cause(vcpu, EXIT_WRMSR, some, wrmsr_safe(MSR_IA32_APICBASE, ~0ull));
		break;
	case 5:
		cause(vcpu, EXIT_IO, n, port_read(MODEL_PIC_MASK));
		break;
	case 6:
		cause(vcpu, EXIT_IO, few, port_write(TEST_PORT));
		break;
	case 7:
		/* Without APIC virtualization, writes to the ICR and the EOI exit. */
		will(vcpu, EXIT_WRMSR, apic * few);
		will(vcpu, EXIT_HYPERCALL, by_vendor(0, few));
		cause(vcpu, EXIT_HLT, few, halt_with_irq(id));
		did(vcpu, EXIT_HYPERCALL, by_vendor(0, few));
		did(vcpu, EXIT_WRMSR, apic * few);
		break;
	case 8:
		cause(vcpu, EXIT_HYPERCALL, n, kvm_hypercall(MODEL_GUEST_HYPERCALL + n, 0, 0, 0, 0));
		break;
	case 9:
		if (guest_model.xsave)
			cause(vcpu, EXIT_XSETBV, some, xsetbv(0, xgetbv(0)));
		break;
	case 10:
		cause(vcpu, EXIT_FLUSH, n, flush_caches());
		break;
	case 11:
		/* WBINVD exits on SVM, but on VMX not on all CPUs. */
		if (host_cpu_is_intel)
			asm volatile("wbinvd");
		else
			cause(vcpu, SVM_EXIT_WBINVD, n, asm volatile("wbinvd"));
		break;
	case 12:
		cause(vcpu, EXIT_RDPMC, some, rdpmc_safe(rnd(r), &value));
		break;
	case 13:
		/* Without a debugger, KVM gives the guest the registers most of the time. */
		cause_if(guest_model.debugged, vcpu, EXIT_READ_DR7, n,
			 asm volatile("mov %%dr7, %0" : "=r"(value)));
		break;
	case 14:
		cause_if(!guest_model.nested, vcpu, EXIT_INVLPG, some,
			 asm volatile("invlpg (%0)" : : "r"(address)));
		break;
	case 15:
		/* Reading CR3 exits, too. */
		will(vcpu, EXIT_READ_CR3, !guest_model.nested);
		cr3 = get_cr3();
		did(vcpu, EXIT_READ_CR3, !guest_model.nested);
		cause_if(!guest_model.nested, vcpu, EXIT_WRITE_CR3, some,
			 asm volatile("mov %0, %%cr3" : : "r"(cr3) : "memory"));
		break;
	case 16:
		cause(vcpu, EXIT_UD, some, asm volatile("ud2"));
		break;
	case 17:
		cause(vcpu, EXIT_MONITOR, few,
		      asm volatile("monitor" : : "a"(address), "c"(0), "d"(0)));
		cause(vcpu, EXIT_MWAIT, few,
		      asm volatile("mwait" : : "a"(0), "c"(0)));
		break;
	case 18:
		memory_write(TEST_MMIO);
		break;
	case 19:
		memory_write(address);
		break;
	}
}

static void guest_model_main(u32 id, u32 seed, u32 steps, u32 burst)
{
	struct model_vcpu *vcpu = &guest_model.vcpus[id];
	struct rnd r = rnd_seed(seed, id);

	x2apic_enable();
	if (guest_model.xsave)
		set_cr4(get_cr4() | X86_CR4_OSXSAVE);
	GUEST_SYNC(0);

	while (steps--) {
		if (rnd_below(&r, 2))
			guest_read_random_leaf(vcpu, &r);
		else
			guest_exit_at_random(vcpu, id, &r, burst);

		/* Draw no random number here: a VM without a histogram must draw the same ones. */
		if (guest_model.histogram && steps % 16 == 0)
			guest_read_buckets(vcpu, vcpu->last);
	}

	will(vcpu, EXIT_IO, 1);
	GUEST_DONE();
}

#endif /* SELFTEST_KVM_EXITSTATS_MODEL_GUEST_H */
