// SPDX-License-Identifier: GPL-2.0-only
/*
 * Test of the tool in a guest: run it in every mode, and check its output and its exit
 * status.
 *
 *	exitstats_tool_test TOOL EXAMPLE		in a guest whose host counts
 *	exitstats_tool_test TOOL EXAMPLE histogram	in a guest that has the histogram
 *	exitstats_tool_test TOOL EXAMPLE absent		on a host that does not count
 *
 * TOOL is the path of exitstats, EXAMPLE that of example_critical. Needs root to mount file
 * systems. Prints TAP; exit status 1 if a test failed.
 *
 * The tool is also linked in, for cases that cannot be provoked from outside.
 */
#define _GNU_SOURCE
#include "exitstats_tool_test.h"

#include "src/check.h"
#include "src/diff.h"
#include "src/formats.h"
#include "src/report.h"
#include "src/snapshot.h"
#include "src/terminal.h"

static char *example, *self;
static int cpuid;		/* the row of CPUID exits */

/* The exit reasons of I/O instructions */
#define VMX_IO		30
#define SVM_IO		0x7b

/* ---- programs of known exits ---- */

static void execute_cpuids(int n)
{
	while (n--)
		exitstats_cpuid(0, 0);
}

/* Return the CPUID exits of a command, measured by the tool, or SIZE_MAX on errors. */
static size_t cpuids_of(char **command)
{
	char *argv[8] = { tool, "--csv", "--" };
	struct csv c;
	int i;

	for (i = 0; command[i]; i++)
		argv[3 + i] = command[i];
	run(argv);
	parse_csv(&c, ran.err);
	EXPECT(c.good);
	EXPECT(!ran.status);
	return c.good ? c.row[cpuid].exits : SIZE_MAX;
}

#define CPUIDS_OF(...)	cpuids_of((char *[]){ __VA_ARGS__, NULL })

/* ---- since the VM started ---- */

/* The table has a row for CPUID exits, directly after the head or another row. */
static bool has_cpuid_row(const char *text)
{
	return strstr(text, numbering == SVM ? "\n  0x72  cpuid " : "\n    10  CPUID ");
}

static void test_table(void)
{
	TOOL();
	EXPECT(!ran.status);
	EXPECT(!*ran.err);
	EXPECT(!strncmp(ran.out, "VM exits since the VM started\n\nreason  name ", 44));
	EXPECT(has_cpuid_row(ran.out));
	EXPECT(strstr(ran.out, "longest"));
	EXPECT(strstr(ran.out, "\ntime: guest "));
	EXPECT(strstr(ran.out, " %, exits "));
	EXPECT(strstr(ran.out, "\n        total "));
	EXPECT(!strstr(ran.out, "\033"));
}

static void test_csv(void)
{
	struct csv c;

	TOOL("--csv");
	EXPECT(!ran.status);
	EXPECT(!*ran.err);
	parse_csv(&c, ran.out);
	EXPECT(c.good);
	EXPECT(c.rows > 3);
	EXPECT(c.row[cpuid].exits);
}

/* Each figure is between the leaves' before and after. */
static void test_csv_against_leaves(void)
{
	unsigned long long before[REASONS], exits, cycles[REASONS], after;
	struct exitstats first, last;
	struct csv c;
	int i;

	for (i = 0; i < REASONS; i++) {
		exitstats_read_exits(row_code(i), &before[i]);
		exitstats_read_cycles(row_code(i), &cycles[i]);
	}
	first = exitstats_read();
	TOOL("--csv");
	last = exitstats_read();
	parse_csv(&c, ran.out);
	EXPECT(c.good);
	EXPECT(c.total.exits > first.exits && c.total.exits < last.exits);
	EXPECT(c.total.cycles > first.cycles && c.total.cycles < last.cycles);
	for (i = 0; i < REASONS; i++) {
		exitstats_read_exits(row_code(i), &exits);
		exitstats_read_cycles(row_code(i), &after);
		EXPECT(c.row[i].exits >= before[i] && c.row[i].exits <= exits);
		EXPECT(c.row[i].cycles >= cycles[i] && c.row[i].cycles <= after);
	}
}

static void expect_order(char *key, int column, bool ascending)
{
	unsigned long long previous = 0, n;
	char *next = ran.out, *line;
	int lines = 0;

	TOOL("-s", key);
	EXPECT(!ran.status);
	while ((line = strsep(&next, "\n")) && !strstr(line, "total")) {
		if (++lines <= 3)	/* title, empty line, head */
			continue;
		n = table_number(line, column);
		if (lines > 4)
			EXPECT(ascending ? n > previous : n <= previous);
		previous = n;
	}
	EXPECT(lines > 6);
}

static void test_sort(void)
{
	expect_order("reason", 0, true);
	expect_order("exits", 2, false);
	expect_order("cycles", 4, false);
	expect_order("avg", 6, false);
	TOOL("--sort=exits");
	EXPECT(!ran.status);
}

static int last_defined(int end)
{
	unsigned long long exits;

	while (end-- && exitstats_read_exits(row_code(end), &exits))
		;
	return end;
}

/* -a shows each code up to the last defined one; SVM has two ranges of codes. */
static void test_all(void)
{
	int near_last = last_defined(NEAR_ROWS), far_last = last_defined(REASONS), i;
	unsigned long long exits;
	char *line;

	TOOL("-a", "-s", "reason");
	EXPECT(!ran.status);
	EXPECT(near_last == (numbering == SVM ? 0xa6 : 85));
	EXPECT(numbering == VMX || row_code(far_last) == 0x403);
	line = ran.out;
	for (i = 0; i <= far_last; i++) {
		char number[16];
		bool defined = !exitstats_read_exits(row_code(i), &exits);

		if (i > near_last && i < NEAR_ROWS)
			continue;
		snprintf(number, sizeof(number), "\n%6s  ", reason_number(numbering, i));
		line = strstr(line, number);
		EXPECT(line);
		if (!line)
			return;
		line++;
		line[strcspn(line, "\n")] = 0;
		EXPECT(!strstr(line, "(not defined)") == defined);
		EXPECT(!strstr(line, "never") == (!defined || exits));
		line[strlen(line)] = '\n';
	}
	TOOL("--csv", "--all");
	if (numbering == SVM) {
		EXPECT(strstr(ran.out, "\n0x7f,shutdown,0,0,0\n"));
		EXPECT(strstr(ran.out, "\n0x09,undefined,,,\n"));
		EXPECT(strstr(ran.out, "\n0x402,avic_unaccelerated_access,0,0,0\n"));
	} else {
		EXPECT(strstr(ran.out, "\n2,TRIPLE_FAULT,0,0,0\n"));
		EXPECT(strstr(ran.out, "\n35,undefined,,,\n"));
	}
}

/* Names must be one word, as awk would take two for two columns. */
static void test_names(void)
{
	int i, longest = 0, n = 0;

	for (i = 0; i < REASONS; i++) {
		const char *name = reason_name(numbering, i);

		EXPECT(!strpbrk(name, " \t,\""));
		if (!strcmp(name, "-"))
			continue;
		n++;
		if ((int)strlen(name) > longest)
			longest = strlen(name);
		EXPECT(find_reason(numbering, name) == i);
		EXPECT(find_reason(numbering, reason_number(numbering, i)) == i);
	}
	EXPECT(n > 50);
	EXPECT(longest > 10 && longest < REASON_NAME_MAX - 1);
	EXPECT(!strcmp(reason_name(VMX, 48), "EPT_VIOLATION"));
	EXPECT(!strcmp(reason_name(SVM, 0x4e), "PF_excp"));
	EXPECT(!strcmp(reason_name(SVM, code_row(SVM, 0x402)), "avic_unaccelerated_access"));
	EXPECT(!strcmp(reason_number(SVM, code_row(SVM, 0x400)), "0x400"));
	EXPECT(find_reason(SVM, "PF_EXCP") == 0x4e);
	EXPECT(find_reason(SVM, "1024") == code_row(SVM, 0x400));
	EXPECT(find_reason(VMX, "other") == OTHER);
	EXPECT(find_reason(VMX, "-") < 0 && find_reason(VMX, "") < 0);
	EXPECT(find_reason(VMX, "0x400") < 0 && find_reason(SVM, "0x500") < 0);
	EXPECT(code_row(SVM, -1ull) < 0 && code_row(SVM, 0x80000001) < 0);
}

/* ---- where the time goes ---- */

/* Each account is between the leaves' before and after. */
static void test_time_against_leaves(void)
{
	static const unsigned int numbers[] = {
		KVM_EXITSTATS_ACCOUNT_GUEST, KVM_EXITSTATS_ACCOUNT_ALL,
		KVM_EXITSTATS_ACCOUNT_USERSPACE, KVM_EXITSTATS_ACCOUNT_HALTED,
		KVM_EXITSTATS_ACCOUNT_PREEMPTED, KVM_EXITSTATS_ACCOUNT_ASLEEP,
	};
	unsigned long long exits[ACCOUNTS], cycles[ACCOUNTS], n;
	struct exitstats accounts[ACCOUNTS];
	int a;

	for (a = 0; a < ACCOUNTS; a++) {
		EXPECT(!exitstats_read_exits(KVM_EXITSTATS_SELECT_ACCOUNT(numbers[a]), &exits[a]));
		exitstats_read_cycles(KVM_EXITSTATS_SELECT_ACCOUNT(numbers[a]), &cycles[a]);
	}
	TOOL("--time", "--csv");
	EXPECT(!ran.status);
	EXPECT(parse_time_csv(ran.out, accounts));
	for (a = 0; a < ACCOUNTS; a++) {
		EXPECT(accounts[a].exits >= exits[a] && accounts[a].cycles >= cycles[a]);
		exitstats_read_exits(KVM_EXITSTATS_SELECT_ACCOUNT(numbers[a]), &n);
		EXPECT(accounts[a].exits <= n);
		exitstats_read_cycles(KVM_EXITSTATS_SELECT_ACCOUNT(numbers[a]), &n);
		EXPECT(accounts[a].cycles <= n);
	}
	EXPECT(accounts[GUEST].cycles && accounts[EXITS].cycles && accounts[USERSPACE].cycles);
}

/* Run on each CPU once, so that the figures include what each vCPU did until then. */
static void visit_cpus(void)
{
	long cpu, n = sysconf(_SC_NPROCESSORS_ONLN);
	cpu_set_t one, all;

	sched_getaffinity(0, sizeof(all), &all);
	for (cpu = 0; cpu < n; cpu++) {
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		sched_setaffinity(0, sizeof(one), &one);
	}
	sched_setaffinity(0, sizeof(all), &all);
}

/*
 * The accounts of a command add up at least to the time that it took, on all vCPUs, and at
 * most to the time that the tool took. A vCPU's halted time is added when it wakes up, so
 * wake up all vCPUs shortly before both readings.
 */
