/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The file of -o. It is written under another name and renamed when complete, so that
 * readers see either the old or the new content, and the old content survives failures.
 * Devices and pipes are written to directly.
 */
#ifndef OUTPUT_H
#define OUTPUT_H

#include <stdio.h>

#include "stats.h"

/* Call this early: better fail before a long measurement than after it. */
void open_output(void);

/* The file of open_output(), to be closed by close_output() */
FILE *output_file(void);
void close_output(void);

/* Save a snapshot, or one reading in the format that the user asked for. */
void save(const struct stats *s);

#endif /* OUTPUT_H */
