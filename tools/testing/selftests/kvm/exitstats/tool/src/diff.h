/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * exitstats diff A B: two snapshots side by side.
 */
#ifndef DIFF_H
#define DIFF_H

#include <stdio.h>

#include "stats.h"

/* @name: the names of A and B */
void print_diff(FILE *out, const struct stats *a, const struct stats *b, char **name);

/* Return: the exit status */
int diff_mode(char **names);

#endif /* DIFF_H */
