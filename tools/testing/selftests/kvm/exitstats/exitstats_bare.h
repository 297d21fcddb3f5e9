/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A bare vCPU for the tests of KVM exitstats: no paging, no interrupts, and only a few
 * bytes of code, so that the test controls mode, segments and CPL.
 */
#ifndef SELFTEST_KVM_EXITSTATS_BARE_H
#define SELFTEST_KVM_EXITSTATS_BARE_H

#include "exitstats_util.h"

#define BARE_CODE	0x10000		/* GPA of the code */
#define BARE_SMM_CODE	0x38000		/* GPA where SMM starts after reset */
#define BARE_PAGES	0x40
#define BARE_PORT	0x80
#define BARE_IOPL_3	0x3000		/* in RFLAGS */
#define BARE_TSS	0xfffbd000	/* for real mode in VM86 */

enum bare_mode {
	BARE_REAL,		/* real mode */
	BARE_BIG_REAL,		/* real mode, DS limit beyond 64K, which VM86 cannot run */
	BARE_KERNEL,		/* 32-bit protected mode */
	BARE_USER,		/* the same with CPL 3 and IOPL 3 */
};

/*
 * The same in 16-bit and 32-bit mode:
 *	1: cpuid; out %al, $BARE_PORT; jmp 1b
 */
static const u8 bare_cpuid_code[] = { 0x0f, 0xa2, 0xe6, BARE_PORT, 0xeb, 0xfa };

static inline void bare_segment(struct kvm_segment *seg, u16 selector, u8 type, u8 dpl)
{
	*seg = (struct kvm_segment) {
		.selector = selector | dpl,
		.limit = ~0u,
		.type = type,
		.present = 1,
		.dpl = dpl,
		.db = 1,
		.s = 1,
		.g = 1,
	};
}

static inline struct kvm_vm *bare_vm(void)
{
	struct kvm_vm *vm = vm_create_barebones();

	vm_ioctl(vm, KVM_SET_TSS_ADDR, (void *)(unsigned long)BARE_TSS);
	vm_userspace_mem_region_add(vm, VM_MEM_SRC_ANONYMOUS, 0, 0, BARE_PAGES, 0);
	return vm;
}

static inline void bare_load(struct kvm_vm *vm, u64 gpa, const void *code, size_t size)
{
	memcpy(addr_gpa2hva(vm, gpa), code, size);
}

/* Let @vcpu, in its state after reset, continue at BARE_CODE in @mode. */
static inline void bare_set_mode(struct kvm_vcpu *vcpu, enum bare_mode mode)
{
	u8 dpl = mode == BARE_USER ? 3 : 0;
	struct kvm_sregs sregs;
	struct kvm_regs regs;

	vcpu_sregs_get(vcpu, &sregs);
	vcpu_regs_get(vcpu, &regs);
	regs.rflags = 0x2;

	if (mode == BARE_REAL || mode == BARE_BIG_REAL) {
		sregs.cs.selector = BARE_CODE >> 4;
		sregs.cs.base = BARE_CODE;
		regs.rip = 0;
		if (mode == BARE_BIG_REAL) {
			sregs.ds.limit = ~0u;
			sregs.ds.g = 1;
		}
	} else {
		sregs.cr0 |= X86_CR0_PE;
		bare_segment(&sregs.cs, 0x8, 0xb, dpl);
		bare_segment(&sregs.ds, 0x10, 0x3, dpl);
		sregs.es = sregs.ds;
		sregs.fs = sregs.ds;
		sregs.gs = sregs.ds;
		sregs.ss = sregs.ds;
		regs.rip = BARE_CODE;
		if (mode == BARE_USER)
			regs.rflags |= BARE_IOPL_3;
	}

	vcpu_sregs_set(vcpu, &sregs);
	vcpu_regs_set(vcpu, &regs);
}

static inline struct kvm_vcpu *bare_vcpu(struct kvm_vm *vm, u32 id, enum bare_mode mode)
{
	struct kvm_vcpu *vcpu = __vm_vcpu_add(vm, id);

	vcpu_init_cpuid(vcpu, kvm_get_supported_cpuid());
	bare_set_mode(vcpu, mode);
	return vcpu;
}

static inline void bare_run_to_io(struct kvm_vcpu *vcpu)
{
	vcpu_run(vcpu);
	TEST_ASSERT(vcpu->run->exit_reason == KVM_EXIT_IO &&
		    vcpu->run->io.port == BARE_PORT, "KVM exit reason %u (%s)",
		    vcpu->run->exit_reason, exit_reason_str(vcpu->run->exit_reason));
}

/* Return the only vCPU of a new VM that runs bare_cpuid_code, for bare_read_leaf(). */
static inline struct kvm_vcpu *bare_cpuid_vcpu(enum bare_mode mode)
{
	struct kvm_vm *vm = bare_vm();

	bare_load(vm, BARE_CODE, bare_cpuid_code, sizeof(bare_cpuid_code));
	return bare_vcpu(vm, 0, mode);
}

/* Let a vCPU that runs bare_cpuid_code execute one CPUID. */
static inline struct leaf bare_read_leaf(struct kvm_vcpu *vcpu, u32 leaf, u32 reason)
{
	struct kvm_regs regs;

	vcpu_regs_get(vcpu, &regs);
	regs.rax = leaf;
	regs.rcx = reason;
	vcpu_regs_set(vcpu, &regs);
	bare_run_to_io(vcpu);
	vcpu_regs_get(vcpu, &regs);
	return (struct leaf) { regs.rax, regs.rbx, regs.rcx, regs.rdx };
}

/* What an unpatched host returns, see guest_assert_absent() */
static inline struct leaf bare_absent(struct kvm_vcpu *vcpu, u32 index)
{
	struct leaf zeros = {};

	if (!host_cpu_is_intel)
		return zeros;
	return bare_read_leaf(vcpu, bare_read_leaf(vcpu, 0, 0).eax, index);
}

static inline u64 bare_exits_of(struct kvm_vcpu *vcpu, u32 reason)
{
	struct leaf r = bare_read_leaf(vcpu, KVM_EXITSTATS_LEAF_EXITS, reason);

	TEST_ASSERT_EQ(r.ecx, 0);
	TEST_ASSERT_EQ(r.edx, KVM_EXITSTATS_DEFINED);
	return make_u64(r.ebx, r.eax);
}

#endif /* SELFTEST_KVM_EXITSTATS_BARE_H */
