/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Exit reasons: their numbers, their names, and the row that the figures of each have.
 *
 * The numbers are VMX basic exit reasons on an Intel host and SVM exit codes on an AMD
 * host. The latter have a gap: 0 to 0xa6, and 0x400 to 0x403.
 */
#ifndef REASONS_H
#define REASONS_H

#include <stdbool.h>

#include <linux/kvm_exitstats.h>

enum numbering {
	VMX = KVM_EXITSTATS_NUMBERING_VMX,
	SVM = KVM_EXITSTATS_NUMBERING_SVM,
};

#define NEAR_ROWS	0x100			/* codes below that */
#define FAR_CODE	0x400
#define FAR_ROWS	0x10			/* codes from FAR_CODE on */
#define REASONS		(NEAR_ROWS + FAR_ROWS)	/* rows of reasons */
#define OTHER		REASONS			/* the row of exits without a reason of their own */
#define ROWS		(REASONS + 1)

#define REASON_NAME_MAX	32

/* How many of the rows may be defined; the host tells which are. */
int rows_of(enum numbering numbering);

/* The code of a row that is not OTHER. */
unsigned int row_code(int row);

/* Return: the row of @code, -1 if it has none. */
int code_row(enum numbering numbering, unsigned long long code);

/* The row of the reason CPUID, which the tool's own readings are. */
int cpuid_row(enum numbering numbering);

/* The kernel's name with underscores for spaces; "-" if it has none. */
const char *reason_name(enum numbering numbering, int row);

/* As the vendor's manual writes it, "48" or "0x400"; "other". */
const char *reason_number(enum numbering numbering, int row);

/* Return: the row of a reason by its name, in any case, or its number; -1 if none. */
int find_reason(enum numbering numbering, const char *text);

/* The same, or -1 for "all"; the end if there is no such reason. */
int need_reason(enum numbering numbering, const char *text);

/* "VMX" or "SVM" */
const char *numbering_name(enum numbering numbering);

#endif /* REASONS_H */
