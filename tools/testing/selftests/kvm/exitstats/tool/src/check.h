/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * exitstats check: does a command, or the VM since it started, stay within a budget?
 */
#ifndef CHECK_H
#define CHECK_H

#include <stdio.h>

#include "stats.h"

/*
 * Compare @s with @base, which is NULL if there is only --max. Return: how many budgets
 * are exceeded, with a line for each in @out
 */
int check_budgets(FILE *out, const struct stats *s, const struct stats *base);

/* @path of BASE, or NULL; @command or NULL. Return: the exit status */
int check_mode(const char *path, char **command);

#endif /* CHECK_H */