static void test_time_adds_up(void)
{
	unsigned long long before, elapsed, rested, sum;
	struct exitstats accounts[ACCOUNTS];

	before = read_tsc();
	visit_cpus();
	TOOL("-t", "--csv", "--", self, "rest", "1");
	elapsed = (read_tsc() - before) * sysconf(_SC_NPROCESSORS_ONLN);
	rested = strtoull(ran.out, NULL, 10) * sysconf(_SC_NPROCESSORS_ONLN);
	EXPECT(!ran.status);
	EXPECT(parse_time_csv(ran.err, accounts));
	sum = sum_of(accounts);
	printf("# %llu cycles in accounts, %llu of the command, %llu of the tool\n", sum, rested,
	       elapsed);
	EXPECT(rested && sum >= rested && sum <= elapsed);
	/* The command sleeps, so the vCPU halts. */
	EXPECT(accounts[HALTED].cycles > sum / 10);
	EXPECT(accounts[HALTED].exits);
}

static void test_time_table(void)
{
	char *next = ran.out, *line;
	int lines = 0;

	TOOL("--time");
	EXPECT(!ran.status);
	EXPECT(strstr(ran.out, "\naccount  "));
	EXPECT(strstr(ran.out, "\nguest  "));
	EXPECT(strstr(ran.out, "\ntime: guest "));
	while ((line = strsep(&next, "\n")))
		lines += strstr(line, "%") && !strstr(line, " %");
	EXPECT(lines == ACCOUNTS);

	TOOL("-t", "-i", "0.2", "-n", "2", "--csv");
	EXPECT(!strncmp(ran.out, "seconds,account,entered,cycles\n", 31));
	EXPECT(atof(ran.out + 31) >= 0.2);
	EXPECT(count(ran.out, ",guest,") == 2 && count(ran.out, "\n") == 1 + 2 * ACCOUNTS);
}

static void test_where(void)
{
	TOOL("--", self, "sleep", "1");
	EXPECT(strstr(ran.err, " vCPU"));
	EXPECT(strstr(ran.err, ": guest "));
	EXPECT(strstr(ran.err, ", halted "));
	EXPECT(strstr(ran.err, ", exits ") && strstr(ran.err, " % ("));
	/* The output is no terminal, so there is no bar. */
	EXPECT(!strstr(ran.err, "["));
}

/* ---- one vCPU ---- */

static void test_vcpu(void)
{
	unsigned long long before, after;
	cpu_set_t one, all;
	struct csv c;

	/* In a VM with one vCPU, both are the same; otherwise, other vCPUs exit, too. */
	sched_getaffinity(0, sizeof(all), &all);
	CPU_ZERO(&one);
	CPU_SET(0, &one);
	sched_setaffinity(0, sizeof(one), &one);
	before = exitstats_read_vcpu_exits();
	TOOL("--vcpu", "--pin", "0", "--csv");
	after = exitstats_read_vcpu_exits();
	sched_setaffinity(0, sizeof(all), &all);
	EXPECT(!ran.status);
	parse_csv(&c, ran.out);
	EXPECT(c.good);
	EXPECT(c.total.exits > before && c.total.exits < after);
	EXPECT(c.row[cpuid].exits);

	TOOL("--vcpu", "--pin=0");
	EXPECT(!strncmp(ran.out, "VM exits of CPU 0 since the VM started\n", 39));
	TOOL("--vcpu");
	EXPECT(!strncmp(ran.out, "VM exits of CPU ", 16));
}

/* With --vcpu, a pinned command's exits do not include those of other vCPUs. */
static void test_vcpu_command(void)
{
	char last[24];
	struct csv c;
	cpu_set_t set;
	pid_t pid;

	snprintf(last, sizeof(last), "%ld", sysconf(_SC_NPROCESSORS_ONLN) - 1);
	fflush(stdout);
	pid = fork();
	if (!pid) {
		CPU_ZERO(&set);
		CPU_SET(0, &set);
		sched_setaffinity(0, sizeof(set), &set);
		for (;;)
			execute_cpuids(1000);
	}
	/* With only one vCPU, the other program would run on the same one: stop it. */
	if (!strcmp(last, "0")) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
	TOOL("--vcpu", "--pin", last, "--csv", "--", "/tmp/1000-cpuids");
	parse_csv(&c, ran.err);
	EXPECT(c.good);
	EXPECT(c.row[cpuid].exits == 1000);
	if (strcmp(last, "0")) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
	TOOL("--vcpu", "--pin", last, "-i", "0.1", "-n", "2");
	EXPECT(!ran.status);
	EXPECT(strstr(ran.out, ", 1 vCPU: "));
}

/* exitstats_read.h: one CPUID between two readings is one exit of this vCPU. */
static void test_read_vcpu(void)
{
	unsigned long long before, after;
	int try;

	EXPECT(exitstats_has_accounts());
	for (try = 0; try < 100; try++) {
		before = exitstats_read_vcpu_exits();
		after = exitstats_read_vcpu_exits();
		if (exitstats_vcpu_exits_between(before, after))
			continue;
		before = exitstats_read_vcpu_exits();
		exitstats_cpuid(0, 0);
		after = exitstats_read_vcpu_exits();
		if (exitstats_vcpu_exits_between(before, after) == 1)
			return;
	}
	EXPECT(!"no exit, then one");
}

/* ---- formats ---- */

static void test_json(void)
{
	unsigned long long exits = 0, sum = 0, n;
	char *p;

	TOOL("--json");
	EXPECT(!ran.status);
	EXPECT(one_line(ran.out));
	EXPECT(count(ran.out, "{") == count(ran.out, "}"));
	EXPECT(sscanf(ran.out, "{\"numbering\":\"%*[A-Z]\",\"consistent\":true,\"reset\":false,"
		      "\"total\":{\"exits\":%llu,", &exits) == 1);
	EXPECT(strstr(ran.out, numbering == SVM ? "\"SVM\"" : "\"VMX\""));
	EXPECT(strstr(ran.out, "\"accounts\":{\"guest\":{\"entered\":"));
	p = strstr(ran.out, "\"reasons\":[");
	EXPECT(p);
	for (; p && (p = strstr(p, "\"exits\":")); p++) {
		EXPECT(sscanf(p, "\"exits\":%llu,\"cycles\":", &n) == 1);
		sum += n;
	}
	EXPECT(exits && sum == exits);
	EXPECT(strstr(ran.out, numbering == SVM ?
		      "{\"reason\":114,\"name\":\"cpuid\",\"defined\":true,\"longest_cycles\":" :
		      "{\"reason\":10,\"name\":\"CPUID\",\"defined\":true,\"longest_cycles\":"));
}

static void test_openmetrics(void)
{
	static const char sample[] =
		"kvm_exitstats_%7[a-z]_total{reason=\"%7[^\"]\",name=\"%31[^\"]\"} %llu";
	char *next = ran.out, *line;
	int samples = 0;

	TOOL("--openmetrics");
	EXPECT(!ran.status);
	EXPECT(count(ran.out, "# TYPE kvm_exitstats_exits_total counter\n") == 1);
	EXPECT(count(ran.out, "# TYPE kvm_exitstats_cycles_total counter\n") == 1);
	EXPECT(count(ran.out, "# TYPE kvm_exitstats_time_cycles_total counter\n") == 1);
	EXPECT(count(ran.out, "# HELP ") == 3);
	EXPECT(count(ran.out, "\nkvm_exitstats_time_cycles_total{account=\"") == ACCOUNTS);
	EXPECT(strstr(ran.out, numbering == SVM ?
		      "\nkvm_exitstats_exits_total{reason=\"0x72\",name=\"cpuid\"} " :
		      "\nkvm_exitstats_exits_total{reason=\"10\",name=\"CPUID\"} "));
	EXPECT(!strcmp(ran.out + strlen(ran.out) - 6, "# EOF\n"));
	while ((line = strsep(&next, "\n"))) {
		unsigned long long n;
		char metric[8], reason[8], name[32];

		if (!*line || *line == '#' || strstr(line, "{account="))
			continue;
		EXPECT(sscanf(line, sample, metric, reason, name, &n) == 4);
		samples++;
	}
	EXPECT(samples > 6 && samples % 2 == 0);
}

static void test_raw(void)
{
	unsigned int eax[2], ebx[2], ecx[2], edx[2];

	TOOL("--raw", "0x4ffffffd", "0xffffffff");
	EXPECT(!ran.status);
	EXPECT(!strcmp(ran.out, "eax 0x00000000 0\nebx 0x00000000 0\n"
				"ecx 0x00000000 0\nedx 0xffffffff 4294967295\n"));
	TOOL("--raw=0x4fffffff");
	EXPECT(sscanf(ran.out, "eax 0x%8x %u\nebx 0x%8x %u\necx 0x%8x %u\nedx 0x%8x %u\n",
		      &eax[0], &eax[1], &ebx[0], &ebx[1], &ecx[0], &ecx[1], &edx[0], &edx[1]) == 8);
	EXPECT(eax[0] && eax[0] == eax[1] && ebx[0] == ebx[1] && ecx[0] && ecx[0] == ecx[1] &&
	       edx[0] == edx[1]);
	TOOL("--raw", "1342177277", numbering == SVM ? "114" : "10");
	EXPECT(!ran.status);
	EXPECT(strstr(ran.out, "edx 0x00000000 0\n"));
}

/* ---- a command ---- */

static void test_exact(void)
{
	EXPECT(CPUIDS_OF("/tmp/1000-cpuids") == 1000);
	EXPECT(CPUIDS_OF("/tmp/0-cpuids") == 0);
	TOOL("--", "/tmp/1000-cpuids");
	EXPECT(has_cpuid_row(ran.err));
	EXPECT(strstr(ran.err, "  1,000  "));
}

static void test_exact_libc(void)
{
	size_t without = CPUIDS_OF(self, "cpuids", "0");
	size_t with = CPUIDS_OF(self, "cpuids", "1000");

	printf("# the C library executes %zu CPUIDs at start\n", without);
	EXPECT(with == without + 1000);
	EXPECT(CPUIDS_OF(self, "cpuids", "0") == without);
}

static void test_children(void)
{
	size_t one = CPUIDS_OF(self, "children", "1");
	size_t two = CPUIDS_OF(self, "children", "2");

	/* The second child executes 500 more, without start-up code. */
	EXPECT(two == one + 500);
}

static void test_command_output(void)
{
	TOOL("--", self, "say", "hello", "0");
	EXPECT(!strcmp(ran.out, "hello\n"));
	EXPECT(!strncmp(ran.err, "VM exits while this ran: ", 25));
	EXPECT(strstr(ran.err, " say hello 0\n\nreason "));
	EXPECT(strstr(ran.err, "exits/s"));
	TOOL("--json", "--", self, "say", "hello", "0");
	EXPECT(!strcmp(ran.out, "hello\n"));
	EXPECT(!strncmp(ran.err, "{\"seconds\":", 11));
	EXPECT(strstr(ran.err, ",\"vcpus\":"));
}

