// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM exitstats: which cycles belong to exits, and that they grow together with the exits.
 */
#include "exitstats_util.h"

#define TEST_PAGES	64

/* Stages at which the host acts */
#define STAGE_SLEEP	1
#define STAGE_SNAPSHOT	2

KVM_ONE_VCPU_TEST_SUITE(exitstats_cycles);

/* In this guest, only exits for the named reason occur between two readings. */
static inline u64 guest_hypercall(void)
{
	return kvm_hypercall(KVM_HC_VAPIC_POLL_IRQ, 0, 0, 0, 0);
}

static void add_memory(struct kvm_vm *vm)
{
	vm_userspace_mem_region_add(vm, VM_MEM_SRC_ANONYMOUS, TEST_MEMORY, 1, TEST_PAGES, 0);
	virt_map(vm, TEST_MEMORY, TEST_MEMORY, TEST_PAGES);
}

/* An exit's cycles are visible together with its count, and belong to its reason. */
static void guest_with_count(void)
{
	u64 exits, cycles, last_cycles = 0;
	int i;

	for (i = 0; i < 100; i++) {
		exits = exits_of(EXIT_HYPERCALL);
		cycles = cycles_of(EXIT_HYPERCALL);
		GUEST_ASSERT_EQ(exits, i);
		if (i)
			GUEST_ASSERT(cycles > last_cycles);
		else
			GUEST_ASSERT_EQ(cycles, 0);
		GUEST_ASSERT_EQ(cycles_of(EXIT_HYPERCALL), cycles);
		last_cycles = cycles;
		guest_hypercall();
	}
	GUEST_DONE();
}

KVM_ONE_VCPU_TEST(exitstats_cycles, with_count, guest_with_count)
{
	run_to_done(vcpu);
}

static void guest_never_backwards(void)
{
	u64 exits, cycles, total, total_cyc;
	u64 last_exits = 0, last_cycles = 0, last_total = 0, last_total_cyc = 0;
	struct leaf r;
	int i;

	for (i = 0; i < 10000; i++) {
		exits = exits_of(EXIT_CPUID);
		cycles = cycles_of(EXIT_CPUID);
		r = read_leaf(KVM_EXITSTATS_LEAF_TOTAL, 0);
		total = make_u64(r.edx, r.eax);
		total_cyc = make_u64(r.ebx, r.ecx);

		/* Each round has three readings, which are exits for that reason. */
		GUEST_ASSERT_EQ(exits, 3 * i);
		if (i) {
			GUEST_ASSERT(exits > last_exits && cycles > last_cycles);
			GUEST_ASSERT(total > last_total && total_cyc > last_total_cyc);
		}
		/* The total includes the two readings before it in this round. */
		GUEST_ASSERT(total >= exits + 2 && total_cyc > cycles);

		last_exits = exits;
		last_cycles = cycles;
		last_total = total;
		last_total_cyc = total_cyc;
	}
	GUEST_DONE();
}

KVM_ONE_VCPU_TEST(exitstats_cycles, never_backwards, guest_never_backwards)
{
	run_to_done(vcpu);
}

/* The shortest of @count exits for @reason, which excludes disturbances by the host */
#define least_cycles(reason, count, insns)				\
({									\
	u64 __least = ~0ull, __cycles;					\
	int __i;							\
									\
	for (__i = 0; __i < (count); __i++) {				\
		__cycles = cycles_of(reason);				\
		insns;							\
		__cycles = cycles_of(reason) - __cycles;		\
		if (__cycles < __least)					\
			__least = __cycles;				\
	}								\
	__least;							\
})

/* Getting a page for the guest is more work than a hypercall that does nothing. */
static void guest_more_work(void)
{
	u64 hypercall, fault;
	u32 reason;

	reason = exits_of(EXIT_NESTED) ? EXIT_NESTED : EXIT_PAGE_FAULT;
	fault = least_cycles(reason, TEST_PAGES, memory_write(TEST_MEMORY + __i * PAGE_SIZE));
	hypercall = least_cycles(EXIT_HYPERCALL, TEST_PAGES, guest_hypercall());

	__GUEST_ASSERT(hypercall && fault > hypercall, "page %lu cycles, hypercall %lu", fault,
		       hypercall);
	GUEST_DONE();
}

KVM_ONE_VCPU_TEST(exitstats_cycles, more_work_costs_more, guest_more_work)
{
	add_memory(vcpu->vm);
	run_to_done(vcpu);
}

/*
 * No time is counted twice, even if short exits in the fastpath follow long ones: exits
 * take less than the time that passes.
 */
static void guest_less_than_time(void)
{
	u64 tsc, cycles;
	int i;

	x2apic_enable();

	tsc = rdtsc();
	cycles = total_cycles();
	for (i = 0; i < TEST_PAGES; i++) {
		memory_write(TEST_MEMORY + i * PAGE_SIZE);
		x2apic_write_reg(APIC_ICR, APIC_INT_ASSERT | APIC_DM_FIXED | TEST_VECTOR);
	}
	cycles = total_cycles() - cycles;
	tsc = rdtsc() - tsc;

	__GUEST_ASSERT(cycles < tsc, "%lu cycles of %lu", cycles, tsc);
	GUEST_DONE();
}

