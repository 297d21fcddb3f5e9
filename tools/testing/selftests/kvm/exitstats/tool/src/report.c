// SPDX-License-Identifier: GPL-2.0-only
/*
 * A report for people.
 */
#include <stdlib.h>
#include <string.h>

#include "distribution.h"
#include "error.h"
#include "options.h"
#include "report.h"
#include "table.h"
#include "terminal.h"

#define TIME_MAX	72	/* characters of the bar of time */
#define TIME_MIN	20
#define TOP_REASONS	3	/* reasons that print_where() names */

/* ---- order ---- */

static const struct stats *sorted;

double sort_key(struct exitstats of, double exits)
{
	switch (opt.sort) {
	case BY_CYCLES:
	case BY_CHANGE:
		return of.cycles;
	case BY_EXITS:
		return exits;
	case BY_AVERAGE:
		return average(of);
	case BY_REASON:
		break;
	}
	return 0;
}

static int compare_rows(const void *pa, const void *pb)
{
	int a = *(const int *)pa, b = *(const int *)pb;
	double key_a = sort_key(sorted->row[a], sorted->row[a].exits);
	double key_b = sort_key(sorted->row[b], sorted->row[b].exits);

	if (key_a != key_b)
		return key_a < key_b ? 1 : -1;
	return a - b;
}

/* An undefined code between two defined ones, which -a shows */
static bool is_gap(const struct stats *s, int row)
{
	int i, end = row < NEAR_ROWS ? NEAR_ROWS : REASONS;

	for (i = row; i < end; i++) {
		if (s->defined[i])
			return true;
	}
	return false;
}

void make_order(struct order *o, const struct stats *s, bool gaps)
{
	int i;

	o->rows = 0;
	for (i = 0; i < ROWS; i++) {
		if (s->row[i].exits || s->row[i].cycles ||
		    (opt.all && i < REASONS && (s->defined[i] || (gaps && is_gap(s, i)))))
			o->row[o->rows++] = i;
	}
	sorted = s;
	if (opt.format == TABLE)
		qsort(o->row, o->rows, sizeof(o->row[0]), compare_rows);
}

/* ---- the table of reasons ---- */

enum { REASON_COLUMN, NAME_COLUMN, EXITS_COLUMN };

/* A row for -a: a reason that never occurred or is not defined */
static void put_absent(struct line *l, const struct stats *s, int row)
{
	if (row < REASONS && !s->defined[row])
		put(l, NAME_COLUMN, "(not defined)");
	else
		put(l, EXITS_COLUMN, s->span ? "none" : "never");
}

/* The distribution of a row, or of all rows if -1 */
static void fill_line(struct line *l, const struct stats *s, int row)
{
	struct exitstats all = total(s), of = row < 0 ? all : s->row[row];
	struct distribution d = distribution_of(s, row);
	int column = EXITS_COLUMN;

	put_number(l, column++, of.exits);
	if (s->span)
		put_rate(l, column++, per_second(of.exits, s));
	put_share(l, column++, of.exits, all.exits);
	put_number(l, column++, of.cycles);
	put_share(l, column++, of.cycles, all.cycles);
	put_number(l, column++, average(of));
	if (s->histogram) {
		put_percentile(l, column++, &d, d.p50);
		put_percentile(l, column++, &d, d.p99);
	}
	if (d.longest)
		put(l, column, "%s%s", d.bound ? "<=" : "", grouped(d.longest));
}

static void add_reason_columns(struct table *t, const struct stats *s)
{
	static const struct column first[] = {
		{ .head = "reason", .rank = 2 }, { .head = "name", .left = true },
		{ .head = "exits" },
	};
	static const struct column rate = { .head = "exits/s", .rank = 5 };
	static const struct column plain[] = {
		{ .head = "share", .close = true, .rank = 4 }, { .head = "cycles", .rank = 1 },
		{ .head = "share", .close = true, .rank = 3 }, { .head = "average", .rank = 6 },
	};
	/* With the histogram, drop the average first: percentiles say more. */
	static const struct column with_histogram[] = {
		{ .head = "share", .close = true, .rank = 9 }, { .head = "cycles", .rank = 1 },
		{ .head = "share", .close = true, .rank = 3 }, { .head = "average", .rank = 8 },
		{ .head = "p50", .rank = 7 }, { .head = "p99", .rank = 4 },
		{ .head = "longest", .rank = 6 },
	};
	static const struct column longest = { .head = "longest", .rank = 7 };

	add_columns(t, first, ARRAY_SIZE(first));
	if (s->span)
		add_columns(t, &rate, 1);
	if (s->histogram) {
		add_columns(t, with_histogram, ARRAY_SIZE(with_histogram));
		return;
	}
	add_columns(t, plain, ARRAY_SIZE(plain));
	if (longest_of_all(s))
		add_columns(t, &longest, 1);
}

static void make_reasons(struct table *t, const struct stats *s)
{
	struct exitstats all = total(s);
	struct order o;
	int i, row;

	memset(t, 0, sizeof(*t));
	add_reason_columns(t, s);
	t->bar = opt.sort == BY_EXITS ? "exits" : "cycles";

	make_order(&o, s, true);
	for (i = 0; i < o.rows; i++) {
		struct line *l = add_line(t);

		row = o.row[i];
		put(l, REASON_COLUMN, "%s", reason_number(s->numbering, row));
		put(l, NAME_COLUMN, "%s", reason_name(s->numbering, row));
		if (!s->row[row].exits && !s->row[row].cycles) {
			put_absent(l, s, row);
			continue;
		}
		fill_line(l, s, row);
		l->share = opt.sort == BY_EXITS ? (double)s->row[row].exits / all.exits :
						  (double)s->row[row].cycles / all.cycles;
	}
	put(&t->total, NAME_COLUMN, "total");
	fill_line(&t->total, s, -1);
	t->has_total = true;
}

