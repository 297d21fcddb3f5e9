// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM exitstats: time that a vCPU spends in a known way is in the account for it, and in
 * no other.
 *
 * If the machine is busy, or an emulator's threads lose their CPU to others, some time is
 * in other accounts. The test then tries again with a new VM. An error in exitstats would
 * show in each try.
 */
#include <pthread.h>

#include "exitstats_ledger.h"

#define NR_TRIES	20
#define MSEC		1000ul	/* in microseconds */

/* Microseconds to spend in one way; more in TCG, which others on the machine disturb */
#define KNOWN		((host_is_tcg() ? 400 : 100) * MSEC)

/* A port that KVM emulates in the kernel: the PIC's mask */
#define PIC_MASK	0x21

/* Has a lower priority class than TEST_VECTOR */
#define MASKED_VECTOR	(TEST_VECTOR - 0x10)

/* After so many iterations of a string instruction, KVM enters the guest again. */
#define STRING_ITERATIONS	1024
#define NR_STRINGS		32

struct spell {
	struct kvm_vcpu *vcpu;
	struct ledger ledger;
	struct reading before, after;
	int late_fd;
	u64 cycles;		/* that another thread should spend ... */
	u64 known;		/* ... and has spent */
	bool over;
};

/* How long the guest spins, and how long its step took */
static u64 guest_cycles, guest_took;
static u32 guest_timer_ns;
static bool guest_runs, guest_stop;
static u8 guest_string[NR_STRINGS * STRING_ITERATIONS];

static void guest_spins(void)
{
	u64 start = tsc();

	guest_spin(guest_cycles);
	guest_took = tsc() - start;
}

/* Halt until the timer fires. It is periodic, as its first interrupt may come before HLT. */
static void guest_halts(void)
{
	u64 start;

	guest_set_timer(APIC_LVT_TIMER_PERIODIC);
	start = tsc();
	x2apic_write_reg(APIC_TMICT, guest_timer_ns);
	asm volatile("sti; hlt; cli" : : : "memory");
	guest_took = tsc() - start;
	x2apic_write_reg(APIC_TMICT, 0);
}

static void guest_halts_masked(void)
{
	x2apic_write_reg(APIC_TASKPRI, MASKED_VECTOR);
	guest_halts();
}

static void guest_halts_until_woken(void)
{
	u64 start = tsc();

	asm volatile("sti; hlt; cli" : : : "memory");
	guest_took = tsc() - start;
}

static void guest_spins_until_stopped(void)
{
	asm volatile("sti");
	guest_runs = true;
	while (!READ_ONCE(guest_stop))
		;
	asm volatile("cli");
}

/*
 * Cause exits whose handlers do little compared with what KVM does before the next VM
 * entry, above all for a load of CR3 without nested paging.
 */
static void guest_exits_all_the_time(void)
{
	u64 start = tsc(), cr3;

	asm volatile("sti");
	while (tsc() - start < guest_cycles) {
		read_leaf(0, 0);
		asm volatile("mov %%cr3, %0; mov %0, %%cr3" : "=r"(cr3) : : "memory");
	}
	asm volatile("cli");
	guest_took = tsc() - start;
}

/* Give KVM much work and the guest little: mask all interrupts of the PIC, many times. */
static void guest_writes_string(void)
{
	u8 *string = guest_string;
	u64 count = sizeof(guest_string), start;

	memset(guest_string, 0xff, sizeof(guest_string));
	start = tsc();
	asm volatile("rep outsb" : "+S"(string), "+c"(count) : "d"(PIC_MASK) : "memory");
	guest_took = tsc() - start;
}

static void guest_writes_late(void)
{
	memory_write(TEST_MEMORY);
}

/* Userspace provides the bytes, and the next KVM_RUN writes them to the guest's memory. */
static void guest_reads_string(void)
{
	void *string = (void *)TEST_MEMORY;
	u64 count = 8;

	asm volatile("rep insb" : "+D"(string), "+c"(count) : "d"(TEST_PORT) : "memory");
}

static void guest_reads_port(void)
{
	port_read(TEST_PORT);
}

