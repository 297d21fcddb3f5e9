/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * exitstats check: does a command, or the VM since its start, stay within a budget?
 */
#ifndef CHECK_H
#define CHECK_H

#include <stdio.h>

#include "stats.h"

/*
 * Compare @s with @base, which is NULL if there is only --max. Print a line in @out for
 * each budget that is exceeded. Return: their number
 */
int check_budgets(FILE *out, const struct stats *s, const struct stats *base);

/* @path is that of BASE, or NULL; @command may be NULL. Return: the exit status */
int check_mode(const char *path, char **command);

#endif /* CHECK_H */
