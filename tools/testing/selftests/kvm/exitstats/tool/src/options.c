// SPDX-License-Identifier: GPL-2.0-only
/*
 * The command line.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

#include "error.h"
#include "options.h"

struct options opt = { .pin = -1, .vm_vcpu = -1 };
struct arguments args;

static const char help[] =
"Usage: exitstats [OPTION...]                  the VM's exits since it started\n"
"       exitstats [OPTION...] -- CMD [ARG...]  the VM's exits while CMD runs\n"
"       exitstats [OPTION...] -i SECONDS       rates, interval by interval\n"
"       exitstats [OPTION...] diff A B         compare two saved snapshots\n"
"       exitstats [OPTION...] check [BASE] [-- CMD [ARG...]]\n"
"                                              does it stay within a budget?\n"
"       exitstats --raw LEAF [ECX]             the registers that CPUID returns\n"
"       exitstats --host [OPTION...]           on the host: one row for each VM\n"
"       exitstats -p PID [OPTION...] ...       on the host: all of the above for one VM\n"
"\n"
"  -s, --sort=KEY          order of the rows: cycles (default), exits, reason, avg;\n"
"                          with diff also change: what grew most comes first\n"
"  -a, --all               show also reasons that did not occur\n"
"  -t, --time              show where the time went instead of the exit reasons\n"
"      --hist=REASON       show how long the exits of a reason, or of all, took\n"
"  -i, --interval=SECONDS  print a block for each interval\n"
"  -n, --count=N           stop after N intervals\n"
"  -w, --watch             live view on the terminal\n"
"  -o, --output=FILE       save a snapshot, for diff and check, instead of printing\n"
"      --csv, --json       formats for programs\n"
"      --openmetrics       format for node_exporter's textfile collector\n"
"      --pin=CPU           run on this CPU, and CMD too\n"
"      --vcpu              show only the vCPU that this runs on, and stay on it\n"
"      --raw=LEAF          execute one CPUID and print its registers\n"
"      --host              on the host: all VMs\n"
"  -p, --pid=PID           on the host: the VM of this process\n"
"      --vcpu=N            with -p: only its vCPU N\n"
"      --tolerance=PERCENT with check: how much more than BASE is within the budget\n"
"      --max=REASON:N      with check: the budget of a reason, or of all\n"
"  -h, --help              print this text\n"
"  -V, --version           print the version\n"
"\n"
"Exit status: 0, or CMD's; 1: check: exceeded; 2: bad usage or file; 3: no exit\n"
"statistics here; 125: check: CMD failed.\n";

enum {
	OPT_CSV = 256, OPT_JSON, OPT_OPENMETRICS, OPT_RAW, OPT_PIN, OPT_VCPU, OPT_HOST,
	OPT_TOLERANCE, OPT_MAX, OPT_HIST,
};

static const struct option options[] = {
	{ "sort", required_argument, NULL, 's' },
	{ "all", no_argument, NULL, 'a' },
	{ "time", no_argument, NULL, 't' },
	{ "hist", required_argument, NULL, OPT_HIST },
	{ "interval", required_argument, NULL, 'i' },
	{ "count", required_argument, NULL, 'n' },
	{ "watch", no_argument, NULL, 'w' },
	{ "output", required_argument, NULL, 'o' },
	{ "csv", no_argument, NULL, OPT_CSV },
	{ "json", no_argument, NULL, OPT_JSON },
	{ "openmetrics", no_argument, NULL, OPT_OPENMETRICS },
	{ "raw", required_argument, NULL, OPT_RAW },
	{ "pin", required_argument, NULL, OPT_PIN },
	{ "vcpu", optional_argument, NULL, OPT_VCPU },
	{ "host", no_argument, NULL, OPT_HOST },
	{ "pid", required_argument, NULL, 'p' },
	{ "tolerance", required_argument, NULL, OPT_TOLERANCE },
	{ "max", required_argument, NULL, OPT_MAX },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ }
};

/* ---- arguments of options ---- */

unsigned long parse_unsigned(const char *what, const char *text, unsigned long max)
{
	unsigned long n;
	char *end;

	errno = 0;
	n = strtoul(text, &end, 0);
	if (*text < '0' || *text > '9' || *end || errno || n > max)
		fail(STATUS_USAGE, "bad %s: %s", what, text);
	return n;
}

static double parse_decimal(const char *what, const char *text, double min, double max)
{
	double n;
	char *end;

	n = strtod(text, &end);
	if (end == text || *end || !(n >= min && n <= max))
		fail(STATUS_USAGE, "bad %s: %s", what, text);
	return n;
}

