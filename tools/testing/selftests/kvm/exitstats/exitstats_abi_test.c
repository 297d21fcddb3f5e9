// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM exitstats: what the four leaves answer, register by register, to whom, and
 * what they leave alone.
 */
#include "exitstats_bare.h"

#define NR_LEAVES (KVM_EXITSTATS_LEAF_TOTAL - KVM_EXITSTATS_LEAF_CYCLES + 1)

KVM_ONE_VCPU_TEST_SUITE(exitstats_abi);

/* What happens in this guest needs no more than 32 bits. */
static void guest_check_exits(u32 reason)
{
	u32 status = is_defined(reason) ? KVM_EXITSTATS_DEFINED : KVM_EXITSTATS_UNDEFINED;
	struct leaf r = read_leaf(KVM_EXITSTATS_LEAF_EXITS, reason);

	__GUEST_ASSERT((!status || !r.eax) && !r.ebx && !r.ecx && r.edx == status,
		       "exits of %u: %x %x %x %x", reason, r.eax, r.ebx, r.ecx, r.edx);
}

static void guest_check_cycles(u32 reason)
{
	u32 status = is_defined(reason) ? KVM_EXITSTATS_DEFINED : KVM_EXITSTATS_UNDEFINED;
	struct leaf r = read_leaf(KVM_EXITSTATS_LEAF_CYCLES, reason);

	__GUEST_ASSERT(!r.eax && !r.ebx && (!status || !r.ecx) && r.edx == status,
		       "cycles of %u: %x %x %x %x", reason, r.eax, r.ebx, r.ecx, r.edx);
}

