// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM exitstats: the four leaves, register by register: what they return, who may read
 * them, and that no other leaf changes.
 */
#include "exitstats_bare.h"

#define NR_LEAVES (KVM_EXITSTATS_LEAF_TOTAL - KVM_EXITSTATS_LEAF_CYCLES + 1)

#define ACCOUNT(name)	KVM_EXITSTATS_SELECT_ACCOUNT(KVM_EXITSTATS_ACCOUNT_##name)
#define OF_VCPU		KVM_EXITSTATS_SELECT_VCPU

KVM_ONE_VCPU_TEST_SUITE(exitstats_abi);

static void guest_check_exits(u32 reason)
{
	u32 status = is_defined(reason) ? KVM_EXITSTATS_DEFINED : KVM_EXITSTATS_UNDEFINED;
	struct leaf r = read_leaf(KVM_EXITSTATS_LEAF_EXITS, reason);

	/* This guest causes fewer than 2^32 exits. */
	__GUEST_ASSERT((!status || !r.eax) && !r.ebx && !r.ecx && r.edx == status,
		       "exits of %u: %x %x %x %x", reason, r.eax, r.ebx, r.ecx, r.edx);
}

static void guest_check_cycles(u32 reason)
{
	u32 status = is_defined(reason) ? KVM_EXITSTATS_DEFINED : KVM_EXITSTATS_UNDEFINED;
	struct leaf r = read_leaf(KVM_EXITSTATS_LEAF_CYCLES, reason);

	u64 cycles = make_u64(r.ebx, r.ecx);

	/* EAX is the longest exit. */
	__GUEST_ASSERT(r.eax <= cycles && !r.eax == !cycles && (!status || !cycles) &&
		       r.edx == status,
		       "cycles of %u: %x %x %x %x", reason, r.eax, r.ebx, r.ecx, r.edx);
}

static void guest_check_reason(u32 reason)
{
	u32 status = is_defined(reason) ? KVM_EXITSTATS_DEFINED : KVM_EXITSTATS_UNDEFINED;
	struct leaf r = read_leaf(KVM_EXITSTATS_LEAF_REASON, reason);

	__GUEST_ASSERT((!status || !r.eax) && make_u64(r.ebx, r.ecx) && r.edx == status,
		       "reason %u: %x %x %x %x", reason, r.eax, r.ebx, r.ecx, r.edx);
}

static void guest_check_all(u32 reason)
{
	guest_check_exits(reason);
	guest_check_cycles(reason);
	guest_check_reason(reason);
}

static void guest_reasons(void)
{
	int i;

	/* The total cycles are not 0 after the first exit. */
	read_leaf(KVM_EXITSTATS_LEAF_TOTAL, 0);

	for (i = 0; i <= 0x3ff; i++)
		guest_check_all(i);
	/* Beyond the table, read one leaf per reason only, as each reading takes time. */
	for (; i <= 0xffff; i += 3) {
		guest_check_exits(i);
		guest_check_cycles(i + 1);
		guest_check_reason(i + 2);
	}
	/* Bits that a VM exit may set above the basic reason, and all other upper bits */
	for (i = 16; i < 32; i++) {
		guest_check_all(BIT(i));
		guest_check_all(BIT(i) | EXIT_CPUID);
		guest_check_all(~BIT(i));
	}
	guest_check_all(KVM_EXITSTATS_PROBE);
	GUEST_DONE();
}

KVM_ONE_VCPU_TEST(exitstats_abi, all_reasons, guest_reasons)
{
	run_to_done(vcpu);
}

/*
 * The SDM defines exits for GETSEC, RSM, ENCLS and XSAVES, the APM those for reads of IDTR,
 * RDTSC, PUSHF and AVIC's incomplete IPIs. In this guest, none of them occurs.
 */
static void guest_never_enabled(void)
{
	static const u16 vmx[] = { 11, 17, 60, 63 }, svm[] = { 0x66, 0x6e, 0x70, 0x401 };
	const u16 *reasons = by_vendor(vmx, svm);
	struct leaf r;
	int i;

	kvm_hypercall(KVM_HC_VAPIC_POLL_IRQ, 0, 0, 0, 0);
	for (i = 0; i < ARRAY_SIZE(vmx); i++) {
		r = read_leaf(KVM_EXITSTATS_LEAF_EXITS, reasons[i]);
		GUEST_ASSERT_EQ(r.eax | r.ebx | r.ecx | r.edx, 0);
		r = read_leaf(KVM_EXITSTATS_LEAF_CYCLES, reasons[i]);
		GUEST_ASSERT_EQ(r.eax | r.ebx | r.ecx | r.edx, 0);
	}
	GUEST_DONE();
}

