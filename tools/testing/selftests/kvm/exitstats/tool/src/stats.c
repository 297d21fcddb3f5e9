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

/*
 * A row whose count is less, or whose cycles are, tells of a reset. Not so the cycles of
 * CPUID and OTHER: they may be estimated, and be off by a little.
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
	memset(d->longest, 0, sizeof(d->longest));
	if (d->reset) {
		memset(d->row, 0, sizeof(d->row));
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
}

void add(struct stats *sum, const struct stats *d)
{
	int i;

	if (d->reset)
		return;
	for (i = 0; i < ROWS; i++) {
		sum->row[i].exits += d->row[i].exits;
		sum->row[i].cycles += d->row[i].cycles;
	}
	for (i = 0; i < ACCOUNTS; i++) {
		sum->account[i].exits += d->account[i].exits;
		sum->account[i].cycles += d->account[i].cycles;
	}
	memcpy(sum->defined, d->defined, sizeof(sum->defined));
	sum->numbering = d->numbering;
	sum->accounts = d->accounts;
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
