// SPDX-License-Identifier: GPL-2.0-only
/*
 * exitstats: what a workload costs in VM exits, seen from inside the guest.
 *
 * The figures come from four CPUID leaves (linux/kvm_exitstats.h). Executing
 * CPUID is itself a VM exit, counted when it has been handled. The tool knows
 * how many it executed and what they cost, and takes them out: see the comment
 * above read_stats(). Everything else arranges what read_stats() returns.
 *
 * exitstats(1) tells what the output means.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "exitstats_read.h"

#ifdef EXITSTATS_HAS_CPUID
#include <asm/vmx.h>
#else
/* Builds, and says that there is nothing to report. */
#define EXIT_REASON_CPUID	10
#define VMX_EXIT_REASONS	{ EXIT_REASON_CPUID, "CPUID" }
#endif

#define VERSION		"1.0"

/* Exit statuses besides 0 and CMD's own. */
#define STATUS_USAGE	2	/* bad options or files */
#define STATUS_NO_LEAF	3	/* this host does not report exit statistics */
#define STATUS_NO_EXEC	126	/* CMD cannot be executed, as the shell has it */
#define STATUS_NO_CMD	127	/* there is no CMD */

#define REASONS		128	/* more than the SDM defines; the leaves tell which */
#define OTHER		REASONS	/* exits that only the total shows */
#define ROWS		(REASONS + 1)

#define MAX_TRIES	100	/* of reading while nothing else exits */

#define NSEC_PER_SEC	1000000000ull

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

enum format { TABLE, CSV, JSON, OPENMETRICS };
enum sort { BY_CYCLES, BY_EXITS, BY_REASON, BY_AVERAGE };

static struct {
	enum format format;
	enum sort sort;
	bool all;
	bool watch;
	double interval;	/* seconds; 0: no intervals */
	unsigned long count;	/* intervals; 0: until stopped */
	const char *output;
	const char *raw;
	int pin;
} opt = { .pin = -1 };

/* ---- errors ---- */

/* One line, and the end. */
#define fail(status, fmt, ...)							\
	do {									\
		fprintf(stderr, "exitstats: " fmt "\n", ##__VA_ARGS__);		\
		exit(status);							\
	} while (0)

static void *need(void *p)
{
	if (!p)
		fail(STATUS_USAGE, "out of memory");
	return p;
}

/* A closed pipe ends the tool as SIGPIPE would, even where that is ignored. */
static void flush(FILE *out)
{
	if (!fflush(out) && !ferror(out))
		return;
	if (errno == EPIPE)
		_exit(128 + SIGPIPE);
	fail(STATUS_USAGE, "cannot write: %s", strerror(errno));
}

/* ---- reading ---- */

/**
 * struct stats - a reading, or the difference of two
 * @row: by basic exit reason, and OTHER
 * @defined: which reasons the SDM defines
 * @own: what the tool's own leaf readings had cost until then (readings only)
 * @ns: CLOCK_MONOTONIC; in a difference, wall time
 * @tsc: the guest's TSC, or its difference
 * @vcpus: online vCPUs
 * @span: a difference, not what happened since the VM started
 * @consistent: all figures are of one moment
 * @reset: the counters began anew between the two readings: there are no figures
 */
struct stats {
	struct exitstats row[ROWS];
	bool defined[REASONS];
	struct exitstats own;
	unsigned long long ns;
	unsigned long long tsc;
	unsigned long vcpus;
	bool span;
	bool consistent;
	bool reset;
};

/**
 * struct window - the readings that bound a try
 * @before: own readings before it
 * @first: total, when it begins
 * @cpuid_before: own readings before @cpuid_cycles
 * @cpuid_cycles: cycles of CPUID exits
 * @last: total, when it ends
 * @end: total once more, which shows what reading a total costs
 */
struct window {
	unsigned long long before;
	struct exitstats first;
	unsigned long long cpuid_before;
	unsigned long long cpuid_cycles;
	struct exitstats last;
	struct exitstats end;
};

static struct exitstats own;		/* leaf readings of this process, and their cycles */
static unsigned long long reading_cost;	/* of one, in cycles */
static struct exitstats rest;		/* exits that only the total shows */

static struct exitstats read_total(void)
{
	own.exits++;
	return exitstats_read();
}

static unsigned long long read_exits(unsigned int reason, bool *defined)
{
	unsigned long long exits;

	own.exits++;
	*defined = !exitstats_read_exits(reason, &exits);
	return exits;
}

static unsigned long long read_cycles(unsigned int reason)
{
	unsigned long long cycles;

	own.exits++;
	exitstats_read_cycles(reason, &cycles);
	return cycles;
}

static void require_leaves(void)
{
	own.exits += 2;
	if (!exitstats_present())
		fail(STATUS_NO_LEAF, "this host does not report exit statistics");
}

static unsigned long long now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * NSEC_PER_SEC + ts.tv_nsec;
}

static unsigned long long read_tsc(void)
{
#ifdef EXITSTATS_HAS_CPUID
	return __builtin_ia32_rdtsc();
#else
	return 0;
#endif
}

static struct exitstats total(const struct stats *s)
{
	struct exitstats sum = { 0, 0 };
	int i;

	for (i = 0; i < ROWS; i++) {
		sum.exits += s->row[i].exits;
		sum.cycles += s->row[i].cycles;
	}
	return sum;
}

/* Which reasons are there, and have occurred? Only those are read in a window. */
static void scan(struct stats *s)
{
	unsigned int i;

	for (i = 0; i < REASONS; i++)
		s->row[i].exits = read_exits(i, &s->defined[i]);
}

static void read_window(struct stats *s, struct window *w)
{
	struct exitstats *cpuid = &s->row[EXIT_REASON_CPUID];
	bool defined;
	int i;

	w->before = own.exits;
	w->first = read_total();

	for (i = 0; i < REASONS; i++) {
		if (!s->row[i].exits || i == EXIT_REASON_CPUID)
			continue;
		s->row[i].exits = read_exits(i, &defined);
		s->row[i].cycles = read_cycles(i);
	}

	cpuid->exits = read_exits(EXIT_REASON_CPUID, &defined);
	cpuid->exits -= own.exits - 1 - w->before;

	w->cpuid_before = own.exits;
	w->cpuid_cycles = read_cycles(EXIT_REASON_CPUID);

	w->last = read_total();
	w->end = read_total();

	if (w->end.exits == w->last.exits + 1)
		reading_cost = w->end.cycles - w->last.cycles;
}

static unsigned long long minus(unsigned long long a, unsigned long long b)
{
	return a > b ? a - b : 0;
}

/*
 * Fill in what the window does not read directly: the cycles of CPUID exits, and
 * the exits that no reason shows. Return: whether all is of one moment.
 */
