/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Formats for programs: CSV, JSON, and what Prometheus reads.
 */
#ifndef FORMATS_H
#define FORMATS_H

#include <stdio.h>

#include "stats.h"

/* @at: seconds since the first reading, a column of its own; < 0: no such column */
void print_csv_head(FILE *out, const struct stats *s, double at);
void print_csv(FILE *out, const struct stats *s, double at);

/*
 * Percentiles, the longest exit, and the buckets of a row, or of all if it is -1: names and
 * fields of CSV, each with a comma before it, and members of a JSON object, each with one
 * behind it. Nothing if there is no histogram.
 */
void print_csv_hist_head(FILE *out, const char *prefix);
void print_csv_hist(FILE *out, const struct stats *s, int row);
void print_json_hist(FILE *out, const struct stats *s, int row);

/* One object, one line. */
void print_json(FILE *out, const struct stats *s, double at);

/* Parts of objects: what print_json() has in its braces, and two that others have too. */
void print_json_body(FILE *out, const struct stats *s, double at);
void print_json_figures(FILE *out, struct exitstats of);
void print_json_reason(FILE *out, enum numbering numbering, int row);

/**
 * struct labelled - figures of a VM, by name
 * @vm: the VM's label; NULL: none
 * @stats: its figures
 */
struct labelled {
	const char *vm;
	const struct stats *stats;
};

void print_openmetrics(FILE *out, const struct labelled *vm, int n);

/* @text in double quotes, with backslashes where JSON and OpenMetrics want them. */
void print_quoted(FILE *out, const char *text);

/* One reading in whatever format was asked for. */
void print_stats(FILE *out, const struct stats *s, const char *title);

#endif /* FORMATS_H */
