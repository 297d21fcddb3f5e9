/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * exitstats -i, -w: one VM, interval by interval, and the sum.
 */
#ifndef INTERVALS_H
#define INTERVALS_H

/* Return: the exit status */
int interval_mode(void);

#endif /* INTERVALS_H */
