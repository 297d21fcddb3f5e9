/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * exitstats --host: all VMs of this host, one row each.
 */
#ifndef LIST_H
#define LIST_H

/* Return: the exit status */
int list_mode(void);

#endif /* LIST_H */
