/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Running a command, and what it cost.
 */
#ifndef COMMAND_H
#define COMMAND_H

#include "stats.h"

/*
 * Run @argv and measure it into @d. Return: its exit status as a shell has it. The end if
 * it cannot be executed, or the VM ends meanwhile.
 */
int measure_command(struct stats *d, char **argv);

/* exitstats -- CMD. Return: the exit status */
int command_mode(char **argv);

#endif /* COMMAND_H */
