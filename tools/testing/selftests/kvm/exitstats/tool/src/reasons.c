// SPDX-License-Identifier: GPL-2.0-only
/*
 * Exit reasons: the names are the kernel's, from its headers.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "error.h"
#include "reasons.h"

#if defined(__x86_64__) || defined(__i386__)
#include <asm/kvm.h>	/* the exceptions' vectors, for asm/svm.h */
#include <asm/svm.h>
#include <asm/vmx.h>
#else
/* On other architectures, the tool builds and can compare snapshots, but cannot read. */
#define EXIT_REASON_CPUID	10
#define SVM_EXIT_CPUID		0x72
#define VMX_EXIT_REASONS	{ EXIT_REASON_CPUID, "CPUID" }
#define SVM_EXIT_REASONS	{ SVM_EXIT_CPUID, "cpuid" }
#endif

#define VMX_ROWS	0x80

struct name {
	unsigned int code;
	const char *name;
};

static const struct name vmx_names[] = { VMX_EXIT_REASONS };
static const struct name svm_names[] = { SVM_EXIT_REASONS };

int rows_of(enum numbering numbering)
{
	return numbering == SVM ? REASONS : VMX_ROWS;
}

unsigned int row_code(int row)
{
	return row < NEAR_ROWS ? row : FAR_CODE + row - NEAR_ROWS;
}

int code_row(enum numbering numbering, unsigned long long code)
{
	if (code < NEAR_ROWS)
		return (int)code < rows_of(numbering) ? (int)code : -1;
	if (numbering == SVM && code >= FAR_CODE && code < FAR_CODE + FAR_ROWS)
		return code - FAR_CODE + NEAR_ROWS;
	return -1;
}

int cpuid_row(enum numbering numbering)
{
	return numbering == SVM ? SVM_EXIT_CPUID : EXIT_REASON_CPUID;
}

/* Fill in the kernel's names by row, "-" where it has none. */
static void fill_names(char text[ROWS][REASON_NAME_MAX], enum numbering numbering)
{
	const struct name *names = numbering == SVM ? svm_names : vmx_names;
	size_t i, n = numbering == SVM ? ARRAY_SIZE(svm_names) : ARRAY_SIZE(vmx_names);
	char *p;
	int row;

	for (row = 0; row < ROWS; row++)
		memcpy(text[row], "-", sizeof("-"));
	for (i = 0; i < n; i++) {
		row = code_row(numbering, names[i].code);
		if (row < 0)
			continue;
		snprintf(text[row], REASON_NAME_MAX, "%s", names[i].name);
		for (p = text[row]; *p; p++) {
			if (*p == ' ')
				*p = '_';
		}
	}
}

const char *reason_name(enum numbering numbering, int row)
{
	static char text[2][ROWS][REASON_NAME_MAX];
	char (*names)[REASON_NAME_MAX] = text[numbering == SVM];

	if (!*names[OTHER])
		fill_names(names, numbering);
	return names[row];
}

const char *reason_number(enum numbering numbering, int row)
{
	static char text[12];

	if (row == OTHER)
		return "other";
	snprintf(text, sizeof(text), numbering == SVM ? "0x%02x" : "%u", row_code(row));
	return text;
}

int find_reason(enum numbering numbering, const char *text)
{
	unsigned long long code;
	char *end;
	int row;

	if (!strcasecmp(text, "other"))
		return OTHER;
	if (*text >= '0' && *text <= '9') {
		code = strtoull(text, &end, 0);
		return *end ? -1 : code_row(numbering, code);
	}
	for (row = 0; row < REASONS; row++) {
		if (strcmp(text, "-") && !strcasecmp(text, reason_name(numbering, row)))
			return row;
	}
	return -1;
}

int need_reason(enum numbering numbering, const char *text)
{
	int row;

	if (!strcasecmp(text, "all"))
		return -1;
	row = find_reason(numbering, text);
	if (row < 0)
		fail(STATUS_USAGE, "no such exit reason of %s: %s", numbering_name(numbering),
		     text);
	return row;
}

const char *numbering_name(enum numbering numbering)
{
	return numbering == SVM ? "SVM" : "VMX";
}
