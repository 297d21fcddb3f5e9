// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM exitstats: with the vCPU bit, a selector gives the figures of the vCPU that executes
 * CPUID; without it, their sum over all vCPUs.
 */
#include <pthread.h>

#include "exitstats_ledger.h"
#include "exitstats_state.h"

#define NR_VCPUS	3
#define NR_CALLS	100

struct figures {
	u64 exits, cycles, longest;
};

/* vCPU 0 reads its own and the VM's figures: those of the exit reasons, then the accounts. */
#define ACCOUNTS	MAX_SLOTS
#define NR_FIGURES	(ACCOUNTS + NR_TIMES)

static struct figures guest_own[NR_FIGURES], guest_vm[NR_FIGURES];

static struct figures guest_figures(u32 selector)
{
	struct leaf r = read_leaf(KVM_EXITSTATS_LEAF_CYCLES, selector);
	struct figures figures = {
		.exits = exits_of(selector),
		.cycles = make_u64(r.ebx, r.ecx),
		.longest = r.eax,
	};

	return figures;
}

static void guest_look(u32 i, u32 selector)
{
	guest_own[i] = guest_figures(selector | KVM_EXITSTATS_SELECT_VCPU);
	guest_vm[i] = guest_figures(selector);
}

static void guest_look_at_all(void)
{
	u32 i;

	for (i = 0; i < NR_REASONS; i++)
		if (is_defined(i))
			guest_look(i, KVM_EXITSTATS_SELECT_REASON(i));
	for (i = 0; i < NR_TIMES; i++)
		guest_look(ACCOUNTS + i, KVM_EXITSTATS_SELECT_ACCOUNT(i));
}

/* vCPU n makes n * guest_nr_calls hypercalls and halts n times. */
static u32 guest_nr_calls;

static void guest_work(void)
{
	u32 id, i;

	x2apic_enable();
	id = x2apic_read_reg(APIC_ID);
	guest_set_timer(APIC_LVT_TIMER_PERIODIC);
	for (;;) {
		GUEST_SYNC(0);
		for (i = 0; i < guest_nr_calls * id; i++)
			kvm_hypercall(KVM_HC_VAPIC_POLL_IRQ, 0, 0, 0, 0);
		x2apic_write_reg(APIC_TMICT, 1000000);
		for (i = 0; i < id; i++)
			asm volatile("sti; hlt; cli" : : : "memory");
		x2apic_write_reg(APIC_TMICT, 0);
		asm volatile("sti; nop; cli");
	}
}

FIXTURE(vcpus) {
	struct kvm_vm *vm;
	struct kvm_vcpu *vcpus[NR_VCPUS];
	struct ledger ledgers[NR_VCPUS];
	struct reading readings[NR_VCPUS];
};

static void read_as_host(FIXTURE_DATA(vcpus) *self)
{
	int i;

	for (i = 0; i < NR_VCPUS; i++)
		ledger_read(&self->ledgers[i], &self->readings[i]);
}

static void read_as_guest(FIXTURE_DATA(vcpus) *self)
{
	TEST_ASSERT_EQ(run_guest(self->vcpus[0]), UCALL_SYNC);
	sync_global_from_guest(self->vm, guest_own);
	sync_global_from_guest(self->vm, guest_vm);
}

FIXTURE_SETUP(vcpus)
{
	int i;

	self->vm = vm_create(NR_VCPUS);
	guest_nr_calls = NR_CALLS;
	sync_global_to_guest(self->vm, guest_nr_calls);
	set_guest_step(self->vm, guest_look_at_all);
	for (i = 0; i < NR_VCPUS; i++) {
		self->vcpus[i] = vm_vcpu_add(self->vm, i, i ? guest_work : guest_main);
		ledger_open(&self->ledgers[i], self->vcpus[i]);
	}
	vm_install_exception_handler(self->vm, TEST_VECTOR, guest_irq_handler);
	for (i = 0; i < NR_VCPUS; i++)
		TEST_ASSERT_EQ(run_guest(self->vcpus[i]), UCALL_SYNC);
}

FIXTURE_TEARDOWN(vcpus)
{
	int i;

	for (i = 0; i < NR_VCPUS; i++)
		ledger_close(&self->ledgers[i]);
	kvm_vm_free(self->vm);
}

static void have_others_work(FIXTURE_DATA(vcpus) *self)
{
	int i;

	for (i = 1; i < NR_VCPUS; i++)
		TEST_ASSERT_EQ(run_guest(self->vcpus[i]), UCALL_SYNC);
}