static void begin(struct spell *spell)
{
	struct kvm_vm *vm = vm_create_with_one_vcpu(&spell->vcpu, guest_main);

	vm_userspace_mem_region_add(vm, VM_MEM_SRC_ANONYMOUS, TEST_MEMORY, 1, 1, 0);
	virt_map(vm, TEST_MEMORY, TEST_MEMORY, 1);
	vm_install_exception_handler(vm, TEST_VECTOR, guest_irq_handler);
	spell->late_fd = late_open(addr_gpa2hva(vm, TEST_MEMORY), PAGE_SIZE);
	ledger_open(&spell->ledger, spell->vcpu);
	TEST_ASSERT_EQ(run_guest(spell->vcpu), UCALL_SYNC);
}

static void end(struct spell *spell)
{
	ledger_close(&spell->ledger);
	if (spell->late_fd >= 0)
		close(spell->late_fd);
	kvm_vm_free(spell->vcpu->vm);
}

/* Run @step between spell->before and spell->after. Return the cycles the guest measured. */
static u64 have_guest(struct spell *spell, void (*step)(void))
{
	struct kvm_vm *vm = spell->vcpu->vm;

	set_guest_step(vm, step);
	ledger_read(&spell->ledger, &spell->before);
	TEST_ASSERT_EQ(run_guest(spell->vcpu), UCALL_SYNC);
	ledger_read(&spell->ledger, &spell->after);
	sync_global_from_guest(vm, guest_took);
	return guest_took;
}

static u64 have_guest_halt(struct spell *spell, u64 usec)
{
	guest_timer_ns = usec * 1000;
	sync_global_to_guest(spell->vcpu->vm, guest_timer_ns);
	return have_guest(spell, guest_halts);
}

static u64 have_guest_beside(struct spell *spell, void *(*other)(void *spell),
			     void (*step)(void))
{
	pthread_t thread;
	u64 took;

	spell->over = false;
	pthread_create(&thread, NULL, other, spell);
	took = have_guest(spell, step);
	WRITE_ONCE(spell->over, true);
	pthread_join(thread, NULL);
	return took;
}

static u64 spent(struct spell *spell, u32 account)
{
	return spell->after.times[account] - spell->before.times[account];
}

/* Each of these functions spends time in one way, and returns it in TSC cycles. */
static u64 in_guest(struct spell *spell)
{
	guest_cycles = usec_to_tsc(spell->vcpu, KNOWN);
	sync_global_to_guest(spell->vcpu->vm, guest_cycles);
	return have_guest(spell, guest_spins) - spent(spell, KVM_EXITSTATS_ACCOUNT_ALL);
}

static u64 in_userspace(struct spell *spell)
{
	u64 start, took, cycles = usec_to_tsc(spell->vcpu, KNOWN);

	ledger_read(&spell->ledger, &spell->before);
	start = tsc();
	while (tsc() - start < cycles)
		;
	took = tsc() - start;
	ledger_read(&spell->ledger, &spell->after);
	return took;
}

static u64 in_short_exits(struct spell *spell)
{
	guest_cycles = usec_to_tsc(spell->vcpu, KNOWN);
	sync_global_to_guest(spell->vcpu->vm, guest_cycles);
	return have_guest(spell, guest_exits_all_the_time);
}

static u64 in_exit(struct spell *spell)
{
	return have_guest(spell, guest_writes_string);
}

static u64 halted(struct spell *spell)
{
	vm_enable_cap(spell->vcpu->vm, KVM_CAP_HALT_POLL, 0);
	return have_guest_halt(spell, KNOWN);
}

/* KVM doubles the time for which it polls after each poll that was too short. */
static u64 halted_polling(struct spell *spell)
{
	u64 polled, took;
	int i;

	vm_enable_cap(spell->vcpu->vm, KVM_CAP_HALT_POLL, 1000000000);
	for (i = 0; i < 17; i++) {
		polled = vcpu_stat(spell->vcpu, "halt_successful_poll");
		/* RCU frees the file that this has closed; its thread would end the polling. */
		usleep(50 * MSEC);
		took = have_guest_halt(spell, KNOWN * 2 / 5);
		if (vcpu_stat(spell->vcpu, "halt_successful_poll") != polled)
			return took;
	}
	return 0;
}

