/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Reading in the guest: from four CPUID leaves.
 */
#ifndef GUEST_H
#define GUEST_H

#include "stats.h"

/* Find out what the host reports; exit if nothing. Call this before the first reading. */
void require_leaves(void);

/* Read the figures of the VM or, with --vcpu, of the vCPU that the tool runs on. */
void read_guest(struct stats *s);

#endif /* GUEST_H */
