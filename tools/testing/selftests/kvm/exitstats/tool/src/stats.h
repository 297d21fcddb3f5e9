/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The figures of a VM or of one vCPU, their differences, and values derived from them.
 */
#ifndef STATS_H
#define STATS_H

#include <stdbool.h>

#include "../exitstats_read.h"
#include "hist.h"
#include "reasons.h"

#define NSEC_PER_SEC	1000000000ull

/* The accounts of a vCPU's time, in the order of reports */
enum account { GUEST, EXITS, USERSPACE, HALTED, PREEMPTED, ASLEEP, ACCOUNTS };

/**
 * struct stats - a reading, or the difference of two
 * @numbering: numbering of the exit reasons
 * @row: exits and cycles by exit reason, and OTHER
 * @longest: in a reading, the longest exit of each row; 0 if unknown. In a difference with
 *	     @hist, an upper bound of it
 * @histogram: @hist is known
 * @hist: histogram of each row
 * @defined: reasons that the host knows
 * @account: time not spent in exits; [EXITS] is unused, see account()
 * @accounts: @account is known; a host of the first edition has only exits
 * @own: in a guest, the number and cost of the tool's own leaf readings so far
 * @own_hist: histogram of those, without the ones before the first reading
 * @ns: CLOCK_MONOTONIC; in a difference, wall time
 * @tsc: the TSC, or its difference
 * @vcpus: vCPUs of the VM, or 1 if the figures are one vCPU's
 * @span: this is a difference, not the figures since the VM started
 * @consistent: all figures are of one moment
 * @reset: the counters were reset between the two readings: there are no figures
 */
struct stats {
	enum numbering numbering;
	struct exitstats row[ROWS];
	unsigned long long longest[ROWS];
	bool histogram;
	struct hist hist[ROWS];
	bool defined[REASONS];
	struct exitstats account[ACCOUNTS];
	bool accounts;
	struct exitstats own;
	struct hist own_hist;
	unsigned long long ns;
	unsigned long long tsc;
	unsigned long vcpus;
	bool span;
	bool consistent;
	bool reset;
};

/* The ABI's names: "guest", "exits" and so on */
extern const char *const account_names[ACCOUNTS];

/* @a - @b, or 0 if that is negative */
unsigned long long minus(unsigned long long a, unsigned long long b);

/* CLOCK_MONOTONIC */
unsigned long long now_ns(void);

/* The TSC, or 0 on other architectures */
unsigned long long read_tsc(void);

/* The sum over all exit reasons. */
struct exitstats total(const struct stats *s);

/* The figures of an account, EXITS included: how often it was entered, and its cycles. */
struct exitstats account(const struct stats *s, enum account a);

/* The longest exit of all reasons, or an upper bound of it; 0 if unknown */
unsigned long long longest_of_all(const struct stats *s);

/* The histogram of all reasons together */
struct hist hist_of_all(const struct stats *s);

/* Subtract two readings, and the tool's own readings between them. */
void subtract(struct stats *d, const struct stats *from, const struct stats *to);

/* Add a difference to a sum of earlier ones. */
void add(struct stats *sum, const struct stats *d);

unsigned long long average(struct exitstats s);
double seconds(const struct stats *s);
double per_second(unsigned long long n, const struct stats *s);

/* The share of @cycles in the time of all accounts, 0 to 1 */
double time_share(const struct stats *s, unsigned long long cycles);

/* The share of exits in the time of all vCPUs, 0 to 1; < 0: unknown */
double handling_share(const struct stats *s);

/* The row with the most cycles; -1 if there were no exits */
int top_row(const struct stats *s);

#endif /* STATS_H */
