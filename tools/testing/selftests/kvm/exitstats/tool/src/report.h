/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A report for people: the table of reasons or accounts, and where the time went.
 */
#ifndef REPORT_H
#define REPORT_H

#include <stdio.h>

#include "stats.h"

/**
 * struct order - the rows of a report in their order
 * @row: row of struct stats
 * @rows: number of rows
 */
struct order {
	int row[ROWS];
	int rows;
};

/*
 * Collect the rows that occurred. With -a, also the other defined ones and, if @gaps, the
 * undefined ones between them. Formats for programs have the order of reasons, even with -s.
 */
void make_order(struct order *o, const struct stats *s, bool gaps);

/*
 * By what -s sorts, largest first; always 0 if by reason. @exits: those of @of, or how many a
 * second.
 */
double sort_key(struct exitstats of, double exits);

/* Print at most @max lines of the table, if not 0. */
void print_report(FILE *out, const struct stats *s, const char *title, int max);

#endif /* REPORT_H */
