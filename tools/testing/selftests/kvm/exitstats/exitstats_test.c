// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM exitstats: a guest causes a known number of exits of one kind and reads
 * that number from the leaves.
 *
 * EXTERNAL_INTERRUPT exits happen when the host pleases, and each report to the
 * test is an IO_INSTRUCTION exit: counts are exact for a reason, between two
 * readings by the guest.
 */
#include "exitstats_util.h"
#include "apic.h"

/* Neither a device of KVM's nor the port of ucall. */
#define TEST_PORT	0x80
#define TEST_VECTOR	0x40

KVM_ONE_VCPU_TEST_SUITE(exitstats);

static void run_case(struct kvm_vcpu *vcpu)
{
	while (run_guest(vcpu) != UCALL_DONE)
		;
	assert_stats(vcpu);
}

static void guest_cpuid(void)
{
	u32 eax, ebx, ecx, edx;

	/* A reading is in the next one, not in its own. */
	GUEST_ASSERT_EQ(exits_during(EXIT_REASON_CPUID, 0,), 1);
	GUEST_ASSERT_EQ(exits_during(EXIT_REASON_CPUID, 100,
				     __cpuid(0, 0, &eax, &ebx, &ecx, &edx)), 101);
	GUEST_DONE();
}

KVM_ONE_VCPU_TEST(exitstats, cpuid, guest_cpuid)
{
	run_case(vcpu);
}

static inline u8 inb(u16 port)
{
	u8 value;

	asm volatile("inb %1, %0" : "=a"(value) : "d"(port));
	return value;
}

static inline void outb(u16 port, u8 value)
{
	asm volatile("outb %0, %1" : : "a"(value), "d"(port));
}

static void guest_port_io(void)
{
	GUEST_ASSERT_EQ(exits_during(EXIT_REASON_IO_INSTRUCTION, 20, inb(TEST_PORT)), 20);
	GUEST_ASSERT_EQ(exits_during(EXIT_REASON_IO_INSTRUCTION, 20, outb(TEST_PORT, 0)), 20);
	GUEST_DONE();
}

KVM_ONE_VCPU_TEST(exitstats, port_io, guest_port_io)
{
	run_case(vcpu);
}

static void guest_msr(void)
{
	u64 base = rdmsr(MSR_IA32_APICBASE);

	GUEST_ASSERT_EQ(exits_during(EXIT_REASON_MSR_READ, 20, rdmsr(MSR_IA32_APICBASE)), 20);
	GUEST_ASSERT_EQ(exits_during(EXIT_REASON_MSR_WRITE, 20,
				     wrmsr(MSR_IA32_APICBASE, base)), 20);
	GUEST_DONE();
}

KVM_ONE_VCPU_TEST(exitstats, msr, guest_msr)
{
	run_case(vcpu);
}

static void guest_irq_handler(struct ex_regs *regs)
{
	x2apic_write_reg(APIC_EOI, 0);
}

/* The interrupt is pending when STI's shadow ends, which is after HLT. */
static inline void halt_with_irq(void)
{
	x2apic_write_reg(APIC_ICR, APIC_DEST_SELF | APIC_INT_ASSERT | TEST_VECTOR);
	asm volatile("sti; hlt; cli" : : : "memory");
}

static void guest_hlt(void)
{
	x2apic_enable();
	GUEST_ASSERT_EQ(exits_during(EXIT_REASON_HLT, 20, halt_with_irq()), 20);
	GUEST_DONE();
}

KVM_ONE_VCPU_TEST(exitstats, hlt, guest_hlt)
{
	vm_install_exception_handler(vcpu->vm, TEST_VECTOR, guest_irq_handler);
	run_case(vcpu);
}

static bool is_sdm_defined(u32 reason)
{
	switch (reason) {
	case 35:
	case 38:
	case 42:
	case 71:
	case 82:
	case 83:
		return false;
	default:
		return reason <= 85;
	}
}

static void guest_undefined(void)
{
	struct leaf r;
	u32 reason;

	for (reason = 0; reason < 128; reason++) {
		u32 status = is_sdm_defined(reason) ? KVM_EXITSTATS_DEFINED :
						      KVM_EXITSTATS_UNDEFINED;

		r = read_leaf(KVM_EXITSTATS_LEAF_EXITS, reason);
		GUEST_ASSERT_EQ(r.ecx, 0);
		GUEST_ASSERT_EQ(r.edx, status);
		if (status)
			GUEST_ASSERT_EQ(r.eax | r.ebx, 0);

		r = read_leaf(KVM_EXITSTATS_LEAF_CYCLES, reason);
		GUEST_ASSERT_EQ(r.eax, 0);
		GUEST_ASSERT_EQ(r.edx, status);
		if (status)
			GUEST_ASSERT_EQ(r.ebx | r.ecx, 0);

		r = read_leaf(KVM_EXITSTATS_LEAF_REASON, reason);
		GUEST_ASSERT_EQ(r.edx, status);
		if (status)
			GUEST_ASSERT_EQ(r.eax, 0);
	}

	/* GETSEC, RSM, MWAIT: the SDM defines them, KVM never enables them. */
	GUEST_ASSERT_EQ(exits_of(11), 0);
	GUEST_ASSERT_EQ(exits_of(17), 0);
	GUEST_ASSERT_EQ(cycles_of(17), 0);
	GUEST_DONE();
}

KVM_ONE_VCPU_TEST(exitstats, undefined_reasons, guest_undefined)
{
	run_case(vcpu);
}

static void guest_total(void)
{
	u64 sum = 0, total, externals;
	u32 reason;

	/* Once more if an interrupt of the host's came in between. */
	do {
		externals = exits_of(EXIT_REASON_EXTERNAL_INTERRUPT);
		total = total_exits();
		for (sum = 0, reason = 0; reason < NR_REASONS; reason++)
			sum += exits_of(reason);
	} while (exits_of(EXIT_REASON_EXTERNAL_INTERRUPT) != externals);

	/* CPUID is reason 10: total_exits() and the readings of 0 to 9. */
	GUEST_ASSERT_EQ(sum, total + 11);
	GUEST_DONE();
}

KVM_ONE_VCPU_TEST(exitstats, total_is_sum, guest_total)
{
	run_case(vcpu);
}

static void guest_cycles(void)
{
	u64 cycles, last_cycles = 0, total, last_total = 0;
	int i;

	for (i = 0; i < 1000; i++) {
		cycles = cycles_of(EXIT_REASON_CPUID);
		total = total_cycles();
		GUEST_ASSERT(!i || cycles > last_cycles);
		GUEST_ASSERT(!i || total > last_total);
		GUEST_ASSERT(total > cycles);
		last_cycles = cycles;
		last_total = total;
	}
	GUEST_DONE();
}

KVM_ONE_VCPU_TEST(exitstats, cycles_grow, guest_cycles)
{
	run_case(vcpu);
}

int main(int argc, char *argv[])
{
	require_exitstats();
	return test_harness_run(argc, argv);
}