static void test_command_status(void)
{
	TOOL("--", self, "say", "", "7");
	EXPECT(ran.status == 7);
	TOOL("--", self, "die", "9");
	EXPECT(ran.status == 128 + SIGKILL);
	EXPECT(strstr(ran.err, "total"));
	TOOL("--", self, "die", "15");
	EXPECT(ran.status == 128 + SIGTERM);
	TOOL("--", "/nonexistent");
	expect_error(127, "/nonexistent: No such file");
	TOOL("--", "/tmp");
	expect_error(126, "/tmp: Permission denied");
	TOOL("-s", "exits", "-a", "--", self, "say", "--csv", "0");
	EXPECT(!strcmp(ran.out, "--csv\n"));
}

/* Ctrl-C on a terminal is for CMD. The tool passes SIGTERM on. */
static void test_command_signals(void)
{
	pid_t pid = start((char *[]){ tool, "--", self, "sleep", NULL });

	EXPECT(await("/tmp/out", "asleep"));
	kill(pid, SIGINT);
	usleep(50000);
	EXPECT(!waitpid(pid, NULL, WNOHANG));
	kill(pid, SIGTERM);
	finish(pid);
	EXPECT(ran.status == 128 + SIGTERM);
	EXPECT(strstr(ran.err, "total"));
}

