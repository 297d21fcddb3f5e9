/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tables for people: columns as wide as what is in them, and bars if there is room.
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
 * @left: of text, not of numbers
 * @close: stands close to the column before it, which it says more about
 * @rank: where the terminal is narrow, columns of the highest rank are left out first;
 *	  those of rank 0 never are
 */
struct column {
	const char *head;
	bool left;
	bool close;
	int rank;
};

struct line {
	char cell[COLUMNS][CELL];
	double share;		/* what its bar shows */
	double second_share;	/* and its second bar */
};

/**
 * struct table - a table; zeros are an empty one
 * @column: its columns
 * @columns: how many
 * @line: its lines
 * @lines: how many
 * @total: the last line, which is always shown
 * @has_total: there is one
 * @bar: what the bars show; NULL: no bars
 * @second_bar: what a second one in each line shows; NULL: there is none
 * @keep_bars: on a narrow terminal, columns are left out for them
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

/* An empty line; valid until the next one is added. */
struct line *add_line(struct table *t);

#define put(l, column, ...)	snprintf((l)->cell[column], CELL, __VA_ARGS__)

void put_number(struct line *l, int column, unsigned long long n);
void put_rate(struct line *l, int column, double rate);
void put_share(struct line *l, int column, unsigned long long n, unsigned long long of);
void put_percent(struct line *l, int column, double share);
void put_ratio(struct line *l, int column, unsigned long long a, unsigned long long b);

/* With commas; valid until the next call but one. */
const char *grouped(unsigned long long n);

/* Print and free it; at most @max lines, if not 0. */
void print_table(FILE *out, struct table *t, int max);

#endif /* TABLE_H */
