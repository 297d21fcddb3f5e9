// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tables for people.
 */
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "table.h"
#include "terminal.h"

#define BAR_MIN		5
#define TEXT_MIN	8

void add_columns(struct table *t, const struct column *column, int n)
{
	memcpy(t->column + t->columns, column, n * sizeof(*column));
	t->columns += n;
}

struct line *add_line(struct table *t)
{
	t->line = need(realloc(t->line, (t->lines + 1) * sizeof(*t->line)));
	memset(&t->line[t->lines], 0, sizeof(*t->line));
	return &t->line[t->lines++];
}

const char *grouped(unsigned long long n)
{
	static char texts[2][32];
	static int next;
	char *text = texts[next ^= 1];
	char *p = text + sizeof(texts[0]) - 1;
	int digits = 0;

	do {
		if (digits && digits % 3 == 0)
			*--p = ',';
		*--p = '0' + n % 10;
		digits++;
	} while (n /= 10);
	return p;
}

void put_number(struct line *l, int column, unsigned long long n)
{
	put(l, column, "%s", grouped(n));
}

void put_rate(struct line *l, int column, double rate)
{
	if (rate >= 100)
		put_number(l, column, rate + 0.5);
	else
		put(l, column, "%.1f", rate);
}

void put_percent(struct line *l, int column, double share)
{
	put(l, column, "%.1f%%", 100 * share);
}

void put_share(struct line *l, int column, unsigned long long n, unsigned long long of)
{
	put_percent(l, column, of ? (double)n / of : 0);
}

void put_ratio(struct line *l, int column, unsigned long long a, unsigned long long b)
{
	if (a && b)
		put(l, column, "%.2f", (double)b / a);
	else
		put(l, column, "%s", a ? "only A" : b ? "only B" : "-");
}

/* ---- widths ---- */

static int gap(const struct table *t, const int *width, int column)
{
	int next = column + 1;

	while (next < t->columns && !width[next])
		next++;
	return next < t->columns && t->column[next].close ? 1 : 2;
}

static int widest(const struct table *t, int column)
{
	size_t width = strlen(t->column[column].head);
	int i;

	if (t->has_total && strlen(t->total.cell[column]) > width)
		width = strlen(t->total.cell[column]);
	for (i = 0; i < t->lines; i++) {
		if (strlen(t->line[i].cell[column]) > width)
			width = strlen(t->line[i].cell[column]);
	}
	return width;
}

/* The width of a line, without the gap after it */
static int line_width(const struct table *t, const int *width)
{
	int i, sum = 0, last = 0;

	for (i = 0; i < t->columns; i++) {
		if (!width[i])
			continue;
		last = gap(t, width, i);
		sum += width[i] + last;
	}
	return sum - last;
}

/* The width of the bars, including the gap before each */
static int bars_width(const struct table *t, int bar)
{
	return (t->bar ? bar + 2 : 0) + (t->second_bar ? bar + 2 : 0);
}

/* If the table is still too wide, cut the widest text column. */
static void cut_text(const struct table *t, int *width, int room)
{
	int excess = line_width(t, width) - room, i, widest = -1;

	for (i = 0; i < t->columns; i++) {
		if (width[i] && t->column[i].left && (widest < 0 || width[i] > width[widest]))
			widest = i;
	}
	if (widest >= 0 && excess > 0)
		width[widest] = width[widest] - excess > TEXT_MIN ? width[widest] - excess :
			       width[widest] < TEXT_MIN ? width[widest] : TEXT_MIN;
}

/* Drop columns of the highest rank, from the right, until the rest fits. */
static void fit(const struct table *t, int *width)
{
	int room = term_width - (t->keep_bars ? bars_width(t, BAR_MIN) : 0);
	int i, victim;

	while (term_width && line_width(t, width) > room) {
		victim = -1;
		for (i = 0; i < t->columns; i++) {
			if (width[i] && t->column[i].rank &&
			    (victim < 0 || t->column[i].rank >= t->column[victim].rank))
				victim = i;
		}
		if (victim < 0) {
			cut_text(t, width, room);
			return;
		}
		width[victim] = 0;
	}
}

/* ---- printing ---- */

static const char *cell_text(const struct table *t, const struct line *l, int column)
{
	return l ? l->cell[column] : t->column[column].head;
}

/* The number of characters in UTF-8 text */
static int length(const char *text)
{
	int n = 0;

	for (; *text; text++)
		n += (*text & 0xc0) != 0x80;
	return n;
}

/* Make the bars of a line. If @l is NULL, make their heads, provided that they fit. */
static void make_bars(char *text, const struct table *t, const struct line *l, int bar)
{
	int bytes;

	*text = 0;
	if (bar < BAR_MIN || (!l && bar < (int)strlen(t->bar)))
		return;
	bytes = sprintf(text, "%s", l ? bar_text(l->share, bar) : t->bar);
	if (t->second_bar)
		sprintf(text + bytes, "%*s%s", bar - length(text) + 2, "",
			l ? bar_text(l->second_share, bar) : t->second_bar);
}

/* @l is NULL for the head; @bar is the width of a bar, or 0 for a line without bars. */
static void print_line(FILE *out, const struct table *t, const struct line *l, const int *width,
		       int bar)
{
	char text[COLUMNS * (CELL + 2) + 2 * (BAR_MAX + 2) * 3 + 1];
	int i, n = 0;

	for (i = 0; i < t->columns; i++) {
		if (width[i])
			n += sprintf(text + n, t->column[i].left ? "%-*.*s%*s" : "%*.*s%*s",
				     width[i], width[i], cell_text(t, l, i),
				     gap(t, width, i), "");
	}
	make_bars(text + n, t, l, bar);
	n += strlen(text + n);
	while (n && text[n - 1] == ' ')
		n--;
	fprintf(out, "%.*s\n", n, text);
}

void print_table(FILE *out, struct table *t, int max)
{
	int width[COLUMNS];
	int i, bar;

	for (i = 0; i < t->columns; i++)
		width[i] = widest(t, i);
	fit(t, width);
	bar = t->bar ? term_width - line_width(t, width) - 2 : 0;
	if (t->second_bar)
		bar = (bar - 2) / 2;
	if (bar > BAR_MAX)
		bar = BAR_MAX;

	print_line(out, t, NULL, width, bar);
	for (i = 0; i < t->lines && (!max || i < max); i++)
		print_line(out, t, &t->line[i], width, bar);
	if (t->has_total)
		print_line(out, t, &t->total, width, 0);
	free(t->line);
	t->line = NULL;
	t->lines = 0;
}
