/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Interval by interval, on the screen or on standard output, until the user has enough.
 */
#ifndef LIVE_H
#define LIVE_H

#include <stdbool.h>
#include <stdio.h>

/**
 * struct view - what is shown interval by interval
 * @read: take the first reading, or the next; returns false if there is no more to read
 * @draw: for the live view, with at most that many lines of the table if not 0
 * @print: to standard output, after each interval
 */
struct view {
	bool (*read)(void);
	void (*draw)(FILE *out, int max);
	void (*print)(void);
};

/* As -i, -n and -w say. */
void run_view(const struct view *view);

#endif /* LIVE_H */