/* While something else exits all the time, figures are less exact, but never absurd. */
static void test_busy(void)
{
	struct csv c;
	pid_t pid;
	int i;

	fflush(stdout);
	pid = fork();
	if (!pid) {
		for (;;)
			execute_cpuids(1000);
	}
	for (i = 0; i < 5; i++) {
		TOOL("--csv");
		parse_csv(&c, ran.out);
		EXPECT(c.good);
		TOOL("--csv", "--", "/tmp/0-cpuids");
		parse_csv(&c, ran.err);
		EXPECT(c.good);
		EXPECT(c.total.exits < 1000000);
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* ---- intervals ---- */

static void test_intervals(void)
{
	TOOL("-i", "0.2", "-n", "3");
	EXPECT(!ran.status);
	EXPECT(!*ran.err);
	EXPECT(count(ran.out, "VM exits until ") == 3);
	EXPECT(strstr(ran.out, "VM exits in 3 intervals\n"));
	EXPECT(strstr(ran.out, "\nexits/s per interval: lowest "));

	TOOL("-i", "0.2", "-n", "3", "--csv");
	EXPECT(!strncmp(ran.out, "seconds,reason,name,exits,cycles,avg_cycles\n", 44));
	EXPECT(count(ran.out, ",total,,") == 3);
	EXPECT(atof(ran.out + 44) >= 0.2);

	TOOL("-i", "0.2", "-n", "3", "--json");
	EXPECT(count(ran.out, "\n") == 3);
	EXPECT(count(ran.out, "{\"at\":") == 3);
}

/* The rates do not include the tool's own exits. */
static void test_idle_interval(void)
{
	char *line = ran.out;

	TOOL("-i", "0.2", "-n", "4", "--csv");
	EXPECT(!ran.status);
	EXPECT(!strstr(line, ",CPUID,"));
}

static void test_interrupt(void)
{
	pid_t pid = start((char *[]){ tool, "-i", "0.2", NULL });

	EXPECT(await("/tmp/out", "VM exits until "));
	kill(pid, SIGINT);
	finish(pid);
	EXPECT(!ran.status);
	EXPECT(strstr(ran.out, "\nexits/s per interval: lowest "));
}

/* ---- the live view ---- */

static void press(int master, const char *key)
{
	EXPECT(write(master, key, 1) == 1);
}

static pid_t start_watch(int *master)
{
	pid_t pid = start_on_terminal((char *[]){ tool, "-w", "-i", "0.3", NULL }, 100, master);

	EXPECT(pid > 0);
	return pid;
}

/* At the end, the terminal is restored, the sum is printed, and the status is 0. */
static void expect_watch_end(pid_t pid, int master, size_t n)
{
	EXPECT(read_terminal(master, &n, NULL));
	EXPECT(strstr(ran.out, "\033[?1049l"));
	EXPECT(strstr(ran.out, "exits/s per interval: lowest "));
	ran.status = shell_status(pid);
	EXPECT(!ran.status);
	close(master);
}

static void test_watch(void)
{
	size_t n = 0;
	int master;
	pid_t pid = start_watch(&master);

	if (pid < 0)
		return;
	EXPECT(read_terminal(master, &n, "VM exits since the VM started"));
	EXPECT(!strncmp(ran.out, "\033[?1049h", 8));
	EXPECT(read_terminal(master, &n, "VM exits in 0.3 s"));
	EXPECT(strstr(ran.out, "█"));
	press(master, "e");
	EXPECT(read_terminal(master, &n, "average  exits"));
	press(master, "q");
	expect_watch_end(pid, master, n);

	TOOL("-w");
	expect_error(2, "-w needs a terminal");
}

static void test_watch_interrupt(void)
{
	size_t n = 0;
	int master;
	pid_t pid = start_watch(&master);

	if (pid < 0)
		return;
	EXPECT(read_terminal(master, &n, "VM exits in 0.3 s"));
	kill(pid, SIGINT);
	expect_watch_end(pid, master, n);
}

/* ---- files ---- */

static void test_snapshot(void)
{
	static char first[SNAPSHOT_MAX];

	TOOL("-o", "/tmp/a");
	EXPECT(!ran.status);
	EXPECT(!*ran.out && !*ran.err);
	slurp("/tmp/a", first, sizeof(first));
	EXPECT(!strncmp(first, "exitstats snapshot 2\nnumbering ", 31));
	EXPECT(strstr(first, "\nstart\n"));
	EXPECT(count(first, "\naccount ") == ACCOUNTS - 1);
	TOOL("-o", "/tmp/b", "--", "/tmp/1000-cpuids");
	EXPECT(!ran.status);
	EXPECT(!*ran.out && !*ran.err);
	TOOL("-o", "/tmp/c", "-i", "0.2", "-n", "1");
	EXPECT(!ran.status);
	EXPECT(strstr(ran.out, "VM exits until"));

	TOOL("diff", "/tmp/a", "/tmp/b");
	EXPECT(!ran.status);
	EXPECT(!*ran.err);
	EXPECT(!strncmp(ran.out, "A: /tmp/a, since the VM started\nB: /tmp/b, ", 43));
	EXPECT(strstr(ran.out, "exits A"));
	EXPECT(strstr(ran.out, "  1,000  "));
	TOOL("diff", "/tmp/a", "/tmp/a", "--csv", "-s", "exits");
	EXPECT(!strncmp(ran.out, "reason,name,a_exits,a_cycles,b_exits,b_cycles,exits_ratio,", 58));
	EXPECT(count(ran.out, ",1.0000,1.0000\n") == count(ran.out, "\n") - 1);
	TOOL("diff", "-s", "change", "/tmp/a", "/tmp/b");
	EXPECT(!ran.status);
	TOOL("--json", "diff", "/tmp/a", "/tmp/c");
	EXPECT(one_line(ran.out));
	EXPECT(count(ran.out, "{") == count(ran.out, "}"));
}

/* Change, remove or add any byte: the snapshot must be refused. */
static void test_damaged(void)
{
	static char good[SNAPSHOT_MAX], bad[SNAPSHOT_MAX];
	struct stats s;
	size_t i, len;

	TOOL("-o", "/tmp/a");
	slurp("/tmp/a", good, sizeof(good));
	len = strlen(good);
	EXPECT(parse_snapshot(&s, good, len));
	for (i = 0; i < len; i++) {
		memcpy(bad, good, len + 1);
		bad[i] ^= 1;
		EXPECT(!parse_snapshot(&s, bad, len));
		memcpy(bad, good, i);
		bad[i] = 0;
		EXPECT(!parse_snapshot(&s, bad, i));
	}
	memcpy(bad, good, len);
	bad[len] = '\n';
	bad[len + 1] = 0;
	EXPECT(!parse_snapshot(&s, bad, len + 1));

	write_text("/tmp/bad", good, len - 1);
	TOOL("diff", "/tmp/a", "/tmp/bad");
	expect_error(2, "/tmp/bad: not a snapshot, or damaged");
	TOOL("diff", "/tmp/a", "/nonexistent");
	expect_error(2, "/nonexistent: No such file");
	TOOL("diff", "/tmp/a", "/tmp");
	expect_error(2, "/tmp: Is a directory");
}

static void test_output_failures(void)
{
	static char old[4096], now[4097];
	int entries = 0;

	TOOL("-o", "/dev/full");
	expect_error(2, "/dev/full: No space left");
	TOOL("-o", "/nonexistent/a");
	expect_error(2, "/nonexistent/a: No such file");

	/* A file system of one page, which is full */
	mkdir("/tmp/small", 0755);
	if (mount("tmpfs", "/tmp/small", "tmpfs", 0, "size=4k"))
		EXPECT(!"a small tmpfs");
	memset(old, 'x', sizeof(old));
	write_text("/tmp/small/old", old, sizeof(old));
	TOOL("-o", "/tmp/small/old");
	expect_error(2, "/tmp/small/old: No space left");
	slurp("/tmp/small/old", now, sizeof(now));
	EXPECT(!memcmp(old, now, sizeof(old)));
	TOOL("-o", "/tmp/small/old", "--", "/tmp/0-cpuids");
	expect_error(2, "/tmp/small/old: No space left");
	slurp("/tmp/small/old", now, sizeof(now));
	EXPECT(!memcmp(old, now, sizeof(old)));
	unlink("/tmp/small/old");
	entries = rmdir("/tmp/small") && errno == ENOTEMPTY;
	EXPECT(!entries);
	umount("/tmp/small");
}

static void test_output_format(void)
{
	static char text[SNAPSHOT_MAX];
	struct stat st;

	write_text("/tmp/d", "old", 3);
	chmod("/tmp/d", 0640);
	symlink("d", "/tmp/link");
	TOOL("-o", "/tmp/link", "--openmetrics");
	EXPECT(!ran.status);
	EXPECT(!*ran.out);
	slurp("/tmp/d", text, sizeof(text));
	EXPECT(!strncmp(text, "# HELP ", 7));
	EXPECT(!stat("/tmp/d", &st) && (st.st_mode & 0777) == 0640);
	EXPECT(!lstat("/tmp/link", &st) && S_ISLNK(st.st_mode));
	unlink("/tmp/link");
}

static void test_full_stdout(void)
{
	static char *const modes[] = { "--csv", "--json", "--help", "--version", "-a" };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(modes); i++) {
		run_into(open("/dev/full", O_WRONLY), (char *[]){ tool, modes[i], NULL });
		expect_error(2, "cannot write: No space left");
	}
}

static void test_closed_pipe(void)
{
	int ignored;

	for (ignored = 0; ignored < 2; ignored++) {
		signal(SIGPIPE, ignored ? SIG_IGN : SIG_DFL);
		expect_sigpipe((char *[]){ tool, "-i", "0.01", NULL });
	}
	signal(SIGPIPE, SIG_DFL);
}

/* A snapshot of the first edition has neither a numbering nor accounts. */
static void test_old_snapshot(void)
{
	static const char old[] =
		"exitstats snapshot 1\nstart\nreason 10 5 500\nreason 48 7 900\nother 1 2\n";
	char text[256];
	struct stats s;
	int len;

	len = snprintf(text, sizeof(text), "%scheck %016llx\n", old,
		       snapshot_hash(old, strlen(old)));
	EXPECT(parse_snapshot(&s, text, len));
	EXPECT(s.numbering == VMX && !s.accounts && !s.span);
	EXPECT(s.row[48].exits == 7 && s.row[48].cycles == 900 && s.row[OTHER].exits == 1);
	write_text("/tmp/old", text, len);
	TOOL("diff", "/tmp/old", "/tmp/old");
	EXPECT(!ran.status);
	EXPECT(strstr(ran.out, "    48  EPT_VIOLATION "));
	TOOL("diff", "--time", "/tmp/old", "/tmp/old");
	expect_error(2, "/tmp/old does not tell where the time went");
}

/* Reasons that grew most come first, before any that shrank. */
static void test_diff_change(void)
{
	static char text[8192];
	char a_name[] = "a", b_name[] = "b", *names[] = { a_name, b_name };
	static struct stats a, b;
	struct options saved = opt;
	FILE *f;

	a.numbering = numbering;
	a.row[1] = (struct exitstats){ 10, 9000 };
	a.row[2] = (struct exitstats){ 10, 100 };
	a.row[3] = (struct exitstats){ 10, 100 };
	b = a;
	b.row[1].cycles = 8000;
	b.row[2].cycles = 150;
	b.row[3].cycles = 400;
	opt.sort = BY_CHANGE;
	f = fmemopen(text, sizeof(text), "w");
	print_diff(f, &a, &b, names);
	fclose(f);
	opt = saved;
	EXPECT(strstr(text, "  4.00\n") && strstr(text, "  1.50\n") && strstr(text, "  0.89\n"));
	EXPECT(strstr(text, "  4.00\n") < strstr(text, "  1.50\n"));
	EXPECT(strstr(text, "  1.50\n") < strstr(text, "  0.89\n"));
}

static void test_diff_time(void)
{
	TOOL("-o", "/tmp/a");
	TOOL("-o", "/tmp/b", "--", "/tmp/1000-cpuids");
	TOOL("diff", "--time", "/tmp/a", "/tmp/b");
	EXPECT(!ran.status);
	EXPECT(strstr(ran.out, "\naccount "));
	EXPECT(strstr(ran.out, "\nguest "));
	EXPECT(count(ran.out, "%") == 2 * ACCOUNTS);
	TOOL("diff", "-t", "--csv", "/tmp/a", "/tmp/a");
	EXPECT(!strncmp(ran.out, "account,a_entered,a_cycles,", 27));
	EXPECT(strstr(ran.out, "\nguest,") && strstr(ran.out, ",1.0000,1.0000\n"));
	TOOL("diff", "--json", "/tmp/a", "/tmp/b");
	EXPECT(strstr(ran.out, ",\"accounts\":{\"guest\":{\"a\":{\"entered\":"));
}

/* A snapshot of a host of the other vendor */
static void test_other_vendor(void)
{
	static char text[SNAPSHOT_MAX];
	struct stats s = {
		.numbering = numbering == SVM ? VMX : SVM, .accounts = true, .span = true,
	};
	FILE *f = fmemopen(text, sizeof(text), "w");

	s.defined[12] = true;
	s.row[12] = (struct exitstats){ 3, 4 };
	write_snapshot(f, &s);
	fclose(f);
	write_text("/tmp/foreign", text, strlen(text));
	TOOL("-o", "/tmp/a");
	TOOL("diff", "/tmp/a", "/tmp/foreign");
	expect_error(2, ": only --time compares them");
	TOOL("diff", "--time", "/tmp/a", "/tmp/foreign");
	EXPECT(!ran.status);
	TOOL("check", "/tmp/foreign", "--", "/tmp/0-cpuids");
	expect_error(2, "/tmp/foreign has exit reasons of ");
}

/* ---- budgets ---- */

static void expect_check(const struct stats *s, const struct stats *base, int exceeded,
			 const char *lines)
{
	char text[4096] = "";
	FILE *f = fmemopen(text, sizeof(text), "w");

	EXPECT(check_budgets(f, s, base) == exceeded);
	fclose(f);
	if (!strcmp(text, lines))
		return;
	printf("# expected:\n");
	show("lines", (char *)lines);
	show("got", text);
	EXPECT(!"those lines");
}

static void test_budgets(void)
{
	static char other[] = "Other", all[] = "ALL", halt[] = "12", write[] = "msr_write";
	static struct stats s, base;
	struct options saved = opt;

	s.numbering = VMX;
	base.numbering = VMX;
	base.row[32].exits = 1020;
	s.row[32].exits = 1020;
	expect_check(&s, &base, 0, "");
	s.row[32].exits = 1021;
	expect_check(&s, &base, 1, "MSR_WRITE: 1,021 exits, budget 1,020\n");
	opt.tolerance = 10;
	expect_check(&s, &base, 0, "");
	s.row[32].exits = 1122;
	expect_check(&s, &base, 0, "");
	s.row[32].exits = 2140;
	expect_check(&s, &base, 1, "MSR_WRITE: 2,140 exits, budget 1,020 + 10 %\n");

	/* A reason that the base does not have has a budget of 0. */
	s.row[12].exits = 1;
	s.row[OTHER].exits = 5;
	expect_check(&s, &base, 3, "HLT: 1 exit, budget 0 + 10 %\n"
				   "MSR_WRITE: 2,140 exits, budget 1,020 + 10 %\n"
				   "other: 5 exits, budget 0 + 10 %\n");

	/* --max overrides the base, and the last --max overrides earlier ones. */
	opt.max[opt.nr_max++] = (struct max){ halt, 0 };
	opt.max[opt.nr_max++] = (struct max){ halt, 1 };
	opt.max[opt.nr_max++] = (struct max){ other, 4 };
	opt.max[opt.nr_max++] = (struct max){ write, 2140 };
	expect_check(&s, &base, 1, "other: 5 exits, budget 4\n");
	opt.max[opt.nr_max++] = (struct max){ all, 2145 };
	expect_check(&s, &base, 2, "other: 5 exits, budget 4\nall: 2,146 exits, budget 2,145\n");

	/* Without a base, only --max sets budgets. */
	opt.nr_max = 0;
	opt.max[opt.nr_max++] = (struct max){ all, 0 };
	expect_check(&s, NULL, 1, "all: 2,146 exits, budget 0\n");
	opt.nr_max = 0;
	expect_check(&s, NULL, 0, "");
	opt = saved;
}

static void test_check(void)
{
	char *name = numbering == SVM ? "cpuid" : "CPUID", line[64], max[32];

	snprintf(max, sizeof(max), "--max=%s:1000", name);
	TOOL("check", max, "--", "/tmp/1000-cpuids");
	EXPECT(!ran.status);
	EXPECT(!*ran.err && !*ran.out);
	snprintf(max, sizeof(max), "--max=%s:999", name);
	snprintf(line, sizeof(line), "%s: 1,000 exits, budget 999\n", name);
	TOOL("check", max, "--", "/tmp/1000-cpuids");
	EXPECT(ran.status == 1);
	EXPECT(!strcmp(ran.err, line));
	TOOL("check", "--max=all:0", "--", "/tmp/1000-cpuids");
	EXPECT(ran.status == 1);
	EXPECT(!strncmp(ran.err, "all: 1,", 7) && one_line(ran.err));
	EXPECT(strstr(ran.err, " exits, budget 0\n"));

	TOOL("-o", "/tmp/base", "--", "/tmp/0-cpuids");
	TOOL("check", "/tmp/base", "--tolerance", "50", "--", "/tmp/1000-cpuids");
	EXPECT(ran.status == 1);
	snprintf(line, sizeof(line), "%s: 1,000 exits, budget 0 + 50 %%\n", name);
	EXPECT(strstr(ran.err, line));

	/* CMD's output is unchanged. Its failure is distinguished from a failed check. */
	TOOL("check", "--max=all:99999999", "--", self, "say", "hello", "0");
	EXPECT(!ran.status);
	EXPECT(!strcmp(ran.out, "hello\n"));
	TOOL("check", "--max=all:0", "--", self, "say", "hello", "7");
	EXPECT(ran.status == 125);
	EXPECT(strstr(ran.err, " failed with exit status 7: not checked\n"));
	TOOL("check", "--max=all:0", "--", self, "die", "9");
	EXPECT(ran.status == 125);
	EXPECT(strstr(ran.err, " failed with exit status 137: not checked\n"));
	TOOL("check", "--max=all:0", "--", "/nonexistent");
	expect_error(127, "/nonexistent: No such file");
}

/* Without CMD: a budget for the figures since the VM started, as for a boot */
static void test_check_start(void)
{
	TOOL("check", "--max=all:99999999");
	EXPECT(!ran.status);
	EXPECT(!*ran.out && !*ran.err);
	TOOL("-o", "/tmp/start");
	TOOL("check", "/tmp/start");
	EXPECT(ran.status == 1);
	EXPECT(strstr(ran.err, numbering == SVM ? "cpuid: " : "CPUID: "));
	TOOL("check", "/tmp/start", "--", "/tmp/0-cpuids");
	expect_error(2, "/tmp/start is of all since the VM started, this is of a command");
	TOOL("check", "--max=all:0", "-o", "/tmp/checked", "--", "/tmp/0-cpuids");
	EXPECT(ran.status == 1 || !ran.status);
	TOOL("diff", "/tmp/checked", "/tmp/checked");
	EXPECT(!ran.status);
}

/* ---- terminals ---- */

static void test_widths(void)
{
	static const int columns[] = { 40, 80, 200 };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(columns); i++) {
		run_on_terminal(columns[i], (char *[]){ tool, NULL });
		EXPECT(!ran.status);
		EXPECT(strstr(ran.out, "total  "));
		EXPECT(longest_line(ran.out) <= columns[i]);
		EXPECT(columns[i] < 80 || strstr(ran.out, "average"));
		EXPECT(columns[i] < 200 || strstr(ran.out, "█"));
		EXPECT(!strstr(ran.out, "\033"));
		/* The bar of time has a letter for each part. */
		EXPECT(strstr(ran.out, "\n[g"));
		run_on_terminal(columns[i], (char *[]){ tool, "-i", "0.1", "-n", "2", NULL });
		EXPECT(!ran.status);
		EXPECT(longest_line(strstr(ran.out, "\r\n")) <= columns[i] || columns[i] == 40);
		TOOL("-o", "/tmp/a");
		run_on_terminal(columns[i], (char *[]){ tool, "diff", "/tmp/a", "/tmp/a", NULL });
		EXPECT(longest_line(ran.out) <= columns[i]);
		run_on_terminal(columns[i], (char *[]){ tool, "diff", "-t", "/tmp/a", "/tmp/a",
							NULL });
		EXPECT(longest_line(ran.out) <= columns[i]);
	}
}