/* ---- the table of accounts ---- */

static void make_accounts(struct table *t, const struct stats *s)
{
	static const struct column columns[] = {
		{ .head = "account", .left = true }, { .head = "entered" },
		{ .head = "cycles", .rank = 1 },
		{ .head = "share", .close = true }, { .head = "average", .rank = 2 },
	};
	struct exitstats figures;
	int a;

	memset(t, 0, sizeof(*t));
	add_columns(t, columns, ARRAY_SIZE(columns));
	t->bar = "time";
	for (a = 0; a < ACCOUNTS; a++) {
		struct line *l = add_line(t);

		figures = account(s, a);
		put(l, 0, "%s", account_names[a]);
		put_number(l, 1, figures.exits);
		put_number(l, 2, figures.cycles);
		l->share = time_share(s, figures.cycles);
		put_percent(l, 3, l->share);
		put_number(l, 4, average(figures));
	}
}

/* ---- where the time went ---- */

static double row_share(const struct stats *s, int row)
{
	return time_share(s, s->row[row].cycles);
}

static const char *row_word(const struct stats *s, int row)
{
	const char *name = reason_name(s->numbering, row);

	return strcmp(name, "-") ? name : reason_number(s->numbering, row);
}

/* Find the costliest reasons. @more is true if there are others. Return: their number */
static int find_top_reasons(const struct stats *s, int *top, bool *more)
{
	bool taken[ROWS] = { false };
	int i, n, row;

	*more = false;
	for (n = 0; n <= TOP_REASONS; n++) {
		row = -1;
		for (i = 0; i < ROWS; i++) {
			if (!taken[i] && s->row[i].cycles &&
			    (row < 0 || s->row[i].cycles > s->row[row].cycles))
				row = i;
		}
		if (row < 0)
			return n;
		*more = n == TOP_REASONS || (n && row_share(s, row) < 0.0005);
		if (*more)
			return n;
		taken[row] = true;
		top[n] = row;
	}
	return n;
}

/* Print them in parentheses after the account "exits", followed by @comma. */
static void print_top_reasons(struct flow *f, const struct stats *s, const char *comma)
{
	int i, n, top[TOP_REASONS + 1];
	bool more;

	n = find_top_reasons(s, top, &more);
	for (i = 0; i < n; i++) {
		flow_word(f, "%s%s %.1f %%%s%s", i ? "" : "(", row_word(s, top[i]),
			  100 * row_share(s, top[i]), i + 1 < n || more ? "," : ")",
			  i + 1 < n || more ? "" : comma);
	}
	if (more)
		flow_word(f, "...)%s", comma);
}

static void flow_where(struct flow *f, const struct stats *s)
{
	const char *comma;
	int a, last = 0;

	for (a = 0; a < ACCOUNTS; a++) {
		if (account(s, a).cycles)
			last = a;
	}
	for (a = 0; a <= last; a++) {
		unsigned long long cycles = account(s, a).cycles;

		if (!cycles)
			continue;
		comma = a < last ? "," : "";
		flow_word(f, "%s %.1f %%%s", account_names[a], 100 * time_share(s, cycles),
			  a == EXITS ? "" : comma);
		if (a == EXITS)
			print_top_reasons(f, s, comma);
	}
	fputc('\n', f->out);
}

/* Each character of the bar is the first letter of the account that had this part of the time. */
static void print_time_bar(FILE *out, const struct stats *s)
{
	int width = term_width - 2 > TIME_MAX ? TIME_MAX : term_width - 2;
	double share = 0;
	int a, done = 0;

	if (width < TIME_MIN)
		return;
	fputc('[', out);
	for (a = 0; a < ACCOUNTS; a++) {
		share += time_share(s, account(s, a).cycles);
		for (; done < (int)(share * width + 0.5); done++)
			fputc(account_names[a][0], out);
	}
	fputs("]\n", out);
}

static void print_summary(FILE *out, const struct stats *s)
{
	struct flow f = { .out = out, .indent = 2 };

	fputc('\n', out);
	if (s->span)
		flow_word(&f, "%.6f s, %lu vCPU%s:", seconds(s), s->vcpus, plural(s->vcpus));
	else if (s->accounts)
		flow_word(&f, "time:");
	if (s->accounts) {
		flow_where(&f, s);
		print_time_bar(out, s);
	} else if (handling_share(s) >= 0) {
		flow_word(&f, "%.2f%% of %s time went into handling exits\n",
			  100 * handling_share(s), s->vcpus == 1 ? "its" : "their");
	}
}

void print_report(FILE *out, const struct stats *s, const char *title, int max)
{
	struct table t;

	if (opt.hist)
		fprintf(out, "%s: %s\n\n", title, distribution_title(s->numbering));
	else
		fprintf(out, "%s\n\n", title);
	if (s->reset) {
		fputs("No figures: the counters were reset when the VM was restarted or migrated.\n",
		      out);
		return;
	}
	if (opt.hist) {
		print_distribution(out, s);
		return;
	}
	if (opt.time)
		make_accounts(&t, s);
	else
		make_reasons(&t, s);
	print_table(out, &t, max);
	if (s->span || s->accounts)
		print_summary(out, s);
	if (!s->consistent)
		fputs("\nThe VM kept exiting while this was read: rows are of different moments.\n",
		      out);
}
