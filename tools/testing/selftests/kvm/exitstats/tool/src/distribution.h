/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How long exits took: percentiles, and the bars of --hist.
 */
#ifndef DISTRIBUTION_H
#define DISTRIBUTION_H

#include <stdio.h>

#include "stats.h"
#include "table.h"

/* In a cell of a table; it stays empty if there are no exits. */
void put_percentile(struct line *l, int column, const struct hist *h, int percent,
		    unsigned long long longest);

/* "CPUID (10)", or "all reasons" */
const char *distribution_title(enum numbering numbering);

/* Of the reason that --hist names, or of all. */
void print_distribution(FILE *out, const struct stats *s);

/* Of two runs, side by side. */
void print_distributions(FILE *out, const struct stats *a, const struct stats *b);

#endif /* DISTRIBUTION_H */