static bool solve_window(struct stats *s, const struct window *w)
{
	struct exitstats *cpuid = &s->row[EXIT_REASON_CPUID];
	struct exitstats *other = &s->row[OTHER];
	unsigned long long cost, estimate;
	struct exitstats sum;
	bool quiet;

	cpuid->cycles = 0;
	*other = (struct exitstats){ 0, 0 };
	sum = total(s);
	quiet = w->end.exits - w->first.exits == own.exits - 1 - w->before &&
		sum.exits <= w->first.exits && sum.cycles <= w->first.cycles;

	if (quiet)
		cost = w->last.cycles - w->first.cycles - reading_cost;
	else
		cost = (w->cpuid_before - w->before) * reading_cost;
	estimate = minus(w->cpuid_cycles, cost);

	if (!quiet) {
		cpuid->cycles = estimate;
		*other = rest;
		return false;
	}

	other->exits = w->first.exits - sum.exits;
	cpuid->cycles = w->first.cycles - sum.cycles;
	if (other->exits && cpuid->cycles > estimate) {
		other->cycles = cpuid->cycles - estimate;
		cpuid->cycles = estimate;
	}
	return true;
}

/*
 * Take a reading of all figures as of one moment: that of the first reading of
 * the last window.
 *
 * A window is a total, the reasons that have occurred, and the total again. If
 * the total grew by exactly the window's own readings, nothing else exited
 * meanwhile. Then what was read of all reasons but CPUID is what it was in the
 * first moment, and of CPUID the number of exits is known, for it is known how
 * many readings there were. Its cycles are what the others leave of the total.
 * Otherwise something exited meanwhile: try again.
 *
 * Exits that the total shows but the reasons do not are either of a reason that
 * occurred for the first time (scan again) or of one that has no figures.
 *
 * What the tool's readings cost is known as well. In the window it is what the
 * total grew by. Before it, it is what the cycles of CPUID exits grew by, unless
 * something else executed CPUID; then, and for the window's last reading, which
 * is counted after it, it is what the same reading cost just before.
 */
static void read_stats(struct stats *s)
{
	unsigned long long before, cpuid_exits, cpuid_cycles, others = 0;
	const struct exitstats *cpuid = &s->row[EXIT_REASON_CPUID];
	struct window w = { 0 };
	bool defined;
	int try;

	memset(s, 0, sizeof(*s));
	s->vcpus = sysconf(_SC_NPROCESSORS_ONLN);

	before = own.exits;
	cpuid_cycles = read_cycles(EXIT_REASON_CPUID);
	cpuid_exits = read_exits(EXIT_REASON_CPUID, &defined) - 1;
	require_leaves();
	scan(s);

	for (try = 0; try < MAX_TRIES && !s->consistent; try++) {
		s->ns = now_ns();
		s->tsc = read_tsc();
		read_window(s, &w);
		s->consistent = solve_window(s, &w);
		if (s->consistent && s->row[OTHER].exits != others && try + 1 < MAX_TRIES) {
			others = s->row[OTHER].exits;
			s->consistent = false;
			scan(s);
		}
	}
	if (s->consistent)
		rest = s->row[OTHER];

	if (cpuid->exits - cpuid_exits == w.before - before && cpuid->cycles > cpuid_cycles)
		own.cycles += cpuid->cycles - cpuid_cycles;
	else
		own.cycles += (w.before - before) * reading_cost;
	s->own = (struct exitstats){ w.before, own.cycles };

	if (s->consistent)
		own.cycles += w.end.cycles - w.first.cycles + reading_cost;
	else
		own.cycles += (own.exits - w.before) * reading_cost;
}

/* Estimated cycles may be off by a little: they do not tell of a reset. */
static bool was_reset(const struct stats *from, const struct stats *to)
{
	int i;

	for (i = 0; i < ROWS; i++) {
		if (to->row[i].exits < from->row[i].exits)
			return true;
		if (i != EXIT_REASON_CPUID && i != OTHER &&
		    to->row[i].cycles < from->row[i].cycles)
			return true;
	}
	return to->row[EXIT_REASON_CPUID].exits - from->row[EXIT_REASON_CPUID].exits <
	       to->own.exits - from->own.exits;
}

/* What happened between two readings, without what the tool did itself. */
static void subtract(struct stats *d, const struct stats *from, const struct stats *to)
{
	struct exitstats *cpuid = &d->row[EXIT_REASON_CPUID];
	int i;

	*d = *to;
	d->span = true;
	d->consistent = from->consistent && to->consistent;
	d->ns = to->ns - from->ns;
	d->tsc = minus(to->tsc, from->tsc);
	d->reset = was_reset(from, to);
	if (d->reset) {
		memset(d->row, 0, sizeof(d->row));
		return;
	}

	for (i = 0; i < ROWS; i++) {
		d->row[i].exits -= from->row[i].exits;
		d->row[i].cycles = minus(d->row[i].cycles, from->row[i].cycles);
	}
	cpuid->exits -= to->own.exits - from->own.exits;
	cpuid->cycles = minus(cpuid->cycles, to->own.cycles - from->own.cycles);
	if (!cpuid->exits)
		cpuid->cycles = 0;
}

/* Add a difference to others that came before it. */
static void add(struct stats *sum, const struct stats *d)
{
	int i;

	if (d->reset)
		return;
	for (i = 0; i < ROWS; i++) {
		sum->row[i].exits += d->row[i].exits;
		sum->row[i].cycles += d->row[i].cycles;
	}
	memcpy(sum->defined, d->defined, sizeof(sum->defined));
	sum->ns += d->ns;
	sum->tsc += d->tsc;
	sum->vcpus = d->vcpus;
	sum->consistent &= d->consistent;
}

/* ---- what the figures say ---- */

static const char *reason_name(int row)
{
	static const struct {
		int reason;
		const char *name;
	} names[] = { VMX_EXIT_REASONS };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(names); i++) {
		if (names[i].reason == row)
			return names[i].name;
	}
	return "-";
}

static const char *reason_number(int row)
{
	static char text[12];

	if (row == OTHER)
		return "other";
	snprintf(text, sizeof(text), "%d", row);
	return text;
}

static unsigned long long average(struct exitstats s)
{
	return s.exits ? s.cycles / s.exits : 0;
}

static double seconds(const struct stats *s)
{
	return (double)s->ns / NSEC_PER_SEC;
}

static double per_second(unsigned long long n, const struct stats *s)
{
	return s->ns ? n / seconds(s) : 0;
}

/* Of the time of all vCPUs: one if every one handled exits all the time; < 0: unknown. */
static double handling_share(const struct stats *s)
{
	return s->tsc && s->vcpus ? total(s).cycles / ((double)s->tsc * s->vcpus) : -1;
}

/* Which rows a report has, in which order. */
struct order {
	int row[ROWS];
	int rows;
};

static const struct stats *sorted;

static int compare_rows(const void *pa, const void *pb)
{
	int a = *(const int *)pa, b = *(const int *)pb;
	unsigned long long key_a = 0, key_b = 0;

	switch (opt.sort) {
	case BY_CYCLES:
		key_a = sorted->row[a].cycles;
		key_b = sorted->row[b].cycles;
		break;
	case BY_EXITS:
		key_a = sorted->row[a].exits;
		key_b = sorted->row[b].exits;
		break;
	case BY_AVERAGE:
		key_a = average(sorted->row[a]);
		key_b = average(sorted->row[b]);
		break;
	case BY_REASON:
		break;
	}
	if (key_a != key_b)
		return key_a < key_b ? 1 : -1;
	return a - b;
}

