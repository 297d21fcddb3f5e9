/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Show intervals, on the screen or on standard output, until the user quits.
 */
#ifndef LIVE_H
#define LIVE_H

#include <stdbool.h>
#include <stdio.h>

/**
 * struct view - the content of the intervals
 * @read: take the first or the next reading; return false if there is nothing more to read
 * @draw: draw the live view, with at most that many lines of the table if not 0
 * @print: print an interval to standard output
 */
struct view {
	bool (*read)(void);
	void (*draw)(FILE *out, int max);
	void (*print)(void);
};

/* Run the view with the options -i, -n and -w. */
void run_view(const struct view *view);

#endif /* LIVE_H */
