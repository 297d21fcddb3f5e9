// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM exitstats: the accounts of a vCPU add up to the TSC cycles since it was created,
 * whatever it does.
 *
 * Each reading is of a moment between two TSC values that the test reads. That moment minus
 * the sum of all accounts is the time of the vCPU's creation. So each reading narrows down
 * that time, soon to a few hundred cycles, and no two readings may contradict each other.
 * Time that is lost or counted twice moves the apparent creation, and adds up over a
 * vCPU's life.
 */
#include <pthread.h>
#include <signal.h>
#include <sys/time.h>

#include "exitstats_ledger.h"

#define TEST_PAGES	64
#define LATE_PAGES	32	/* pages from this one on are missing, see late_open() */
#define NR_READINGS	20
#define MSEC		1000ul	/* in microseconds */

struct life {
	struct kvm_vcpu *vcpu;
	struct ledger ledger;
	struct reading reading;
	u64 earliest, latest;	/* bounds for the vCPU's creation so far */
	bool started;
	cpu_set_t cpus;
	int late_fd;
	int next_late;
};

/* How long the guest spins, and where it writes */
static u64 guest_cycles;
static unsigned long guest_address;
static bool guest_stop;

static struct guest_reading {
	u64 before, sum, after;
} guest_readings[NR_READINGS];

static void guest_nothing(void)
{
}

static void guest_exits(void)
{
	int i;

	for (i = 0; i < LATE_PAGES; i++) {
		kvm_hypercall(KVM_HC_VAPIC_POLL_IRQ, 0, 0, 0, 0);
		read_leaf(0, 0);
		flush_caches();
		port_write(TEST_PORT);
		port_read(TEST_PORT);
		memory_write(TEST_MMIO);
		memory_read(TEST_MMIO);
		x2apic_write_reg(APIC_TASKPRI, 0);
		rdmsr(MSR_IA32_APICBASE);
		memory_write(TEST_MEMORY + i * PAGE_SIZE);
	}
}

/* The timer is periodic, as its first interrupt may come before HLT. */
static void guest_halts(void)
{
	int i;

	guest_set_timer(APIC_LVT_TIMER_PERIODIC);
	x2apic_write_reg(APIC_TMICT, 500000);
	for (i = 0; i < 20; i++)
		asm volatile("sti; hlt; cli" : : : "memory");
	x2apic_write_reg(APIC_TMICT, 0);
	asm volatile("sti; nop; cli");
}

static void guest_spins(void)
{
	guest_spin(guest_cycles);
}

static void guest_spins_until_stopped(void)
{
	asm volatile("sti");
	while (!READ_ONCE(guest_stop))
		;
	asm volatile("cli");
}

static void guest_writes(void)
{
	memory_write(guest_address);
}

/* A reading has the figures at its exit, which lies between "before" and "after". */
static void guest_reads(void)
{
	struct guest_reading *r;
	u32 account;

	for (r = guest_readings; r < guest_readings + NR_READINGS; r++) {
		r->before = tsc();
		r->sum = 0;
		for (account = 0; account < NR_TIMES; account++)
			r->sum += guest_time(account);
		r->after = tsc();
	}
}

/* The accounts add up to @sum at a moment between @before and @after: is that possible? */
static bool fits(struct life *life, u64 before, u64 sum, u64 after)
{
	u64 earliest = max(life->earliest, before - sum);
	u64 latest = min(life->latest, after - sum);

	if (earliest > latest)
		return false;
	life->earliest = earliest;
	life->latest = latest;
	return true;
}

static void must_fit(struct life *life, const char *source, u64 before, u64 sum, u64 after)
{
	TEST_ASSERT(fits(life, before, sum, after),
		    "%s: between %ld and %ld cycles are missing in the accounts, which have %lu",
		    source, before - sum - life->latest, after - sum - life->earliest, sum);
}