/*
 * Formats for programs are in the order of reasons, whatever -s says. With -a, the
 * reasons that are not defined can be @gaps between those that are.
 */
static void make_order(struct order *o, const struct stats *s, bool gaps)
{
	int i, last = -1;

	for (i = 0; i < REASONS; i++) {
		if (s->defined[i])
			last = i;
	}
	o->rows = 0;
	for (i = 0; i < ROWS; i++) {
		if (s->row[i].exits || (opt.all && i <= last && (gaps || s->defined[i])))
			o->row[o->rows++] = i;
	}
	sorted = s;
	if (opt.format == TABLE)
		qsort(o->row, o->rows, sizeof(o->row[0]), compare_rows);
}

/* ---- tables ---- */

#define COLUMNS		9
#define CELL		32
#define NAME		1	/* the column of names, the only one of text */
#define BAR_MIN		5
#define BAR_MAX		40

struct line {
	char cell[COLUMNS][CELL];
	double share;	/* what its bar shows */
};

struct table {
	struct line head;
	struct line line[ROWS];
	struct line total;
	int columns;
	int lines;
	const char *bar;	/* what the bars show; NULL: no bars */
};

/* Of the terminal; 0 if the output is none. */
static int term_width;
static int term_height;

static void measure_terminal(int fd)
{
	struct winsize ws;

	if (!isatty(fd))
		return;
	term_width = 80;
	term_height = 24;
	if (!ioctl(fd, TIOCGWINSZ, &ws) && ws.ws_col && ws.ws_row) {
		term_width = ws.ws_col;
		term_height = ws.ws_row;
	}
}

static const char *grouped(unsigned long long n)
{
	static char text[CELL];
	char *p = text + sizeof(text) - 1;
	int digits = 0;

	do {
		if (digits && digits % 3 == 0)
			*--p = ',';
		*--p = '0' + n % 10;
		digits++;
	} while (n /= 10);
	return p;
}

#define put(l, column, ...)	snprintf((l)->cell[column], CELL, __VA_ARGS__)

static void put_number(struct line *l, int column, unsigned long long n)
{
	put(l, column, "%s", grouped(n));
}

static void put_rate(struct line *l, int column, double rate)
{
	if (rate >= 100)
		put_number(l, column, rate + 0.5);
	else
		put(l, column, "%.1f", rate);
}

static void put_share(struct line *l, int column, unsigned long long n, unsigned long long of)
{
	put(l, column, "%.1f%%", of ? 100.0 * n / of : 0);
}

/* From the environment, for a static program may have no locales. */
static bool is_utf8(void)
{
	static const char *const variable[] = { "LC_ALL", "LC_CTYPE", "LANG" };
	const char *value;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(variable); i++) {
		value = getenv(variable[i]);
		if (value && *value)
			return strcasestr(value, "utf-8") || strcasestr(value, "utf8");
	}
	return false;
}

/* Eighths of a character where the terminal knows them. */
static const char *bar_text(double share, int width)
{
	static const char *const part[] = { "", "▏", "▎", "▍", "▌", "▋", "▊", "▉" };
	static char text[BAR_MAX * 3 + 4];
	bool utf8 = is_utf8();
	int eighths = share > 0 && share <= 1 ? share * width * 8 + 0.5 : 0;
	int full = utf8 ? eighths / 8 : (eighths + 4) / 8;
	char *p = text;

	while (full--)
		p = stpcpy(p, utf8 ? "█" : "#");
	stpcpy(p, utf8 ? part[eighths % 8] : "");
	return text;
}

/* Shares stand close to what they are shares of. */
static int gap(const struct table *t, int column)
{
	return column + 1 < t->columns && !strcmp(t->head.cell[column + 1], "share") ? 1 : 2;
}

static void print_line(FILE *out, const struct table *t, const struct line *l,
		       const int *width, const char *bar)
{
	char text[COLUMNS * (CELL + 2) + 1];
	int i, n = 0;

	for (i = 0; i < t->columns; i++)
		n += sprintf(text + n, i == NAME ? "%-*s%*s" : "%*s%*s", width[i], l->cell[i],
			     gap(t, i), "");
	while (!*bar && n && text[n - 1] == ' ')
		n--;
	fprintf(out, "%.*s%s\n", n, text, bar);
}

static void widen(int *width, const struct table *t, const struct line *l)
{
	int i;

	for (i = 0; i < t->columns; i++) {
		if (width[i] < (int)strlen(l->cell[i]))
			width[i] = strlen(l->cell[i]);
	}
}

/* At most @max rows, if not 0; the total is always there. */
static void print_table(FILE *out, const struct table *t, int max)
{
	int width[COLUMNS] = { 0 };
	int i, bar = term_width;
	bool bars;

	widen(width, t, &t->head);
	widen(width, t, &t->total);
	for (i = 0; i < t->lines; i++)
		widen(width, t, &t->line[i]);
	for (i = 0; i < t->columns; i++)
		bar -= width[i] + gap(t, i);
	bars = t->bar && bar >= BAR_MIN;
	if (bar > BAR_MAX)
		bar = BAR_MAX;

	print_line(out, t, &t->head, width, bars && bar >= (int)strlen(t->bar) ? t->bar : "");
	for (i = 0; i < t->lines && (!max || i < max); i++)
		print_line(out, t, &t->line[i], width,
			   bars ? bar_text(t->line[i].share, bar) : "");
	print_line(out, t, &t->total, width, "");
}

static void add_columns(struct table *t, const char *const *head, int n)
{
	int i;

	for (i = 0; i < n; i++)
		put(&t->head, t->columns++, "%s", head[i]);
}

/* A row that -a shows: it never occurred, or does not exist. */
static void put_absent(struct line *l, const struct stats *s, int row)
{
	if (row < REASONS && !s->defined[row])
		put(l, NAME, "(not defined)");
	else
		put(l, NAME + 1, s->span ? "none" : "never");
}

static void fill_line(struct line *l, const struct stats *s, struct exitstats of)
{
	struct exitstats all = total(s);
	int column = NAME + 1;

	put_number(l, column++, of.exits);
	if (s->span)
		put_rate(l, column++, per_second(of.exits, s));
	put_share(l, column++, of.exits, all.exits);
	put_number(l, column++, of.cycles);
	put_share(l, column++, of.cycles, all.cycles);
	put_number(l, column++, average(of));
}

static void stats_table(struct table *t, const struct stats *s)
{
	static const char *const names[] = { "reason", "name", "exits" };
	static const char *const rate[] = { "exits/s" };
	static const char *const rest[] = { "share", "cycles", "share", "average" };
	struct exitstats all = total(s);
	struct order o;
	int i, row;

	memset(t, 0, sizeof(*t));
	add_columns(t, names, ARRAY_SIZE(names));
	if (s->span)
		add_columns(t, rate, ARRAY_SIZE(rate));
	add_columns(t, rest, ARRAY_SIZE(rest));
	t->bar = opt.sort == BY_EXITS ? "exits" : "cycles";

	make_order(&o, s, true);
	for (i = 0; i < o.rows; i++) {
		struct line *l = &t->line[t->lines++];

		row = o.row[i];
		put(l, 0, "%s", reason_number(row));
		put(l, NAME, "%s", reason_name(row));
		if (!s->row[row].exits) {
			put_absent(l, s, row);
			continue;
		}
		fill_line(l, s, s->row[row]);
		l->share = opt.sort == BY_EXITS ? (double)s->row[row].exits / all.exits :
						  (double)s->row[row].cycles / all.cycles;
	}
	put(&t->total, NAME, "total");
	fill_line(&t->total, s, all);
}

