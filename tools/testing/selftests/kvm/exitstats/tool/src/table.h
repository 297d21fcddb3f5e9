/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tables for people: columns as wide as their content, and bars if there is room.
 */
#ifndef TABLE_H
#define TABLE_H

#include <stdbool.h>
#include <stdio.h>

#define COLUMNS		12
#define CELL		48

/**
 * struct column - how a column is shown
 * @head: its title
 * @left: left-aligned, for text
 * @close: has a smaller gap to the column before it, to which it belongs
 * @rank: on a narrow terminal, columns of the highest rank are dropped first; those of
 *	  rank 0 never are
 */
struct column {
	const char *head;
	bool left;
	bool close;
	int rank;
};

struct line {
	char cell[COLUMNS][CELL];
	double share;		/* length of its bar */
	double second_share;	/* length of its second bar */
};

/**
 * struct table - a table; all zeros is an empty one
 * @column: its columns
 * @columns: number of columns
 * @line: its lines
 * @lines: number of lines
 * @total: last line, which is always shown
 * @has_total: @total is used
 * @bar: title of the bars; NULL: no bars
 * @second_bar: title of the second bars; NULL: no second bars
 * @keep_bars: on a narrow terminal, drop columns to make room for the bars
 */
struct table {
	struct column column[COLUMNS];
	int columns;
	struct line *line;
	int lines;
	struct line total;
	bool has_total;
	const char *bar;
	const char *second_bar;
	bool keep_bars;
};

void add_columns(struct table *t, const struct column *column, int n);

/* Add an empty line. The pointer is valid until the next line is added. */
struct line *add_line(struct table *t);

#define put(l, column, ...)	snprintf((l)->cell[column], CELL, __VA_ARGS__)

void put_number(struct line *l, int column, unsigned long long n);
void put_rate(struct line *l, int column, double rate);
void put_share(struct line *l, int column, unsigned long long n, unsigned long long of);
void put_percent(struct line *l, int column, double share);
void put_ratio(struct line *l, int column, unsigned long long a, unsigned long long b);

/* The number with commas. The last two results are valid. */
const char *grouped(unsigned long long n);

/* Print the table, at most @max lines if not 0, and free it. */
void print_table(FILE *out, struct table *t, int max);

#endif /* TABLE_H */