TEST_F(vcpus, others_do_not_show)
{
	struct figures *own = &guest_own[EXIT_HYPERCALL], *vm = &guest_vm[EXIT_HYPERCALL];

	have_others_work(self);
	read_as_guest(self);
	TEST_ASSERT_EQ(vm->exits, NR_CALLS * (1 + 2));
	TEST_ASSERT(vm->cycles > vm->exits && vm->longest, "%lu exits, %lu cycles, longest %lu",
		    vm->exits, vm->cycles, vm->longest);
	TEST_ASSERT(!own->exits && !own->cycles && !own->longest,
		    "%lu exits, %lu cycles, longest %lu are not the vCPU's own", own->exits,
		    own->cycles, own->longest);

	own = &guest_own[ACCOUNTS + KVM_EXITSTATS_ACCOUNT_HALTED];
	vm = &guest_vm[ACCOUNTS + KVM_EXITSTATS_ACCOUNT_HALTED];
	TEST_ASSERT(vm->exits && vm->cycles, "halted %lu times, %lu cycles", vm->exits, vm->cycles);
	TEST_ASSERT(!own->exits && !own->cycles, "halted %lu times, %lu cycles, but not itself",
		    own->exits, own->cycles);
}

static bool stop;

static void *work_on(void *vcpu)
{
	while (!READ_ONCE(stop))
		TEST_ASSERT_EQ(run_guest(vcpu), UCALL_SYNC);
	return NULL;
}

TEST_F(vcpus, others_do_not_show_while_they_run)
{
	pthread_t threads[NR_VCPUS];
	u64 last = 0;
	int i;

	for (i = 1; i < NR_VCPUS; i++)
		pthread_create(&threads[i], NULL, work_on, self->vcpus[i]);
	for (i = 0; i < 10; i++) {
		read_as_guest(self);
		TEST_ASSERT_EQ(guest_own[EXIT_HYPERCALL].exits, 0);
		TEST_ASSERT_EQ(guest_own[EXIT_HYPERCALL].cycles, 0);
		TEST_ASSERT(guest_vm[EXIT_HYPERCALL].exits >= last, "the VM's go backwards");
		last = guest_vm[EXIT_HYPERCALL].exits;
		usleep(5000);
	}
	WRITE_ONCE(stop, true);
	for (i = 1; i < NR_VCPUS; i++)
		pthread_join(threads[i], NULL);
	TEST_ASSERT(last, "the others have not run");
}

static bool is_between(u64 figure, u64 least, u64 most)
{
	return figure >= least && figure <= most;
}

/*
 * The guest reads its own figures and then the VM's, while the other vCPUs are stopped. The
 * difference is theirs, except for exits between the two readings: a CPUID and the host's
 * interrupts.
 */
TEST_F(vcpus, sum_is_the_vm)
{
	struct reading before[NR_VCPUS], *r = self->readings;
	u64 others, own, vm, host_irqs;
	int i;

	have_others_work(self);
	read_as_host(self);
	memcpy(before, self->readings, sizeof(before));
	read_as_guest(self);
	read_as_host(self);

	for (i = 0; i < NR_REASONS; i++) {
		TEST_ASSERT_EQ(r[1].exits_by_reason[i], before[1].exits_by_reason[i]);
		TEST_ASSERT_EQ(r[2].cycles_by_reason[i], before[2].cycles_by_reason[i]);
		if (!is_defined(i))
			continue;

		own = guest_own[i].exits;
		TEST_ASSERT(is_between(own, before[0].exits_by_reason[i], r[0].exits_by_reason[i]),
			    "reason %d: own %lu exits, not %lu to %lu", i, own,
			    before[0].exits_by_reason[i], r[0].exits_by_reason[i]);
		TEST_ASSERT(is_between(guest_own[i].cycles, before[0].cycles_by_reason[i],
				       r[0].cycles_by_reason[i]),
			    "reason %d: own %lu cycles, not %lu to %lu", i, guest_own[i].cycles,
			    before[0].cycles_by_reason[i], r[0].cycles_by_reason[i]);

		others = r[1].exits_by_reason[i] + r[2].exits_by_reason[i];
		vm = guest_vm[i].exits;
		host_irqs = i == EXIT_CPUID ? 0 : r[0].exits_by_reason[i] - own;
		/* The guest reads two leaves of its own before it reads one of the VM's. */
		if (i == EXIT_CPUID)
			others += 2;
		TEST_ASSERT(is_between(vm, own + others, own + others + host_irqs),
			    "reason %d: the VM's %lu exits, own %lu, others' %lu", i, vm, own, others);

		others = r[1].cycles_by_reason[i] + r[2].cycles_by_reason[i];
		TEST_ASSERT(is_between(guest_vm[i].cycles, guest_own[i].cycles + others,
				       r[0].cycles_by_reason[i] + others),
			    "reason %d: the VM's %lu cycles, own %lu, others' %lu", i,
			    guest_vm[i].cycles, guest_own[i].cycles, others);
	}

	/* In the host's readings, the other vCPUs' account "userspace" grows. */
	for (i = 0; i < NR_TIMES; i++) {
		own = guest_own[ACCOUNTS + i].cycles;
		vm = guest_vm[ACCOUNTS + i].cycles;
		others = r[1].times[i] + r[2].times[i];
		if (i == KVM_EXITSTATS_ACCOUNT_USERSPACE)
			TEST_ASSERT(is_between(vm, own, r[0].times[i] + others),
				    "userspace: the VM's %lu cycles, own %lu, others' %lu", vm, own,
				    others);
		else
			TEST_ASSERT(is_between(own, before[0].times[i], r[0].times[i]) &&
				    is_between(vm, own + others, r[0].times[i] + others),
				    "%s: the VM's %lu cycles, own %lu, others' %lu", time_names[i],
				    vm, own, others);
	}
}

