/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The file of -o: written under another name and renamed when complete, so that whoever
 * looks sees the old content or the new, and the old stays if anything fails. Devices and
 * pipes are written to as they are.
 */
#ifndef OUTPUT_H
#define OUTPUT_H

#include <stdio.h>

#include "stats.h"

/* Early, for it is better to fail before a long measurement than after it. */
void open_output(void);

/* What open_output() opened, to be written to and then closed by close_output(). */
FILE *output_file(void);
void close_output(void);

/* A snapshot, or one reading in the format that was asked for. */
void save(const struct stats *s);

#endif /* OUTPUT_H */
