// SPDX-License-Identifier: GPL-2.0-only
/*
 * exitstats diff A B.
 */
#include <string.h>

#include "diff.h"
#include "distribution.h"
#include "error.h"
#include "formats.h"
#include "options.h"
#include "report.h"
#include "snapshot.h"
#include "table.h"

/* ---- for people ---- */

#define PERCENTILES	8	/* first column of percentiles */

static void fill_pair(struct line *l, int column, struct exitstats a, struct exitstats b)
{
	put_number(l, column++, a.exits);
	put_number(l, column++, b.exits);
	put_ratio(l, column++, a.exits, b.exits);
	put_number(l, column++, a.cycles);
	put_number(l, column++, b.cycles);
	put_ratio(l, column++, a.cycles, b.cycles);
}

static void fill_percentiles(struct line *l, const struct stats *a, const struct stats *b, int row)
{
	struct distribution of_a = distribution_of(a, row), of_b = distribution_of(b, row);
	int column = PERCENTILES;

	put_percentile(l, column++, &of_a, of_a.p50);
	put_percentile(l, column++, &of_b, of_b.p50);
	put_percentile(l, column++, &of_a, of_a.p99);
	put_percentile(l, column++, &of_b, of_b.p99);
}

static void pair_reasons(struct table *t, const struct stats *a, const struct stats *b,
			 const struct order *o)
{
	static const struct column columns[] = {
		{ .head = "reason", .rank = 2 }, { .head = "name", .left = true },
		{ .head = "exits A", .rank = 3 }, { .head = "exits B", .rank = 3 },
		{ .head = "B/A" },
		{ .head = "cycles A", .rank = 1 }, { .head = "cycles B", .rank = 1 },
		{ .head = "B/A" },
	};
	static const struct column percentiles[] = {
		{ .head = "p50 A", .rank = 5 }, { .head = "p50 B", .rank = 5 },
		{ .head = "p99 A", .rank = 4 }, { .head = "p99 B", .rank = 4 },
	};
	bool histogram = a->histogram || b->histogram;
	int i, row;

	add_columns(t, columns, ARRAY_SIZE(columns));
	if (histogram)
		add_columns(t, percentiles, ARRAY_SIZE(percentiles));
	for (i = 0; i < o->rows; i++) {
		struct line *l = add_line(t);

		row = o->row[i];
		put(l, 0, "%s", reason_number(a->numbering, row));
		put(l, 1, "%s", reason_name(a->numbering, row));
		fill_pair(l, 2, a->row[row], b->row[row]);
		fill_percentiles(l, a, b, row);
	}
	put(&t->total, 1, "total");
	fill_pair(&t->total, 2, total(a), total(b));
	fill_percentiles(&t->total, a, b, -1);
	t->has_total = true;
}

static void pair_accounts(struct table *t, const struct stats *a, const struct stats *b)
{
	static const struct column columns[] = {
		{ .head = "account", .left = true }, { .head = "cycles A", .rank = 2 },
		{ .head = "share", .close = true }, { .head = "cycles B", .rank = 2 },
		{ .head = "share", .close = true }, { .head = "B/A", .rank = 1 },
	};
	int i;

	add_columns(t, columns, ARRAY_SIZE(columns));
	for (i = 0; i < ACCOUNTS; i++) {
		unsigned long long of_a = account(a, i).cycles, of_b = account(b, i).cycles;
		struct line *l = add_line(t);

		put(l, 0, "%s", account_names[i]);
		put_number(l, 1, of_a);
		put_percent(l, 2, time_share(a, of_a));
		put_number(l, 3, of_b);
		put_percent(l, 4, time_share(b, of_b));
		put_ratio(l, 5, of_a, of_b);
	}
}

static void print_text(FILE *out, const struct stats *a, const struct stats *b,
		       const struct order *o, char **name)
{
	struct table t = { .columns = 0 };
	int i;

	for (i = 0; i < 2; i++) {
		const struct stats *s = i ? b : a;

		fprintf(out, "%c: %s, ", 'A' + i, name[i]);
		if (s->span)
			fprintf(out, "%.6f s, %lu vCPU%s\n", seconds(s), s->vcpus,
				plural(s->vcpus));
		else
			fputs("since the VM started\n", out);
	}
	if (opt.hist) {
		fprintf(out, "\n%s\n\n", distribution_title(a->numbering));
		print_distributions(out, a, b);
		return;
	}
	fputc('\n', out);
	if (opt.time)
		pair_accounts(&t, a, b);
	else
		pair_reasons(&t, a, b, o);
	print_table(out, &t, 0);
}

/* ---- for programs ---- */

static void print_csv_line(FILE *out, struct exitstats a, struct exitstats b)
{
	fprintf(out, "%llu,%llu,%llu,%llu,", a.exits, a.cycles, b.exits, b.cycles);
	if (a.exits)
		fprintf(out, "%.4f", (double)b.exits / a.exits);
	fputc(',', out);
	if (a.cycles)
		fprintf(out, "%.4f", (double)b.cycles / a.cycles);
}