KVM_ONE_VCPU_TEST(exitstats_cycles, less_than_time, guest_less_than_time)
{
	add_memory(vcpu->vm);
	run_to_done(vcpu);
}

#define ACCOUNT(name)	KVM_EXITSTATS_SELECT_ACCOUNT(KVM_EXITSTATS_ACCOUNT_##name)

/* Time in userspace is not part of an exit: it has its own account. */
static u64 slept;

static void guest_userspace(void)
{
	u64 tsc, cycles, userspace;

	tsc = rdtsc();
	cycles = total_cycles();
	userspace = cycles_of(ACCOUNT(USERSPACE));
	GUEST_SYNC(STAGE_SLEEP);
	/* One more exit, in case the next exit gets the time by mistake */
	guest_hypercall();
	userspace = cycles_of(ACCOUNT(USERSPACE)) - userspace;
	cycles = total_cycles() - cycles;
	tsc = rdtsc() - tsc;

	__GUEST_ASSERT(userspace >= slept, "%lu cycles in userspace, of %lu", userspace, slept);
	__GUEST_ASSERT(cycles <= tsc - userspace, "%lu cycles of %lu, %lu in userspace", cycles,
		       tsc, userspace);
	GUEST_DONE();
}

KVM_ONE_VCPU_TEST(exitstats_cycles, not_in_userspace, guest_userspace)
{
	TEST_ASSERT_EQ(run_guest(vcpu), UCALL_SYNC);
	slept = rdtsc();
	usleep(50000);
	slept = rdtsc() - slept;
	sync_global_to_guest(vcpu->vm, slept);
	run_to_done(vcpu);
}

/* Halted time is not part of an exit. Here, the guest halts until a timer fires. */
static void guest_halted(void)
{
	u64 tsc, cycles, halted;

	x2apic_enable();
	guest_set_timer(APIC_LVT_TIMER_ONESHOT);

	tsc = rdtsc();
	cycles = total_cycles();
	x2apic_write_reg(APIC_TMICT, 50000000);
	asm volatile("sti; hlt; cli" : : : "memory");
	guest_hypercall();
	halted = cycles_of(ACCOUNT(HALTED));
	cycles = total_cycles() - cycles;
	tsc = rdtsc() - tsc;

	GUEST_ASSERT_EQ(exits_of(EXIT_HLT), 1);
	GUEST_ASSERT(cycles_of(EXIT_HLT));
	__GUEST_ASSERT(halted && cycles <= tsc - halted, "%lu cycles of %lu, %lu halted", cycles,
		       tsc, halted);
	GUEST_DONE();
}

KVM_ONE_VCPU_TEST(exitstats_cycles, not_halted, guest_halted)
{
	vm_install_exception_handler(vcpu->vm, TEST_VECTOR, guest_irq_handler);
	run_to_done(vcpu);
}

/*
 * The total equals the sum over the reasons. The guest's reading is the next exit after the
 * host has read the statistics; if an interrupt of the host comes first, try again. The way
 * back to the guest adds cycles to the exit before, so check bounds for the cycles.
 */
static u64 guest_exits, guest_cycles;

static void guest_total(void)
{
	struct leaf r;

	for (;;) {
		r = read_leaf(KVM_EXITSTATS_LEAF_TOTAL, ~0u);
		guest_exits = make_u64(r.edx, r.eax);
		guest_cycles = make_u64(r.ebx, r.ecx);
		GUEST_SYNC(STAGE_SNAPSHOT);
	}
}

KVM_ONE_VCPU_TEST(exitstats_cycles, total_is_sum, guest_total)
{
	struct stats stats, after;
	int i;

	run_guest(vcpu);
	for (i = 0; i < 100; i++) {
		read_stats(vcpu, &stats);
		run_guest(vcpu);
		sync_global_from_guest(vcpu->vm, guest_exits);
		sync_global_from_guest(vcpu->vm, guest_cycles);
		TEST_ASSERT(guest_exits >= stats.exits, "total %lu, before that %lu",
			    guest_exits, stats.exits);
		if (guest_exits == stats.exits)
			break;
	}
	TEST_ASSERT_EQ(guest_exits, sum_slots(stats.exits_by_reason));
	read_stats(vcpu, &after);
	TEST_ASSERT(guest_cycles > sum_slots(stats.cycles_by_reason) &&
		    guest_cycles < sum_slots(after.cycles_by_reason), "%lu cycles, of %lu to %lu",
		    guest_cycles, sum_slots(stats.cycles_by_reason),
		    sum_slots(after.cycles_by_reason));
	assert_stats(vcpu);
}

int main(int argc, char *argv[])
{
	require_exitstats();
	return test_harness_run(argc, argv);
}
