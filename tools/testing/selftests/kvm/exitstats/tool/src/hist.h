/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How long exits took: a histogram whose buckets are powers of two.
 */
#ifndef HIST_H
#define HIST_H

#include <linux/kvm_exitstats.h>

#define BUCKETS		KVM_EXITSTATS_NR_BUCKETS

/**
 * struct hist - how long exits took
 * @bucket: exits by bucket; bucket_from() and bucket_to() return its bounds
 */
struct hist {
	unsigned long long bucket[BUCKETS];
};

/* Cycles of the shortest and of the longest exit that a bucket can have */
unsigned long long bucket_from(int b);
unsigned long long bucket_to(int b);

/* The bucket of an exit that took @cycles */
int bucket_of(unsigned long long cycles);

/* The first and the last bucket that is not empty; -1 if all are empty */
int hist_first(const struct hist *h);
int hist_last(const struct hist *h);

/* The sum of the buckets */
unsigned long long hist_exits(const struct hist *h);

void hist_add(struct hist *sum, const struct hist *h);

/* @h -= @from. Where a bucket would be less than 0, subtract from the next ones instead. */
void hist_subtract(struct hist *h, const struct hist *from);

/* Add @n exits, in proportion to the buckets of @like. */
void hist_spread(struct hist *h, unsigned long long n, const struct hist *like);

/* Make the buckets add up to @n by changing the largest ones. */
void hist_fit(struct hist *h, unsigned long long n);

/* An upper bound of the longest exit, from the buckets alone */
unsigned long long hist_longest(const struct hist *h);

/**
 * hist_percentile() - estimate a percentile
 * @h: the exits
 * @percent: 0 to 100
 * @longest: upper bound of the longest exit; 0: unknown
 *
 * The result is in the right bucket. Within the bucket, the exits are assumed to be spread
 * evenly, as Prometheus's histogram_quantile() does, too.
 *
 * Return: cycles; 0 if there are no exits
 */
unsigned long long hist_percentile(const struct hist *h, int percent,
				   unsigned long long longest);

#endif /* HIST_H */