static const char *plural(unsigned long n)
{
	return n == 1 ? "" : "s";
}

static void print_summary(FILE *out, const struct stats *s)
{
	double share = handling_share(s);

	fprintf(out, "\n%.6f s, %lu vCPU%s", seconds(s), s->vcpus, plural(s->vcpus));
	if (share >= 0)
		fprintf(out, ": %.2f%% of %s time went into handling exits", 100 * share,
			s->vcpus == 1 ? "its" : "their");
	fputc('\n', out);
}

static void print_text(FILE *out, const struct stats *s, const char *title, int max)
{
	struct table t;

	fprintf(out, "%s\n\n", title);
	if (s->reset) {
		fputs("No figures: the counters began anew, the VM was restarted or migrated.\n",
		      out);
		return;
	}
	stats_table(&t, s);
	print_table(out, &t, max);
	if (s->span)
		print_summary(out, s);
	if (!s->consistent)
		fputs("\nThe VM kept exiting while this was read: rows are of different moments.\n",
		      out);
}

/* ---- formats for programs ---- */

/* @at: seconds since the first reading, a column of its own; < 0: no such column */
static void print_csv(FILE *out, const struct stats *s, double at)
{
	struct exitstats all = total(s);
	char first[32] = "";
	struct order o;
	int i, row;

	if (at >= 0)
		snprintf(first, sizeof(first), "%.3f,", at);
	if (s->reset) {
		fprintf(out, "%sreset,,,,\n", first);
		return;
	}
	make_order(&o, s, true);
	for (i = 0; i < o.rows; i++) {
		row = o.row[i];
		if (row < REASONS && !s->defined[row] && !s->row[row].exits)
			fprintf(out, "%s%d,undefined,,,\n", first, row);
		else
			fprintf(out, "%s%s,%s,%llu,%llu,%llu\n", first, reason_number(row),
				reason_name(row), s->row[row].exits, s->row[row].cycles,
				average(s->row[row]));
	}
	fprintf(out, "%stotal,,%llu,%llu,%llu\n", first, all.exits, all.cycles, average(all));
}

static void print_csv_head(FILE *out, bool at)
{
	fprintf(out, "%sreason,name,exits,cycles,avg_cycles\n", at ? "seconds," : "");
}

static void print_json_figures(FILE *out, struct exitstats of)
{
	fprintf(out, "\"exits\":%llu,\"cycles\":%llu,\"avg_cycles\":%llu}",
		of.exits, of.cycles, average(of));
}

static void print_json_reason(FILE *out, int row)
{
	if (row == OTHER)
		fputs("{\"reason\":null,", out);
	else
		fprintf(out, "{\"reason\":%d,", row);
	if (!strcmp(reason_name(row), "-"))
		fputs("\"name\":null,", out);
	else
		fprintf(out, "\"name\":\"%s\",", reason_name(row));
}

static void print_json_span(FILE *out, const struct stats *s, double at)
{
	double share = handling_share(s);

	if (at >= 0)
		fprintf(out, "\"at\":%.3f,", at);
	fprintf(out, "\"seconds\":%.9f,\"vcpus\":%lu,\"handling_share\":", seconds(s), s->vcpus);
	if (share >= 0)
		fprintf(out, "%.6f,", share);
	else
		fputs("null,", out);
}

/* One object, one line. */
static void print_json(FILE *out, const struct stats *s, double at)
{
	struct order o;
	int i, row;

	fputc('{', out);
	if (s->span)
		print_json_span(out, s, at);
	fprintf(out, "\"consistent\":%s,\"reset\":%s,\"total\":{",
		s->consistent ? "true" : "false", s->reset ? "true" : "false");
	print_json_figures(out, total(s));

	fputs(",\"reasons\":[", out);
	make_order(&o, s, true);
	for (i = 0; i < o.rows; i++) {
		row = o.row[i];
		fputs(i ? "," : "", out);
		print_json_reason(out, row);
		if (row < REASONS)
			fprintf(out, "\"defined\":%s,", s->defined[row] ? "true" : "false");
		print_json_figures(out, s->row[row]);
	}
	fputs("]}\n", out);
}

static void print_metric(FILE *out, const struct stats *s, const char *name, const char *help,
			 bool cycles)
{
	struct order o;
	int i, row;

	fprintf(out, "# HELP %s %s\n# TYPE %s counter\n", name, help, name);
	make_order(&o, s, false);
	for (i = 0; i < o.rows; i++) {
		row = o.row[i];
		fprintf(out, "%s{reason=\"%s\",name=\"%s\"} %llu\n", name, reason_number(row),
			reason_name(row), cycles ? s->row[row].cycles : s->row[row].exits);
	}
}

/*
 * In the text format that node_exporter and promtool read, where a counter's
 * TYPE has its full name. To them, the last line is a comment.
 */
static void print_openmetrics(FILE *out, const struct stats *s)
{
	print_metric(out, s, "kvm_exitstats_exits_total",
		     "VM exits of this VM by basic exit reason.", false);
	print_metric(out, s, "kvm_exitstats_cycles_total",
		     "Host TSC cycles spent handling VM exits of this VM.", true);
	fputs("# EOF\n", out);
}

static void print_stats(FILE *out, const struct stats *s, const char *title)
{
	switch (opt.format) {
	case TABLE:
		print_text(out, s, title, 0);
		break;
	case CSV:
		print_csv_head(out, false);
		print_csv(out, s, -1);
		break;
	case JSON:
		print_json(out, s, -1);
		break;
	case OPENMETRICS:
		print_openmetrics(out, s);
		break;
	}
}

/* ---- saved snapshots ---- */

/*
 * Text, so that it can be looked at:
 *
 *	exitstats snapshot 1
 *	start			since the VM started, or
 *	span NS TSC VCPUS	between two readings
 *	reason N EXITS CYCLES	for each that is defined, ascending
 *	other EXITS CYCLES
 *	check HASH		of all bytes before this line
 */
#define SNAPSHOT_MAX	(64 * 1024)

static unsigned long long hash(const char *text, size_t len)
{
	unsigned long long h = 0xcbf29ce484222325;	/* FNV-1a */

	while (len--)
		h = (h ^ (unsigned char)*text++) * 0x100000001b3;
	return h;
}