KVM_ONE_VCPU_TEST(exitstats_abi, never_enabled_reasons, guest_never_enabled)
{
	run_to_done(vcpu);
}

/* All leaves agree. A reading's own exit is only in the next reading. */
static void guest_leaves(void)
{
	struct leaf total, reason, exits, cycles;
	u64 interrupts;

	do {
		interrupts = exits_of(EXIT_INTERRUPT);
		total = read_leaf(KVM_EXITSTATS_LEAF_TOTAL, ~0u);
		reason = read_leaf(KVM_EXITSTATS_LEAF_REASON, EXIT_CPUID);
		exits = read_leaf(KVM_EXITSTATS_LEAF_EXITS, EXIT_CPUID);
		cycles = read_leaf(KVM_EXITSTATS_LEAF_CYCLES, EXIT_CPUID);
	} while (exits_of(EXIT_INTERRUPT) != interrupts);

	GUEST_ASSERT(total.eax >= reason.eax - 1);
	GUEST_ASSERT_EQ(reason.eax + 1, exits.eax);
	GUEST_ASSERT(make_u64(reason.ebx, reason.ecx) > make_u64(total.ebx, total.ecx));
	GUEST_ASSERT(make_u64(cycles.ebx, cycles.ecx));
	GUEST_ASSERT_EQ(total.edx, 0);

	/* Unless an interrupt comes, the total grows only by the reading's own exit. */
	do {
		interrupts = exits_of(EXIT_INTERRUPT);
		total = read_leaf(KVM_EXITSTATS_LEAF_TOTAL, 0);
		exits = read_leaf(KVM_EXITSTATS_LEAF_TOTAL, 0);
	} while (exits_of(EXIT_INTERRUPT) != interrupts);
	GUEST_ASSERT_EQ(exits.eax - total.eax, 1);
	GUEST_DONE();
}

KVM_ONE_VCPU_TEST(exitstats_abi, leaves_agree, guest_leaves)
{
	run_to_done(vcpu);
}

/* An undefined selector has figures of 0, and the totals in LEAF_REASON. */
static void guest_check_undefined(u32 selector)
{
	struct leaf r = read_leaf(KVM_EXITSTATS_LEAF_EXITS, selector);

	__GUEST_ASSERT(!r.eax && !r.ebx && !r.ecx && r.edx == KVM_EXITSTATS_UNDEFINED,
		       "exits of %x: %x %x %x %x", selector, r.eax, r.ebx, r.ecx, r.edx);
	r = read_leaf(KVM_EXITSTATS_LEAF_CYCLES, selector);
	__GUEST_ASSERT(!r.eax && !r.ebx && !r.ecx && r.edx == KVM_EXITSTATS_UNDEFINED,
		       "cycles of %x: %x %x %x %x", selector, r.eax, r.ebx, r.ecx, r.edx);
	r = read_leaf(KVM_EXITSTATS_LEAF_REASON, selector);
	__GUEST_ASSERT(!r.eax && make_u64(r.ebx, r.ecx) && r.edx == KVM_EXITSTATS_UNDEFINED,
		       "reason %x: %x %x %x %x", selector, r.eax, r.ebx, r.ecx, r.edx);
}

