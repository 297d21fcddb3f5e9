// SPDX-License-Identifier: GPL-2.0-only
/*
 * How long exits took.
 */
#include "hist.h"

unsigned long long bucket_from(int b)
{
	return b ? 1ull << b : 0;
}

unsigned long long bucket_to(int b)
{
	return b < BUCKETS - 1 ? (2ull << b) - 1 : ~0ull;
}

int bucket_of(unsigned long long cycles)
{
	int b = 0;

	while (cycles > bucket_to(b))
		b++;
	return b;
}

int hist_first(const struct hist *h)
{
	int b;

	for (b = 0; b < BUCKETS; b++) {
		if (h->bucket[b])
			return b;
	}
	return -1;
}

int hist_last(const struct hist *h)
{
	int b = BUCKETS - 1;

	while (b >= 0 && !h->bucket[b])
		b--;
	return b;
}

static int largest(const struct hist *h)
{
	int b, max = 0;

	for (b = 1; b < BUCKETS; b++) {
		if (h->bucket[b] > h->bucket[max])
			max = b;
	}
	return max;
}

unsigned long long hist_exits(const struct hist *h)
{
	unsigned long long sum = 0;
	int b;

	for (b = 0; b < BUCKETS; b++)
		sum += h->bucket[b];
	return sum;
}

void hist_add(struct hist *sum, const struct hist *h)
{
	int b;

	for (b = 0; b < BUCKETS; b++)
		sum->bucket[b] += h->bucket[b];
}

/*
 * An exit that had not ended may have moved to a later bucket since. Then the difference is
 * less than 0 in the former bucket, and has one exit too many in the latter.
 */
void hist_subtract(struct hist *h, const struct hist *from)
{
	unsigned long long n, moved = 0;
	int b;

	for (b = 0; b < BUCKETS; b++) {
		moved += from->bucket[b];
		n = moved < h->bucket[b] ? moved : h->bucket[b];
		h->bucket[b] -= n;
		moved -= n;
	}
}

void hist_spread(struct hist *h, unsigned long long n, const struct hist *like)
{
	unsigned long long all = hist_exits(like), left = n, part;
	int b;

	for (b = 0; all && b < BUCKETS; b++) {
		part = (double)n * like->bucket[b] / all;
		part = part < left ? part : left;
		h->bucket[b] += part;
		left -= part;
	}
	h->bucket[largest(like)] += left;
}

void hist_fit(struct hist *h, unsigned long long n)
{
	unsigned long long sum = hist_exits(h), excess;
	int b;

	if (sum < n && sum)
		h->bucket[largest(h)] += n - sum;
	for (; sum > n; sum -= excess) {
		b = largest(h);
		excess = sum - n < h->bucket[b] ? sum - n : h->bucket[b];
		h->bucket[b] -= excess;
	}
}

unsigned long long hist_longest(const struct hist *h)
{
	int last = hist_last(h);

	return last < 0 ? 0 : bucket_to(last);
}

unsigned long long hist_percentile(const struct hist *h, int percent, unsigned long long longest)
{
	double before = 0, rank = (double)hist_exits(h) * percent / 100;
	unsigned long long from, to;
	int b, last = hist_last(h);
	double part;

	for (b = hist_first(h); b >= 0 && b < last && before + h->bucket[b] < rank; b++)
		before += h->bucket[b];
	if (b < 0)
		return 0;

	/* Only the longest exit tells where the last bucket ends. */
	from = bucket_from(b);
	to = b < BUCKETS - 1 ? bucket_to(b) : from;
	if (longest && (longest < to || b == BUCKETS - 1))
		to = longest;
	part = h->bucket[b] ? (rank - before) / h->bucket[b] : 0;
	if (to <= from || part <= 0)
		return from;
	return part < 1 ? from + (unsigned long long)((to - from) * part) : to;
}