static void write_snapshot(FILE *out, const struct stats *s)
{
	size_t len;
	char *text;
	FILE *mem = need(open_memstream(&text, &len));
	int i;

	fputs("exitstats snapshot 1\n", mem);
	if (s->span)
		fprintf(mem, "span %llu %llu %lu\n", s->ns, s->tsc, s->vcpus);
	else
		fputs("start\n", mem);
	for (i = 0; i < REASONS; i++) {
		if (s->defined[i])
			fprintf(mem, "reason %d %llu %llu\n", i, s->row[i].exits, s->row[i].cycles);
	}
	fprintf(mem, "other %llu %llu\n", s->row[OTHER].exits, s->row[OTHER].cycles);
	fclose(mem);
	need(text);

	fprintf(out, "%scheck %016llx\n", text, hash(text, len));
	free(text);
}

/* Each parse function moves *@p on only if it finds what it is asked for. */
static bool parse_text(const char **p, const char *text)
{
	size_t len = strlen(text);

	if (strncmp(*p, text, len))
		return false;
	*p += len;
	return true;
}

static bool parse_number(const char **p, unsigned long long *n)
{
	const char *c = *p;

	if (*c < '0' || *c > '9')
		return false;
	for (*n = 0; *c >= '0' && *c <= '9'; c++) {
		if (__builtin_mul_overflow(*n, 10, n) || __builtin_add_overflow(*n, *c - '0', n))
			return false;
	}
	*p = c;
	return true;
}

static bool parse_figures(const char **p, struct exitstats *s)
{
	return parse_text(p, " ") && parse_number(p, &s->exits) &&
	       parse_text(p, " ") && parse_number(p, &s->cycles) && parse_text(p, "\n");
}

static bool parse_span(const char **p, struct stats *s)
{
	unsigned long long ns, tsc, vcpus;

	if (parse_text(p, "start\n"))
		return true;
	if (!parse_text(p, "span ") || !parse_number(p, &ns) ||
	    !parse_text(p, " ") || !parse_number(p, &tsc) ||
	    !parse_text(p, " ") || !parse_number(p, &vcpus) || !parse_text(p, "\n"))
		return false;
	s->span = true;
	s->ns = ns;
	s->tsc = tsc;
	s->vcpus = vcpus;
	return vcpus == s->vcpus;
}

static bool parse_reasons(const char **p, struct stats *s)
{
	unsigned long long reason, next = 0;

	while (parse_text(p, "reason ")) {
		if (!parse_number(p, &reason) || reason < next || reason >= REASONS ||
		    !parse_figures(p, &s->row[reason]))
			return false;
		s->defined[reason] = true;
		next = reason + 1;
	}
	return true;
}

/**
 * parse_snapshot() - read what write_snapshot() wrote
 * @s: where to put it
 * @text: ends with a 0 byte
 * @len: its length without that
 *
 * Return: false if it is damaged, or not a snapshot
 */
static bool parse_snapshot(struct stats *s, const char *text, size_t len)
{
	const char *p = text;
	char check[32];
	size_t checked;

	memset(s, 0, sizeof(*s));
	s->consistent = true;
	if (!parse_text(&p, "exitstats snapshot 1\n") || !parse_span(&p, s) ||
	    !parse_reasons(&p, s) || !parse_text(&p, "other") || !parse_figures(&p, &s->row[OTHER]))
		return false;

	checked = p - text;
	snprintf(check, sizeof(check), "check %016llx\n", hash(text, checked));
	return parse_text(&p, check) && p == text + len;
}

static void load_snapshot(struct stats *s, const char *path)
{
	static char text[SNAPSHOT_MAX + 1];
	FILE *f = fopen(path, "re");
	size_t len;

	if (!f)
		fail(STATUS_USAGE, "%s: %s", path, strerror(errno));
	len = fread(text, 1, SNAPSHOT_MAX, f);
	if (ferror(f))
		fail(STATUS_USAGE, "%s: %s", path, strerror(errno));
	fclose(f);
	text[len] = 0;
	if (!parse_snapshot(s, text, len))
		fail(STATUS_USAGE, "%s: not a snapshot, or damaged", path);
}

/* ---- the file of -o ---- */

/*
 * Written under another name and renamed when complete, so that whoever looks
 * sees the old content or the new, and the old stays if anything fails. Devices
 * and pipes are written to as they are.
 */
static struct {
	FILE *file;
	char *path;
	char *temporary;
} output;

static void output_failed(int error)
{
	if (output.temporary)
		unlink(output.temporary);
	output.temporary = NULL;
	fail(STATUS_USAGE, "%s: %s", opt.output, strerror(error));
}

static void forget_output(void)
{
	if (output.temporary)
		unlink(output.temporary);
}

static void open_temporary(mode_t mode)
{
	int fd;

	if (asprintf(&output.temporary, "%s.XXXXXX", output.path) < 0)
		need(NULL);
	fd = mkostemp(output.temporary, O_CLOEXEC);
	if (fd < 0) {
		free(output.temporary);
		output.temporary = NULL;
		output_failed(errno);
	}
	atexit(forget_output);
	if (fchmod(fd, mode))
		output_failed(errno);
	output.file = need(fdopen(fd, "w"));
}

/* Early, for it is better to fail before a long measurement than after it. */
static void open_output(void)
{
	struct stat st;
	mode_t mask;

	if (!opt.output)
		return;
	output.path = realpath(opt.output, NULL) ?: need(strdup(opt.output));
	if (stat(output.path, &st)) {
		mask = umask(0);
		umask(mask);
		open_temporary(0666 & ~mask);
	} else if (S_ISREG(st.st_mode)) {
		if (access(output.path, W_OK))
			output_failed(errno);
		open_temporary(st.st_mode & 0777);
	} else {
		output.file = fopen(output.path, "we");
		if (!output.file)
			output_failed(errno);
	}
}

static void save(const struct stats *s)
{
	bool bad;

	if (s->reset)
		fail(STATUS_USAGE, "%s: not written: the counters began anew", opt.output);
	if (opt.format == TABLE)
		write_snapshot(output.file, s);
	else
		print_stats(output.file, s, "");

	bad = fflush(output.file) || ferror(output.file) ||
	      (output.temporary && fsync(fileno(output.file)));
	if (fclose(output.file) || bad)
		output_failed(errno);
	if (output.temporary && rename(output.temporary, output.path))
		output_failed(errno);
	output.temporary = NULL;
}

/* ---- exitstats diff A B ---- */

static void put_ratio(struct line *l, int column, unsigned long long a, unsigned long long b)
{
	if (a && b)
		put(l, column, "%.2f", (double)b / a);
	else
		put(l, column, "%s", a ? "only A" : b ? "only B" : "-");
}

static void fill_pair(struct line *l, struct exitstats a, struct exitstats b)
{
	int column = NAME + 1;

	put_number(l, column++, a.exits);
	put_number(l, column++, b.exits);
	put_ratio(l, column++, a.exits, b.exits);
	put_number(l, column++, a.cycles);
	put_number(l, column++, b.cycles);
	put_ratio(l, column++, a.cycles, b.cycles);
}

