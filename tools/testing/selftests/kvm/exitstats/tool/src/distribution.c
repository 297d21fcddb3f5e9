// SPDX-License-Identifier: GPL-2.0-only
/*
 * How long exits took.
 */
#include <string.h>

#include "distribution.h"
#include "error.h"
#include "options.h"
#include "terminal.h"

struct distribution distribution_of(const struct stats *s, int row)
{
	struct distribution d = { .bound = s->span };

	d.hist = row < 0 ? hist_of_all(s) : s->hist[row];
	d.exits = hist_exits(&d.hist);
	d.longest = row < 0 ? longest_of_all(s) : s->longest[row];
	d.p50 = hist_percentile(&d.hist, 50, d.longest);
	d.p99 = hist_percentile(&d.hist, 99, d.longest);
	return d;
}

void put_percentile(struct line *l, int column, const struct distribution *d,
		    unsigned long long cycles)
{
	if (d->exits)
		put_number(l, column, cycles);
}

/* The part of a reading that is drawn */
static struct distribution drawn_of(const struct stats *s)
{
	return distribution_of(s, need_reason(s->numbering, opt.hist));
}

const char *distribution_title(enum numbering numbering)
{
	static char text[REASON_NAME_MAX + 16];
	int row = need_reason(numbering, opt.hist);

	if (row < 0)
		return "all reasons";
	snprintf(text, sizeof(text), "%s (%s)", reason_name(numbering, row),
		 reason_number(numbering, row));
	return text;
}

static double share(const struct distribution *d, int b)
{
	return d->exits ? (double)d->hist.bucket[b] / d->exits : 0;
}

static double highest_share(const struct distribution *d)
{
	double highest = 0;
	int b;

	for (b = 0; b < BUCKETS; b++)
		highest = share(d, b) > highest ? share(d, b) : highest;
	return highest;
}

static void put_range(struct line *l, int b)
{
	put_number(l, 0, bucket_from(b));
	if (b < BUCKETS - 1)
		put_number(l, 1, bucket_to(b));
	else
		put(l, 1, "longer");
}

static void print_percentiles(FILE *out, const char *who, const struct distribution *d)
{
	struct flow f = { .out = out, .indent = 2 };

	flow_word(&f, "%s", who);
	flow_word(&f, "p50 %s,", grouped(d->p50));
	flow_word(&f, "p99 %s,", grouped(d->p99));
	flow_word(&f, "longest %s%s cycles", d->bound ? "<=" : "", grouped(d->longest));
	fputc('\n', out);
}

void print_distribution(FILE *out, const struct stats *s)
{
	static const struct column columns[] = {
		{ .head = "cycles" }, { .head = "to", .rank = 3 },
		{ .head = "exits", .rank = 2 }, { .head = "share", .rank = 1 },
	};
	struct table t = { .bar = "exits", .keep_bars = true };
	struct distribution d = drawn_of(s);
	double highest = highest_share(&d);
	int b;

	if (!d.exits) {
		fputs("No exits.\n", out);
		return;
	}
	add_columns(&t, columns, ARRAY_SIZE(columns));
	for (b = hist_first(&d.hist); b <= hist_last(&d.hist); b++) {
		struct line *l = add_line(&t);

		put_range(l, b);
		put_number(l, 2, d.hist.bucket[b]);
		put_percent(l, 3, share(&d, b));
		l->share = share(&d, b) / highest;
	}
	put(&t.total, 0, "total");
	put_number(&t.total, 2, d.exits);
	put_percent(&t.total, 3, 1);
	t.has_total = true;
	print_table(out, &t, 0);
	fputc('\n', out);
	print_percentiles(out, "", &d);
}

void print_distributions(FILE *out, const struct stats *a, const struct stats *b)
{
	static const struct column columns[] = {
		{ .head = "cycles" }, { .head = "to", .rank = 3 },
		{ .head = "exits A", .rank = 2 }, { .head = "of A", .close = true },
		{ .head = "exits B", .rank = 2 }, { .head = "of B", .close = true },
	};
	struct table t = { .bar = "A", .second_bar = "B", .keep_bars = true };
	struct distribution of_a = drawn_of(a), of_b = drawn_of(b);
	double highest_a = highest_share(&of_a), highest_b = highest_share(&of_b);
	double highest = highest_a > highest_b ? highest_a : highest_b;
	struct hist both = of_a.hist;
	int i;

	hist_add(&both, &of_b.hist);
	if (!hist_exits(&both)) {
		fputs("No exits.\n", out);
		return;
	}
	add_columns(&t, columns, ARRAY_SIZE(columns));
	for (i = hist_first(&both); i <= hist_last(&both); i++) {
		struct line *l = add_line(&t);

		put_range(l, i);
		put_number(l, 2, of_a.hist.bucket[i]);
		put_percent(l, 3, share(&of_a, i));
		put_number(l, 4, of_b.hist.bucket[i]);
		put_percent(l, 5, share(&of_b, i));
		l->share = share(&of_a, i) / highest;
		l->second_share = share(&of_b, i) / highest;
	}
	put(&t.total, 0, "total");
	put_number(&t.total, 2, of_a.exits);
	put_percent(&t.total, 3, of_a.exits > 0);
	put_number(&t.total, 4, of_b.exits);
	put_percent(&t.total, 5, of_b.exits > 0);
	t.has_total = true;
	print_table(out, &t, 0);
	fputc('\n', out);
	print_percentiles(out, "A:", &of_a);
	print_percentiles(out, "B:", &of_b);
}