static enum sort parse_sort(const char *text)
{
	static const char *const key[] = {
		[BY_CYCLES] = "cycles", [BY_EXITS] = "exits",
		[BY_REASON] = "reason", [BY_AVERAGE] = "avg", [BY_CHANGE] = "change",
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(key); i++) {
		if (!strcmp(text, key[i]))
			return i;
	}
	fail(STATUS_USAGE, "bad sort key: %s (cycles, exits, reason, avg or change)", text);
}

static void set_format(enum format format)
{
	if (opt.format != TABLE && opt.format != format)
		fail(STATUS_USAGE, "more than one output format");
	opt.format = format;
}

/* Parse REASON:N. The reason is checked later, as the numbering depends on the host. */
static void add_max(const char *text)
{
	const char *colon = strrchr(text, ':');
	struct max *max = &opt.max[opt.nr_max];

	if (!colon || colon == text)
		fail(STATUS_USAGE, "bad budget: %s (REASON:N, or all:N)", text);
	if (opt.nr_max == MAX_MAX)
		fail(STATUS_USAGE, "more than %d budgets", MAX_MAX);
	max->reason = need(strndup(text, colon - text));
	max->exits = parse_unsigned("budget", colon + 1, ULONG_MAX);
	opt.nr_max++;
}

static void parse_option(int c, char **argv)
{
	switch (c) {
	case 's':
		opt.sort = parse_sort(optarg);
		break;
	case 'a':
		opt.all = true;
		break;
	case 't':
		opt.time = true;
		break;
	case 'i':
		opt.interval = parse_decimal("number of seconds", optarg, 0.001, 1e6);
		break;
	case 'n':
		opt.count = parse_unsigned("count", optarg, ULONG_MAX);
		if (!opt.count)
			fail(STATUS_USAGE, "bad count: 0");
		break;
	case 'w':
		opt.watch = true;
		break;
	case 'o':
		opt.output = optarg;
		break;
	case 'p':
		opt.vm = optarg;
		break;
	case OPT_CSV:
		set_format(CSV);
		break;
	case OPT_JSON:
		set_format(JSON);
		break;
	case OPT_OPENMETRICS:
		set_format(OPENMETRICS);
		break;
	case OPT_RAW:
		opt.raw = optarg;
		break;
	case OPT_PIN:
		opt.pin = parse_unsigned("CPU", optarg, CPU_SETSIZE - 1);
		break;
	case OPT_VCPU:
		opt.vcpu = true;
		if (optarg)
			opt.vm_vcpu = parse_unsigned("vCPU", optarg, INT_MAX);
		break;
	case OPT_HOST:
		opt.host = true;
		break;
	case OPT_HIST:
		opt.hist = optarg;
		break;
	case OPT_TOLERANCE:
		opt.tolerance = parse_decimal("tolerance", optarg, 0, 1e6);
		break;
	case OPT_MAX:
		add_max(optarg);
		break;
	case 'h':
		fputs(help, stdout);
		flush(stdout);
		exit(0);
	case 'V':
		puts("exitstats " VERSION);
		flush(stdout);
		exit(0);
	case ':':
		fail(STATUS_USAGE, "%s needs an argument", argv[optind - 1]);
	default:
		if (optopt && optopt < 256)
			fail(STATUS_USAGE, "unknown option -%c (see exitstats --help)", optopt);
		fail(STATUS_USAGE, "unknown option %s (see exitstats --help)", argv[optind - 1]);
	}
}

/* ---- the command line ---- */

/* Accept "--vcpu N" for "--vcpu=N": getopt does not, as the argument is optional. */
static bool take_vcpu(const char *word, const char *option)
{
	if (!opt.vcpu || opt.vm_vcpu >= 0 || strcmp(option, "--vcpu") || *word < '0' ||
	    *word > '9')
		return false;
	opt.vm_vcpu = parse_unsigned("vCPU", word, INT_MAX);
	return true;
}

/* Options may stand anywhere before "--"; CMD follows that. */
static void parse_args(int argc, char **argv)
{
	int c, before;

	opterr = 0;
	while (optind < argc) {
		before = optind;
		c = getopt_long(argc, argv, "+:s:ati:n:wo:p:hV", options, NULL);
		if (c != -1) {
			parse_option(c, argv);
			continue;
		}
		if (optind > before) {
			if (optind == argc)
				fail(STATUS_USAGE, "no command after --");
			args.command = argv + optind;
			return;
		}
		if (take_vcpu(argv[optind], argv[optind - 1])) {
			optind++;
			continue;
		}
		if (args.words == ARRAY_SIZE(args.word))
			fail(STATUS_USAGE, "too many arguments: %s", argv[optind]);
		args.word[args.words++] = argv[optind++];
	}
}