static void guest_undefined_selectors(void)
{
	static const u32 selectors[] = {
		0x00010000, 0x00800000, 0x0080000a, 0x00800072,	/* plain, of a vCPU */
		0x10000000, 0x4e000000, 0x4effffff, 0x4e01000a,	/* below */
		0x4f010007, 0x4f010008, 0x4f01000a, 0x4f01fffe,	/* accounts */
		0x4f020000, 0x4f02000a, 0x4f100000, 0x4f1fffff,	/* other fields */
		0x4f200000, 0x4f20000a, 0x4f200072, 0x4f3f000a,	/* this VM has no histogram */
		0x4f400000, 0x4f7fffff, 0x50000000, 0x5000000a, 0x51000000, 0x7f000000,
		0x8f000000, 0xcf00000a, 0xcf010001, 0x80000000,	/* above */
		0x4f00ffff, 0x4f000404, 0x4f001000,		/* reasons */
	};
	int i;

	read_leaf(KVM_EXITSTATS_LEAF_TOTAL, 0);
	for (i = 0; i < ARRAY_SIZE(selectors); i++) {
		guest_check_undefined(selectors[i]);
		/* In a plain selector, this bit is undefined, too. */
		guest_check_undefined(selectors[i] | OF_VCPU);
	}
	GUEST_DONE();
}

KVM_ONE_VCPU_TEST(exitstats_abi, undefined_selectors, guest_undefined_selectors)
{
	run_to_done(vcpu);
}

static bool guest_reads_the_same(u32 leaf, u32 reason)
{
	struct leaf plain = read_leaf(leaf, reason);
	struct leaf structured = read_leaf(leaf, KVM_EXITSTATS_SELECT_REASON(reason));
	struct leaf vcpu = read_leaf(leaf, KVM_EXITSTATS_SELECT_REASON(reason) | OF_VCPU);

	return !memcmp(&plain, &structured, sizeof(plain)) && !memcmp(&plain, &vcpu, sizeof(plain));
}

/* In a VM with one vCPU, all ways to select a reason read the same. */
static void guest_structured(void)
{
	u32 reason, leaf;

	flush_caches();
	/* The first execution may cause page faults on the code. */
	guest_reads_the_same(KVM_EXITSTATS_LEAF_EXITS, 0);
	for (reason = 0; reason < 0x500; reason++) {
		/* Reading itself changes these. */
		if (reason == EXIT_CPUID || reason == EXIT_INTERRUPT)
			continue;
		for (leaf = KVM_EXITSTATS_LEAF_CYCLES; leaf <= KVM_EXITSTATS_LEAF_EXITS; leaf++)
			__GUEST_ASSERT(guest_reads_the_same(leaf, reason), "leaf %x, reason %u",
				       leaf, reason);
	}
	GUEST_ASSERT_EQ(exits_of(KVM_EXITSTATS_SELECT_REASON(EXIT_FLUSH)), 1);
	GUEST_ASSERT_EQ(exits_of(KVM_EXITSTATS_SELECT_REASON(EXIT_FLUSH) | OF_VCPU), 1);

	/* Each reading adds exactly 1 to this one, whichever way it is selected. */
	GUEST_ASSERT_EQ(exits_of(KVM_EXITSTATS_SELECT_REASON(EXIT_CPUID)) + 1,
			exits_of(EXIT_CPUID));
	GUEST_ASSERT_EQ(exits_of(KVM_EXITSTATS_SELECT_REASON(EXIT_CPUID) | OF_VCPU) + 1,
			exits_of(EXIT_CPUID));
	GUEST_DONE();
}

KVM_ONE_VCPU_TEST(exitstats_abi, structured_selectors, guest_structured)
{
	run_to_done(vcpu);
}

static void guest_numbering(void)
{
	u32 numbering = by_vendor(KVM_EXITSTATS_NUMBERING_VMX, KVM_EXITSTATS_NUMBERING_SVM);
	int i;

	for (i = 0; i < 2; i++) {
		struct leaf r = read_leaf(KVM_EXITSTATS_LEAF_EXITS,
					  KVM_EXITSTATS_SELECT_NUMBERING | (i ? OF_VCPU : 0));

		GUEST_ASSERT_EQ(r.eax, numbering);
		GUEST_ASSERT_EQ(r.ebx | r.ecx, 0);
		GUEST_ASSERT_EQ(r.edx, KVM_EXITSTATS_DEFINED);
		r = read_leaf(KVM_EXITSTATS_LEAF_CYCLES, KVM_EXITSTATS_SELECT_NUMBERING);
		GUEST_ASSERT_EQ(r.eax | r.ebx | r.ecx | r.edx, 0);
	}
	GUEST_DONE();
}

KVM_ONE_VCPU_TEST(exitstats_abi, numbering, guest_numbering)
{
	run_to_done(vcpu);
}

