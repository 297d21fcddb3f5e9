/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Reading in the guest: from four CPUID leaves.
 */
#ifndef GUEST_H
#define GUEST_H

#include "stats.h"

/* Ask the host what it knows; the end if it reports nothing. Before the first reading. */
void require_leaves(void);

/* A reading of the VM or, with --vcpu, of the vCPU that this runs on. */
void read_guest(struct stats *s);

#endif /* GUEST_H */