static void print_diff_csv(FILE *out, const struct stats *a, const struct stats *b,
			   const struct order *o)
{
	int i;

	if (opt.time) {
		fputs("account,a_entered,a_cycles,b_entered,b_cycles,entered_ratio,cycles_ratio\n",
		      out);
		for (i = 0; i < ACCOUNTS; i++) {
			fprintf(out, "%s,", account_names[i]);
			print_csv_line(out, account(a, i), account(b, i));
			fputc('\n', out);
		}
		return;
	}
	fputs("reason,name,a_exits,a_cycles,b_exits,b_cycles,exits_ratio,cycles_ratio", out);
	if (a->histogram)
		print_csv_hist_head(out, "a_");
	if (b->histogram)
		print_csv_hist_head(out, "b_");
	fputc('\n', out);
	for (i = 0; i < o->rows; i++) {
		fprintf(out, "%s,", reason_number(a->numbering, o->row[i]));
		fprintf(out, "%s,", reason_name(a->numbering, o->row[i]));
		print_csv_line(out, a->row[o->row[i]], b->row[o->row[i]]);
		print_csv_hist(out, a, o->row[i]);
		print_csv_hist(out, b, o->row[i]);
		fputc('\n', out);
	}
	fputs("total,,", out);
	print_csv_line(out, total(a), total(b));
	print_csv_hist(out, a, -1);
	print_csv_hist(out, b, -1);
	fputc('\n', out);
}

/* @row: -1 for the total */
static void print_json_pair(FILE *out, const struct stats *a, const struct stats *b, int row)
{
	fputs("\"a\":{", out);
	print_json_hist(out, a, row);
	print_json_figures(out, row < 0 ? total(a) : a->row[row]);
	fputs(",\"b\":{", out);
	print_json_hist(out, b, row);
	print_json_figures(out, row < 0 ? total(b) : b->row[row]);
}

static void print_json_account(FILE *out, const char *key, struct exitstats of)
{
	fprintf(out, "%s:{\"entered\":%llu,\"cycles\":%llu}", key, of.exits, of.cycles);
}

static void print_diff_json(FILE *out, const struct stats *a, const struct stats *b,
			    const struct order *o)
{
	int i;

	fputs("{\"total\":{", out);
	print_json_pair(out, a, b, -1);
	fputc('}', out);
	if (a->accounts && b->accounts) {
		fputs(",\"accounts\":{", out);
		for (i = 0; i < ACCOUNTS; i++) {
			fprintf(out, "%s\"%s\":", i ? "," : "", account_names[i]);
			print_json_account(out, "{\"a\"", account(a, i));
			print_json_account(out, ",\"b\"", account(b, i));
			fputc('}', out);
		}
		fputc('}', out);
	}
	fputs(",\"reasons\":[", out);
	for (i = 0; i < o->rows; i++) {
		fputs(i ? "," : "", out);
		print_json_reason(out, a->numbering, o->row[i]);
		print_json_pair(out, a, b, o->row[i]);
		fputc('}', out);
	}
	fputs("]}\n", out);
}

/* ---- both ---- */

void print_diff(FILE *out, const struct stats *a, const struct stats *b, char **name)
{
	static struct stats both;
	struct order o;
	int i;

	/* Show the rows of either, in the order of their sum or of the growth. */
	both = *a;
	for (i = 0; i < ROWS; i++) {
		both.row[i].exits += b->row[i].exits;
		if (opt.sort == BY_CHANGE)
			both.row[i].cycles = minus(b->row[i].cycles, a->row[i].cycles);
		else
			both.row[i].cycles += b->row[i].cycles;
		if (i < REASONS)
			both.defined[i] |= b->defined[i];
	}
	make_order(&o, &both, false);
	if (opt.format == CSV)
		print_diff_csv(out, a, b, &o);
	else if (opt.format == JSON)
		print_diff_json(out, a, b, &o);
	else
		print_text(out, a, b, &o, name);
}

int diff_mode(char **names)
{
	static struct stats a, b;

	load_snapshot(&a, names[0]);
	load_snapshot(&b, names[1]);
	if (a.numbering != b.numbering && !opt.time)
		fail(STATUS_USAGE,
		     "%s has exit reasons of %s, %s of %s: only --time compares them", names[0],
		     numbering_name(a.numbering), names[1], numbering_name(b.numbering));
	if (opt.time && (!a.accounts || !b.accounts))
		fail(STATUS_USAGE, "%s does not tell where the time went",
		     a.accounts ? names[1] : names[0]);
	if (opt.hist) {
		need_reason(a.numbering, opt.hist);
		if (!a.histogram || !b.histogram)
			fail(STATUS_USAGE, "%s has no histogram: it is of a VM without one",
			     a.histogram ? names[1] : names[0]);
	}
	print_diff(stdout, &a, &b, names);
	return 0;
}
