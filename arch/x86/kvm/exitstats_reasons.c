// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM exitstats: the exit reasons of each vendor, and the account of each.
 */
#include <linux/array_size.h>
#include <linux/kvm_host.h>
#include <linux/nospec.h>

#include "exitstats.h"

/**
 * struct exitstats_range - a range of defined exit reasons
 * @first: the first one
 * @last: the last one
 * @never: KVM never enables these; they have no account and would be counted as "other"
 */
struct exitstats_range {
	u16 first;
	u16 last;
	bool never;
};

/* Intel SDM vol. 3, appendix "VMX Basic Exit Reasons", as of 2026 */
static const struct exitstats_range exitstats_vmx[] = {
	{ 0, 34 }, { 36, 37 }, { 39, 41 }, { 43, 70 }, { 72, 81 }, { 84, 85 },
};

/*
 * AMD APM vol. 2, appendix "SVM Intercept Exit Codes", as of 2026, limited to those
 * that asm/svm.h names. KVM enables only some traps for writes to control registers: those
 * for CR0, CR4 and CR8.
 */
static const struct exitstats_range exitstats_svm[] = {
	{ 0x00, 0x00 }, { 0x02, 0x04 }, { 0x08, 0x08 },		/* read CR */
	{ 0x10, 0x10 }, { 0x12, 0x14 }, { 0x18, 0x18 },		/* write CR */
	{ 0x20, 0x27 }, { 0x30, 0x37 },				/* read, write DR */
	{ 0x40, 0x5f },						/* exceptions */
	{ 0x60, 0x8f },						/* INTR to EFER_WRITE_TRAP */
	{ 0x90, 0x90 }, { 0x91, 0x93, true },			/* CR_WRITE_TRAP */
	{ 0x94, 0x94 }, { 0x95, 0x97, true },
	{ 0x98, 0x98 }, { 0x99, 0x9f, true },
	{ 0xa2, 0xa2 }, { 0xa5, 0xa6 },				/* INVPCID, BUSLOCK, IDLE_HLT */
	{ 0x400, 0x403 },					/* NPF, AVIC, VMGEXIT */
};

u32 kvm_exitstats_numbering __read_mostly;
u32 kvm_exitstats_nr_accounts __read_mostly;

u16 kvm_exitstats_offset_of[KVM_EXITSTATS_NR_INDEXES] __read_mostly;
EXPORT_SYMBOL_FOR_KVM_INTERNAL(kvm_exitstats_offset_of);

static u16 exitstats_codes[KVM_EXITSTATS_NR_INDEXES] __read_mostly;

static const struct exitstats_range *exitstats_ranges(u32 numbering, size_t *nr)
{
	if (numbering == KVM_EXITSTATS_NUMBERING_SVM) {
		*nr = ARRAY_SIZE(exitstats_svm);
		return exitstats_svm;
	}
	*nr = ARRAY_SIZE(exitstats_vmx);
	return exitstats_vmx;
}

static void exitstats_set_offset(u32 index, u32 account)
{
	kvm_exitstats_offset_of[index] = offsetof(struct kvm_vcpu_exitstats, accounts[account]);
}

/* Give each exit reason of @numbering its account. */
void kvm_exitstats_setup_reasons(u32 numbering)
{
	const struct exitstats_range *range, *ranges;
	u32 account = KVM_EXITSTATS_FIRST_REASON, index, code;
	size_t nr;

	ranges = exitstats_ranges(numbering, &nr);
	for (index = 0; index < KVM_EXITSTATS_NR_INDEXES; index++)
		exitstats_set_offset(index, KVM_EXITSTATS_OTHER);

	for (range = ranges; range < ranges + nr; range++) {
		if (range->never)
			continue;
		for (code = range->first; code <= range->last; code++) {
			exitstats_set_offset(kvm_exitstats_index(code), account);
			exitstats_codes[account++] = code;
		}
	}

	kvm_exitstats_numbering = numbering;
	kvm_exitstats_nr_accounts = account;
}

/* The account of exit reason @code, which may come from the guest; also under speculation. */
u32 kvm_exitstats_account_of(u64 code)
{
	unsigned long index = array_index_nospec(kvm_exitstats_index(code),
						 KVM_EXITSTATS_NR_INDEXES);

	return (kvm_exitstats_offset_of[index] - offsetof(struct kvm_vcpu_exitstats, accounts)) /
	       sizeof(struct kvm_exitstats_account);
}

/* Does the CPU's manual define exit reason @code, which may come from the guest? */
bool kvm_exitstats_is_defined(u32 code)
{
	const struct exitstats_range *range, *ranges;
	size_t nr;

	ranges = exitstats_ranges(kvm_exitstats_numbering, &nr);
	for (range = ranges; range < ranges + nr; range++) {
		if (code >= range->first && code <= range->last)
			return true;
	}
	return false;
}

/* The exit reason of @account, which is KVM_EXITSTATS_FIRST_REASON or beyond. */
u32 kvm_exitstats_code_of(u32 account)
{
	return exitstats_codes[account];
}