/* In the C locale, the output is ASCII only. There are no colours with NO_COLOR. */
static void test_c_locale(void)
{
	const char *p;

	setenv("LC_ALL", "C", 1);
	run_on_terminal(200, (char *[]){ tool, NULL });
	unsetenv("LC_ALL");
	EXPECT(strstr(ran.out, "#"));
	for (p = ran.out; *p; p++)
		EXPECT(!(*p & 0x80));
	setenv("NO_COLOR", "1", 1);
	run_on_terminal(200, (char *[]){ tool, NULL });
	unsetenv("NO_COLOR");
	EXPECT(!strstr(ran.out, "\033"));
}

/* ---- the command line ---- */

static void test_usage(void)
{
	static char *const bad[][6] = {
		{ "--frobnicate" }, { "-x" }, { "-i" }, { "-i", "x" }, { "-i", "0" },
		{ "-i", "-1" }, { "-i", "nan" }, { "-i", "1s" }, { "-n", "0" }, { "-n", "-1" },
		{ "-n", "99999999999999999999" }, { "-s", "size" }, { "--sort" }, { "date" },
		{ "--" }, { "diff" }, { "diff", "/tmp/a" }, { "diff", "a", "b", "c" },
		{ "--raw" }, { "--raw", "x" }, { "--raw", "0x100000000" }, { "--raw", "1", "x" },
		{ "--raw", "1", "2", "3" }, { "--raw", "1", "--csv" }, { "--csv", "--json" },
		{ "--openmetrics", "-i", "1" }, { "--openmetrics", "--", "/tmp/0-cpuids" },
		{ "-i", "1", "--", "/tmp/0-cpuids" }, { "--pin", "x" }, { "--pin", "1023" },
		{ "--pin", "-1" }, { "-o" }, { "-o", "f", "diff", "a", "b" },
		{ "--csv=yes" }, { "" }, { "--vcpu", "1" }, { "--vcpu", "--raw", "1" },
		{ "--vcpu", "diff", "a", "b" }, { "--max", "all:0" }, { "--tolerance", "1" },
		{ "check" }, { "check", "a", "b" }, { "check", "/nonexistent" },
		{ "check", "--max", "all" }, { "check", "--max", ":1" },
		{ "check", "--max", "all:x" }, { "check", "--max", "all:-1" },
		{ "check", "--max", "NONSENSE:1" }, { "check", "--max", "0x999:1" },
		{ "check", "--max", "all:1", "--tolerance", "1" },
		{ "check", "a", "--tolerance", "x" }, { "check", "a", "--tolerance", "-1" },
		{ "check", "--max", "all:1", "--csv" }, { "check", "--max", "all:1", "-i", "1" },
		{ "--host", "-p", "1" }, { "--host", "-a" }, { "--host", "--", "/tmp/0-cpuids" },
		{ "--host", "-o", "x" }, { "-p" }, { "-p", "1", "--vcpu" },
		{ "-p", "1", "diff", "a", "b" }, { "-t", "--raw", "1" },
		{ "-s", "change" }, { "--hist" }, { "--hist", "all", "-t" },
		{ "--hist", "all", "--csv" }, { "--hist", "all", "--raw", "1" },
		{ "--hist", "all", "-o", "x" }, { "--hist", "all", "-a" },
		{ "--hist", "all", "check", "a" }, { "--hist", "all", "--host" },
	};

	expect_bad_usage(bad, ARRAY_SIZE(bad));
}

static void test_help(void)
{
	TOOL("--help");
	EXPECT(!ran.status);
	EXPECT(!strncmp(ran.out, "Usage: exitstats ", 17));
	EXPECT(!*ran.err);
	TOOL("--version");
	EXPECT(!ran.status);
	EXPECT(!strcmp(ran.out, "exitstats " VERSION "\n"));
}

static void test_pin(void)
{
	struct csv c;

	TOOL("--pin", "0", "--csv");
	EXPECT(!ran.status);
	parse_csv(&c, ran.out);
	EXPECT(c.good);
	TOOL("--pin=0", "--", self, "affinity");
	EXPECT(!strcmp(ran.out, "1\n"));
}

/* ---- what cannot be provoked from outside ---- */

static void test_reset(void)
{
	static struct stats from, to, d, sum;
	static struct stats other_host;

	from.numbering = numbering;
	from.row[48] = (struct exitstats){ 1000, 5000 };
	from.row[cpuid] = (struct exitstats){ 100, 7000 };
	from.own = (struct exitstats){ 50, 500 };
	from.ns = 1;
	to = from;
	to.ns = 2;
	to.own = (struct exitstats){ 60, 600 };
	to.row[cpuid] = (struct exitstats){ 113, 7130 };
	to.row[48].exits += 5;
	to.row[48].cycles += 25;
	subtract(&d, &from, &to);
	EXPECT(!d.reset);
	EXPECT(d.row[48].exits == 5 && d.row[48].cycles == 25);
	EXPECT(d.row[cpuid].exits == 3 && d.row[cpuid].cycles == 30);
	add(&sum, &d);
	EXPECT(total(&sum).exits == 8);

	/* One counter is less than it was. */
	to.row[48].exits = 999;
	subtract(&d, &from, &to);
	EXPECT(d.reset);
	EXPECT(!total(&d).exits && !total(&d).cycles);
	add(&sum, &d);
	EXPECT(total(&sum).exits == 8);

	to.row[48] = (struct exitstats){ 2000, 4999 };
	subtract(&d, &from, &to);
	EXPECT(d.reset);

	/* No counter is less, but the tool's own exits are missing. */
	to.row[48] = from.row[48];
	to.row[cpuid].exits = 109;
	subtract(&d, &from, &to);
	EXPECT(d.reset);

	/* The host is of the other vendor. */
	other_host = from;
	other_host.numbering = numbering == SVM ? VMX : SVM;
	subtract(&d, &from, &other_host);
	EXPECT(d.reset);
}

static void test_reset_is_said(void)
{
	static const char said[] =
		"title\n\nNo figures: the counters were reset when the VM was restarted or migrated.\n";
	struct stats d = {
		.span = true, .reset = true, .consistent = true, .numbering = numbering,
	};
	FILE *f;

	f = fmemopen(ran.out, OUT_MAX, "w");
	print_report(f, &d, "title", 0);
	fclose(f);
	EXPECT(!strcmp(ran.out, said));
	f = fmemopen(ran.out, OUT_MAX, "w");
	print_csv(f, &d, -1);
	fclose(f);
	EXPECT(!strcmp(ran.out, "reset,,,,\n"));
	opt.time = true;
	f = fmemopen(ran.out, OUT_MAX, "w");
	print_csv(f, &d, 1);
	fclose(f);
	opt.time = false;
	EXPECT(!strcmp(ran.out, "1.000,reset,,\n"));
	f = fmemopen(ran.out, OUT_MAX, "w");
	print_json(f, &d, 1);
	fclose(f);
	EXPECT(strstr(ran.out, "\"reset\":true"));
}

/* ---- how long exits take ---- */

static int compare_numbers(const void *pa, const void *pb)
{
	unsigned long long a = *(const unsigned long long *)pa;
	unsigned long long b = *(const unsigned long long *)pb;

	return (a > b) - (a < b);
}

static void test_buckets(void)
{
	struct hist h = { { 0 } };
	int b;

	for (b = 0; b < BUCKETS; b++) {
		EXPECT(bucket_of(bucket_from(b)) == b);
		EXPECT(bucket_of(bucket_to(b)) == b);
		EXPECT(!b || bucket_from(b) == bucket_to(b - 1) + 1);
	}
	EXPECT(bucket_from(0) == 0 && bucket_to(0) == 1 && bucket_from(10) == 1024);
	EXPECT(bucket_from(BUCKETS - 1) == 1u << 31 && bucket_to(BUCKETS - 1) == ~0ull);

	EXPECT(!hist_percentile(&h, 99, 0) && !hist_longest(&h));
	h.bucket[10] = 100;
	EXPECT(hist_percentile(&h, 50, 0) == 1024 + 511);
	EXPECT(hist_percentile(&h, 100, 0) == 2047 && hist_longest(&h) == 2047);
	/* The longest exit is the end of the last bucket. */
	EXPECT(hist_percentile(&h, 50, 1124) == 1074);
	EXPECT(hist_percentile(&h, 100, 1124) == 1124);
	/* 1 in 200 is beyond the 99th percentile, 1 in 50 is not. */
	h.bucket[20] = 1;
	h.bucket[10] = 199;
	EXPECT(hist_percentile(&h, 99, 0) < 2048);
	h.bucket[10] = 49;
	EXPECT(hist_percentile(&h, 99, 0) >= 1u << 20);
	/* Only the longest exit tells where the last bucket ends. */
	h.bucket[BUCKETS - 1] = 100;
	EXPECT(hist_percentile(&h, 99, 0) == 1u << 31);
	EXPECT(hist_percentile(&h, 100, 1ull << 40) == 1ull << 40);
}

/* An estimate is in the same bucket as the exact percentile. */
static void test_percentile_error(void)
{
	static const int percents[] = { 1, 50, 90, 99, 100 };
	unsigned long long value[1000], exact, longest, estimate, random = 1;
	unsigned int n, i, p;
	struct hist h;

	for (n = 1; n <= ARRAY_SIZE(value); n += n / 3 + 1) {
		memset(&h, 0, sizeof(h));
		for (i = 0; i < n; i++) {
			random = random * 6364136223846793005 + 1442695040888963407;
			value[i] = random >> 33 >> (random >> 5) % 24;
			h.bucket[bucket_of(value[i])]++;
		}
		qsort(value, n, sizeof(value[0]), compare_numbers);
		longest = value[n - 1];
		for (p = 0; p < ARRAY_SIZE(percents); p++) {
			exact = value[(n * percents[p] + 99) / 100 - 1];
			estimate = hist_percentile(&h, percents[p], longest);
			EXPECT(bucket_of(estimate) == bucket_of(exact));
			EXPECT(estimate <= longest);
		}
		EXPECT(hist_longest(&h) >= longest && bucket_of(longest) == hist_last(&h));
	}
}

/* Figures with EPT violations and CPUIDs, or AMD's equivalents */
static void make_tail(struct stats *s)
{
	int npf = numbering == SVM ? code_row(SVM, 0x400) : 48;

	memset(s, 0, sizeof(*s));
	s->numbering = numbering;
	s->consistent = true;
	s->histogram = true;
	s->accounts = true;
	s->account[GUEST] = (struct exitstats){ 9000, 90000000 };
	s->defined[cpuid] = true;
	s->defined[npf] = true;
	s->row[npf] = (struct exitstats){ 8000, 48000000 };
	s->hist[npf].bucket[12] = 7800;
	s->hist[npf].bucket[15] = 199;
	s->hist[npf].bucket[20] = 1;
	s->longest[npf] = 1100000;
	s->row[cpuid] = (struct exitstats){ 500, 600000 };
	s->hist[cpuid].bucket[9] = 300;
	s->hist[cpuid].bucket[10] = 200;
	s->longest[cpuid] = 1500;
}

