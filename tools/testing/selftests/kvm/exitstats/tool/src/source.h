/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The source of the figures: the guest that the tool runs in, or a VM of this host.
 */
#ifndef SOURCE_H
#define SOURCE_H

#include "stats.h"

/* Find the source that the command line asks for; exit if there is none. */
void open_source(void);

/* Return: false if the VM has ended meanwhile */
bool read_source(struct stats *s);

/* "VM exits" and the source, for a title */
const char *source_title(void);

/* The label of the VM, or NULL in a guest */
const char *source_vm(void);

#endif /* SOURCE_H */