static void send_msi(struct spell *spell, u8 vector)
{
	struct kvm_msi msi = { .address_lo = APIC_DEFAULT_GPA, .data = vector };

	TEST_ASSERT(__vm_ioctl(spell->vcpu->vm, KVM_SIGNAL_MSI, &msi) >= 0, "KVM_SIGNAL_MSI: %s",
		    strerror(errno));
}

/* Send interrupts that the guest has masked: the thread wakes up, but the vCPU stays halted. */
static void *disturb(void *s)
{
	struct spell *spell = s;

	while (!READ_ONCE(spell->over)) {
		usleep(5 * MSEC);
		send_msi(spell, MASKED_VECTOR);
	}
	return NULL;
}

static u64 halted_disturbed(struct spell *spell)
{
	guest_timer_ns = KNOWN * 1000;
	sync_global_to_guest(spell->vcpu->vm, guest_timer_ns);
	return have_guest_beside(spell, disturb, guest_halts_masked);
}

static void *wake(void *s)
{
	usleep(KNOWN);
	send_msi(s, TEST_VECTOR);
	return NULL;
}

static u64 halted_until_woken(struct spell *spell)
{
	return have_guest_beside(spell, wake, guest_halts_until_woken);
}

/* Spin on the CPU of the vCPU's thread, with a higher priority. */
static void *preempt(void *s)
{
	struct sched_param param = { .sched_priority = 1 };
	struct spell *spell = s;
	u64 start;

	TEST_ASSERT(!sched_setscheduler(0, SCHED_FIFO, &param), "SCHED_FIFO: %s",
		    strerror(errno));
	do {
		usleep(100);
		sync_global_from_guest(spell->vcpu->vm, guest_runs);
	} while (!guest_runs);
	start = tsc();
	while (tsc() - start < spell->cycles)
		;
	spell->known = tsc() - start;
	guest_stop = true;
	sync_global_to_guest(spell->vcpu->vm, guest_stop);
	return NULL;
}

static u64 preempted(struct spell *spell)
{
	cpu_set_t cpus;

	guest_runs = guest_stop = false;
	sync_global_to_guest(spell->vcpu->vm, guest_runs);
	sync_global_to_guest(spell->vcpu->vm, guest_stop);
	/* Take long, as the guest runs until the machine schedules the other thread. */
	spell->cycles = usec_to_tsc(spell->vcpu, 2 * KNOWN);
	sched_getaffinity(0, sizeof(cpus), &cpus);
	move_to_cpu(0, &cpus, 0);
	have_guest_beside(spell, preempt, guest_spins_until_stopped);
	sched_setaffinity(0, sizeof(cpus), &cpus);
	return spell->known;
}

static void *answer(void *s)
{
	struct spell *spell = s;

	spell->known = late_answer(spell->late_fd, KNOWN);
	return NULL;
}

static u64 asleep(struct spell *spell)
{
	have_guest_beside(spell, answer, guest_writes_late);
	return spell->known;
}

static u64 asleep_in_completion(struct spell *spell)
{
	have_guest_beside(spell, answer, guest_reads_string);
	return spell->known;
}

FIXTURE(time) {
	struct spell spell;
};

FIXTURE_VARIANT(time) {
	u64 (*spends)(struct spell *spell);
	u32 account;
	bool late;
};

