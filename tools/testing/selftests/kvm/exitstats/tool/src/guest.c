// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reading in the guest.
 *
 * Each reading of a leaf is a VM exit itself, which is counted when KVM is done with it.
 * The tool knows how many it executed and what they cost, and takes them out: see the
 * comment above read_guest().
 */
#include <string.h>
#include <unistd.h>

#include "error.h"
#include "guest.h"
#include "options.h"

#define MAX_TRIES	100	/* of reading while nothing else exits */

#define ALL_EXITS	KVM_EXITSTATS_SELECT_ACCOUNT(KVM_EXITSTATS_ACCOUNT_ALL)

/**
 * struct window - the readings that bound a try
 * @before: own readings before it
 * @first: total, when it begins
 * @cpuid_before: own readings before @cpuid_cycles
 * @cpuid_cycles: cycles of CPUID exits
 * @last: total, when it ends
 * @end: total once more, which shows what reading a total costs
 * @missing: exits that the total shows, but no row
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

static struct exitstats own;		/* leaf readings of this process, and their cycles */
static unsigned long long reading_cost;	/* of one, in cycles */
static struct exitstats rest;		/* exits that only the total shows */
static unsigned long long vcpu_exits;	/* the vCPU's total, as last read */

static unsigned int scope(unsigned int selector)
{
	return opt.vcpu ? selector | KVM_EXITSTATS_SELECT_VCPU : selector;
}

/* For the VM a plain number, which every edition of the host knows. */
static unsigned int selector_of(int row)
{
	if (row == OTHER)
		return scope(KVM_EXITSTATS_SELECT_ACCOUNT(KVM_EXITSTATS_ACCOUNT_OTHER));
	return opt.vcpu ? scope(KVM_EXITSTATS_SELECT_REASON(row_code(row))) : row_code(row);
}

/*
 * One CPUID each, also for a vCPU. There, the leaf has the low half of the exits only:
 * the other half is what it was, or one more if the low half has wrapped.
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
}

/* Which reasons are there, and have occurred? Only those are read in a window. */
static void scan(struct stats *s)
{
	bool defined;
	int i;

	for (i = 0; i < rows_of(numbering); i++)
		s->row[i].exits = read_exits(selector_of(i), &s->defined[i]);
	if (has_accounts)
		s->row[OTHER].exits = read_exits(selector_of(OTHER), &defined);
	if (opt.vcpu)
		vcpu_exits = read_exits(scope(ALL_EXITS), &defined);
}

static void read_window(struct stats *s, struct window *w)
{
	int cpuid = cpuid_row(numbering);
	bool defined;
	int i;

	/* The guest is entered again before the first moment, which is that of the total. */
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
	w->end = read_total();

	if (w->end.exits == w->last.exits + 1)
		reading_cost = w->end.cycles - w->last.cycles;
}

/*
 * Fill in what the window does not read directly: the cycles of CPUID exits, and
 * the exits that no row shows. Return: whether all is of one moment.
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

/*
 * Take a reading of all figures as of one moment: that of the first total of the
 * last window.
 *
 * A window is a total, what has occurred of the reasons, and the total again. If
 * the total grew by exactly the window's own readings, nothing else exited
 * meanwhile. Then what was read of all reasons but CPUID is what it was in the
 * first moment, and of CPUID the number of exits is known, for it is known how
 * many readings there were. Its cycles are what the others leave of the total.
 * Otherwise something exited meanwhile: try again.
 *
 * Exits that the total shows but the rows do not are of a reason that occurred for
 * the first time: scan again. What is left then has no figures of its own, as the
 * reasons that a host of the first edition does not know.
 *
 * What the tool's readings cost is known as well. In the window it is what the
 * total grew by. Before it, it is what the cycles of CPUID exits grew by, unless
 * something else executed CPUID; then, and for the window's last reading, which
 * is counted after it, it is what the same reading cost just before.
 */
void read_guest(struct stats *s)
{
	unsigned long long before, cpuid_exits, cpuid_cycles, missing = 0, unused;
	unsigned int selector = selector_of(cpuid_row(numbering));
	const struct exitstats *cpuid = &s->row[cpuid_row(numbering)];
	struct window w = { 0 };
	bool defined;
	int try;

	memset(s, 0, sizeof(*s));
	s->numbering = numbering;
	s->accounts = has_accounts;
	s->vcpus = opt.vcpu ? 1 : sysconf(_SC_NPROCESSORS_ONLN);

	before = own.exits;
	cpuid_cycles = read_cycles(selector, &unused);
	cpuid_exits = read_exits(selector, &defined) - 1;
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
