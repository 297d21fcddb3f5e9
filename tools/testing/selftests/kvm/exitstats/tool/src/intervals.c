// SPDX-License-Identifier: GPL-2.0-only
/*
 * exitstats -i, -w.
 */
#include <stdio.h>

#include "error.h"
#include "formats.h"
#include "intervals.h"
#include "live.h"
#include "options.h"
#include "output.h"
#include "report.h"
#include "source.h"

/* The rates of the intervals so far */
static struct {
	unsigned long intervals;
	double lowest;
	double highest;
} course;

static struct stats from, to, d, sum;	/* the last two readings, their difference */
static unsigned long long start;	/* time of the first reading */
static bool ended;			/* the VM has ended */

static void note_rate(void)
{
	double rate = per_second(total(&d).exits, &d);

	if (d.reset)
		return;
	if (!course.intervals || rate < course.lowest)
		course.lowest = rate;
	if (!course.intervals || rate > course.highest)
		course.highest = rate;
	course.intervals++;
}

static bool read_interval(void)
{
	ended = !read_source(&to);
	if (ended)
		return false;
	if (!start) {
		start = to.ns;
		d = to;
		sum.numbering = to.numbering;
		sum.accounts = to.accounts;
		sum.histogram = to.histogram;
		sum.vcpus = to.vcpus;
		sum.span = true;
		sum.consistent = true;
		if (!opt.watch && opt.format == CSV)
			print_csv_head(stdout, &to, 0);
	} else {
		subtract(&d, &from, &to);
		add(&sum, &d);
		note_rate();
	}
	from = to;
	return true;
}

static void draw_interval(FILE *out, int max)
{
	char title[256];

	if (d.span)
		snprintf(title, sizeof(title), "%s in %.1f s", source_title(), seconds(&d));
	else
		snprintf(title, sizeof(title), "%s since the VM started", source_title());
	print_report(out, &d, title, max);
}

static void print_interval(void)
{
	double at = (double)(to.ns - start) / NSEC_PER_SEC;
	char title[256];

	switch (opt.format) {
	case CSV:
		print_csv(stdout, &d, at);
		break;
	case JSON:
		print_json(stdout, &d, at);
		break;
	default:
		snprintf(title, sizeof(title), "%s until %.3f s", source_title(), at);
		print_report(stdout, &d, title, 0);
		fputc('\n', stdout);
	}
}

static void print_sum(void)
{
	char title[256];

	snprintf(title, sizeof(title), "%s in %lu interval%s", source_title(), course.intervals,
		 plural(course.intervals));
	print_report(stdout, &sum, title, 0);
	if (course.intervals)
		printf("exits/s per interval: lowest %.1f, mean %.1f, highest %.1f\n",
		       course.lowest, per_second(total(&sum).exits, &sum), course.highest);
}

int interval_mode(void)
{
	static const struct view view = { read_interval, draw_interval, print_interval };

	run_view(&view);
	if (opt.format == TABLE)
		print_sum();
	if (opt.output)
		save(&sum);
	if (ended) {
		flush(stdout);
		fputs("exitstats: the VM has ended\n", stderr);
	}
	return 0;
}