/* How often each account was entered: the guest halts and exits to userspace on purpose. */
static void guest_accounts(void)
{
	u64 exits, entries, halted, userspace;
	u32 i;

	x2apic_enable();
	for (i = KVM_EXITSTATS_ACCOUNT_ALL; i <= KVM_EXITSTATS_ACCOUNT_OTHER; i++)
		GUEST_ASSERT_EQ(read_leaf(KVM_EXITSTATS_LEAF_EXITS,
					  KVM_EXITSTATS_SELECT_ACCOUNT(i)).edx,
				KVM_EXITSTATS_DEFINED);

	/* Each exit was followed by a VM entry, and the second reading's exit by another. */
	exits = exits_of(ACCOUNT(ALL) | OF_VCPU);
	entries = exits_of(ACCOUNT(GUEST) | OF_VCPU);
	GUEST_ASSERT(entries >= exits + 2);

	userspace = exits_of(ACCOUNT(USERSPACE));
	for (i = 0; i < 10; i++)
		port_write(TEST_PORT);
	GUEST_ASSERT_EQ(exits_of(ACCOUNT(USERSPACE)) - userspace, 10);

	halted = exits_of(ACCOUNT(HALTED));
	GUEST_ASSERT_EQ(halted, 0);
	GUEST_ASSERT_EQ(cycles_of(ACCOUNT(HALTED)), 0);
	guest_set_timer(APIC_LVT_TIMER_ONESHOT);
	x2apic_write_reg(APIC_TMICT, 20000000);
	asm volatile("sti; hlt; cli" : : : "memory");
	GUEST_ASSERT_EQ(exits_of(ACCOUNT(HALTED)), 1);
	GUEST_ASSERT(cycles_of(ACCOUNT(HALTED)));

	GUEST_ASSERT(cycles_of(ACCOUNT(GUEST)) && cycles_of(ACCOUNT(USERSPACE)));
	GUEST_ASSERT_EQ(exits_of(ACCOUNT(OTHER)), 0);
	/* Only exits have a longest one. */
	GUEST_ASSERT_EQ(read_leaf(KVM_EXITSTATS_LEAF_CYCLES, ACCOUNT(GUEST)).eax, 0);
	GUEST_ASSERT_EQ(read_leaf(KVM_EXITSTATS_LEAF_CYCLES, ACCOUNT(HALTED)).eax, 0);
	GUEST_DONE();
}

KVM_ONE_VCPU_TEST(exitstats_abi, accounts, guest_accounts)
{
	vm_install_exception_handler(vcpu->vm, TEST_VECTOR, guest_irq_handler);
	run_to_done(vcpu);
}

/* Account "all exits" equals LEAF_TOTAL. */
static void guest_all_is_total(void)
{
	u64 interrupts, total, all, cycles;

	do {
		interrupts = exits_of(EXIT_INTERRUPT);
		total = total_exits();
		all = exits_of(ACCOUNT(ALL));
	} while (exits_of(EXIT_INTERRUPT) != interrupts);
	GUEST_ASSERT_EQ(all, total + 1);

	cycles = total_cycles();
	all = cycles_of(ACCOUNT(ALL));
	GUEST_ASSERT(cycles < all && all < total_cycles());
	GUEST_DONE();
}

KVM_ONE_VCPU_TEST(exitstats_abi, all_is_total, guest_all_is_total)
{
	run_to_done(vcpu);
}

/*
 * A program for an earlier edition loops over the numbers that it knows; on AMD, these have a
 * gap. While nothing but its own readings exits, the sum is the total.
 */
static void guest_old_client(void)
{
	u32 n, last = by_vendor(EXIT_REASON_TPAUSE, SVM_EXIT_VMGEXIT);
	u64 before, sum, own;

	do {
		before = total_exits();
		own = 1;
		for (sum = n = 0; n <= last; n = n == 0xa4 ? 0x400 : n + 1) {
			sum += read_leaf(KVM_EXITSTATS_LEAF_REASON, n).eax;
			if (n == EXIT_CPUID)
				sum -= own;
			own++;
		}
	} while (total_exits() != before + own);

	GUEST_ASSERT_EQ(sum, before);
	GUEST_DONE();
}

KVM_ONE_VCPU_TEST(exitstats_abi, old_client, guest_old_client)
{
	run_to_done(vcpu);
}

