/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The figures of a VM or of one vCPU, differences of them, and what they say.
 */
#ifndef STATS_H
#define STATS_H

#include <stdbool.h>

#include "../exitstats_read.h"
#include "hist.h"
#include "reasons.h"

#define NSEC_PER_SEC	1000000000ull

/* Where a vCPU's time goes, in the order of the reports. */
enum account { GUEST, EXITS, USERSPACE, HALTED, PREEMPTED, ASLEEP, ACCOUNTS };

/**
 * struct stats - a reading, or the difference of two
 * @numbering: of the exit reasons
 * @row: by exit reason, and OTHER
 * @longest: the longest exit of each, in a reading; 0 if unknown. In a difference that has
 *	     @hist: no exit took longer
 * @histogram: @hist is known
 * @hist: how long the exits of each took
 * @defined: which reasons the host knows
 * @account: the time that is not spent in exits; [EXITS] is unused, see account()
 * @accounts: @account is known; a host of the first edition has only exits
 * @own: what the tool's own leaf readings had cost until then (readings in a guest)
 * @own_hist: the same by how long they took, without those of before the first reading
 * @ns: CLOCK_MONOTONIC; in a difference, wall time
 * @tsc: the TSC, or its difference
 * @vcpus: of the VM, or 1 if the figures are one vCPU's
 * @span: a difference, not what happened since the VM started
 * @consistent: all figures are of one moment
 * @reset: the counters began anew between the two readings: there are no figures
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

/* "guest", "exits" and so on, as the ABI calls them */
extern const char *const account_names[ACCOUNTS];

/* @a - @b, and not less than 0 */
unsigned long long minus(unsigned long long a, unsigned long long b);

/* CLOCK_MONOTONIC */
unsigned long long now_ns(void);

/* The TSC; 0 where there is none */
unsigned long long read_tsc(void);

/* The sum over all exit reasons. */
struct exitstats total(const struct stats *s);

/* The figures of an account, EXITS included: how often it was entered, and its cycles. */
struct exitstats account(const struct stats *s, enum account a);

/* What no exit exceeded, of all reasons; 0 if unknown */
unsigned long long longest_of_all(const struct stats *s);

/* How long the exits of all reasons took */
struct hist hist_of_all(const struct stats *s);

/* What happened between two readings, without what the tool did itself. */
void subtract(struct stats *d, const struct stats *from, const struct stats *to);

/* Add a difference to others that came before it. */
void add(struct stats *sum, const struct stats *d);

unsigned long long average(struct exitstats s);
double seconds(const struct stats *s);
double per_second(unsigned long long n, const struct stats *s);

/* @cycles of the time of all accounts, 0 to 1 */
double time_share(const struct stats *s, unsigned long long cycles);

/* Of the time of all vCPUs: 1 if each handled exits all the time; < 0: unknown. */
double handling_share(const struct stats *s);

/* The row that costs most cycles; -1 if there were no exits. */
int top_row(const struct stats *s);

#endif /* STATS_H */
