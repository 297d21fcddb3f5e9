/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The exit reasons that the CPU vendors' manuals define, for the tests of KVM exitstats.
 * Independent of the selftests' framework.
 */
#ifndef SELFTEST_KVM_EXITSTATS_DEFINED_H
#define SELFTEST_KVM_EXITSTATS_DEFINED_H

#include <stdbool.h>

/* Intel SDM volume 3, appendix "VMX Basic Exit Reasons" */
static inline bool is_defined_vmx(unsigned int reason)
{
	switch (reason) {
	case 35:
	case 38:
	case 42:
	case 71:
	case 82 ... 83:
		return false;
	default:
		return reason <= 85;
	}
}

/* AMD APM volume 2, appendix "SVM Intercept Exit Codes" */
static inline bool is_defined_svm(unsigned int code)
{
	switch (code) {
	case 0x00: case 0x02 ... 0x04: case 0x08:	/* reads of control registers ... */
	case 0x10: case 0x12 ... 0x14: case 0x18:	/* ... and writes */
	case 0x20 ... 0x27: case 0x30 ... 0x37:		/* debug registers */
	case 0x40 ... 0x9f:				/* exceptions, instructions, traps */
	case 0xa2: case 0xa5 ... 0xa6:
	case 0x400 ... 0x403:
		return true;
	default:
		return false;
	}
}

/*
 * Defined codes that KVM never enables: most traps for writes to control registers. Such exits
 * would count as "other".
 */
static inline bool is_never_svm(unsigned int code)
{
	return code > 0x90 && code < 0xa0 && code != 0x94 && code != 0x98;
}

#endif /* SELFTEST_KVM_EXITSTATS_DEFINED_H */