bool is_mode(const char *mode)
{
	return args.words && !strcmp(args.word[0], mode);
}

/* Only one mode at a time is possible. */
static void check_modes(bool intervals)
{
	bool diff = is_mode("diff"), check = is_mode("check");

	if (opt.sort == BY_CHANGE && !diff)
		fail(STATUS_USAGE, "-s change is for diff");
	if (diff && args.words != 3)
		fail(STATUS_USAGE, "diff needs two files");
	if (check && args.words > 2)
		fail(STATUS_USAGE, "check takes one file");
	if (check && args.words == 1 && !opt.nr_max)
		fail(STATUS_USAGE, "check needs a file, or --max");
	if (!check && (opt.nr_max || opt.tolerance))
		fail(STATUS_USAGE, "--max and --tolerance are for check");
	if (opt.tolerance && args.words == 1)
		fail(STATUS_USAGE, "--tolerance needs a file");
	if (opt.raw && args.words > 1)
		fail(STATUS_USAGE, "--raw takes LEAF and ECX");
	if (!opt.raw && !diff && !check && args.words)
		fail(STATUS_USAGE, "unexpected argument %s (put a command after --)",
		     args.word[0]);
	if (!!opt.raw + diff + check + (args.command && !check) + intervals > 1)
		fail(STATUS_USAGE, "--raw, diff, check, -i and a command exclude each other");
}

static void check_output(bool intervals)
{
	bool diff = is_mode("diff"), check = is_mode("check");

	if ((opt.raw || diff) && opt.output)
		fail(STATUS_USAGE, "-o does not go with %s", opt.raw ? "--raw" : "diff");
	if (opt.raw && (opt.format != TABLE || opt.all || opt.time))
		fail(STATUS_USAGE, "--raw has one format");
	if (check && (opt.format != TABLE || opt.all || opt.time) && !opt.output)
		fail(STATUS_USAGE, "check has one format");
	if (opt.format == OPENMETRICS && (diff || args.command || intervals))
		fail(STATUS_USAGE, "--openmetrics is for what happened since the VM started");
	if (opt.hist && (opt.raw || check || opt.time || opt.all))
		fail(STATUS_USAGE, "--hist does not go with --raw, check, -t or -a");
	if (opt.hist && (opt.format != TABLE || opt.output))
		fail(STATUS_USAGE,
		     "--hist is for the terminal: other formats, and -o, have all distributions");
	if (opt.watch && opt.format != TABLE)
		fail(STATUS_USAGE, "-w does not go with other formats");
	if (opt.watch && !isatty(STDOUT_FILENO))
		fail(STATUS_USAGE, "-w needs a terminal");
}

static void check_host(void)
{
	if (opt.host && (args.words || args.command || opt.raw || opt.vm))
		fail(STATUS_USAGE, "--host is for all VMs: -p PID measures one");
	if (opt.host && (opt.all || opt.time || opt.vcpu || opt.hist))
		fail(STATUS_USAGE, "-a, -t, --hist and --vcpu are for one VM: -p PID");
	if (opt.host && opt.output && (opt.format == TABLE || opt.interval))
		fail(STATUS_USAGE, "-o with --host takes a format, and no intervals");
	if (opt.vm && (opt.raw || is_mode("diff")))
		fail(STATUS_USAGE, "-p does not go with %s", opt.raw ? "--raw" : "diff");
	if (opt.vm && opt.vcpu && opt.vm_vcpu < 0)
		fail(STATUS_USAGE, "--vcpu with -p needs the number of the vCPU");
	if (!opt.vm && opt.vm_vcpu >= 0)
		fail(STATUS_USAGE, "--vcpu=%ld needs -p; in a guest, --pin chooses the CPU",
		     opt.vm_vcpu);
	if (opt.vcpu && (opt.raw || is_mode("diff")))
		fail(STATUS_USAGE, "--vcpu does not go with %s", opt.raw ? "--raw" : "diff");
}

void parse_command_line(int argc, char **argv)
{
	bool intervals;

	parse_args(argc, argv);
	intervals = opt.interval || opt.count || opt.watch;
	check_modes(intervals);
	if (intervals && !opt.interval)
		opt.interval = 1;
	check_output(intervals);
	check_host();
	/* From here on, opt.vcpu is true only in a guest. */
	if (opt.vm)
		opt.vcpu = false;
}