/* The tool's output for @s; valid until the next call */
static char *printed(const struct stats *s, enum format format)
{
	static char text[OUT_MAX];
	struct options saved = opt;
	FILE *f = fmemopen(text, sizeof(text), "w");

	opt.format = format;
	print_stats(f, s, "title");
	fclose(f);
	opt = saved;
	return text;
}

static void test_tail_table(void)
{
	static struct stats s;
	char *text;
	int width;

	make_tail(&s);
	text = printed(&s, TABLE);
	EXPECT(strstr(text, "  average    p50     p99    longest\n"));
	/* 50 %: 4096 + 4095 * 4000 / 7800; 99 %: 32768 + 32767 * 120 / 199 */
	EXPECT(strstr(text, "    6,000  6,196  52,526  1,100,000\n"));
	EXPECT(strstr(text, numbering == SVM ? "0x72  cpuid " : "  10  CPUID "));
	/* 50 %: 512 + 511 * 250 / 300; 99 %: 1024 + (1500 - 1024) * 195 / 200 */
	EXPECT(strstr(text, "    1,200    937   1,488      1,500\n"));

	/* For a period, the longest exit is a bound. */
	s.span = true;
	EXPECT(strstr(printed(&s, TABLE), "  <=1,100,000\n"));
	s.span = false;
	for (width = 40; width <= 200; width += 40) {
		term_width = width;
		text = printed(&s, TABLE);
		EXPECT(longest_line(text) <= width);
		EXPECT(width < 80 || strstr(text, "  p99  "));
	}
	term_width = 0;

	/* Without the histogram, there are no such columns. */
	s.histogram = false;
	memset(s.hist, 0, sizeof(s.hist));
	EXPECT(!strstr(printed(&s, TABLE), "p99"));
	EXPECT(!strstr(printed(&s, JSON), "p99"));
	EXPECT(!strncmp(printed(&s, CSV), CSV_HEAD "\n", strlen(CSV_HEAD) + 1));
	EXPECT(count(printed(&s, OPENMETRICS), "# TYPE ") == 3);
}

static void test_distribution(void)
{
	static struct stats s;
	char *text;
	int width;

	make_tail(&s);
	opt.hist = "cpuid";
	setenv("LC_ALL", "C.UTF-8", 1);
	for (width = 40; width <= 200; width += 40) {
		term_width = width;
		text = printed(&s, TABLE);
		EXPECT(longest_line(text) <= width);
		EXPECT(strstr(text, "title: CPUID (10)\n\n") ||
		       strstr(text, "title: cpuid (0x72)\n\n"));
		EXPECT(strstr(text, "  60.0%  █████"));
		EXPECT(strstr(text, "  40.0%  ███"));
		EXPECT(strstr(text, "\n\np50 937, p99 1,488,"));
		EXPECT(width < 80 || strstr(text, "\n 1,024  2,047    200   40.0%  █"));
	}
	/* The longest bar takes all the room. */
	term_width = 40;
	text = strstr(printed(&s, TABLE), "\n   512  1,023    300   60.0%  ");
	EXPECT(text);
	if (text) {
		*strchr(text + 1, '\n') = 0;
		EXPECT(longest_line(text) == 40);
	}
	setenv("LC_ALL", "C", 1);
	EXPECT(strstr(printed(&s, TABLE), "60.0%  ##########\n"));
	unsetenv("LC_ALL");
	term_width = 0;
	EXPECT(strstr(printed(&s, TABLE), "\n   512  1,023    300   60.0%\n"));

	/* Empty buckets between others are drawn, too. */
	opt.hist = "all";
	text = printed(&s, TABLE);
	EXPECT(strstr(text, "title: all reasons\n\n"));
	EXPECT(strstr(text, "\n   16,384     32,767      0    0.0%\n"));
	EXPECT(strstr(text, "\n    total             8,500  100.0%\n"));
	opt.hist = "hlt";
	EXPECT(strstr(printed(&s, TABLE), "\n\nNo exits.\n"));
	opt.hist = NULL;
}

/* Buckets are cumulative, and the last one equals the count. Return: number of histograms */
static int check_histograms(const char *text)
{
	unsigned long long n, previous = 0, le, last = 0;
	int histograms = 0, samples = 0;
	const char *line, *p;

	for (line = text; (line = strstr(line, "\nkvm_exitstats_exit_cycles_")); ) {
		line += 27;
		p = strchr(line, '}');
		n = strtoull(p + 1, NULL, 10);
		if (!strncmp(line, "bucket{", 7)) {
			EXPECT(n >= previous);
			previous = n;
			p = strstr(line, ",le=\"") + 5;
			le = *p == '+' ? ~0ull : strtoull(p, NULL, 10);
			EXPECT(le == bucket_to(samples++) && le > last);
			last = le;
		} else if (!strncmp(line, "count{", 6)) {
			EXPECT(n == previous && samples == BUCKETS);
			previous = 0;
			last = 0;
			samples = 0;
			histograms++;
		} else {
			EXPECT(!strncmp(line, "sum{", 4));
		}
	}
	EXPECT(!samples);
	return histograms;
}

static void test_tail_formats(void)
{
	static struct stats s;
	struct csv c;
	char *text;

	make_tail(&s);
	parse_csv(&c, printed(&s, CSV));
	EXPECT(c.good && c.histogram && c.rows == 2);
	EXPECT(!memcmp(c.hist, s.hist, sizeof(c.hist)));
	EXPECT(hist_exits(&c.all) == 8500);

	text = printed(&s, JSON);
	EXPECT(one_line(text) && count(text, "{") == count(text, "}"));
	EXPECT(count(text, "[") == 4 && count(text, "]") == 4);
	EXPECT(strstr(text, ",\"longest_cycles\":1500,\"p50_cycles\":937,\"p99_cycles\":1488,"));
	EXPECT(strstr(text, "\"buckets\":[0,0,0,0,0,0,0,0,0,300,200,0,"));
	EXPECT(strstr(text, "\"total\":{\"longest_cycles\":1100000,\"p50_cycles\":"));

	text = printed(&s, OPENMETRICS);
	EXPECT(count(text, "\n# TYPE kvm_exitstats_exit_cycles histogram\n") == 1);
	EXPECT(check_histograms(text) == 2);
	EXPECT(strstr(text, "\",le=\"1023\"} 300\n") && strstr(text, "\",le=\"2047\"} 500\n"));
	EXPECT(strstr(text, "\",le=\"+Inf\"} 8000\n"));
	EXPECT(!strcmp(text + strlen(text) - 6, "# EOF\n"));

	/* After a reset, there are no figures, but the same number of fields. */
	s.reset = true;
	text = printed(&s, CSV);
	EXPECT(count(text, ",") == 2 * (4 + 3 + BUCKETS) && strstr(text, "\nreset,,,,"));
}

/* A difference does not have the tool's own readings. Its longest exit is a bound. */
static void test_tail_difference(void)
{
	static struct stats from, to, d, sum;
	int npf = numbering == SVM ? code_row(SVM, 0x400) : 48;

	make_tail(&from);
	from.own = (struct exitstats){ 100, 60000 };
	from.own_hist.bucket[9] = 100;
	to = from;
	/* The tool has executed 30 CPUIDs, 20 of them in bucket 10, and a program 7. */
	to.own.exits += 30;
	to.own.cycles += 30000;
	to.own_hist.bucket[9] += 10;
	to.own_hist.bucket[10] += 20;
	to.row[cpuid].exits += 37;
	to.row[cpuid].cycles += 37000;
	to.hist[cpuid].bucket[9] += 15;
	to.hist[cpuid].bucket[10] += 22;
	to.row[npf].exits += 3;
	to.row[npf].cycles += 30000;
	to.hist[npf].bucket[12] += 2;
	to.hist[npf].bucket[14] += 1;
	subtract(&d, &from, &to);
	EXPECT(d.histogram && d.row[cpuid].exits == 7);
	EXPECT(d.hist[cpuid].bucket[9] == 5 && d.hist[cpuid].bucket[10] == 2);
	EXPECT(hist_exits(&d.hist[cpuid]) == 7);
	EXPECT(d.hist[npf].bucket[12] == 2 && d.hist[npf].bucket[14] == 1);
	EXPECT(hist_exits(&d.hist[npf]) == 3);
	EXPECT(d.longest[npf] == 32767 && d.longest[cpuid] == 1500);
	/* An exit that had not ended before is now in a later bucket. */
	to.hist[npf].bucket[12] -= 1;
	to.hist[npf].bucket[16] += 1;
	subtract(&d, &from, &to);
	EXPECT(d.hist[npf].bucket[12] == 1 && hist_exits(&d.hist[npf]) == 3);
	to.hist[npf].bucket[12] = from.hist[npf].bucket[12] - 1;
	to.hist[npf].bucket[14] = from.hist[npf].bucket[14] + 3;
	subtract(&d, &from, &to);
	EXPECT(!d.hist[npf].bucket[12] && d.hist[npf].bucket[14] == 2);
	EXPECT(d.hist[npf].bucket[16] == 1);
	to.hist[npf].bucket[12] = from.hist[npf].bucket[12] + 2;
	to.hist[npf].bucket[14] = from.hist[npf].bucket[14] + 1;
	to.hist[npf].bucket[16] = from.hist[npf].bucket[16];
	subtract(&d, &from, &to);
	add(&sum, &d);
	add(&sum, &d);
	EXPECT(sum.hist[npf].bucket[12] == 4 && sum.longest[npf] == 32767 && sum.histogram);

	/* If the tool's readings are in other buckets than estimated, the sum is still exact. */
	to.own_hist.bucket[9] -= 10;
	to.own_hist.bucket[11] += 10;
	subtract(&d, &from, &to);
	EXPECT(hist_exits(&d.hist[cpuid]) == 7);

	/* Only one reading has the histogram. */
	from.histogram = false;
	subtract(&d, &from, &to);
	EXPECT(!d.histogram && hist_last(&d.hist[npf]) < 0 && !d.longest[npf]);
}

static void write_stats(const char *path, const struct stats *s)
{
	FILE *f = fopen(path, "w");

	write_snapshot(f, s);
	fclose(f);
}

/* Is a snapshot of make_tail() accepted with @hists between "other" and "account"? */
static bool takes_hists(const char *hists)
{
	static struct stats s;
	char text[2048], *other;
	FILE *f;

	make_tail(&s);
	memset(s.hist, 0, sizeof(s.hist));
	s.accounts = false;
	f = fmemopen(text, sizeof(text), "w");
	write_snapshot(f, &s);
	fclose(f);
	other = strstr(text, "check ");
	sprintf(other, "%s", hists);
	sprintf(other + strlen(other), "check %016llx\n", snapshot_hash(text, strlen(text)));
	return parse_snapshot(&s, text, strlen(text));
}