static void read_statistics(struct life *life)
{
	struct reading *r = &life->reading;

	ledger_read(&life->ledger, r);
	must_fit(life, "statistics", r->before, sum_of(r->times, NR_TIMES), r->after);
	TEST_ASSERT_EQ(sum_of(r->cycles_by_reason, MAX_SLOTS), r->times[KVM_EXITSTATS_ACCOUNT_ALL]);
	TEST_ASSERT_EQ(sum_of(r->exits_by_reason, MAX_SLOTS), r->exits);
}

/* While a vCPU does not run, only the account "userspace" grows. */
static void read_debugfs(struct life *life)
{
	struct kvm_vcpu *vcpu = life->vcpu;
	struct table table;
	u64 before, sum;
	int i;

	before = tsc();
	read_table(open_table(vcpu->vm, vcpu->id), &table);
	table.accounts[KVM_EXITSTATS_ACCOUNT_ALL] = table.total;
	for (sum = 0, i = 0; i < NR_TIMES; i++) {
		sum += table.accounts[i].cycles;
		if (i != KVM_EXITSTATS_ACCOUNT_USERSPACE)
			TEST_ASSERT_EQ(table.accounts[i].cycles, life->reading.times[i]);
	}
	must_fit(life, "debugfs", before, sum, tsc());
}

static void set_step(struct life *life, void (*step)(void))
{
	if (!life->started)
		TEST_ASSERT_EQ(run_guest(life->vcpu), UCALL_SYNC);
	life->started = true;
	set_guest_step(life->vcpu->vm, step);
}

static void have_guest(struct life *life, void (*step)(void))
{
	set_step(life, step);
	TEST_ASSERT_EQ(run_guest(life->vcpu), UCALL_SYNC);
}

static void have_guest_spin(struct life *life, u64 usec)
{
	guest_cycles = usec_to_tsc(life->vcpu, usec);
	sync_global_to_guest(life->vcpu->vm, guest_cycles);
	set_step(life, guest_spins);
}

static void read_as_guest(struct life *life)
{
	struct kvm_vm *vm = life->vcpu->vm;
	struct guest_reading *r;
	u64 offset;

	have_guest(life, guest_reads);
	offset = tsc_offset(life->vcpu);
	sync_global_from_guest(vm, guest_readings);
	for (r = guest_readings; r < guest_readings + NR_READINGS; r++)
		must_fit(life, "guest", r->before - offset, r->sum, r->after - offset);
}

static void read_all(struct life *life)
{
	int i;

	for (i = 0; i < NR_READINGS; i++)
		read_statistics(life);
	read_debugfs(life);
	if (life->started)
		read_as_guest(life);
	read_statistics(life);
}

/* Send a signal to this thread every @usec; 0 stops that. */
static void on_alarm(int signal)
{
}

static void set_alarm(u64 usec)
{
	struct itimerval timer = { { 0, usec }, { 0, usec } };
	struct sigaction action = { .sa_handler = on_alarm };

	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &timer, NULL);
}

static void never_runs(struct life *life)
{
	usleep(20 * MSEC);
	read_statistics(life);
	TEST_ASSERT_EQ(life->reading.times[KVM_EXITSTATS_ACCOUNT_USERSPACE],
		       sum_of(life->reading.times, NR_TIMES));
}

static void exits(struct life *life)
{
	int i;

	for (i = 0; i < 5; i++) {
		have_guest(life, guest_exits);
		read_statistics(life);
	}
}

static void goes_to_userspace(struct life *life)
{
	int i;

	for (i = 0; i < 200; i++) {
		have_guest(life, guest_nothing);
		read_statistics(life);
	}
}

static void halts(struct life *life, u64 poll_ns)
{
	int i;

	vm_enable_cap(life->vcpu->vm, KVM_CAP_HALT_POLL, poll_ns);
	for (i = 0; i < 3; i++) {
		have_guest(life, guest_halts);
		read_statistics(life);
	}
}