/* The longest exit lies between the average and the sum, and is the longest of all. */
static void guest_longest(void)
{
	u32 longest, all;
	u64 exits, cycles;
	int i;

	GUEST_ASSERT_EQ(read_leaf(KVM_EXITSTATS_LEAF_CYCLES, EXIT_FLUSH).eax, 0);
	flush_caches();
	longest = read_leaf(KVM_EXITSTATS_LEAF_CYCLES, EXIT_FLUSH).eax;
	GUEST_ASSERT(longest);
	GUEST_ASSERT_EQ(longest, cycles_of(EXIT_FLUSH));

	for (i = 1; i < 20; i++)
		flush_caches();
	GUEST_ASSERT(read_leaf(KVM_EXITSTATS_LEAF_CYCLES, EXIT_FLUSH).eax >= longest);
	longest = read_leaf(KVM_EXITSTATS_LEAF_CYCLES, EXIT_FLUSH).eax;
	exits = exits_of(EXIT_FLUSH);
	cycles = cycles_of(EXIT_FLUSH);
	GUEST_ASSERT_EQ(exits, 20);
	__GUEST_ASSERT(longest >= cycles / exits && longest < cycles,
		       "longest of %lu exits, %lu cycles: %u", exits, cycles, longest);

	all = read_leaf(KVM_EXITSTATS_LEAF_CYCLES, ACCOUNT(ALL)).eax;
	__GUEST_ASSERT(all >= longest, "longest of all %u, of one reason %u", all, longest);
	GUEST_DONE();
}

KVM_ONE_VCPU_TEST(exitstats_abi, longest, guest_longest)
{
	run_to_done(vcpu);
}

static void guest_high_bits(void)
{
	u64 rax = 0xdeadbeef00000000 | KVM_EXITSTATS_LEAF_EXITS;
	u64 rcx = 0xcafebabe00000000 | EXIT_CPUID;
	u64 rbx = ~0ull, rdx = ~0ull;

	asm volatile("cpuid" : "+a"(rax), "+b"(rbx), "+c"(rcx), "+d"(rdx));
	GUEST_ASSERT_EQ(rax, 0);	/* the first CPUID of this guest */
	GUEST_ASSERT_EQ(rbx, 0);
	GUEST_ASSERT_EQ(rcx, 0);
	GUEST_ASSERT_EQ(rdx, KVM_EXITSTATS_DEFINED);
	GUEST_ASSERT_EQ(exits_of(EXIT_CPUID), 1);
	GUEST_DONE();
}

KVM_ONE_VCPU_TEST(exitstats_abi, high_bits, guest_high_bits)
{
	run_to_done(vcpu);
}

static void guest_check_absent(u32 leaf)
{
	static const u32 indices[] = { 0, 1, 2, 10, 48, 85, 86, 0xffff, ~0u };
	int i;

	for (i = 0; i < ARRAY_SIZE(indices); i++)
		guest_assert_absent(leaf, indices[i]);
}

static void guest_neighbours(void)
{
	guest_check_absent(KVM_EXITSTATS_LEAF_CYCLES - 1);
	guest_check_absent(KVM_EXITSTATS_LEAF_TOTAL + 1);
	guest_check_absent(KVM_EXITSTATS_LEAF_TOTAL & 0xffff);
	GUEST_DONE();
}

KVM_ONE_VCPU_TEST(exitstats_abi, neighbours, guest_neighbours)
{
	run_to_done(vcpu);
}

static void guest_unpatched(void)
{
	struct leaf r;
	int i;

	for (i = 0; i < NR_LEAVES; i++)
		guest_check_absent(KVM_EXITSTATS_LEAF_CYCLES + i);

	/* The presence probe tells that such a host does not count. */
	r = read_leaf(KVM_EXITSTATS_LEAF_EXITS, KVM_EXITSTATS_PROBE);
	GUEST_ASSERT(r.eax || r.ebx || r.ecx || r.edx != KVM_EXITSTATS_UNDEFINED);
	GUEST_DONE();
}