static void test_tail_snapshot(void)
{
	static const char *const bad[] = {
		"hist 0x01 5\n", "hist 0x01 5 32:1\n", "hist 0x01 5 3:0\n", "hist 0x01 5 3:1 3:1\n",
		"hist 0x01 5 4:1 3:1\n", "hist 0x01 5 3\n", "hist 0x01 5 3:1 4\n",
		"hist 0x01 5 3:1",
		"hist 0x01 3:1\n", "hist 1 5 3:1\nhist 0x01 5 3:1\n", "hist 0x999 5 3:1\n",
		"hist other 5 3:1\nhist 0x01 5 3:1\n", "hist 0x01 5 3:1\nhist 0x01 5 3:1\n",
		"hist 0x01 5 3:-1\n", "hist 0x01 5 18446744073709551616:1\n", "hist\n",
	};
	static char text[SNAPSHOT_MAX];
	static struct stats s, again;
	char line[128], *p;
	unsigned int i;

	make_tail(&s);
	s.row[OTHER] = (struct exitstats){ 3, 9 };
	s.hist[OTHER].bucket[1] = 3;
	write_stats("/tmp/tail", &s);
	slurp("/tmp/tail", text, sizeof(text));
	EXPECT(!strncmp(text, "exitstats snapshot 3\nnumbering ", 31));
	EXPECT(count(text, "\nhist ") == 3);
	EXPECT(strstr(text, " 1500 9:300 10:200\n") && strstr(text, "\nhist other 0 1:3\n"));
	EXPECT(parse_snapshot(&again, text, strlen(text)));
	EXPECT(!memcmp(&s, &again, sizeof(s)));

	EXPECT(takes_hists(numbering == SVM ? "hist 0x01 5 3:1 31:2\nhist other 0 3:1\n" :
					      "hist 1 5 3:1 31:2\nhist other 0 3:1\n"));
	EXPECT(takes_hists(""));
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		snprintf(line, sizeof(line), "%s", bad[i]);
		/* VMX's numbers are decimal: remove the 0x. */
		while (numbering == VMX && (p = strstr(line, "0x0")))
			memmove(p, p + 3, strlen(p + 3) + 1);
		EXPECT(!takes_hists(line));
	}
	/* Version 2 has no histograms. */
	text[20 - 1] = '2';
	p = strstr(text, "check ");
	sprintf(p, "check %016llx\n", snapshot_hash(text, p - text));
	EXPECT(!parse_snapshot(&again, text, strlen(text)));
}

static void test_tail_diff(void)
{
	char *name = numbering == SVM ? "cpuid" : "CPUID";
	char *argv[] = { tool, "diff", "--hist", name, "/tmp/tail-a", "/tmp/tail-b", NULL };
	static const int columns[] = { 40, 80, 200 };
	static struct stats a, b;
	unsigned int i;

	make_tail(&a);
	make_tail(&b);
	b.hist[cpuid].bucket[9] = 0;
	b.hist[cpuid].bucket[12] = 300;
	b.longest[cpuid] = 8000;
	write_stats("/tmp/tail-a", &a);
	write_stats("/tmp/tail-b", &b);
	TOOL("diff", "/tmp/tail-a", "/tmp/tail-b");
	EXPECT(!ran.status && !*ran.err);
	EXPECT(strstr(ran.out, "  p50 A  p50 B   p99 A   p99 B\n"));
	EXPECT(strstr(ran.out, "    937  4,746   1,488   7,934\n"));
	TOOL("diff", "--hist", name, "/tmp/tail-a", "/tmp/tail-b");
	EXPECT(!ran.status && !*ran.err);
	EXPECT(strstr(ran.out, "\n   512  1,023      300  60.0%        0   0.0%\n"));
	EXPECT(strstr(ran.out, "\n 2,048  4,095        0   0.0%        0   0.0%\n"));
	EXPECT(strstr(ran.out, "\nA: p50 937, p99 1,488, longest 1,500 cycles\n"
			       "B: p50 4,746, p99 7,934, longest 8,000 cycles\n"));
	for (i = 0; i < ARRAY_SIZE(columns); i++) {
		run_on_terminal(columns[i], argv);
		EXPECT(!ran.status);
		EXPECT(longest_line(ran.out) <= columns[i]);
		EXPECT(strstr(ran.out, "█████"));
	}
	TOOL("diff", "--csv", "/tmp/tail-a", "/tmp/tail-b");
	EXPECT(strstr(ran.out, ",cycles_ratio,a_p50_cycles,a_p99_cycles,a_longest_cycles,"));
	EXPECT(strstr(ran.out, ",1.0000,1.0000,937,1488,1500,0,0,0,0,0,0,0,0,0,300,200,0,"));
	TOOL("diff", "--json", "/tmp/tail-a", "/tmp/tail-b");
	EXPECT(one_line(ran.out) && count(ran.out, "\"buckets\":[") == 6);

	/* A snapshot without a histogram, or without such a reason */
	a.histogram = false;
	write_stats("/tmp/tail-none", &a);
	TOOL("diff", "/tmp/tail-none", "/tmp/tail-b");
	EXPECT(!ran.status && strstr(ran.out, "p50 B"));
	TOOL("diff", "--csv", "/tmp/tail-none", "/tmp/tail-b");
	EXPECT(!strstr(ran.out, "a_p50") && strstr(ran.out, ",b_p50_cycles,"));
	TOOL("diff", "--hist", name, "/tmp/tail-none", "/tmp/tail-b");
	expect_error(2, "/tmp/tail-none has no histogram");
	TOOL("diff", "--hist", "NONSENSE", "/tmp/tail-a", "/tmp/tail-b");
	expect_error(2, "no such exit reason of ");
}

static void test_no_histogram(void)
{
	TOOL("--hist", "all");
	expect_error(3, "this VM has no histogram: its host needs kvm.exitstats_hist=1");
	EXPECT(strstr(ran.err, "flag 4 of KVM_CAP_X86_EXITSTATS"));
	TOOL("--hist", "all", "--", self, "say", "hello", "0");
	expect_error(3, "this VM has no histogram");
	TOOL("--hist=NONSENSE");
	expect_error(2, "no such exit reason of ");
	TOOL();
	EXPECT(!strstr(ran.out, "p99"));
	TOOL("--csv");
	EXPECT(!strncmp(ran.out, CSV_HEAD "\n", strlen(CSV_HEAD) + 1));
	TOOL("--json");
	EXPECT(!strstr(ran.out, "buckets"));
}

/* ---- a VM that has the histogram ---- */

/*
 * The exits in a bucket and all later ones are between the leaves' before and after. Those in a
 * single bucket are not: an exit of another vCPU that has not ended moves to a later one.
 */
static void test_tail_against_leaves(void)
{
	unsigned long long least, n, most;
	static struct exitstats_histogram before[REASONS], after;
	struct csv c;
	int i, b;

	EXPECT(exitstats_has_histogram());
	for (i = 0; i < REASONS; i++)
		exitstats_read_histogram(row_code(i), 0, &before[i]);
	TOOL("--csv");
	EXPECT(!ran.status);
	parse_csv(&c, ran.out);
	EXPECT(c.good && c.histogram && c.rows > 3);
	for (i = 0; i < REASONS; i++) {
		exitstats_read_histogram(row_code(i), 0, &after);
		/* The buckets of the tool's last CPUIDs are estimated. */
		least = 0;
		n = 0;
		most = 0;
		for (b = BUCKETS - 1; b >= 0 && i != cpuid; b--) {
			least += before[i].exits[b];
			n += c.hist[i].bucket[b];
			most += after.exits[b];
			EXPECT(n >= least && n <= most);
		}
		/* The buckets may have more exits, which occurred while the tool read. */
		EXPECT(hist_exits(&c.hist[i]) >= c.row[i].exits);
		EXPECT(hist_exits(&c.hist[i]) <= c.row[i].exits + 100);
	}
}

/* The cycles of these exits are within the bounds that the buckets allow. */
static void expect_cycles_fit(const struct hist *h, struct exitstats of)
{
	unsigned long long least = 0, most = 0;
	int b;

	for (b = 0; b <= hist_last(h); b++) {
		least += h->bucket[b] * bucket_from(b);
		most += h->bucket[b] * bucket_to(b);
	}
	printf("# %llu exits, %llu cycles: %llu to %llu\n", of.exits, of.cycles, least, most);
	EXPECT(of.cycles >= least && of.cycles <= most);
}

/* The buckets of a command have its CPUIDs without the tool's. */
static void test_tail_exact(void)
{
	struct csv c;

	TOOL("--csv", "--", "/tmp/1000-cpuids");
	EXPECT(!ran.status);
	parse_csv(&c, ran.err);
	EXPECT(c.good && c.histogram);
	EXPECT(c.row[cpuid].exits == 1000 && hist_exits(&c.hist[cpuid]) == 1000);
	expect_cycles_fit(&c.hist[cpuid], c.row[cpuid]);
	TOOL("--csv", "--", "/tmp/0-cpuids");
	parse_csv(&c, ran.err);
	EXPECT(c.good && !c.row[cpuid].exits && hist_last(&c.hist[cpuid]) < 0);
	TOOL("--csv", "--vcpu", "--pin", "0", "--", "/tmp/1000-cpuids");
	parse_csv(&c, ran.err);
	EXPECT(c.good && c.row[cpuid].exits == 1000 && hist_exits(&c.hist[cpuid]) == 1000);
	expect_cycles_fit(&c.hist[cpuid], c.row[cpuid]);
}

/* The tool's own readings are in no interval. */
static void test_tail_intervals(void)
{
	TOOL("-i", "0.2", "-n", "4", "--csv");
	EXPECT(!ran.status);
	EXPECT(!strncmp(ran.out, "seconds," CSV_HEAD CSV_HIST_HEAD, 60));
	EXPECT(!strstr(ran.out, numbering == SVM ? ",cpuid," : ",CPUID,"));
	TOOL("-i", "0.2", "-n", "2");
	EXPECT(!ran.status && count(ran.out, "  p99  ") == 3);
	TOOL("-i", "0.2", "-n", "2", "--hist", "all");
	EXPECT(!ran.status && count(ran.out, ": all reasons\n") == 3);
	EXPECT(count(ran.out, "longest <=") == 3);
}

