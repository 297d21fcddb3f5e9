// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM exitstats: exits that KVM handles in its fastpath are counted once, like all others,
 * though most of them never reach handle_exit(). So are those that the fastpath inspects
 * but does not handle.
 */
#include <pthread.h>
#include <signal.h>

#include "exitstats_bare.h"

/* Much longer than an exit, and much shorter than a tick of the host */
#define TIMER_DELAY	200000

KVM_ONE_VCPU_TEST_SUITE(exitstats_fastpath);

/* Send a fixed interrupt to APIC ID 0, this vCPU. It stays pending while IF is 0. */
static inline void write_icr(void)
{
	wrmsr(APIC_BASE_MSR + (APIC_ICR >> 4), APIC_INT_ASSERT | APIC_DM_FIXED | TEST_VECTOR);
}

/*
 * The pending interrupt makes KVM leave the loop around vcpu_run(), so that handle_exit()
 * runs for an exit that the fastpath has handled.
 */
static void guest_icr(void)
{
	u64 cycles;

	x2apic_enable();
	cycles = cycles_of(EXIT_WRMSR);
	GUEST_ASSERT_EQ(exits_during(EXIT_WRMSR, 20, write_icr()), 20);
	GUEST_ASSERT(cycles_of(EXIT_WRMSR) > cycles);

	/* The fastpath does not handle a destination shorthand. */
	GUEST_ASSERT_EQ(exits_during(EXIT_WRMSR, 20,
				     x2apic_write_reg(APIC_ICR, APIC_DEST_SELF | TEST_VECTOR)), 20);
	GUEST_DONE();
}

TEST_F(exitstats_fastpath, x2apic_icr)
{
	if (apic_is_virtual())
		SKIP(return, "enable_apicv=Y or avic=Y: writing the ICR need not exit");

	vcpu_arch_set_entry_point(self->vcpu, guest_icr);
	run_to_done(self->vcpu);
}

static void timer_init(void)
{
	x2apic_enable();
	x2apic_write_reg(APIC_LVTT, APIC_LVT_TIMER_TSCDEADLINE | TEST_VECTOR);
}

static void guest_tsc_deadline(void)
{
	u64 cycles;

	timer_init();
	cycles = cycles_of(EXIT_WRMSR);
	GUEST_ASSERT_EQ(exits_during(EXIT_WRMSR, 20,
				     wrmsr(MSR_IA32_TSC_DEADLINE, rdtsc() + (1ull << 40))), 20);
	GUEST_ASSERT_EQ(exits_during(EXIT_WRMSR, 20,
				     wrmsr(MSR_IA32_TSC_DEADLINE, 0)), 20);
	GUEST_ASSERT(cycles_of(EXIT_WRMSR) > cycles);
	GUEST_DONE();
}

KVM_ONE_VCPU_TEST(exitstats_fastpath, tsc_deadline, guest_tsc_deadline)
{
	vcpu_set_cpuid_feature(vcpu, X86_FEATURE_TSC_DEADLINE_TIMER);
	run_to_done(vcpu);
}

/* The APIC timer fires while the guest runs. KVM may use the VMX-preemption timer for it. */
static void guest_preemption_timer(void)
{
	u64 exits;
	int i;

	timer_init();
	asm volatile("sti");
	exits = exits_of(EXIT_REASON_PREEMPTION_TIMER);
	for (i = 0; i < 20; i++) {
		wrmsr(MSR_IA32_TSC_DEADLINE, rdtsc() + TIMER_DELAY);
		while (READ_ONCE(guest_irqs) == i)
			cpu_relax();
	}
	exits = exits_of(EXIT_REASON_PREEMPTION_TIMER) - exits;
	asm volatile("cli");

	/* There are more only if KVM uses it to force an immediate exit. */
	__GUEST_ASSERT(exits >= 20, "%lu exits for 20 timers", exits);
	GUEST_ASSERT(cycles_of(EXIT_REASON_PREEMPTION_TIMER));
	GUEST_DONE();
}

TEST_F(exitstats_fastpath, preemption_timer)
{
	if (!host_cpu_is_intel || !get_kvm_intel_param_bool("preemption_timer"))
		SKIP(return, "no VMX, or preemption_timer=N");

	vcpu_set_cpuid_feature(self->vcpu, X86_FEATURE_TSC_DEADLINE_TIMER);
	vm_install_exception_handler(self->vcpu->vm, TEST_VECTOR, guest_irq_handler);
	vcpu_arch_set_entry_point(self->vcpu, guest_preemption_timer);
	run_to_done(self->vcpu);
}

/* HLT continues at once if an interrupt is pending, and blocks otherwise. */
static void guest_hlt(void)
{
	timer_init();
	GUEST_ASSERT_EQ(exits_during(EXIT_HLT, 20, ({
		write_icr();
		asm volatile("sti; hlt; cli" : : : "memory");
	})), 20);
	GUEST_ASSERT_EQ(READ_ONCE(guest_irqs), 20);

	GUEST_ASSERT_EQ(exits_during(EXIT_HLT, 20, ({
		wrmsr(MSR_IA32_TSC_DEADLINE, rdtsc() + TIMER_DELAY);
		asm volatile("sti; hlt; cli" : : : "memory");
	})), 20);
	GUEST_ASSERT_EQ(READ_ONCE(guest_irqs), 40);
	GUEST_DONE();
}