static void halts_without_polling(struct life *life)
{
	halts(life, 0);
}

/* KVM polls longer after each poll that was too short. */
static void halts_with_polling(struct life *life)
{
	u64 before = vcpu_stat(life->vcpu, "halt_successful_poll");

	halts(life, 10 * 1000000);
	TEST_ASSERT(vcpu_stat(life->vcpu, "halt_successful_poll") > before, "KVM has not polled");
}

static void gets_signals(struct life *life)
{
	struct ucall uc;
	int nr = 0;

	have_guest_spin(life, 200 * MSEC);
	set_alarm(3 * MSEC);
	while (__vcpu_run(life->vcpu)) {
		TEST_ASSERT(errno == EINTR, "KVM_RUN: %s", strerror(errno));
		read_statistics(life);
		nr++;
	}
	set_alarm(0);
	TEST_ASSERT_EQ(get_ucall(life->vcpu, &uc), UCALL_SYNC);
	TEST_ASSERT(nr, "no signals");
}

static void exits_immediately(struct life *life)
{
	int i;

	/* First with a pending completion of an exit to userspace, then without */
	have_guest(life, guest_nothing);
	life->vcpu->run->immediate_exit = 1;
	for (i = 0; i < 100; i++) {
		TEST_ASSERT(__vcpu_run(life->vcpu) && errno == EINTR, "KVM_RUN: %s",
			    strerror(errno));
		read_statistics(life);
	}
	life->vcpu->run->immediate_exit = 0;
}

static bool stop;

static void *be_busy(void *unused)
{
	while (!READ_ONCE(stop))
		;
	return NULL;
}

static void is_preempted(struct life *life)
{
	pthread_t thread;

	have_guest_spin(life, 100 * MSEC);
	move_to_cpu(0, &life->cpus, 0);
	WRITE_ONCE(stop, false);
	pthread_create(&thread, NULL, be_busy, NULL);
	TEST_ASSERT_EQ(run_guest(life->vcpu), UCALL_SYNC);
	read_statistics(life);
	WRITE_ONCE(stop, true);
	pthread_join(thread, NULL);
	sched_setaffinity(0, sizeof(life->cpus), &life->cpus);
}

static void *answer_late(void *l)
{
	struct life *life = l;

	late_answer(life->late_fd, 5 * MSEC);
	return NULL;
}

static void sleeps(struct life *life)
{
	pthread_t thread;
	int i;

	for (i = 0; i < 3; i++) {
		guest_address = TEST_MEMORY + (LATE_PAGES + life->next_late++) * PAGE_SIZE;
		sync_global_to_guest(life->vcpu->vm, guest_address);
		pthread_create(&thread, NULL, answer_late, life);
		have_guest(life, guest_writes);
		pthread_join(thread, NULL);
		read_statistics(life);
	}
}

#define NR_MOVES	20

static void *move(void *l)
{
	struct life *life = l;
	int i;

	for (i = 0; i < NR_MOVES; i++) {
		usleep(2 * MSEC);
		move_to_cpu(getpid(), &life->cpus, i % 2);
	}
	guest_stop = true;
	sync_global_to_guest(life->vcpu->vm, guest_stop);
	return NULL;
}

static void moves(struct life *life)
{
	pthread_t thread;
	int i;

	guest_stop = false;
	sync_global_to_guest(life->vcpu->vm, guest_stop);
	set_step(life, guest_spins_until_stopped);
	pthread_create(&thread, NULL, move, life);
	TEST_ASSERT_EQ(run_guest(life->vcpu), UCALL_SYNC);
	pthread_join(thread, NULL);
	read_statistics(life);

	/* Move it while it is halted, and while it is in userspace. */
	for (i = 0; i < 10; i++) {
		move_to_cpu(0, &life->cpus, i % 2);
		have_guest(life, guest_nothing);
		read_statistics(life);
	}
	sched_setaffinity(0, sizeof(life->cpus), &life->cpus);
}