static void test_tail_terminal(void)
{
	char *name = numbering == SVM ? "cpuid" : "CPUID";
	char *number = numbering == SVM ? "0x72" : "10";
	static const int columns[] = { 40, 80, 200 };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(columns); i++) {
		run_on_terminal(columns[i], (char *[]){ tool, NULL });
		EXPECT(!ran.status);
		EXPECT(longest_line(ran.out) <= columns[i]);
		EXPECT(columns[i] < 80 || strstr(ran.out, "p99"));
		run_on_terminal(columns[i], (char *[]){ tool, "--hist", name, NULL });
		EXPECT(!ran.status);
		EXPECT(longest_line(strstr(ran.out, "\r\n")) <= columns[i]);
		EXPECT(strstr(ran.out, "█████") && strstr(ran.out, "p50 "));
	}
	TOOL("--hist", number);
	EXPECT(!ran.status && strstr(ran.out, name));
	TOOL("--hist", name, "--vcpu", "--pin=0");
	EXPECT(!ran.status && strstr(ran.out, "longest"));
	TOOL("--hist", name, "--", "/tmp/1000-cpuids");
	EXPECT(!ran.status && !*ran.out && strstr(ran.err, "  1,000  100.0%\n"));
	TOOL("--hist", "NONSENSE", "--", self, "say", "hello", "0");
	expect_error(2, "no such exit reason of ");
}

static void test_tail_metrics(void)
{
	TOOL("--openmetrics");
	EXPECT(!ran.status);
	EXPECT(count(ran.out, "# TYPE ") == 4 && count(ran.out, "# HELP ") == 4);
	EXPECT(check_histograms(ran.out) > 3);
}

static void test_tail_saved(void)
{
	TOOL("-o", "/tmp/a");
	TOOL("-o", "/tmp/b", "--", "/tmp/1000-cpuids");
	EXPECT(!ran.status);
	TOOL("diff", "--hist", "all", "/tmp/a", "/tmp/b");
	EXPECT(!ran.status && strstr(ran.out, "\nA: p50 ") && strstr(ran.out, "\nB: p50 "));
	TOOL("diff", "/tmp/a", "/tmp/b");
	EXPECT(!ran.status && strstr(ran.out, "p99 B"));
	TOOL("check", "/tmp/b", "--tolerance=1000", "--max=all:100000", "--", "/tmp/0-cpuids");
	EXPECT(ran.status == 0 || ran.status == 1);
	EXPECT(!strstr(ran.err, "damaged"));
}

/*
 * exitstats_read.h: the buckets have each exit from before the reading. Other vCPUs exit
 * meanwhile, and an exit that moves to a later bucket may be read in both.
 */
static void test_read_tail(void)
{
	unsigned int scopes[] = { 0, KVM_EXITSTATS_SELECT_VCPU }, i;
	/* Use a reason that neither reading leaves nor the timer causes. */
	unsigned int reason = numbering == SVM ? SVM_IO : VMX_IO;
	struct exitstats_histogram h;
	unsigned long long before, after, sum;
	int b;

	for (i = 0; i < ARRAY_SIZE(scopes); i++) {
		exitstats_read_exits(KVM_EXITSTATS_SELECT_REASON(reason) | scopes[i], &before);
		EXPECT(!exitstats_read_histogram(reason, scopes[i], &h));
		exitstats_read_exits(KVM_EXITSTATS_SELECT_REASON(reason) | scopes[i], &after);
		for (b = 0, sum = 0; b < BUCKETS; b++)
			sum += h.exits[b];
		EXPECT((i || before) && sum >= before);
		EXPECT(sum <= after + (after - before) + 2);
	}
	EXPECT(exitstats_read_histogram(0xfff, 0, &h) < 0);
	EXPECT(!h.exits[0] && !h.exits[BUCKETS - 1]);
}

/* ---- the example ---- */

static void test_example(void)
{
	unsigned long long quiet, noisy;
	int try;

	/* An interrupt may come in between. */
	for (try = 0; try < 5; try++) {
		RUN(example);
		EXPECT(!ran.status);
		quiet = -1;
		noisy = -1;
		EXPECT(sscanf(ran.out, "VM exits in the quiet section: %llu\n"
				       "VM exits in the noisy section: %llu\n",
			      &quiet, &noisy) == 2);
		if (quiet == 0 && noisy == 1)
			return;
	}
	EXPECT(!"no exit in the quiet section, one in the noisy one");
}

/* ---- a host that does not count ---- */

static const char no_leaves[] = "this host does not report exit statistics";

static void test_absent(void)
{
	unlink("/tmp/never");
	TOOL();
	expect_error(3, no_leaves);
	TOOL("--csv");
	expect_error(3, no_leaves);
	TOOL("-i", "1");
	expect_error(3, no_leaves);
	TOOL("-o", "/tmp/never");
	expect_error(3, no_leaves);
	EXPECT(access("/tmp/never", F_OK));
	TOOL("--", self, "say", "hello", "0");
	expect_error(3, no_leaves);
}

static void test_absent_others(void)
{
	TOOL("--raw", "0");
	EXPECT(!ran.status);
	EXPECT(count(ran.out, "\n") == 4);
	TOOL("--help");
	EXPECT(!ran.status);
	TOOL("--frobnicate");
	expect_error(2, "");
	RUN(example);
	EXPECT(ran.status == 3);
	EXPECT(strstr(ran.err, no_leaves));
}

static const struct test tests[] = {
	{ "table since the VM started", test_table },
	{ "--csv adds up", test_csv },
	{ "--csv agrees with the leaves", test_csv_against_leaves },
	{ "-s", test_sort },
	{ "-a", test_all },
	{ "names of exit reasons", test_names },
	{ "--time agrees with the leaves", test_time_against_leaves },
	{ "--time adds up", test_time_adds_up },
	{ "--time, table and intervals", test_time_table },
	{ "where the time went", test_where },
	{ "--vcpu", test_vcpu },
	{ "--vcpu -- CMD, beside a busy vCPU", test_vcpu_command },
	{ "exitstats_read.h: this vCPU", test_read_vcpu },
	{ "--json", test_json },
	{ "--openmetrics", test_openmetrics },
	{ "--raw", test_raw },
	{ "-- CMD of exactly 1000 CPUIDs", test_exact },
	{ "-- CMD of 1000 CPUIDs more than another", test_exact_libc },
	{ "-- CMD with children", test_children },
	{ "-- CMD keeps its output", test_command_output },
	{ "-- CMD keeps its exit status", test_command_status },
	{ "-- CMD and signals", test_command_signals },
	{ "figures of a busy VM", test_busy },
	{ "-i", test_intervals },
	{ "-i does not show the tool's own exits", test_idle_interval },
	{ "-i prints the sum on Ctrl-C", test_interrupt },
	{ "-w", test_watch },
	{ "-w prints the sum on Ctrl-C", test_watch_interrupt },
	{ "-o and diff", test_snapshot },
	{ "damaged snapshots", test_damaged },
	{ "a failed -o keeps the old file", test_output_failures },
	{ "-o with a format, through a link", test_output_format },
	{ "full standard output", test_full_stdout },
	{ "closed pipe", test_closed_pipe },
	{ "snapshots of the first edition", test_old_snapshot },
	{ "diff -s change", test_diff_change },
	{ "diff --time", test_diff_time },
	{ "snapshots of the other vendor", test_other_vendor },
	{ "budgets", test_budgets },
	{ "check -- CMD", test_check },
	{ "check since the VM started", test_check_start },
	{ "terminals of 40, 80 and 200 columns", test_widths },
	{ "C locale, NO_COLOR", test_c_locale },
	{ "bad usage", test_usage },
	{ "--help and --version", test_help },
	{ "--pin", test_pin },
	{ "reset between two readings", test_reset },
	{ "a reset is reported", test_reset_is_said },
	{ "buckets and percentiles", test_buckets },
	{ "the error of a percentile", test_percentile_error },
	{ "percentiles in the table", test_tail_table },
	{ "--hist draws a distribution", test_distribution },
	{ "CSV, JSON and OpenMetrics of a histogram", test_tail_formats },
	{ "difference of two histograms", test_tail_difference },
	{ "snapshots of a histogram", test_tail_snapshot },
	{ "diff of two histograms", test_tail_diff },
	{ "no histogram", test_no_histogram },
	{ "example_critical", test_example },
};

static const struct test histogram_tests[] = {
	{ "histogram: --csv buckets agree with the leaves", test_tail_against_leaves },
	{ "histogram: -- CMD of exactly 1000 CPUIDs", test_tail_exact },
	{ "histogram: intervals do not show the tool's own exits", test_tail_intervals },
	{ "histogram: terminals of 40, 80 and 200 columns", test_tail_terminal },
	{ "histogram: --openmetrics", test_tail_metrics },
	{ "histogram: -o, diff, check", test_tail_saved },
	{ "histogram: exitstats_read.h", test_read_tail },
	{ "histogram: figures of a busy VM", test_busy },
	{ "histogram: --csv agrees with the leaves", test_csv_against_leaves },
	{ "histogram: damaged snapshots", test_damaged },
};

static const struct test absent_tests[] = {
	{ "no leaves: an error and exit status 3", test_absent },
	{ "no leaves: modes that still work", test_absent_others },
};

/* Commands for the tool to run: this program with a keyword as its first argument */
static int act(char **argv)
{
	int n = argv[2] ? atoi(argv[2]) : 0;
	unsigned long long start;
	cpu_set_t set;

	if (!strcmp(argv[1], "cpuids")) {
		execute_cpuids(n);
	} else if (!strcmp(argv[1], "children")) {
		while (n--) {
			if (!fork()) {
				execute_cpuids(500);
				_exit(0);
			}
			wait(NULL);
		}
	} else if (!strcmp(argv[1], "say")) {
		puts(argv[2]);
		return atoi(argv[3]);
	} else if (!strcmp(argv[1], "die")) {
		raise(n);
	} else if (!strcmp(argv[1], "sleep")) {
		signal(SIGINT, SIG_IGN);
		puts("asleep");
		fflush(stdout);
		sleep(n ? n : 60);
	} else if (!strcmp(argv[1], "rest")) {
		start = read_tsc();
		sleep(n);
		start = read_tsc() - start;
		visit_cpus();
		printf("%llu\n", start);
	} else if (!strcmp(argv[1], "affinity")) {
		sched_getaffinity(0, sizeof(set), &set);
		printf("%d\n", CPU_COUNT(&set));
	} else {
		return -1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	int status;

	if (argc < 2)
		return 1;
	status = act(argv);
	if (status >= 0)
		return status;
	if (argc < 3) {
		fprintf(stderr, "usage: %s TOOL EXAMPLE [histogram|absent]\n", argv[0]);
		return 1;
	}

	self = argv[0];
	tool = argv[1];
	example = argv[2];
	prepare_mounts();
	numbering = exitstats_numbering() == SVM ? SVM : VMX;
	cpuid = cpuid_row(numbering);

	if (argc > 3 && !strcmp(argv[3], "absent"))
		return run_tests(absent_tests, ARRAY_SIZE(absent_tests));
	write_tiny("/tmp/0-cpuids", 0);
	write_tiny("/tmp/1000-cpuids", 1000);
	if (argc > 3 && !strcmp(argv[3], "histogram"))
		return run_tests(histogram_tests, ARRAY_SIZE(histogram_tests));
	return run_tests(tests, ARRAY_SIZE(tests));
}
