/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How long exits took: percentiles, and the bars of --hist.
 */
#ifndef DISTRIBUTION_H
#define DISTRIBUTION_H

#include <stdio.h>

#include "stats.h"
#include "table.h"

/**
 * struct distribution - how long the exits of a row took
 * @hist: exits by bucket
 * @exits: number of exits in the buckets
 * @p50: estimate of the 50th percentile
 * @p99: estimate of the 99th percentile
 * @longest: longest exit; 0 if unknown
 * @bound: @longest is only an upper bound, as in a difference
 */
struct distribution {
	struct hist hist;
	unsigned long long exits;
	unsigned long long p50;
	unsigned long long p99;
	unsigned long long longest;
	bool bound;
};

/* The distribution of a row, or of all rows if -1 */
struct distribution distribution_of(const struct stats *s, int row);

/* Put @cycles of @d into a cell of a table, which stays empty if there are no exits. */
void put_percentile(struct line *l, int column, const struct distribution *d,
		    unsigned long long cycles);

/* "CPUID (10)", or "all reasons" */
const char *distribution_title(enum numbering numbering);

/* Draw the distribution of the reason given with --hist, or of all reasons. */
void print_distribution(FILE *out, const struct stats *s);

/* Draw the distributions of two runs side by side. */
void print_distributions(FILE *out, const struct stats *a, const struct stats *b);

#endif /* DISTRIBUTION_H */
