// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reading in the guest.
 *
 * Each reading of a leaf is a VM exit itself, which KVM counts when it has handled it. The
 * tool knows the number and the cost of its readings, and subtracts them: see the comment
 * above read_guest().
 */
#include <string.h>
#include <unistd.h>

#include "error.h"
#include "guest.h"
#include "options.h"

#define MAX_TRIES	100	/* to read all figures while nothing else exits */
#define SAMPLES		3	/* of the cost of a mark, of which the least one counts */
#define UNKNOWN		(~0ull)	/* cost */

#define ALL_EXITS	KVM_EXITSTATS_SELECT_ACCOUNT(KVM_EXITSTATS_ACCOUNT_ALL)

/**
 * struct window - the readings at the bounds of a try
 * @before: own readings before the window
 * @first: total at the begin of the window
 * @cpuid_before: own readings before @cpuid_cycles
 * @cpuid_cycles: cycles of CPUID exits
 * @last: total at the end of the window
 * @end: the total once more, after another reading of it: two costs of reading a total
 * @missing: exits that are in the total, but in no row
 */
struct window {
	unsigned long long before;
	struct exitstats first;
	unsigned long long cpuid_before;
	unsigned long long cpuid_cycles;
	struct exitstats last;
	struct exitstats end;
	unsigned long long missing;
};

/**
 * struct mark - the figures of CPUID exits, which the tool's own readings change
 * @own: own readings before the mark
 * @cpuid: exits and cycles of CPUID
 * @hist: the buckets of CPUID, which are read one after the other
 */
struct mark {
	unsigned long long own;
	struct exitstats cpuid;
	struct hist hist;
};

static const unsigned int account_number[ACCOUNTS] = {
	[GUEST] = KVM_EXITSTATS_ACCOUNT_GUEST,
	[EXITS] = KVM_EXITSTATS_ACCOUNT_ALL,
	[USERSPACE] = KVM_EXITSTATS_ACCOUNT_USERSPACE,
	[HALTED] = KVM_EXITSTATS_ACCOUNT_HALTED,
	[PREEMPTED] = KVM_EXITSTATS_ACCOUNT_PREEMPTED,
	[ASLEEP] = KVM_EXITSTATS_ACCOUNT_ASLEEP,
};

static enum numbering numbering;
static bool has_accounts;
static bool has_histogram;

static struct exitstats own;		/* leaf readings of this process, and their cycles */
static unsigned long long reading_cost;	/* cycles of one reading */
static struct exitstats rest;		/* exits that are only in the total */
static unsigned long long vcpu_exits;	/* the vCPU's total at the last reading */

static struct mark last;		/* the last mark with buckets */
static bool marked;			/* there is such a mark */
static struct hist own_hist;		/* own readings since the first mark */
static struct hist mark_hist;		/* own readings of one undisturbed mark */

static unsigned int scope(unsigned int selector)
{
	return opt.vcpu ? selector | KVM_EXITSTATS_SELECT_VCPU : selector;
}

/* Use a plain number for the VM: hosts of all editions know it. */
static unsigned int selector_of(int row)
{
	if (row == OTHER)
		return scope(KVM_EXITSTATS_SELECT_ACCOUNT(KVM_EXITSTATS_ACCOUNT_OTHER));
	return opt.vcpu ? scope(KVM_EXITSTATS_SELECT_REASON(row_code(row))) : row_code(row);
}

/*
 * One CPUID is enough, even for a vCPU, where the leaf has only the lower half of the exits:
 * the upper half is the last one, or one more if the lower half has wrapped.
 */
static struct exitstats read_total(void)
{
	struct exitstats_regs r;

	own.exits++;
	if (!opt.vcpu)
		return exitstats_read();

	r = exitstats_cpuid(KVM_EXITSTATS_LEAF_REASON, scope(ALL_EXITS));
	vcpu_exits += r.eax - (unsigned int)vcpu_exits;
	return (struct exitstats){ vcpu_exits, (unsigned long long)r.ebx << 32 | r.ecx };
}

