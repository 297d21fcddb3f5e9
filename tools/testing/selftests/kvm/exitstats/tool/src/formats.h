/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Formats for programs: CSV, JSON, and Prometheus's text format.
 */
#ifndef FORMATS_H
#define FORMATS_H

#include <stdio.h>

#include "stats.h"

/* @at: seconds since the first reading, as an additional column; < 0: no such column */
void print_csv_head(FILE *out, const struct stats *s, double at);
void print_csv(FILE *out, const struct stats *s, double at);

/*
 * Print percentiles, the longest exit and the buckets of a row, or of the total if -1: as
 * names and fields of CSV, each after a comma, or as members of a JSON object, each before a
 * comma. Print nothing if there is no histogram.
 */
void print_csv_hist_head(FILE *out, const char *prefix);
void print_csv_hist(FILE *out, const struct stats *s, int row);
void print_json_hist(FILE *out, const struct stats *s, int row);

/* Print one object on one line. */
void print_json(FILE *out, const struct stats *s, double at);

/* Parts of objects: the content of print_json()'s braces, and two parts that others use, too */
void print_json_body(FILE *out, const struct stats *s, double at);
void print_json_figures(FILE *out, struct exitstats of);
void print_json_reason(FILE *out, enum numbering numbering, int row);

/**
 * struct labelled - figures of a named VM
 * @vm: the VM's label, or NULL
 * @stats: its figures
 */
struct labelled {
	const char *vm;
	const struct stats *stats;
};

void print_openmetrics(FILE *out, const struct labelled *vm, int n);

/* Print @text in double quotes, with the escapes of JSON and OpenMetrics. */
void print_quoted(FILE *out, const char *text);

/* Print a reading in the format that the user asked for. */
void print_stats(FILE *out, const struct stats *s, const char *title);

#endif /* FORMATS_H */