static void print_diff_text(FILE *out, const struct stats *a, const struct stats *b,
			    const struct order *o, char **name)
{
	static const char *const head[] = {
		"reason", "name", "exits A", "exits B", "B/A", "cycles A", "cycles B", "B/A",
	};
	struct table t;
	int i, row;

	memset(&t, 0, sizeof(t));
	add_columns(&t, head, ARRAY_SIZE(head));
	for (i = 0; i < o->rows; i++) {
		struct line *l = &t.line[t.lines++];

		row = o->row[i];
		put(l, 0, "%s", reason_number(row));
		put(l, NAME, "%s", reason_name(row));
		fill_pair(l, a->row[row], b->row[row]);
	}
	put(&t.total, NAME, "total");
	fill_pair(&t.total, total(a), total(b));

	for (i = 0; i < 2; i++) {
		const struct stats *s = i ? b : a;

		fprintf(out, "%c: %s, ", 'A' + i, name[i]);
		if (s->span)
			fprintf(out, "%.6f s, %lu vCPU%s\n", seconds(s), s->vcpus,
				plural(s->vcpus));
		else
			fputs("since the VM started\n", out);
	}
	fputc('\n', out);
	print_table(out, &t, 0);
}

static void print_diff_csv_line(FILE *out, struct exitstats a, struct exitstats b)
{
	fprintf(out, "%llu,%llu,%llu,%llu,", a.exits, a.cycles, b.exits, b.cycles);
	if (a.exits)
		fprintf(out, "%.4f", (double)b.exits / a.exits);
	fputc(',', out);
	if (a.cycles)
		fprintf(out, "%.4f", (double)b.cycles / a.cycles);
	fputc('\n', out);
}

static void print_diff_csv(FILE *out, const struct stats *a, const struct stats *b,
			   const struct order *o)
{
	int i;

	fputs("reason,name,a_exits,a_cycles,b_exits,b_cycles,exits_ratio,cycles_ratio\n", out);
	for (i = 0; i < o->rows; i++) {
		fprintf(out, "%s,%s,", reason_number(o->row[i]), reason_name(o->row[i]));
		print_diff_csv_line(out, a->row[o->row[i]], b->row[o->row[i]]);
	}
	fputs("total,,", out);
	print_diff_csv_line(out, total(a), total(b));
}

static void print_diff_json(FILE *out, const struct stats *a, const struct stats *b,
			    const struct order *o)
{
	int i;

	fputs("{\"total\":{\"a\":{", out);
	print_json_figures(out, total(a));
	fputs(",\"b\":{", out);
	print_json_figures(out, total(b));
	fputs("},\"reasons\":[", out);
	for (i = 0; i < o->rows; i++) {
		fputs(i ? "," : "", out);
		print_json_reason(out, o->row[i]);
		fputs("\"a\":{", out);
		print_json_figures(out, a->row[o->row[i]]);
		fputs(",\"b\":{", out);
		print_json_figures(out, b->row[o->row[i]]);
		fputc('}', out);
	}
	fputs("]}\n", out);
}

