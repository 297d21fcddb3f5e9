/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where the figures come from: the guest that this runs in, or a VM of this host.
 */
#ifndef SOURCE_H
#define SOURCE_H

#include "stats.h"

/* Find what the command line asks for; the end if it is not there. */
void open_source(void);

/* Return: false if the VM has ended meanwhile */
bool read_source(struct stats *s);

/* "VM exits", and of what, for a title. */
const char *source_title(void);

/* The label of the VM, or NULL in a guest */
const char *source_vm(void);

#endif /* SOURCE_H */