static void add_row(struct row *sum, const struct row *row)
{
	sum->exits += row->exits;
	sum->cycles += row->cycles;
	sum->longest = max(sum->longest, row->longest);
}

/* In debugfs, the sums are exact to the cycle, except for userspace, which grows meanwhile. */
TEST_F(vcpus, tables_add_up)
{
	struct table one, sum = {}, vm;
	int i, v;

	have_others_work(self);
	read_as_guest(self);
	for (v = 0; v < NR_VCPUS; v++) {
		read_table(open_table(self->vm, self->vcpus[v]->id), &one);
		for (i = 0; i < NR_SLOTS; i++)
			add_row(&sum.reasons[i], &one.reasons[i]);
		add_row(&sum.total, &one.total);
		for (i = 0; i < NR_TIMES; i++)
			add_row(&sum.accounts[i], &one.accounts[i]);
	}
	read_table(open_table(self->vm, VM_TABLE), &vm);

	TEST_ASSERT(sum.total.exits > NR_CALLS * 3, "%lu exits", sum.total.exits);
	TEST_ASSERT(!memcmp(vm.reasons, sum.reasons, sizeof(sum.reasons)),
		    "the VM's table is not the sum of its vCPUs'");
	TEST_ASSERT(!memcmp(&vm.total, &sum.total, sizeof(sum.total)), "totals");
	for (i = KVM_EXITSTATS_ACCOUNT_GUEST; i < NR_TIMES; i++) {
		TEST_ASSERT_EQ(vm.accounts[i].exits, sum.accounts[i].exits);
		if (i == KVM_EXITSTATS_ACCOUNT_USERSPACE)
			TEST_ASSERT(vm.accounts[i].cycles >= sum.accounts[i].cycles, "userspace");
		else
			TEST_ASSERT_EQ(vm.accounts[i].cycles, sum.accounts[i].cycles);
	}
}

/* Restored figures belong to the VM, not to a vCPU. */
TEST_F(vcpus, base_is_the_vm)
{
	struct state state = {};

	init_state(&state);
	add_entry(&state, KVM_EXITSTATS_SELECT_REASON(EXIT_HYPERCALL), 1000, 5000000, 4000);
	add_entry(&state, KVM_EXITSTATS_SELECT_ACCOUNT(KVM_EXITSTATS_ACCOUNT_PREEMPTED), 7,
		  7000000000, 0);
	must_set(self->vcpus[0], &state);
	read_as_guest(self);
	TEST_ASSERT_EQ(guest_vm[EXIT_HYPERCALL].exits, 1000);
	TEST_ASSERT_EQ(guest_vm[EXIT_HYPERCALL].cycles, 5000000);
	TEST_ASSERT_EQ(guest_own[EXIT_HYPERCALL].exits, 0);
	TEST_ASSERT_EQ(guest_own[EXIT_HYPERCALL].cycles, 0);
	TEST_ASSERT_EQ(guest_own[EXIT_HYPERCALL].longest, 0);
	TEST_ASSERT(guest_own[ACCOUNTS + KVM_EXITSTATS_ACCOUNT_PREEMPTED].cycles < 7000000000,
		    "the base is in the vCPU's own time preempted");
	TEST_ASSERT(guest_own[ACCOUNTS + KVM_EXITSTATS_ACCOUNT_ALL].exits <=
		    vcpu_stat(self->vcpus[0], "exits"), "the base is in the vCPU's own exits");
}

int main(int argc, char *argv[])
{
	require_exitstats();
	require_debugfs();
	return test_harness_run(argc, argv);
}