static void print_diff(FILE *out, const struct stats *a, const struct stats *b, char **name)
{
	static struct stats both;
	struct order o;
	int i;

	/* Rows are of either, and in the order of both together. */
	both = *a;
	for (i = 0; i < ROWS; i++) {
		both.row[i].exits += b->row[i].exits;
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
		print_diff_text(out, a, b, &o, name);
}

static int diff_mode(char **names)
{
	static struct stats a, b;

	load_snapshot(&a, names[0]);
	load_snapshot(&b, names[1]);
	print_diff(stdout, &a, &b, names);
	return 0;
}

/* ---- exitstats -- CMD ---- */

static pid_t child;		/* set before it is needed by a signal handler */

static void pass_on(int sig)
{
	int error = errno;

	kill(child, sig);
	errno = error;
}

static void set_signals(void (*interactive)(int), void (*other)(int))
{
	signal(SIGINT, interactive);
	signal(SIGQUIT, interactive);
	signal(SIGTERM, other);
	signal(SIGHUP, other);
}

/* Start @argv, but have it wait for a byte in @go; errno comes out of @error if it fails. */
static void start_command(char **argv, int *go, int *error)
{
	int go_pipe[2], error_pipe[2];
	char byte;
	pid_t pid;

	if (pipe2(go_pipe, O_CLOEXEC) || pipe2(error_pipe, O_CLOEXEC))
		fail(STATUS_USAGE, "pipe: %s", strerror(errno));
	pid = fork();
	if (pid < 0)
		fail(STATUS_USAGE, "fork: %s", strerror(errno));
	if (!pid) {
		close(go_pipe[1]);
		if (read(go_pipe[0], &byte, 1) != 1)
			_exit(1);
		execvp(argv[0], argv);
		byte = errno;
		_exit(write(error_pipe[1], &byte, 1) != 1);
	}

	child = pid;
	set_signals(SIG_IGN, pass_on);
	close(go_pipe[0]);
	close(error_pipe[1]);
	*go = go_pipe[1];
	*error = error_pipe[0];
}

/* Return: the exit status as a shell would have it. */
static int wait_command(const char *name, int error)
{
	char reason;
	int status;

	if (read(error, &reason, 1) == 1)
		fail(reason == ENOENT ? STATUS_NO_CMD : STATUS_NO_EXEC, "%s: %s", name,
		     strerror(reason));
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	set_signals(SIG_IGN, SIG_IGN);
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static char *command_title(char **argv)
{
	size_t len;
	char *text;
	FILE *mem = need(open_memstream(&text, &len));

	fputs("VM exits while this ran:", mem);
	while (*argv)
		fprintf(mem, " %s", *argv++);
	fclose(mem);
	return need(text);
}

static int command_mode(char **argv)
{
	static struct stats from, to, d;
	char *title = command_title(argv);
	int go, error, status;

	start_command(argv, &go, &error);
	read_stats(&from);
	if (write(go, "", 1) != 1)
		fail(STATUS_USAGE, "%s: cannot start", argv[0]);
	status = wait_command(argv[0], error);
	read_stats(&to);
	subtract(&d, &from, &to);

	/* To standard error, as perf stat does: standard output is CMD's. */
	signal(SIGPIPE, SIG_IGN);
	if (opt.output)
		save(&d);
	else
		print_stats(stderr, &d, title);
	free(title);
	return status;
}

/* ---- exitstats -i, -w ---- */

/* How the rate went from interval to interval. */
struct course {
	unsigned long intervals;
	double lowest;
	double highest;
};

static struct termios saved_termios;
static bool keys;		/* standard input is a terminal that sends keys at once */

/* Directly, for standard output may have failed. */
static void leave_screen(void)
{
	static const char text[] = "\033[?7h\033[?25h\033[?1049l";
	static bool left;

	if (left || write(STDOUT_FILENO, text, sizeof(text) - 1) < 0)
		return;
	left = true;
	if (keys)
		tcsetattr(STDIN_FILENO, TCSANOW, &saved_termios);
	keys = false;
}

/*
 * Alternate screen, no cursor, no wrapping of lines, keys without echo. Ctrl-Z
 * would leave it like that.
 */
static void enter_screen(void)
{
	struct termios t;

	if (isatty(STDIN_FILENO) && !tcgetattr(STDIN_FILENO, &saved_termios)) {
		t = saved_termios;
		t.c_lflag &= ~(ICANON | ECHO);
		t.c_cc[VSUSP] = _POSIX_VDISABLE;
		keys = !tcsetattr(STDIN_FILENO, TCSANOW, &t);
	}
	atexit(leave_screen);
	fputs("\033[?1049h\033[?25l\033[?7l", stdout);
}

static void draw(const struct stats *s, const char *title)
{
	size_t len;
	char *text, *line, *end;
	FILE *mem = need(open_memstream(&text, &len));
	int others = 10;		/* lines that are not rows */

	measure_terminal(STDOUT_FILENO);
	print_text(mem, s, title, term_height > others ? term_height - others : 1);
	fputs("\norder: c cycles, e exits, a average, r reason; q quits\n", mem);
	fclose(mem);

	/* Each line over what stood there; the last one must not scroll the screen. */
	fputs("\033[H", stdout);
	for (line = need(text); (end = strchr(line, '\n')); line = end + 1)
		printf("%.*s\033[K%s", (int)(end - line), line, end[1] ? "\r\n" : "");
	fputs("\033[J", stdout);
	flush(stdout);
	free(text);
}

/* Return: whether to go on */
static bool handle_key(void)
{
	char key;

	if (read(STDIN_FILENO, &key, 1) != 1) {
		keys = false;
		return true;
	}
	switch (key) {
	case 'c':
		opt.sort = BY_CYCLES;
		break;
	case 'e':
		opt.sort = BY_EXITS;
		break;
	case 'a':
		opt.sort = BY_AVERAGE;
		break;
	case 'r':
		opt.sort = BY_REASON;
		break;
	case 'q':
		return false;
	}
	return true;
}

static int open_signals(void)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	if (opt.watch)
		sigaddset(&set, SIGWINCH);
	sigprocmask(SIG_BLOCK, &set, NULL);
	fd = signalfd(-1, &set, SFD_CLOEXEC);
	if (fd < 0)
		fail(STATUS_USAGE, "signalfd: %s", strerror(errno));
	return fd;
}

/*
 * Wait until @deadline, drawing @shown again when asked to. Return: false when
 * the user had enough.
 */
static bool wait_until(unsigned long long deadline, int signals, const struct stats *shown,
		       const char *title)
{
	struct pollfd fds[2] = { { .fd = signals, .events = POLLIN }, { .events = POLLIN } };
	struct signalfd_siginfo info;
	struct timespec timeout;
	unsigned long long left, now;

	while ((now = now_ns()) < deadline) {
		left = deadline - now;
		timeout = (struct timespec){ left / NSEC_PER_SEC, left % NSEC_PER_SEC };
		fds[1].fd = keys ? STDIN_FILENO : -1;
		if (ppoll(fds, ARRAY_SIZE(fds), &timeout, NULL) <= 0)
			continue;
		if (fds[0].revents && read(signals, &info, sizeof(info)) == sizeof(info) &&
		    info.ssi_signo != SIGWINCH)
			return false;
		if (fds[1].revents && !handle_key())
			return false;
		if (opt.watch)
			draw(shown, title);
	}
	return true;
}

static void note_rate(struct course *c, const struct stats *d)
{
	double rate = per_second(total(d).exits, d);

	if (d->reset)
		return;
	if (!c->intervals || rate < c->lowest)
		c->lowest = rate;
	if (!c->intervals || rate > c->highest)
		c->highest = rate;
	c->intervals++;
}

static void print_interval(const struct stats *d, double at)
{
	char title[80];

	switch (opt.format) {
	case CSV:
		print_csv(stdout, d, at);
		break;
	case JSON:
		print_json(stdout, d, at);
		break;
	default:
		snprintf(title, sizeof(title), "VM exits until %.3f s", at);
		print_text(stdout, d, title, 0);
		fputc('\n', stdout);
	}
	flush(stdout);
}

static void print_sum(const struct stats *sum, const struct course *c)
{
	char title[80];

	snprintf(title, sizeof(title), "VM exits in %lu interval%s", c->intervals,
		 plural(c->intervals));
	print_text(stdout, sum, title, 0);
	if (c->intervals)
		printf("exits/s per interval: lowest %.1f, mean %.1f, highest %.1f\n", c->lowest,
		       per_second(total(sum).exits, sum), c->highest);
}

static int interval_mode(void)
{
	static struct stats start, from, to, d, sum;
	unsigned long long step = opt.interval * NSEC_PER_SEC, deadline;
	char title[80] = "VM exits since the VM started";
	struct course course = { 0 };
	int signals = open_signals();
	unsigned long n;

	sum.span = true;
	sum.consistent = true;
	read_stats(&start);
	from = start;
	d = start;
	if (opt.watch) {
		enter_screen();
		draw(&d, title);
	} else if (opt.format == CSV) {
		print_csv_head(stdout, true);
	}

	deadline = start.ns;
	for (n = 0; !opt.count || n < opt.count; n++) {
		deadline += step;
		if (!wait_until(deadline, signals, &d, title))
			break;
		read_stats(&to);
		subtract(&d, &from, &to);
		from = to;
		add(&sum, &d);
		note_rate(&course, &d);
		if (opt.watch) {
			snprintf(title, sizeof(title), "VM exits in %.1f s", seconds(&d));
			draw(&d, title);
		} else {
			print_interval(&d, (double)(to.ns - start.ns) / NSEC_PER_SEC);
		}
	}

	if (opt.watch)
		leave_screen();
	else if (term_width)
		putchar('\n');	/* after the terminal's ^C */
	if (opt.format == TABLE)
		print_sum(&sum, &course);
	if (opt.output)
		save(&sum);
	return 0;
}

/* ---- options ---- */

static const char help[] =
"Usage: exitstats [OPTION...]                  what the VM cost in exits since it started\n"
"       exitstats [OPTION...] -- CMD [ARG...]  what CMD and its children cost\n"
"       exitstats [OPTION...] -i SECONDS       rates, interval by interval\n"
"       exitstats [OPTION...] diff A B         compare two saved snapshots\n"
"       exitstats --raw LEAF [ECX]             the registers that CPUID returns\n"
"\n"
"  -s, --sort=KEY          order of the rows: cycles (default), exits, reason, avg\n"
"  -a, --all               also the reasons that did not occur\n"
"  -i, --interval=SECONDS  print a block for each interval\n"
"  -n, --count=N           stop after N intervals\n"
"  -w, --watch             live view on the terminal\n"
"  -o, --output=FILE       save a snapshot, for diff, instead of printing\n"
"      --csv, --json       for programs\n"
"      --openmetrics       for node_exporter's textfile collector\n"
"      --raw=LEAF          one CPUID, hexadecimal and decimal\n"
"      --pin=CPU           run on this CPU, and CMD too\n"
"  -h, --help              this text\n"
"  -V, --version           the version\n"
"\n"
"Exit status: 0, or CMD's; 2: bad usage or file; 3: no exit statistics here.\n";

enum { OPT_CSV = 256, OPT_JSON, OPT_OPENMETRICS, OPT_RAW, OPT_PIN };

static const struct option options[] = {
	{ "sort", required_argument, NULL, 's' },
	{ "all", no_argument, NULL, 'a' },
	{ "interval", required_argument, NULL, 'i' },
	{ "count", required_argument, NULL, 'n' },
	{ "watch", no_argument, NULL, 'w' },
	{ "output", required_argument, NULL, 'o' },
	{ "csv", no_argument, NULL, OPT_CSV },
	{ "json", no_argument, NULL, OPT_JSON },
	{ "openmetrics", no_argument, NULL, OPT_OPENMETRICS },
	{ "raw", required_argument, NULL, OPT_RAW },
	{ "pin", required_argument, NULL, OPT_PIN },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ }
};