/* A VM whose VMM turned exitstats off, beside one that counts */
TEST_F(exitstats_abi, off_by_capability)
{
	struct kvm_vm *vm = vm_create(1);
	struct kvm_vcpu *vcpu;

	vm_enable_cap(vm, KVM_CAP_X86_EXITSTATS, 0);
	vcpu = vm_vcpu_add(vm, 0, guest_unpatched);
	TEST_ASSERT_EQ(run_guest(vcpu), UCALL_DONE);
	assert_nothing_counted(vcpu);

	vcpu_arch_set_entry_point(self->vcpu, guest_leaves);
	run_to_done(self->vcpu);
	kvm_vm_free(vm);
}

/* kvm.exitstats is for new VMs whose VMM does not decide. */
TEST_F(exitstats_abi, off_by_parameter)
{
	struct kvm_vm *off, *on;
	struct kvm_vcpu *vcpu;

	if (access(PARAMETER, W_OK))
		SKIP(return, "needs root for kvm.exitstats");

	set_parameter(PARAMETER, false);
	off = vm_create(1);
	on = vm_create(1);
	set_parameter(PARAMETER, true);

	vcpu = vm_vcpu_add(off, 0, guest_unpatched);
	TEST_ASSERT_EQ(run_guest(vcpu), UCALL_DONE);
	assert_nothing_counted(vcpu);

	vm_enable_cap(on, KVM_CAP_X86_EXITSTATS, KVM_EXITSTATS_COUNT);
	vcpu = vm_vcpu_add(on, 0, guest_leaves);
	run_to_done(vcpu);

	vcpu_arch_set_entry_point(self->vcpu, guest_leaves);
	run_to_done(self->vcpu);
	kvm_vm_free(off);
	kvm_vm_free(on);
}

static int enable_cap(struct kvm_vm *vm, u32 flags, u64 arg0, u64 arg1, u64 arg2, u64 arg3)
{
	struct kvm_enable_cap cap = {
		.cap = KVM_CAP_X86_EXITSTATS,
		.flags = flags,
		.args = { arg0, arg1, arg2, arg3 },
	};

	return __vm_ioctl(vm, KVM_ENABLE_CAP, &cap) ? errno : 0;
}

TEST(capability)
{
	struct kvm_vm *vm = vm_create(1);
	struct kvm_vcpu *vcpu;

	TEST_ASSERT_EQ(kvm_check_cap(KVM_CAP_X86_EXITSTATS), 7);
	TEST_ASSERT_EQ(vm_check_cap(vm, KVM_CAP_X86_EXITSTATS), 7);

	TEST_ASSERT_EQ(enable_cap(vm, 0, 2, 0, 0, 0), EINVAL);
	TEST_ASSERT_EQ(enable_cap(vm, 0, 4, 0, 0, 0), EINVAL);
	TEST_ASSERT_EQ(enable_cap(vm, 0, 6, 0, 0, 0), EINVAL);
	TEST_ASSERT_EQ(enable_cap(vm, 0, 8, 0, 0, 0), EINVAL);
	TEST_ASSERT_EQ(enable_cap(vm, 0, 9, 0, 0, 0), EINVAL);
	TEST_ASSERT_EQ(enable_cap(vm, 0, 1ull << 32, 0, 0, 0), EINVAL);
	TEST_ASSERT_EQ(enable_cap(vm, 0, 1, 1, 0, 0), EINVAL);
	TEST_ASSERT_EQ(enable_cap(vm, 0, 1, 0, 1, 0), EINVAL);
	TEST_ASSERT_EQ(enable_cap(vm, 0, 1, 0, 0, 1), EINVAL);
	TEST_ASSERT_EQ(enable_cap(vm, 1, 1, 0, 0, 0), EINVAL);

	/* The last accepted call counts; refused ones have no effect. */
	TEST_ASSERT_EQ(enable_cap(vm, 0, 1, 0, 0, 0), 0);
	TEST_ASSERT_EQ(enable_cap(vm, 0, 7, 0, 0, 0), 0);
	TEST_ASSERT_EQ(enable_cap(vm, 0, 0, 0, 0, 0), 0);
	TEST_ASSERT_EQ(enable_cap(vm, 0, 1, 1, 0, 0), EINVAL);
	vcpu = vm_vcpu_add(vm, 0, guest_unpatched);
	TEST_ASSERT_EQ(enable_cap(vm, 0, 1, 0, 0, 0), EBUSY);
	TEST_ASSERT_EQ(enable_cap(vm, 0, 0, 0, 0, 0), EBUSY);
	TEST_ASSERT_EQ(enable_cap(vm, 0, 2, 0, 0, 0), EINVAL);
	TEST_ASSERT_EQ(run_guest(vcpu), UCALL_DONE);
	assert_nothing_counted(vcpu);
	kvm_vm_free(vm);
}

