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
 * @hist: by bucket
 * @exits: so many are in the buckets
 * @p50: estimate of what half of them did not exceed
 * @p99: the same of 99 percent
 * @longest: the longest one; 0 if unknown
 * @bound: in a difference, @longest is a bound: no exit took longer
 */
struct distribution {
	struct hist hist;
	unsigned long long exits;
	unsigned long long p50;
	unsigned long long p99;
	unsigned long long longest;
	bool bound;
};

/* Of a row, or of all if it is -1 */
struct distribution distribution_of(const struct stats *s, int row);

/* @cycles of @d, in a cell of a table; it stays empty if there are no exits. */
void put_percentile(struct line *l, int column, const struct distribution *d,
		    unsigned long long cycles);

/* "CPUID (10)", or "all reasons" */
const char *distribution_title(enum numbering numbering);

/* Draw the distribution of the reason given with --hist, or of all reasons. */
void print_distribution(FILE *out, const struct stats *s);

/* Draw the distributions of two runs side by side. */
void print_distributions(FILE *out, const struct stats *a, const struct stats *b);

#endif /* DISTRIBUTION_H */
