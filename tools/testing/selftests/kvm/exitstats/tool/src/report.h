/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A report for people: the table of reasons or accounts, and where the time went.
 */
#ifndef REPORT_H
#define REPORT_H

#include <stdio.h>

#include "stats.h"

/**
 * struct order - which rows a report has, in which order
 * @row: of struct stats
 * @rows: how many
 */
struct order {
	int row[ROWS];
	int rows;
};

/*
 * The rows that occurred. With -a, also those that are defined and, between them, those
 * that are not, if @gaps. Formats for programs are in the order of reasons, whatever
 * -s says.
 */
void make_order(struct order *o, const struct stats *s, bool gaps);

/*
 * By what -s sorts, largest first; always 0 if by reason. @exits: those of @of, or how many a
 * second.
 */
double sort_key(struct exitstats of, double exits);

/* At most @max lines of the table, if not 0. */
void print_report(FILE *out, const struct stats *s, const char *title, int max);

#endif /* REPORT_H */
