/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Exit reasons: their numbers, their names, and their rows in the figures.
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

#define NEAR_ROWS	0x100			/* codes below this */
#define FAR_CODE	0x400
#define FAR_ROWS	0x10			/* codes from FAR_CODE on */
#define REASONS		(NEAR_ROWS + FAR_ROWS)	/* rows of reasons */
#define OTHER		REASONS			/* the row of exits with an unknown reason */
#define ROWS		(REASONS + 1)

#define REASON_NAME_MAX	32

/* The number of rows that may be defined; the host tells which are. */
int rows_of(enum numbering numbering);

/* The code of a row that is not OTHER. */
unsigned int row_code(int row);

/* Return: the row of @code, -1 if it has none. */
int code_row(enum numbering numbering, unsigned long long code);

/* The row of CPUID exits, which include the tool's own readings */
int cpuid_row(enum numbering numbering);

/* The kernel's name with underscores for spaces; "-" if it has none. */
const char *reason_name(enum numbering numbering, int row);

/* The number as in the vendor's manual, "48" or "0x400"; or "other" */
const char *reason_number(enum numbering numbering, int row);

/* Find a reason by its number, or by its name in upper or lower case. Return: the row, or -1 */
int find_reason(enum numbering numbering, const char *text);

/* The same, but return -1 for "all", and exit if there is no such reason. */
int need_reason(enum numbering numbering, const char *text);

/* "VMX" or "SVM" */
const char *numbering_name(enum numbering numbering);

#endif /* REASONS_H */
