// SPDX-License-Identifier: GPL-2.0-only
/*
 * exitstats check.
 */
#include <string.h>
#include <strings.h>

#include "check.h"
#include "command.h"
#include "error.h"
#include "options.h"
#include "output.h"
#include "snapshot.h"
#include "source.h"
#include "table.h"

/* Return the last --max for @row, or for the total if -1; NULL if there is none. */
static const struct max *find_max(enum numbering numbering, int row)
{
	int i;

	for (i = opt.nr_max - 1; i >= 0; i--) {
		const char *reason = opt.max[i].reason;

		if (!strcasecmp(reason, "all") ? row < 0 :
		    row >= 0 && find_reason(numbering, reason) == row)
			return &opt.max[i];
	}
	return NULL;
}

/* Refuse names that this host does not have: their budgets could never be exceeded. */
static void check_names(enum numbering numbering)
{
	int i;

	for (i = 0; i < opt.nr_max; i++) {
		if (strcasecmp(opt.max[i].reason, "all") &&
		    find_reason(numbering, opt.max[i].reason) < 0)
			fail(STATUS_USAGE, "--max=%s: no such exit reason of %s",
			     opt.max[i].reason, numbering_name(numbering));
	}
}

static const char *name_of(enum numbering numbering, int row)
{
	const char *name;

	if (row < 0)
		return "all";
	name = reason_name(numbering, row);
	return strcmp(name, "-") ? name : reason_number(numbering, row);
}

/* Return: 1 if the row's budget is exceeded, else 0 */
static int check_row(FILE *out, enum numbering numbering, int row, unsigned long long exits,
		     const unsigned long long *base)
{
	const struct max *max = find_max(numbering, row);
	bool tolerance = !max && base && opt.tolerance;

	if (max ? exits <= max->exits : !base || exits <= *base * (1 + opt.tolerance / 100))
		return 0;
	fprintf(out, "%s: %s exit%s, budget %s", name_of(numbering, row), grouped(exits),
		plural(exits), grouped(max ? max->exits : *base));
	if (tolerance)
		fprintf(out, " + %g %%", opt.tolerance);
	fputc('\n', out);
	return 1;
}

int check_budgets(FILE *out, const struct stats *s, const struct stats *base)
{
	int exceeded = 0, row;

	for (row = 0; row < ROWS; row++)
		exceeded += check_row(out, s->numbering, row, s->row[row].exits,
				      base ? &base->row[row].exits : NULL);
	return exceeded + check_row(out, s->numbering, -1, total(s).exits, NULL);
}

int check_mode(const char *path, char **command)
{
	static struct stats base, s;
	int status = 0;

	if (path)
		load_snapshot(&base, path);
	open_source();
	open_output();
	if (command)
		status = measure_command(&s, command);
	else if (!read_source(&s))
		fail(STATUS_NO_FIGURES, "the VM has ended");

	if (status)
		fail(STATUS_CMD_FAILED, "%s failed with exit status %d: not checked", command[0],
		     status);
	if (s.reset)
		fail(STATUS_CMD_FAILED, "the counters were reset: not checked");
	if (path && base.numbering != s.numbering)
		fail(STATUS_USAGE, "%s has exit reasons of %s, this host of %s", path,
		     numbering_name(base.numbering), numbering_name(s.numbering));
	check_names(s.numbering);
	if (path && base.span != s.span)
		fail(STATUS_USAGE, "%s is of %s, this is of %s", path,
		     base.span ? "a command" : "all since the VM started",
		     s.span ? "a command" : "all since the VM started");
	if (opt.output)
		save(&s);
	return check_budgets(stderr, &s, path ? &base : NULL) ? STATUS_EXCEEDED : 0;
}