static unsigned long long read_exits(unsigned int selector, bool *defined)
{
	unsigned long long exits;

	own.exits++;
	*defined = !exitstats_read_exits(selector, &exits);
	return exits;
}

static unsigned long long read_cycles(unsigned int selector, unsigned long long *longest)
{
	struct exitstats_regs r = exitstats_cpuid(KVM_EXITSTATS_LEAF_CYCLES, selector);

	own.exits++;
	*longest = r.eax;
	return (unsigned long long)r.ebx << 32 | r.ecx;
}

static void read_account(struct exitstats *figures, enum account a)
{
	unsigned int selector = scope(KVM_EXITSTATS_SELECT_ACCOUNT(account_number[a]));
	unsigned long long unused;
	bool defined;

	figures->cycles = read_cycles(selector, &unused);
	figures->exits = read_exits(selector, &defined);
}

static unsigned int bucket_selector(int b, int row)
{
	return scope(KVM_EXITSTATS_SELECT_BUCKET(b, row_code(row)));
}

static void read_hist(struct hist *h, int row)
{
	bool defined;
	int b;

	for (b = 0; b < BUCKETS; b++)
		h->bucket[b] = read_exits(bucket_selector(b, row), &defined);
}

static void require_histogram(void)
{
	need_reason(numbering, opt.hist);
	read_exits(bucket_selector(0, cpuid_row(numbering)), &has_histogram);
	if (!has_histogram)
		fail(STATUS_NO_FIGURES, NO_HISTOGRAM);
}

void require_leaves(void)
{
	own.exits += 2;
	if (!exitstats_present())
		fail(STATUS_NO_FIGURES, "this host does not report exit statistics");
	own.exits += 2;
	numbering = exitstats_numbering() == SVM ? SVM : VMX;
	has_accounts = exitstats_has_accounts();
	if (!has_accounts && opt.vcpu)
		fail(STATUS_NO_FIGURES, "this host does not report the figures of one vCPU");
	if (!has_accounts && opt.time)
		fail(STATUS_NO_FIGURES, "this host does not report where the time goes");
	if (opt.hist)
		require_histogram();
}

/* Find the defined reasons and those that have occurred. A window reads only the latter. */
static void scan(struct stats *s)
{
	bool defined;
	int i;

	for (i = 0; i < rows_of(numbering); i++)
		s->row[i].exits = read_exits(selector_of(i), &s->defined[i]);
	if (has_accounts) {
		s->row[OTHER].exits = read_exits(selector_of(OTHER), &defined);
		read_exits(bucket_selector(0, cpuid_row(numbering)), &has_histogram);
	}
	if (opt.vcpu)
		vcpu_exits = read_exits(scope(ALL_EXITS), &defined);
}

/* Lower @cost to that of the reading @from if nothing else exited until the reading @to. */
static void lower(unsigned long long *cost, const struct exitstats *from,
		  const struct exitstats *to)
{
	if (to->exits == from->exits + 1 && to->cycles - from->cycles < *cost)
		*cost = to->cycles - from->cycles;
}

static void read_window(struct stats *s, struct window *w)
{
	int cpuid = cpuid_row(numbering);
	unsigned long long cost = UNKNOWN;
	struct exitstats between;
	bool defined;
	int i;

	/* Count the VM entry between this reading and the total, the moment of all figures. */
	if (has_accounts) {
		read_account(&s->account[GUEST], GUEST);
		s->account[GUEST].exits++;
	}
	w->before = own.exits;
	w->first = read_total();

	for (i = 0; i < ROWS; i++) {
		if (!s->row[i].exits || i == cpuid || (i == OTHER && !has_accounts))
			continue;
		s->row[i].exits = read_exits(selector_of(i), &defined);
		s->row[i].cycles = read_cycles(selector_of(i), &s->longest[i]);
	}
	for (i = USERSPACE; has_accounts && i < ACCOUNTS; i++)
		read_account(&s->account[i], i);

	s->row[cpuid].exits = read_exits(selector_of(cpuid), &defined);
	s->row[cpuid].exits -= own.exits - 1 - w->before;

	w->cpuid_before = own.exits;
	w->cpuid_cycles = read_cycles(selector_of(cpuid), &s->longest[cpuid]);

	w->last = read_total();
	between = read_total();
	w->end = read_total();

	/* A reading that the host interrupted says nothing about the cost of another one. */
	lower(&cost, &w->last, &between);
	lower(&cost, &between, &w->end);
	if (cost != UNKNOWN)
		reading_cost = cost;
}