/* What stands on the command line besides options. */
static struct {
	char *word[4];
	int words;
	char **command;
} args;

static unsigned long parse_unsigned(const char *what, const char *text, unsigned long max)
{
	unsigned long n;
	char *end;

	errno = 0;
	n = strtoul(text, &end, 0);
	if (*text < '0' || *text > '9' || *end || errno || n > max)
		fail(STATUS_USAGE, "bad %s: %s", what, text);
	return n;
}

static double parse_seconds(const char *text)
{
	double n;
	char *end;

	n = strtod(text, &end);
	if (end == text || *end || !(n >= 0.001 && n <= 1e6))
		fail(STATUS_USAGE, "bad number of seconds: %s", text);
	return n;
}

static enum sort parse_sort(const char *text)
{
	static const char *const key[] = {
		[BY_CYCLES] = "cycles", [BY_EXITS] = "exits",
		[BY_REASON] = "reason", [BY_AVERAGE] = "avg",
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(key); i++) {
		if (!strcmp(text, key[i]))
			return i;
	}
	fail(STATUS_USAGE, "bad sort key: %s (cycles, exits, reason or avg)", text);
}

static void set_format(enum format format)
{
	if (opt.format != TABLE && opt.format != format)
		fail(STATUS_USAGE, "more than one output format");
	opt.format = format;
}

static void parse_option(int c, char **argv)
{
	switch (c) {
	case 's':
		opt.sort = parse_sort(optarg);
		break;
	case 'a':
		opt.all = true;
		break;
	case 'i':
		opt.interval = parse_seconds(optarg);
		break;
	case 'n':
		opt.count = parse_unsigned("count", optarg, ULONG_MAX);
		if (!opt.count)
			fail(STATUS_USAGE, "bad count: 0");
		break;
	case 'w':
		opt.watch = true;
		break;
	case 'o':
		opt.output = optarg;
		break;
	case OPT_CSV:
		set_format(CSV);
		break;
	case OPT_JSON:
		set_format(JSON);
		break;
	case OPT_OPENMETRICS:
		set_format(OPENMETRICS);
		break;
	case OPT_RAW:
		opt.raw = optarg;
		break;
	case OPT_PIN:
		opt.pin = parse_unsigned("CPU", optarg, CPU_SETSIZE - 1);
		break;
	case 'h':
		fputs(help, stdout);
		flush(stdout);
		exit(0);
	case 'V':
		puts("exitstats " VERSION);
		flush(stdout);
		exit(0);
	case ':':
		fail(STATUS_USAGE, "%s needs an argument", argv[optind - 1]);
	default:
		if (optopt && optopt < 256)
			fail(STATUS_USAGE, "unknown option -%c (see exitstats --help)", optopt);
		fail(STATUS_USAGE, "unknown option %s (see exitstats --help)", argv[optind - 1]);
	}
}

/* Options may stand anywhere before "--"; CMD follows that. */
static void parse_args(int argc, char **argv)
{
	int c, before;

	opterr = 0;
	while (optind < argc) {
		before = optind;
		c = getopt_long(argc, argv, "+:s:ai:n:wo:hV", options, NULL);
		if (c != -1) {
			parse_option(c, argv);
			continue;
		}
		if (optind > before) {
			if (optind == argc)
				fail(STATUS_USAGE, "no command after --");
			args.command = argv + optind;
			return;
		}
		if (args.words == ARRAY_SIZE(args.word))
			fail(STATUS_USAGE, "too many arguments: %s", argv[optind]);
		args.word[args.words++] = argv[optind++];
	}
}

static bool is_diff(void)
{
	return args.words && !strcmp(args.word[0], "diff");
}

static void check_args(void)
{
	bool intervals = opt.interval || opt.count || opt.watch;

	if (is_diff() && args.words != 3)
		fail(STATUS_USAGE, "diff needs two files");
	if (opt.raw && args.words > 1)
		fail(STATUS_USAGE, "--raw takes LEAF and ECX");
	if (!opt.raw && !is_diff() && args.words)
		fail(STATUS_USAGE, "unexpected argument %s (a command stands after --)",
		     args.word[0]);
	if (!!opt.raw + is_diff() + !!args.command + intervals > 1)
		fail(STATUS_USAGE, "--raw, diff, -i and a command exclude each other");
	if ((opt.raw || is_diff()) && opt.output)
		fail(STATUS_USAGE, "-o does not go with %s", opt.raw ? "--raw" : "diff");
	if (opt.raw && (opt.format != TABLE || opt.all))
		fail(STATUS_USAGE, "--raw has one format");
	if (opt.format == OPENMETRICS && (is_diff() || args.command || intervals))
		fail(STATUS_USAGE, "--openmetrics is for what happened since the VM started");
	if (opt.watch && opt.format != TABLE)
		fail(STATUS_USAGE, "-w does not go with other formats");
	if (opt.watch && !isatty(STDOUT_FILENO))
		fail(STATUS_USAGE, "-w needs a terminal");
	if (intervals && !opt.interval)
		opt.interval = 1;
}

static void pin(void)
{
	cpu_set_t set;

	if (opt.pin < 0)
		return;
	CPU_ZERO(&set);
	CPU_SET(opt.pin, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		fail(STATUS_USAGE, "cannot run on CPU %d: %s", opt.pin, strerror(errno));
}

static int raw_mode(void)
{
	unsigned int leaf = parse_unsigned("leaf", opt.raw, UINT32_MAX);
	unsigned int ecx = args.words ? parse_unsigned("ECX", args.word[0], UINT32_MAX) : 0;
	struct exitstats_regs r = exitstats_cpuid(leaf, ecx);

	printf("eax 0x%08x %u\n", r.eax, r.eax);
	printf("ebx 0x%08x %u\n", r.ebx, r.ebx);
	printf("ecx 0x%08x %u\n", r.ecx, r.ecx);
	printf("edx 0x%08x %u\n", r.edx, r.edx);
	return 0;
}

static int start_mode(void)
{
	static struct stats s;

	read_stats(&s);
	if (opt.output)
		save(&s);
	else
		print_stats(stdout, &s, "VM exits since the VM started");
	return 0;
}

int main(int argc, char **argv)
{
	int status;

	parse_args(argc, argv);
	check_args();
	pin();
	measure_terminal(args.command ? STDERR_FILENO : STDOUT_FILENO);

	if (opt.raw) {
		status = raw_mode();
	} else if (is_diff()) {
		status = diff_mode(args.word + 1);
	} else {
		require_leaves();
		open_output();
		if (args.command)
			status = command_mode(args.command);
		else if (opt.interval)
			status = interval_mode();
		else
			status = start_mode();
	}
	flush(stdout);
	return status;
}