static void *run_exits(void *life)
{
	have_guest(life, guest_exits);
	return NULL;
}

static void runs_in_other_threads(struct life *life)
{
	pthread_t thread;
	int i;

	for (i = 0; i < 10; i++) {
		pthread_create(&thread, NULL, run_exits, life);
		pthread_join(thread, NULL);
		read_statistics(life);
	}
}

/* Wait like an AP, first for INIT and then for SIPI. */
static void waits_for_sipi(struct life *life)
{
	static const u32 states[] = { KVM_MP_STATE_UNINITIALIZED, KVM_MP_STATE_INIT_RECEIVED };
	u64 *halted = &life->reading.times[KVM_EXITSTATS_ACCOUNT_HALTED], before;
	u64 enough = usec_to_tsc(life->vcpu, 10 * MSEC);
	struct kvm_mp_state state;
	int i, runs;

	set_alarm(20 * MSEC);
	for (i = 0; i < ARRAY_SIZE(states); i++) {
		state.mp_state = states[i];
		vcpu_mp_state_set(life->vcpu, &state);
		read_statistics(life);
		before = *halted;
		/* The first signal may come too early. */
		for (runs = 0; runs < 10 && *halted - before < enough; runs++) {
			TEST_ASSERT(__vcpu_run(life->vcpu) && errno == EINTR, "KVM_RUN: %s",
				    strerror(errno));
			read_statistics(life);
		}
		TEST_ASSERT(*halted - before >= enough, "halted for %lu cycles", *halted - before);
	}
	set_alarm(0);
	state.mp_state = KVM_MP_STATE_RUNNABLE;
	vcpu_mp_state_set(life->vcpu, &state);
}

/*
 * Read while the vCPU runs. An emulator may stop the vCPU's CPU for a while in the middle of
 * an update, so repeat a reading that does not fit.
 */
static void *watch(void *l)
{
	struct life life = *(struct life *)l;
	int nr = 0, misfits = 0;

	ledger_open(&life.ledger, life.vcpu);
	while (!READ_ONCE(stop)) {
		ledger_read(&life.ledger, &life.reading);
		nr++;
		if (fits(&life, life.reading.before, sum_of(life.reading.times, NR_TIMES),
			 life.reading.after))
			misfits = 0;
		else if (++misfits == 20)
			read_statistics(&life);
		usleep(1 * MSEC);
	}
	ledger_close(&life.ledger);
	TEST_ASSERT(nr > 2, "%d readings", nr);
	return NULL;
}

static void is_watched(struct life *life)
{
	pthread_t thread;
	int i;

	WRITE_ONCE(stop, false);
	pthread_create(&thread, NULL, watch, life);
	for (i = 0; i < 10; i++) {
		exits(life);
		have_guest_spin(life, 5 * MSEC);
		TEST_ASSERT_EQ(run_guest(life->vcpu), UCALL_SYNC);
		halts_without_polling(life);
	}
	WRITE_ONCE(stop, true);
	pthread_join(thread, NULL);
}

static void does_everything(struct life *life)
{
	static void (*const all[])(struct life *life) = {
		never_runs, waits_for_sipi, exits, halts_without_polling, goes_to_userspace,
		is_preempted, sleeps, gets_signals, halts_with_polling, exits_immediately, moves,
		runs_in_other_threads, is_watched, waits_for_sipi, sleeps, exits,
	};
	int i;

	for (i = 0; i < ARRAY_SIZE(all); i++) {
		if ((all[i] == moves && CPU_COUNT(&life->cpus) < 2) ||
		    (all[i] == sleeps && life->late_fd < 0))
			continue;
		all[i](life);
		read_all(life);
	}
}

FIXTURE(vcpu) {
	struct life life;
};

/* How the vCPU spends its life, and an account that must have some of the time */
FIXTURE_VARIANT(vcpu) {
	void (*lives)(struct life *life);
	u32 account;
	int cpus;
	bool late;
};