TEST_F(exitstats_fastpath, hlt)
{
	if (!host_cpu_is_intel && host_is_tcg())
		SKIP(return, "QEMU's TCG loses the STI shadow across VMRUN: "
		     "a timer that fires between STI and HLT is missed");

	vcpu_set_cpuid_feature(self->vcpu, X86_FEATURE_TSC_DEADLINE_TIMER);
	vm_install_exception_handler(self->vcpu->vm, TEST_VECTOR, guest_irq_handler);
	vcpu_arch_set_entry_point(self->vcpu, guest_hlt);
	run_to_done(self->vcpu);
}

/* Without an in-kernel local APIC, HLT exits to userspace. */
TEST(hlt_to_userspace)
{
	static const u8 code[] = { 0xf4, 0xeb, 0xfd };	/* 1: hlt; jmp 1b */
	struct kvm_vm *vm = bare_vm();
	struct kvm_vcpu *vcpu = bare_vcpu(vm, 0, BARE_KERNEL);
	struct stats stats;
	int i;

	bare_load(vm, BARE_CODE, code, sizeof(code));
	for (i = 1; i <= 20; i++) {
		vcpu_run(vcpu);
		TEST_ASSERT_KVM_EXIT_REASON(vcpu, KVM_EXIT_HLT);
		read_stats(vcpu, &stats);
		TEST_ASSERT_EQ(stats.exits_by_reason[EXIT_HLT], i);
	}
	assert_stats(vcpu);
	kvm_vm_free(vm);
}

#define NR_FAST_EXITS	20000

static void guest_many_fast_exits(void)
{
	timer_init();
	GUEST_ASSERT_EQ(exits_during(EXIT_WRMSR, NR_FAST_EXITS,
				     wrmsr(MSR_IA32_TSC_DEADLINE, 0)), NR_FAST_EXITS);
	GUEST_DONE();
}

static bool stop;

static void on_signal(int sig)
{
}

static void *signal_thread(void *vcpu_thread)
{
	while (!READ_ONCE(stop)) {
		pthread_kill(*(pthread_t *)vcpu_thread, SIGUSR1);
		usleep(500);
	}
	return NULL;
}

/*
 * A signal from another CPU makes KVM leave the loop around vcpu_run(), too, if the vCPU is
 * in it, as it is most of the time here.
 */
KVM_ONE_VCPU_TEST(exitstats_fastpath, signals, guest_many_fast_exits)
{
	struct sigaction action = { .sa_handler = on_signal };
	pthread_t self = pthread_self(), thread;
	int interrupted = 0;

	vcpu_set_cpuid_feature(vcpu, X86_FEATURE_TSC_DEADLINE_TIMER);
	sigaction(SIGUSR1, &action, NULL);
	pthread_create(&thread, NULL, signal_thread, &self);
	while (__vcpu_run(vcpu)) {
		TEST_ASSERT(errno == EINTR, "KVM_RUN: %s", strerror(errno));
		interrupted++;
	}
	WRITE_ONCE(stop, true);
	pthread_join(thread, NULL);

	TEST_ASSERT(interrupted, "no signal came in time");
	TEST_ASSERT_EQ(get_ucall(vcpu, NULL), UCALL_DONE);
	assert_stats(vcpu);
}

/*
 * With immediate_exit, KVM_RUN returns before VM entry. That is no exit. Its time belongs
 * to the reason of the last exit, which is the one that reported to userspace.
 */
KVM_ONE_VCPU_TEST(exitstats_fastpath, immediate_exit, guest_many_fast_exits)
{
	struct stats before, after;
	u64 grown;
	int i;

	vcpu_set_cpuid_feature(vcpu, X86_FEATURE_TSC_DEADLINE_TIMER);
	run_to_done(vcpu);

	read_stats(vcpu, &before);
	for (i = 0; i < 20; i++)
		vcpu_run_complete_io(vcpu);
	read_stats(vcpu, &after);
	TEST_ASSERT_EQ(after.exits, before.exits);
	TEST_ASSERT(!memcmp(before.exits_by_reason, after.exits_by_reason,
			    sizeof(before.exits_by_reason)), "an exit was counted");
	grown = after.cycles_by_reason[EXIT_IO] - before.cycles_by_reason[EXIT_IO];
	TEST_ASSERT(grown, "KVM_RUN took no time");
	TEST_ASSERT_EQ(sum_slots(after.cycles_by_reason) - sum_slots(before.cycles_by_reason),
		       grown);
}

int main(int argc, char *argv[])
{
	require_exitstats();
	return test_harness_run(argc, argv);
}