static void guest_check_reason(u32 reason)
{
	u32 status = is_defined(reason) ? KVM_EXITSTATS_DEFINED : KVM_EXITSTATS_UNDEFINED;
	struct leaf r = read_leaf(KVM_EXITSTATS_LEAF_REASON, reason);

	__GUEST_ASSERT((!status || !r.eax) && !r.ebx && r.ecx && r.edx == status,
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

	/* LEAF_REASON has cycles from the first exit on. */
	read_leaf(KVM_EXITSTATS_LEAF_TOTAL, 0);

	for (i = 0; i <= 0x3ff; i++)
		guest_check_all(i);
	/* Far beyond the table, one leaf a reason: each reading takes its time. */
	for (; i <= 0xffff; i += 3) {
		guest_check_exits(i);
		guest_check_cycles(i + 1);
		guest_check_reason(i + 2);
	}
	/* The bits that a VM exit sets above the basic reason, and the others. */
	for (i = 16; i < 32; i++) {
		guest_check_all(BIT(i));
		guest_check_all(BIT(i) | EXIT_REASON_CPUID);
		guest_check_all(~BIT(i));
	}
	guest_check_all(KVM_EXITSTATS_PROBE);
	GUEST_DONE();
}

KVM_ONE_VCPU_TEST(exitstats_abi, all_reasons, guest_reasons)
{
	run_to_done(vcpu);
}

/* The SDM defines GETSEC, RSM, ENCLS and XSAVES exits; KVM here causes none. */
static void guest_never_enabled(void)
{
	static const u8 reasons[] = { 11, 17, 60, 63 };
	struct leaf r;
	int i;

	kvm_hypercall(KVM_HC_VAPIC_POLL_IRQ, 0, 0, 0, 0);
	for (i = 0; i < ARRAY_SIZE(reasons); i++) {
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

/* All leaves tell the same: one exit, and then it is in. */
static void guest_leaves(void)
{
	struct leaf total, reason, exits, cycles;
	u64 interrupts;

	do {
		interrupts = exits_of(EXIT_REASON_EXTERNAL_INTERRUPT);
		total = read_leaf(KVM_EXITSTATS_LEAF_TOTAL, ~0u);
		reason = read_leaf(KVM_EXITSTATS_LEAF_REASON, EXIT_REASON_CPUID);
		exits = read_leaf(KVM_EXITSTATS_LEAF_EXITS, EXIT_REASON_CPUID);
		cycles = read_leaf(KVM_EXITSTATS_LEAF_CYCLES, EXIT_REASON_CPUID);
	} while (exits_of(EXIT_REASON_EXTERNAL_INTERRUPT) != interrupts);

	GUEST_ASSERT(total.eax >= reason.eax - 1);
	GUEST_ASSERT_EQ(reason.eax + 1, exits.eax);
	GUEST_ASSERT(reason.ecx > total.ecx);
	GUEST_ASSERT(cycles.ecx);
	GUEST_ASSERT_EQ(total.ebx | total.edx, 0);

	/* An interrupt aside, the total grows by the reading itself. */
	do {
		interrupts = exits_of(EXIT_REASON_EXTERNAL_INTERRUPT);
		total = read_leaf(KVM_EXITSTATS_LEAF_TOTAL, 0);
		exits = read_leaf(KVM_EXITSTATS_LEAF_TOTAL, 0);
	} while (exits_of(EXIT_REASON_EXTERNAL_INTERRUPT) != interrupts);
	GUEST_ASSERT_EQ(exits.eax - total.eax, 1);
	GUEST_DONE();
}

KVM_ONE_VCPU_TEST(exitstats_abi, leaves_agree, guest_leaves)
{
	run_to_done(vcpu);
}

static void guest_high_bits(void)
{
	u64 rax = 0xdeadbeef00000000 | KVM_EXITSTATS_LEAF_EXITS;
	u64 rcx = 0xcafebabe00000000 | EXIT_REASON_CPUID;
	u64 rbx = ~0ull, rdx = ~0ull;

	asm volatile("cpuid" : "+a"(rax), "+b"(rbx), "+c"(rcx), "+d"(rdx));
	GUEST_ASSERT_EQ(rax, 0);	/* the first CPUID of this guest */
	GUEST_ASSERT_EQ(rbx, 0);
	GUEST_ASSERT_EQ(rcx, 0);
	GUEST_ASSERT_EQ(rdx, KVM_EXITSTATS_DEFINED);
	GUEST_ASSERT_EQ(exits_of(EXIT_REASON_CPUID), 1);
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

	/* So it is no host that counts: what the presence probe is for. */
	r = read_leaf(KVM_EXITSTATS_LEAF_EXITS, KVM_EXITSTATS_PROBE);
	GUEST_ASSERT(r.eax || r.ebx || r.ecx || r.edx != KVM_EXITSTATS_UNDEFINED);
	GUEST_DONE();
}

/* A VM whose VMM does not want it, beside one that counts. */
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

/* kvm.exitstats is for new VMs whose VMM does not say. */
TEST_F(exitstats_abi, off_by_parameter)
{
	struct kvm_vm *off, *on;
	struct kvm_vcpu *vcpu;

	if (access(PARAMETER, W_OK))
		SKIP(return, "needs root for kvm.exitstats");

	set_parameter(false);
	off = vm_create(1);
	on = vm_create(1);
	set_parameter(true);

	vcpu = vm_vcpu_add(off, 0, guest_unpatched);
	TEST_ASSERT_EQ(run_guest(vcpu), UCALL_DONE);
	assert_nothing_counted(vcpu);

	vm_enable_cap(on, KVM_CAP_X86_EXITSTATS, 1);
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

	TEST_ASSERT_EQ(kvm_check_cap(KVM_CAP_X86_EXITSTATS), 1);
	TEST_ASSERT_EQ(vm_check_cap(vm, KVM_CAP_X86_EXITSTATS), 1);

	TEST_ASSERT_EQ(enable_cap(vm, 0, 2, 0, 0, 0), EINVAL);
	TEST_ASSERT_EQ(enable_cap(vm, 0, 1ull << 32, 0, 0, 0), EINVAL);
	TEST_ASSERT_EQ(enable_cap(vm, 0, 1, 1, 0, 0), EINVAL);
	TEST_ASSERT_EQ(enable_cap(vm, 0, 1, 0, 1, 0), EINVAL);
	TEST_ASSERT_EQ(enable_cap(vm, 0, 1, 0, 0, 1), EINVAL);
	TEST_ASSERT_EQ(enable_cap(vm, 1, 1, 0, 0, 0), EINVAL);

	/* The last word counts, what was refused does not. */
	TEST_ASSERT_EQ(enable_cap(vm, 0, 1, 0, 0, 0), 0);
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

/* What a VMM says about the leaves, for a bare vCPU. */
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
	struct leaf r, max;

	add_entry(vcpu, &any);
	add_entry(vcpu, &one);

	r = bare_read_leaf(vcpu, KVM_EXITSTATS_LEAF_EXITS, EXIT_REASON_CPUID);
	TEST_ASSERT(r.eax == 1 && r.ebx == 2 && r.ecx == 3 && r.edx == 4,
		    "%x %x %x %x", r.eax, r.ebx, r.ecx, r.edx);

	r = bare_read_leaf(vcpu, KVM_EXITSTATS_LEAF_CYCLES, 5);
	TEST_ASSERT(r.eax == 6 && r.ebx == 7 && r.ecx == 8 && r.edx == 9,
		    "%x %x %x %x", r.eax, r.ebx, r.ecx, r.edx);

	/* The leaf is the VMM's, for the indices too that it has nothing for. */
	r = bare_read_leaf(vcpu, KVM_EXITSTATS_LEAF_CYCLES, EXIT_REASON_CPUID);
	max = bare_read_leaf(vcpu, 0, 0);
	max = bare_read_leaf(vcpu, max.eax, EXIT_REASON_CPUID);
	TEST_ASSERT(!memcmp(&r, &max, sizeof(r)), "%x %x %x %x", r.eax, r.ebx, r.ecx, r.edx);

	/* The other leaves are still there. */
	r = bare_read_leaf(vcpu, KVM_EXITSTATS_LEAF_REASON, EXIT_REASON_CPUID);
	TEST_ASSERT(r.eax == 5 && !r.ebx && r.ecx && r.edx == KVM_EXITSTATS_DEFINED,
		    "%x %x %x %x", r.eax, r.ebx, r.ecx, r.edx);
	assert_stats(vcpu);
	kvm_vm_free(vcpu->vm);
}

/* Anybody in the guest may read, unless its kernel has turned CPUID off. */
TEST(user_mode)
{
	struct kvm_vcpu *vcpu = bare_cpuid_vcpu(BARE_USER);
	struct stats stats;
	int i;

	for (i = 0; i < 10; i++)
		TEST_ASSERT_EQ(bare_exits_of(vcpu, EXIT_REASON_CPUID), i);

	/* #GP, which this guest cannot take. */
	vcpu_set_msr(vcpu, MSR_MISC_FEATURES_ENABLES, MSR_MISC_FEATURES_ENABLES_CPUID_FAULT);
	vcpu_run(vcpu);
	TEST_ASSERT_KVM_EXIT_REASON(vcpu, KVM_EXIT_SHUTDOWN);

	/* An exit that ends in a fault is one. */
	read_stats(vcpu, &stats);
	TEST_ASSERT_EQ(stats.exits_by_reason[EXIT_REASON_CPUID], 11);
	assert_stats(vcpu);
	kvm_vm_free(vcpu->vm);
}

TEST(cpuid_faulting_spares_the_kernel)
{
	struct kvm_vcpu *vcpu = bare_cpuid_vcpu(BARE_KERNEL);
	int i;

	vcpu_set_msr(vcpu, MSR_MISC_FEATURES_ENABLES, MSR_MISC_FEATURES_ENABLES_CPUID_FAULT);
	for (i = 0; i < 10; i++)
		TEST_ASSERT_EQ(bare_exits_of(vcpu, EXIT_REASON_CPUID), i);
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
	/* SMM has an address space of its own: let it be the same memory. */
	vm_set_user_memory_region(vm, 1 << 16, 0, 0, BARE_PAGES * PAGE_SIZE, addr_gpa2hva(vm, 0));
	TEST_ASSERT_EQ(bare_exits_of(vcpu, EXIT_REASON_CPUID), 0);
	TEST_ASSERT_EQ(bare_exits_of(vcpu, EXIT_REASON_CPUID), 1);

	vcpu_ioctl(vcpu, KVM_SMI, NULL);
	TEST_ASSERT_EQ(bare_exits_of(vcpu, EXIT_REASON_CPUID), 2);
	TEST_ASSERT(vcpu->run->flags & KVM_RUN_X86_SMM, "not in SMM");
	assert_stats(vcpu);
	kvm_vm_free(vm);
}

/* The statistics say what they are, for those who have never heard of them. */
TEST_F(exitstats_abi, statistics)
{
	static const struct {
		const char *name;
		u32 unit;
	} expected[] = {
		{ "exits_by_reason", KVM_STATS_UNIT_NONE },
		{ "cycles_by_reason", KVM_STATS_UNIT_CYCLES },
	};
	int fd = vcpu_get_stats_fd(self->vcpu), found = 0, i, j;
	struct kvm_stats_header header;
	struct kvm_stats_desc *descs, *desc;

	read_stats_header(fd, &header);
	descs = read_stats_descriptors(fd, &header);
	for (i = 0; i < header.num_desc; i++) {
		desc = get_stats_descriptor(descs, i, &header);
		for (j = 0; j < ARRAY_SIZE(expected); j++) {
			if (strcmp(desc->name, expected[j].name))
				continue;
			found++;
			TEST_ASSERT_EQ(desc->flags & KVM_STATS_TYPE_MASK,
				       KVM_STATS_TYPE_LINEAR_HIST);
			TEST_ASSERT_EQ(desc->flags & KVM_STATS_UNIT_MASK, expected[j].unit);
			TEST_ASSERT_EQ(desc->flags & KVM_STATS_BASE_MASK, KVM_STATS_BASE_POW10);
			TEST_ASSERT_EQ(desc->exponent, 0);
			TEST_ASSERT_EQ(desc->bucket_size, 1);
			TEST_ASSERT_EQ(desc->size, NR_SLOTS);
		}
	}
	TEST_ASSERT_EQ(found, ARRAY_SIZE(expected));
	free(descs);
	close(fd);
}

int main(int argc, char *argv[])
{
	require_exitstats();
	return test_harness_run(argc, argv);
}