#define VCPU_THAT(name, in, ...)	\
	FIXTURE_VARIANT_ADD(vcpu, name) { .lives = name, .account = in, ##__VA_ARGS__ }

VCPU_THAT(never_runs, KVM_EXITSTATS_ACCOUNT_USERSPACE);
VCPU_THAT(exits, KVM_EXITSTATS_ACCOUNT_ALL);
VCPU_THAT(goes_to_userspace, KVM_EXITSTATS_ACCOUNT_USERSPACE);
VCPU_THAT(halts_without_polling, KVM_EXITSTATS_ACCOUNT_HALTED);
VCPU_THAT(halts_with_polling, KVM_EXITSTATS_ACCOUNT_HALTED);
VCPU_THAT(gets_signals, KVM_EXITSTATS_ACCOUNT_GUEST);
VCPU_THAT(exits_immediately, KVM_EXITSTATS_ACCOUNT_USERSPACE);
VCPU_THAT(is_preempted, KVM_EXITSTATS_ACCOUNT_PREEMPTED);
VCPU_THAT(sleeps, KVM_EXITSTATS_ACCOUNT_ASLEEP, .late = true);
VCPU_THAT(moves, KVM_EXITSTATS_ACCOUNT_PREEMPTED, .cpus = 2);
VCPU_THAT(runs_in_other_threads, KVM_EXITSTATS_ACCOUNT_GUEST);
VCPU_THAT(waits_for_sipi, KVM_EXITSTATS_ACCOUNT_HALTED);
VCPU_THAT(is_watched, KVM_EXITSTATS_ACCOUNT_ALL);
VCPU_THAT(does_everything, KVM_EXITSTATS_ACCOUNT_ALL);

FIXTURE_SETUP(vcpu)
{
	struct life *life = &self->life;
	struct kvm_vm *vm = vm_create(1);

	memset(life, 0, sizeof(*life));
	vm_userspace_mem_region_add(vm, VM_MEM_SRC_ANONYMOUS, TEST_MEMORY, 1, TEST_PAGES, 0);
	virt_map(vm, TEST_MEMORY, TEST_MEMORY, TEST_PAGES);
	virt_map(vm, TEST_MMIO, TEST_MMIO, 1);
	sched_getaffinity(0, sizeof(life->cpus), &life->cpus);
	life->late_fd = late_open(addr_gpa2hva(vm, TEST_MEMORY + LATE_PAGES * PAGE_SIZE),
				  (TEST_PAGES - LATE_PAGES) * PAGE_SIZE);

	life->earliest = tsc();
	life->vcpu = vm_vcpu_add(vm, 0, guest_main);
	life->latest = tsc();
	vm_install_exception_handler(vm, TEST_VECTOR, guest_irq_handler);
	ledger_open(&life->ledger, life->vcpu);
}

FIXTURE_TEARDOWN(vcpu)
{
	ledger_close(&self->life.ledger);
	if (self->life.late_fd >= 0)
		close(self->life.late_fd);
	kvm_vm_free(self->life.vcpu->vm);
}

TEST_F_TIMEOUT(vcpu, adds_up, 300)
{
	struct life *life = &self->life;
	u64 before;

	if (CPU_COUNT(&life->cpus) < variant->cpus)
		SKIP(return, "only one CPU: cannot move the thread");
	if (variant->late && life->late_fd < 0)
		SKIP(return, "no userfaultfd: %s", strerror(-life->late_fd));

	read_statistics(life);
	before = life->reading.times[variant->account];
	variant->lives(life);
	read_all(life);

	TEST_ASSERT(life->reading.times[variant->account] > before, "no time %s",
		    time_names[variant->account]);
	ksft_print_msg("created within %lu cycles\n", life->latest - life->earliest);
}

int main(int argc, char *argv[])
{
	require_exitstats();
	require_debugfs();
	return test_harness_run(argc, argv);
}
