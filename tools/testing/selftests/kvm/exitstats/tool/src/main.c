// SPDX-License-Identifier: GPL-2.0-only
/*
 * exitstats: show what a workload costs in VM exits, and where the time of its vCPUs goes,
 * from inside the guest or from the host.
 *
 * exitstats(1) explains the output.
 *
 *	options		the command line
 *	source		where the figures come from:
 *	  guest		  the CPUID leaves
 *	  host		  the tables in debugfs
 *	stats		figures, differences, shares
 *	hist		how long exits took: buckets and percentiles
 *	reasons		exit reasons and their names
 *	report		a report for people, in a
 *	  table		  table, or with
 *	  distribution	  --hist, on a
 *	  terminal	  terminal
 *	formats		CSV, JSON, OpenMetrics
 *	snapshot	files written by -o and read by diff and check
 *	output		the file of -o
 *	command		exitstats -- CMD
 *	intervals	exitstats -i, -w
 *	list		exitstats --host
 *	live		the live view of both
 *	diff		exitstats diff
 *	check		exitstats check
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "command.h"
#include "diff.h"
#include "error.h"
#include "formats.h"
#include "intervals.h"
#include "list.h"
#include "options.h"
#include "output.h"
#include "source.h"
#include "terminal.h"

static void pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		fail(STATUS_USAGE, "cannot run on CPU %d: %s", cpu, strerror(errno));
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
	char title[256];

	if (!read_source(&s))
		fail(STATUS_NO_FIGURES, "the VM has ended");
	snprintf(title, sizeof(title), "%s since the VM started", source_title());
	if (opt.output)
		save(&s);
	else
		print_stats(stdout, &s, title);
	return 0;
}

static int measure(void)
{
	open_source();
	open_output();
	if (args.command)
		return command_mode(args.command);
	return opt.interval ? interval_mode() : start_mode();
}

int main(int argc, char **argv)
{
	int status;

	parse_command_line(argc, argv);
	/* The leaves have the figures of the vCPU that reads them, so stay on it. */
	if (opt.pin >= 0 || opt.vcpu)
		pin(opt.pin >= 0 ? opt.pin : sched_getcpu());
	measure_terminal(args.command ? STDERR_FILENO : STDOUT_FILENO);

	if (opt.raw)
		status = raw_mode();
	else if (is_mode("diff"))
		status = diff_mode(args.word + 1);
	else if (is_mode("check"))
		status = check_mode(args.words > 1 ? args.word[1] : NULL, args.command);
	else if (opt.host)
		status = list_mode();
	else
		status = measure();
	flush(stdout);
	return status;
}
