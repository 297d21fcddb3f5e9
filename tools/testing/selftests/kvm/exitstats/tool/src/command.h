/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Run a command and measure its cost.
 */
#ifndef COMMAND_H
#define COMMAND_H

#include "stats.h"

/*
 * Run @argv and store its figures in @d. The tool exits if @argv cannot be executed or the
 * VM ends meanwhile. Return: its exit status as in a shell
 */
int measure_command(struct stats *d, char **argv);

/* exitstats -- CMD. Return: the exit status */
int command_mode(char **argv);

#endif /* COMMAND_H */