/*
 * Compute what the window does not read directly: the cycles of CPUID exits, and the exits
 * that are in no row. Return: whether all figures are of one moment
 */
static bool solve_window(struct stats *s, struct window *w)
{
	struct exitstats *cpuid = &s->row[cpuid_row(numbering)];
	struct exitstats *other = &s->row[OTHER];
	unsigned long long cost, estimate;
	struct exitstats sum;
	bool quiet;

	cpuid->cycles = 0;
	if (!has_accounts)
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
		other->exits += rest.exits;
		other->cycles += rest.cycles;
		return false;
	}

	w->missing = w->first.exits - sum.exits;
	rest.cycles = 0;
	other->exits += w->missing;
	cpuid->cycles = w->first.cycles - sum.cycles;
	if (w->missing && cpuid->cycles > estimate) {
		other->cycles += cpuid->cycles - estimate;
		rest.cycles = cpuid->cycles - estimate;
		cpuid->cycles = estimate;
	}
	return true;
}

/* ---- the histogram ---- */

/* Read the cycles first: then both figures are of the moment before, like @own. */
static void read_mark(struct mark *m, bool buckets)
{
	int cpuid = cpuid_row(numbering);
	unsigned long long unused;
	bool defined;

	m->own = own.exits;
	m->cpuid.cycles = read_cycles(selector_of(cpuid), &unused);
	m->cpuid.exits = read_exits(selector_of(cpuid), &defined) - 1;
	if (buckets)
		read_hist(&m->hist, cpuid);
}

/* Did only the tool execute CPUID between the marks? */
static bool is_alone(const struct mark *from, const struct mark *to)
{
	return to->cpuid.exits - from->cpuid.exits == to->own - from->own;
}

/* The buckets of the tool's own readings between the marks */
static struct hist own_between(const struct mark *from, const struct mark *to)
{
	struct hist h = { { 0 } };

	if (is_alone(from, to)) {
		h = to->hist;
		hist_subtract(&h, &from->hist);
	} else {
		hist_spread(&h, to->own - from->own, &mark_hist);
	}
	return h;
}

static void note_mark(const struct mark *m)
{
	struct hist h;

	if (marked) {
		h = own_between(&last, m);
		hist_add(&own_hist, &h);
	}
	marked = true;
	last = *m;
}

/* Like own_between(), but for the cycles */
static unsigned long long own_cycles_between(const struct mark *from, const struct mark *to)
{
	if (is_alone(from, to) && to->cpuid.cycles > from->cpuid.cycles)
		return to->cpuid.cycles - from->cpuid.cycles;
	return (to->own - from->own) * reading_cost;
}

/* Set CPUID's buckets to those of the first moment, without the own readings since then. */
static void fill_cpuid_hist(struct stats *s, const struct mark *m)
{
	int b, cpuid = cpuid_row(numbering);
	struct hist since = { { 0 } };

	hist_spread(&since, minus(hist_exits(&m->hist), s->row[cpuid].exits), &mark_hist);
	s->hist[cpuid] = m->hist;
	hist_subtract(&s->hist[cpuid], &since);
	/* This may be less than 0, modulo 2^64, as only differences are used. */
	for (b = 0; b < BUCKETS; b++)
		s->own_hist.bucket[b] -= m->hist.bucket[b] - s->hist[cpuid].bucket[b];
}