/* Add an entry about the leaves to the CPUID of a bare vCPU, as a VMM can. */
static void add_entry(struct kvm_vcpu *vcpu, const struct kvm_cpuid_entry2 *entry)
{
	struct kvm_cpuid2 *cpuid = allocate_kvm_cpuid2(vcpu->cpuid->nent + 1);

	memcpy(cpuid->entries, vcpu->cpuid->entries,
	       vcpu->cpuid->nent * sizeof(*cpuid->entries));
	cpuid->entries[vcpu->cpuid->nent] = *entry;
	vcpu_init_cpuid(vcpu, cpuid);
	free(cpuid);
}

TEST(entry_of_the_vmm)
{
	const struct kvm_cpuid_entry2 any = {
		.function = KVM_EXITSTATS_LEAF_EXITS,
		.eax = 1, .ebx = 2, .ecx = 3, .edx = 4,
	};
	const struct kvm_cpuid_entry2 one = {
		.function = KVM_EXITSTATS_LEAF_CYCLES,
		.index = 5, .flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX,
		.eax = 6, .ebx = 7, .ecx = 8, .edx = 9,
	};
	struct kvm_vcpu *vcpu = bare_cpuid_vcpu(BARE_KERNEL);
	struct stats stats;
	struct leaf r, absent = {};

	add_entry(vcpu, &any);
	add_entry(vcpu, &one);

	r = bare_read_leaf(vcpu, KVM_EXITSTATS_LEAF_EXITS, EXIT_CPUID);
	TEST_ASSERT(r.eax == 1 && r.ebx == 2 && r.ecx == 3 && r.edx == 4,
		    "%x %x %x %x", r.eax, r.ebx, r.ecx, r.edx);

	r = bare_read_leaf(vcpu, KVM_EXITSTATS_LEAF_CYCLES, 5);
	TEST_ASSERT(r.eax == 6 && r.ebx == 7 && r.ecx == 8 && r.edx == 9,
		    "%x %x %x %x", r.eax, r.ebx, r.ecx, r.edx);

	/* The VMM's entry hides the leaf, even for indices for which it has no entry. */
	r = bare_read_leaf(vcpu, KVM_EXITSTATS_LEAF_CYCLES, EXIT_CPUID);
	absent = bare_absent(vcpu, EXIT_CPUID);
	TEST_ASSERT(!memcmp(&r, &absent, sizeof(r)), "%x %x %x %x", r.eax, r.ebx, r.ecx, r.edx);

	/* The other leaves still work. */
	read_stats(vcpu, &stats);
	r = bare_read_leaf(vcpu, KVM_EXITSTATS_LEAF_REASON, EXIT_CPUID);
	TEST_ASSERT(r.eax == stats.exits_by_reason[EXIT_CPUID] && r.eax && make_u64(r.ebx, r.ecx) &&
		    r.edx == KVM_EXITSTATS_DEFINED, "%x %x %x %x", r.eax, r.ebx, r.ecx, r.edx);
	assert_stats(vcpu);
	kvm_vm_free(vcpu->vm);
}

/* The guest's user mode may read, unless its kernel has enabled CPUID faulting. */
TEST(user_mode)
{
	struct kvm_vcpu *vcpu = bare_cpuid_vcpu(BARE_USER);
	struct stats stats;
	int i;

	for (i = 0; i < 10; i++)
		TEST_ASSERT_EQ(bare_exits_of(vcpu, EXIT_CPUID), i);

	/* #GP becomes a triple fault, as this guest has no handler. */
	vcpu_set_msr(vcpu, MSR_MISC_FEATURES_ENABLES, MSR_MISC_FEATURES_ENABLES_CPUID_FAULT);
	vcpu_run(vcpu);
	TEST_ASSERT_KVM_EXIT_REASON(vcpu, KVM_EXIT_SHUTDOWN);

	/* An exit that ends in a fault is counted. */
	read_stats(vcpu, &stats);
	TEST_ASSERT_EQ(stats.exits_by_reason[EXIT_CPUID], 11);
	assert_stats(vcpu);
	kvm_vm_free(vcpu->vm);
}

