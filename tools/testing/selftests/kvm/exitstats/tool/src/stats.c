// SPDX-License-Identifier: GPL-2.0-only
/*
 * Differences of figures, and shares.
 */
#include <string.h>
#include <time.h>

#include "stats.h"

const char *const account_names[ACCOUNTS] = {
	[GUEST] = "guest", [EXITS] = "exits", [USERSPACE] = "userspace",
	[HALTED] = "halted", [PREEMPTED] = "preempted", [ASLEEP] = "asleep",
};

unsigned long long minus(unsigned long long a, unsigned long long b)
{
	return a > b ? a - b : 0;
}

unsigned long long now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * NSEC_PER_SEC + ts.tv_nsec;
}

unsigned long long read_tsc(void)
{
#ifdef EXITSTATS_HAS_CPUID
	return __builtin_ia32_rdtsc();
#else
	return 0;
#endif
}

struct exitstats total(const struct stats *s)
{
	struct exitstats sum = { 0, 0 };
	int i;

	for (i = 0; i < ROWS; i++) {
		sum.exits += s->row[i].exits;
		sum.cycles += s->row[i].cycles;
	}
	return sum;
}

struct exitstats account(const struct stats *s, enum account a)
{
	return a == EXITS ? total(s) : s->account[a];
}

unsigned long long longest_of_all(const struct stats *s)
{
	unsigned long long longest = 0;
	int i;

	for (i = 0; i < ROWS; i++) {
		if (s->longest[i] > longest)
			longest = s->longest[i];
	}
	return longest;
}

struct hist hist_of_all(const struct stats *s)
{
	struct hist sum = { { 0 } };
	int i;

	for (i = 0; i < ROWS; i++)
		hist_add(&sum, &s->hist[i]);
	return sum;
}

/*
 * If a row's exits or cycles have decreased, there was a reset. The cycles of CPUID and
 * OTHER do not tell: they may be estimates with small errors.
 */
static bool was_reset(const struct stats *from, const struct stats *to)
{
	int cpuid = cpuid_row(to->numbering);
	int i;

	for (i = 0; i < ROWS; i++) {
		if (to->row[i].exits < from->row[i].exits)
			return true;
		if (i != cpuid && i != OTHER && to->row[i].cycles < from->row[i].cycles)
			return true;
	}
	return to->row[cpuid].exits - from->row[cpuid].exits < to->own.exits - from->own.exits;
}

/* Remove the tool's own readings from CPUID's buckets. The remaining number is exact. */
static void subtract_own(struct stats *d, const struct stats *from, const struct stats *to)
{
	int b, cpuid = cpuid_row(to->numbering);

	for (b = 0; b < BUCKETS; b++) {
		long long n = to->hist[cpuid].bucket[b] - from->hist[cpuid].bucket[b] -
			      (to->own_hist.bucket[b] - from->own_hist.bucket[b]);

		d->hist[cpuid].bucket[b] = n > 0 ? n : 0;
	}
	hist_fit(&d->hist[cpuid], d->row[cpuid].exits);
}

/*
 * Exits of the period are in the buckets that grew, and none is longer than the longest one
 * since the VM started.
 */
static void subtract_hist(struct stats *d, const struct stats *from, const struct stats *to)
{
	unsigned long long longest;
	int i;

	for (i = 0; i < ROWS; i++)
		hist_subtract(&d->hist[i], &from->hist[i]);
	subtract_own(d, from, to);
	for (i = 0; i < ROWS; i++) {
		longest = hist_longest(&d->hist[i]);
		d->longest[i] = to->longest[i] && to->longest[i] < longest ? to->longest[i] :
									     longest;
	}
}

void subtract(struct stats *d, const struct stats *from, const struct stats *to)
{
	struct exitstats *cpuid = &d->row[cpuid_row(to->numbering)];
	int i;

	*d = *to;
	d->span = true;
	d->consistent = from->consistent && to->consistent;
	d->ns = to->ns - from->ns;
	d->tsc = minus(to->tsc, from->tsc);
	d->accounts = from->accounts && to->accounts;
	d->reset = from->numbering != to->numbering || was_reset(from, to);
	d->histogram = from->histogram && to->histogram;
	memset(d->longest, 0, sizeof(d->longest));
	if (d->reset) {
		memset(d->row, 0, sizeof(d->row));
		memset(d->hist, 0, sizeof(d->hist));
		memset(d->account, 0, sizeof(d->account));
		return;
	}

	for (i = 0; i < ROWS; i++) {
		d->row[i].exits -= from->row[i].exits;
		d->row[i].cycles = minus(d->row[i].cycles, from->row[i].cycles);
	}
	for (i = 0; i < ACCOUNTS; i++) {
		d->account[i].exits = minus(d->account[i].exits, from->account[i].exits);
		d->account[i].cycles = minus(d->account[i].cycles, from->account[i].cycles);
	}
	d->account[GUEST].exits = minus(d->account[GUEST].exits, to->own.exits - from->own.exits);
	cpuid->exits -= to->own.exits - from->own.exits;
	cpuid->cycles = minus(cpuid->cycles, to->own.cycles - from->own.cycles);
	if (!cpuid->exits)
		cpuid->cycles = 0;
	if (d->histogram)
		subtract_hist(d, from, to);
	else
		memset(d->hist, 0, sizeof(d->hist));
}

void add(struct stats *sum, const struct stats *d)
{
	int i;

	if (d->reset)
		return;
	for (i = 0; i < ROWS; i++) {
		sum->row[i].exits += d->row[i].exits;
		sum->row[i].cycles += d->row[i].cycles;
		hist_add(&sum->hist[i], &d->hist[i]);
		if (d->longest[i] > sum->longest[i])
			sum->longest[i] = d->longest[i];
	}
	for (i = 0; i < ACCOUNTS; i++) {
		sum->account[i].exits += d->account[i].exits;
		sum->account[i].cycles += d->account[i].cycles;
	}
	memcpy(sum->defined, d->defined, sizeof(sum->defined));
	sum->numbering = d->numbering;
	sum->accounts = d->accounts;
	sum->histogram = d->histogram;
	sum->ns += d->ns;
	sum->tsc += d->tsc;
	sum->vcpus = d->vcpus;
	sum->consistent &= d->consistent;
}

unsigned long long average(struct exitstats s)
{
	return s.exits ? s.cycles / s.exits : 0;
}

double seconds(const struct stats *s)
{
	return (double)s->ns / NSEC_PER_SEC;
}

double per_second(unsigned long long n, const struct stats *s)
{
	return s->ns ? n / seconds(s) : 0;
}

double time_share(const struct stats *s, unsigned long long cycles)
{
	double all = 0;
	int a;

	for (a = 0; a < ACCOUNTS; a++)
		all += account(s, a).cycles;
	return all ? cycles / all : 0;
}

double handling_share(const struct stats *s)
{
	if (s->accounts)
		return time_share(s, total(s).cycles);
	return s->tsc && s->vcpus ? total(s).cycles / ((double)s->tsc * s->vcpus) : -1;
}

int top_row(const struct stats *s)
{
	int i, top = -1;

	for (i = 0; i < ROWS; i++) {
		if (s->row[i].exits && (top < 0 || s->row[i].cycles > s->row[top].cycles))
			top = i;
	}
	return top;
}