/*
 * Read the buckets after the window, so that the other figures are the same as without a
 * histogram. If a reason's buckets add up to its exits, they are of the first moment, too.
 * If such an exit came in between, they have it in addition.
 *
 * For CPUID, the buckets of the tool's own readings must be known. Between two marks, CPUID's
 * buckets grow by exactly those, unless something else executes CPUID, too. Something else
 * may do so between the last mark here and the first one of the next reading. The tool's own
 * readings in between are those of one mark, which always consists of the same readings.
 * Assume that they cost as much as the least of a few marks here: if the host interrupts one
 * of them, another one need not have such a long exit, too.
 */
static void read_histogram(struct stats *s)
{
	unsigned long long cycles, mark_cost = UNKNOWN;
	struct mark first, next;
	int i;

	/* A first estimate, until these readings have been observed */
	if (!hist_exits(&mark_hist))
		mark_hist.bucket[bucket_of(reading_cost)] = 1;

	read_mark(&first, true);
	note_mark(&first);
	s->own_hist = own_hist;
	for (i = 0; i < REASONS; i++) {
		if (s->row[i].exits && i != cpuid_row(numbering))
			read_hist(&s->hist[i], i);
	}
	read_mark(&next, true);
	note_mark(&next);
	for (i = 0; i < SAMPLES; i++) {
		read_mark(&next, true);
		cycles = own_cycles_between(&last, &next);
		if (is_alone(&last, &next) && cycles < mark_cost) {
			mark_cost = cycles;
			mark_hist = own_between(&last, &next);
		}
		note_mark(&next);
	}
	if (mark_cost == UNKNOWN)
		mark_cost = (own.exits - last.own) * reading_cost;

	fill_cpuid_hist(s, &first);
	own.cycles += own_cycles_between(&first, &last) + mark_cost;
}

/* ---- a reading ---- */

/*
 * Read all figures as of one moment: that of the first total of the last window.
 *
 * A window reads the total, all reasons that have occurred, and the total again. If the
 * total grew by exactly the window's own readings, nothing else exited meanwhile. Then the
 * figures of all reasons except CPUID are those of the first moment. The exits of CPUID
 * follow from the number of own readings; its cycles are the total's minus those of all
 * other reasons. If something else exited meanwhile, try again.
 *
 * Exits that are in the total but in no row belong to a reason that occurred for the first
 * time: scan again. Any that remain have no figures of their own, such as the reasons that
 * a host of the first edition does not know.
 *
 * The cost of the tool's readings is known, too. In the window, it is the growth of the
 * total. Before the window, it is the growth of the cycles of CPUID exits, unless something
 * else executed CPUID. In that case, and for the window's last reading, which is counted
 * after the window, it is the lower cost of the two same readings just before.
 */
void read_guest(struct stats *s)
{
	unsigned long long missing = 0;
	const struct exitstats *cpuid = &s->row[cpuid_row(numbering)];
	struct window w = { 0 };
	struct mark start;
	int try;

	memset(s, 0, sizeof(*s));
	s->numbering = numbering;
	s->accounts = has_accounts;
	s->vcpus = opt.vcpu ? 1 : sysconf(_SC_NPROCESSORS_ONLN);

	read_mark(&start, marked && has_histogram);
	if (marked && has_histogram)
		note_mark(&start);
	require_leaves();
	scan(s);

	for (try = 0; try < MAX_TRIES && !s->consistent; try++) {
		s->ns = now_ns();
		s->tsc = read_tsc();
		read_window(s, &w);
		s->consistent = solve_window(s, &w);
		if (s->consistent && w.missing != missing && try + 1 < MAX_TRIES) {
			missing = w.missing;
			s->consistent = false;
			scan(s);
		}
	}
	if (s->consistent)
		rest.exits = w.missing;

	own.cycles += own_cycles_between(&start, &(struct mark){ w.before, *cpuid, { { 0 } } });
	s->own = (struct exitstats){ w.before, own.cycles };

	if (s->consistent)
		own.cycles += w.end.cycles - w.first.cycles + reading_cost;
	else
		own.cycles += (own.exits - w.before) * reading_cost;

	s->histogram = has_histogram;
	if (has_histogram)
		read_histogram(s);
}