/* If the VMM restricts the leaves to CPL 0, CPL 3 reads what an unpatched host returns. */
TEST(user_mode_is_refused)
{
	static const u32 selectors[] = { 0, 10, 0x72, ACCOUNT(ALL), KVM_EXITSTATS_SELECT_NUMBERING,
					 KVM_EXITSTATS_PROBE };
	struct kvm_vm *vm = bare_vm();
	struct leaf r, absent;
	struct kvm_vcpu *vcpu;
	u64 exits;
	int leaf, i;

	vm_enable_cap(vm, KVM_CAP_X86_EXITSTATS, KVM_EXITSTATS_COUNT | KVM_EXITSTATS_CPL0);
	bare_load(vm, BARE_CODE, bare_cpuid_code, sizeof(bare_cpuid_code));
	vcpu = bare_vcpu(vm, 0, BARE_KERNEL);
	for (i = 0; i < 10; i++)
		TEST_ASSERT_EQ(bare_exits_of(vcpu, EXIT_CPUID), i);

	bare_set_mode(vcpu, BARE_USER);
	for (leaf = 0; leaf < NR_LEAVES; leaf++) {
		for (i = 0; i < ARRAY_SIZE(selectors); i++) {
			absent = bare_absent(vcpu, selectors[i]);
			r = bare_read_leaf(vcpu, KVM_EXITSTATS_LEAF_CYCLES + leaf, selectors[i]);
			TEST_ASSERT(!memcmp(&r, &absent, sizeof(r)), "leaf %d, %x: %x %x %x %x",
				    leaf, selectors[i], r.eax, r.ebx, r.ecx, r.edx);
		}
	}

	/* These exits are still counted, and the guest's kernel can still read. */
	bare_set_mode(vcpu, BARE_KERNEL);
	exits = bare_exits_of(vcpu, EXIT_CPUID);
	TEST_ASSERT(exits >= 10 + NR_LEAVES * ARRAY_SIZE(selectors), "%lu exits", exits);
	TEST_ASSERT_EQ(bare_exits_of(vcpu, EXIT_CPUID), exits + 1);
	assert_stats(vcpu);
	kvm_vm_free(vm);
}

TEST(cpuid_faulting_spares_the_kernel)
{
	struct kvm_vcpu *vcpu = bare_cpuid_vcpu(BARE_KERNEL);
	int i;

	vcpu_set_msr(vcpu, MSR_MISC_FEATURES_ENABLES, MSR_MISC_FEATURES_ENABLES_CPUID_FAULT);
	for (i = 0; i < 10; i++)
		TEST_ASSERT_EQ(bare_exits_of(vcpu, EXIT_CPUID), i);
	assert_stats(vcpu);
	kvm_vm_free(vcpu->vm);
}

TEST(system_management_mode)
{
	struct kvm_vcpu *vcpu = bare_cpuid_vcpu(BARE_KERNEL);
	struct kvm_vm *vm = vcpu->vm;

	if (!kvm_has_cap(KVM_CAP_X86_SMM))
		SKIP(return, "no SMM");

	bare_load(vm, BARE_SMM_CODE, bare_cpuid_code, sizeof(bare_cpuid_code));
	/* SMM has its own address space: map the same memory there. */
	vm_set_user_memory_region(vm, 1 << 16, 0, 0, BARE_PAGES * PAGE_SIZE, addr_gpa2hva(vm, 0));
	TEST_ASSERT_EQ(bare_exits_of(vcpu, EXIT_CPUID), 0);
	TEST_ASSERT_EQ(bare_exits_of(vcpu, EXIT_CPUID), 1);

	vcpu_ioctl(vcpu, KVM_SMI, NULL);
	TEST_ASSERT_EQ(bare_exits_of(vcpu, EXIT_CPUID), 2);
	TEST_ASSERT(vcpu->run->flags & KVM_RUN_X86_SMM, "not in SMM");
	assert_stats(vcpu);
	kvm_vm_free(vm);
}

int main(int argc, char *argv[])
{
	require_exitstats();
	return test_harness_run(argc, argv);
}