#define TIME(name, in, ...)	\
	FIXTURE_VARIANT_ADD(time, name) { .spends = name, .account = in, ##__VA_ARGS__ }

TIME(in_guest, KVM_EXITSTATS_ACCOUNT_GUEST);
TIME(in_userspace, KVM_EXITSTATS_ACCOUNT_USERSPACE);
TIME(in_exit, KVM_EXITSTATS_ACCOUNT_ALL);
TIME(halted, KVM_EXITSTATS_ACCOUNT_HALTED);
TIME(halted_polling, KVM_EXITSTATS_ACCOUNT_HALTED);
TIME(halted_disturbed, KVM_EXITSTATS_ACCOUNT_HALTED);
TIME(halted_until_woken, KVM_EXITSTATS_ACCOUNT_HALTED);
TIME(preempted, KVM_EXITSTATS_ACCOUNT_PREEMPTED);
TIME(asleep, KVM_EXITSTATS_ACCOUNT_ASLEEP, .late = true);
TIME(asleep_in_completion, KVM_EXITSTATS_ACCOUNT_ASLEEP, .late = true);

FIXTURE_SETUP(time)
{
	begin(&self->spell);
}

FIXTURE_TEARDOWN(time)
{
	end(&self->spell);
}

static u64 cycles_spent(struct spell *spell, u32 reason)
{
	return spell->after.cycles_by_reason[reason] - spell->before.cycles_by_reason[reason];
}

/*
 * The percentage that may be in other accounts. On a busy machine, VM entries take long in
 * QEMU's TCG: they can wait for its main thread.
 */
static u32 blur(u32 account)
{
	return account == KVM_EXITSTATS_ACCOUNT_ALL && host_is_tcg() ? 30 : 5;
}

/*
 * Is @known in @account, but for a few percent, and not more than these in any other account?
 * If not, print where it is. The host's interrupts cause exits while the guest runs, so exits
 * may have more.
 */
static bool is_where_it_belongs(struct spell *spell, u32 account, u64 known)
{
	u64 few = known / 100 * blur(account);
	bool right = known;
	int i;

	for (i = 0; i < NR_TIMES; i++) {
		if (i == account)
			right &= spent(spell, i) + few >= known && spent(spell, i) <= known + few;
		else if (i == KVM_EXITSTATS_ACCOUNT_ALL && account == KVM_EXITSTATS_ACCOUNT_GUEST)
			right &= spent(spell, i) < 4 * few;
		else
			right &= spent(spell, i) < few;
	}
	if (right)
		return true;

	ksft_print_msg("%lu cycles %s:", known, time_names[account]);
	for (i = 0; i < NR_TIMES; i++)
		printf(" %s %lu", time_names[i], spent(spell, i));
	printf(", longest exit %lu\n", spell->after.longest);
	return false;
}

/* The time away is not part of any exit: no exit is that long, by any figure. */
static bool longest_is_short(struct spell *spell, u64 known)
{
	struct table table;
	u32 i;

	read_table(open_table(spell->vcpu->vm, spell->vcpu->id), &table);
	for (i = 0; i < MAX_SLOTS; i++)
		if (table.reasons[i].longest > spell->after.longest)
			return false;
	return spell->after.longest < known / 100 * 5;
}

/* @known consists of many exits for @reason: none of them is much longer than its part. */
static bool longest_is_part(struct spell *spell, u64 known, u32 reason)
{
	u64 least = known / 100 * (100 - blur(KVM_EXITSTATS_ACCOUNT_ALL));
	u64 exits = spell->after.exits_by_reason[reason] - spell->before.exits_by_reason[reason];
	struct table table;
	struct row *row = &table.reasons[reason];

	/* One exit per string, or two if it crosses a page, and one for GUEST_SYNC() */
	TEST_ASSERT(exits > NR_STRINGS && exits <= 2 * NR_STRINGS, "%lu exits", exits);
	read_table(open_table(spell->vcpu->vm, spell->vcpu->id), &table);
	TEST_ASSERT(row->longest >= row->cycles / row->exits, "longest exit %lu of %lu, %lu cycles",
		    row->longest, row->exits, row->cycles);
	return cycles_spent(spell, reason) > least &&
	       spell->after.longest > known / NR_STRINGS / 2 &&
	       spell->after.longest < known / NR_STRINGS * 2;
}

TEST_F_TIMEOUT(time, is_where_it_belongs, 120)
{
	struct spell *spell = &self->spell;
	u64 known;
	int i;

	if (variant->late && spell->late_fd < 0)
		SKIP(return, "no userfaultfd: %s", strerror(-spell->late_fd));

	for (i = 0; i < NR_TRIES; i++) {
		known = variant->spends(spell);
		if (is_where_it_belongs(spell, variant->account, known) &&
		    (variant->account == KVM_EXITSTATS_ACCOUNT_ALL ?
		     longest_is_part(spell, known, EXIT_IO) : longest_is_short(spell, known)))
			break;
		end(spell);
		begin(spell);
	}
	TEST_ASSERT(i < NR_TRIES, "not %s in %d tries", time_names[variant->account], NR_TRIES);
}

FIXTURE(attribution) {
	struct spell spell;
};

FIXTURE_SETUP(attribution)
{
	begin(&self->spell);
}

FIXTURE_TEARDOWN(attribution)
{
	end(&self->spell);
}

/* How often each account was entered */
static u64 entered(struct spell *spell, u32 account)
{
	struct table table;

	read_table(open_table(spell->vcpu->vm, spell->vcpu->id), &table);
	return account == KVM_EXITSTATS_ACCOUNT_ALL ? table.total.exits :
						      table.accounts[account].exits;
}

/*
 * The time between the handler of an exit and the next VM entry belongs to that exit, so
 * the guest and the exits together have all of the time. Without nested paging, this is
 * the larger part of a load of CR3; in TCG, it is small compared with VMRUN itself.
 */
static bool way_back_is_the_exits(struct spell *spell, u64 known)
{
	u64 guest = spent(spell, KVM_EXITSTATS_ACCOUNT_GUEST), few = known / 100 * 5;
	u64 exits = spent(spell, KVM_EXITSTATS_ACCOUNT_ALL);
	u64 cpuid = cycles_spent(spell, EXIT_CPUID), cr3 = cycles_spent(spell, EXIT_WRITE_CR3);

	if (guest + exits + few > known && exits &&
	    (nested_paging() || host_is_tcg() || cr3 / 3 > cpuid / 2))
		return true;
	ksft_print_msg("%lu cycles: guest %lu, exits %lu, of these CPUID %lu, CR3 %lu\n", known,
		       guest, exits, cpuid, cr3);
	return false;
}

TEST_F_TIMEOUT(attribution, way_back, 120)
{
	struct spell *spell = &self->spell;
	u64 entries, known;
	int i;

	for (i = 0; i < NR_TRIES; i++) {
		entries = entered(spell, KVM_EXITSTATS_ACCOUNT_USERSPACE);
		known = in_short_exits(spell);
		entries = entered(spell, KVM_EXITSTATS_ACCOUNT_USERSPACE) - entries;
		TEST_ASSERT(entries < 10, "%lu exits to userspace", entries);
		if (way_back_is_the_exits(spell, known))
			break;
	}
	TEST_ASSERT(i < NR_TRIES, "not in %d tries", NR_TRIES);
}

/*
 * When KVM completes an exit after userspace has done its part, the cycles belong to that
 * exit's reason, which gets no second exit. No other reason gets any cycles.
 */
TEST_F(attribution, completion)
{
	struct spell *spell = &self->spell;
	struct reading *before = &spell->before, *after = &spell->after;
	int i;

	set_guest_step(spell->vcpu->vm, guest_reads_port);
	vcpu_run(spell->vcpu);
	TEST_ASSERT_KVM_EXIT_REASON(spell->vcpu, KVM_EXIT_IO);
	TEST_ASSERT_EQ(spell->vcpu->run->io.port, TEST_PORT);

	ledger_read(&spell->ledger, before);
	spell->vcpu->run->immediate_exit = 1;
	TEST_ASSERT(__vcpu_run(spell->vcpu) && errno == EINTR, "KVM_RUN: %s", strerror(errno));
	ledger_read(&spell->ledger, after);

	for (i = 0; i < MAX_SLOTS; i++) {
		TEST_ASSERT_EQ(after->exits_by_reason[i], before->exits_by_reason[i]);
		if (i != EXIT_IO)
			TEST_ASSERT_EQ(after->cycles_by_reason[i], before->cycles_by_reason[i]);
	}
	TEST_ASSERT(after->cycles_by_reason[EXIT_IO] > before->cycles_by_reason[EXIT_IO] + 100,
		    "%lu cycles for a KVM_RUN",
		    after->cycles_by_reason[EXIT_IO] - before->cycles_by_reason[EXIT_IO]);
	TEST_ASSERT_EQ(after->times[KVM_EXITSTATS_ACCOUNT_GUEST],
		       before->times[KVM_EXITSTATS_ACCOUNT_GUEST]);
}

#define NR_ENTRIES	5

TEST_F(attribution, guest_is_entered_once_for_each_exit)
{
	struct spell *spell = &self->spell;
	int i;

	for (i = 0; i < NR_ENTRIES; i++) {
		in_exit(spell);
		TEST_ASSERT_EQ(entered(spell, KVM_EXITSTATS_ACCOUNT_GUEST),
			       vcpu_stat(spell->vcpu, "exits"));
		TEST_ASSERT_EQ(entered(spell, KVM_EXITSTATS_ACCOUNT_ALL),
			       vcpu_stat(spell->vcpu, "exits"));
	}
}

/* The vCPU's creation and each return of KVM_RUN enter the account "userspace" once. */
TEST_F(attribution, userspace_is_entered_by_each_run)
{
	struct spell *spell = &self->spell;
	u64 before = entered(spell, KVM_EXITSTATS_ACCOUNT_USERSPACE);
	int i;

	spell->vcpu->run->immediate_exit = 1;
	for (i = 1; i <= NR_ENTRIES; i++) {
		TEST_ASSERT(__vcpu_run(spell->vcpu), "KVM_RUN with immediate_exit");
		TEST_ASSERT_EQ(entered(spell, KVM_EXITSTATS_ACCOUNT_USERSPACE), before + i);
	}
}

/* Each HLT enters the account "halted" once, unless an interrupt is pending already. */
TEST_F(attribution, halted_is_entered_by_each_hlt)
{
	struct spell *spell = &self->spell;
	u64 entries, hlts;
	int i, exact = 0;

	for (i = 0; i < 4 * NR_ENTRIES; i++) {
		entries = entered(spell, KVM_EXITSTATS_ACCOUNT_HALTED);
		ledger_read(&spell->ledger, &spell->before);
		have_guest_halt(spell, 5 * MSEC);
		ledger_read(&spell->ledger, &spell->after);
		entries = entered(spell, KVM_EXITSTATS_ACCOUNT_HALTED) - entries;
		hlts = spell->after.exits_by_reason[EXIT_HLT] -
		       spell->before.exits_by_reason[EXIT_HLT];
		TEST_ASSERT(hlts == 1 && entries <= 1, "%lu HLT, halted %lu times", hlts, entries);
		exact += entries == 1;
	}
	TEST_ASSERT(exact >= NR_ENTRIES, "halted %d times by %d HLT", exact, i);
}

TEST_F(attribution, preempted_is_entered)
{
	struct spell *spell = &self->spell;
	u64 before = entered(spell, KVM_EXITSTATS_ACCOUNT_PREEMPTED);

	preempted(spell);
	TEST_ASSERT(entered(spell, KVM_EXITSTATS_ACCOUNT_PREEMPTED) > before, "not preempted");
	TEST_ASSERT_EQ(entered(spell, KVM_EXITSTATS_ACCOUNT_HALTED), 0);
}

TEST_F(attribution, asleep_is_entered)
{
	struct spell *spell = &self->spell;
	u64 before = entered(spell, KVM_EXITSTATS_ACCOUNT_ASLEEP);

	if (spell->late_fd < 0)
		SKIP(return, "no userfaultfd: %s", strerror(-spell->late_fd));
	asleep(spell);
	TEST_ASSERT(entered(spell, KVM_EXITSTATS_ACCOUNT_ASLEEP) > before, "not asleep");
	TEST_ASSERT_EQ(entered(spell, KVM_EXITSTATS_ACCOUNT_HALTED), 0);
}

int main(int argc, char *argv[])
{
	require_exitstats();
	require_debugfs();
	return test_harness_run(argc, argv);
}
