// SPDX-License-Identifier: GPL-2.0-only
/*
 * Test of the driver exitstats_pmu in a guest: compare perf's figures of the guest's exits with
 * those of the tool and the leaves.
 *
 *	exitstats_pmu_test TOOL PERF MODULE [MODE]	in a guest whose host counts; MODE is
 *		absent		on a host that does not
 *		migrated	in a guest that is migrated after it has printed "# ready"
 *		uncounted	the same, to a host that does not count
 *		only TEST	one test, by its name, between loading and unloading
 *
 * TOOL is the path of exitstats, PERF that of perf, MODULE that of exitstats_pmu.ko, which must
 * not be loaded yet. Needs root. Nothing else may execute CPUID. Prints TAP; exit status 1 if a
 * test failed.
 */
#define _GNU_SOURCE
#include "exitstats_tool_test.h"

#include <dirent.h>
#include <linux/perf_event.h>
#include <sys/syscall.h>
#include <sys/utsname.h>

#define PMU		"/sys/bus/event_source/devices/exitstats/"
#define MODULE_NAME	"exitstats_pmu"
#define PARANOID	"/proc/sys/kernel/perf_event_paranoid"
#define CPUIDS		1234ull
#define CPUIDS_TEXT	"1234"
#define NR_LONG		10000
#define NR_READINGS	1000

typedef unsigned long long u64;

static char *perf, *module, *self;
static int nr_cpus;

#define START(...)	start((char *[]){ __VA_ARGS__, NULL })
#define PERF(...)	RUN(perf, ##__VA_ARGS__)
/* perf writes figures to a file, so that they are separate from other output. */
#define STAT(...)	PERF("stat", "-x,", "-o", "/tmp/stat", ##__VA_ARGS__)

/* ---- the module ---- */

static int load(void)
{
	int fd = open(module, O_RDONLY | O_CLOEXEC), r;

	r = fd < 0 ? -1 : syscall(SYS_finit_module, fd, "", 0);
	if (fd >= 0)
		close(fd);
	return r;
}

static int unload(void)
{
	return syscall(SYS_delete_module, MODULE_NAME, O_NONBLOCK);
}

/* An event is freed after an RCU grace period, and the module with it. */
static bool unload_soon(void)
{
	int tries;

	for (tries = 0; tries < 100; tries++) {
		if (!unload() || errno == ENOENT)
			return true;
		usleep(10000);
	}
	return false;
}

/* Return the next line of the kernel's log since @kmsg was opened, or NULL. */
static const char *next_record(int kmsg)
{
	static char record[8192];
	ssize_t n;

	/* EPIPE: older lines were overwritten. */
	do {
		n = read(kmsg, record, sizeof(record) - 1);
	} while (n < 0 && errno == EPIPE);
	record[n > 0 ? n : 0] = 0;
	return n > 0 ? record : NULL;
}

/* Count the driver's lines in the log, without the taint of out-of-tree modules. */
static int lines_of_driver(int kmsg)
{
	const char *record;
	int lines = 0;

	EXPECT(kmsg >= 0);
	while ((record = next_record(kmsg)))
		lines += strstr(record, MODULE_NAME ": ") && !strstr(record, "taint");
	return lines;
}

static int open_kmsg(void)
{
	int kmsg = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	lseek(kmsg, 0, SEEK_END);
	return kmsg;
}

static void test_absent(void)
{
	int kmsg = open_kmsg();

	EXPECT(load() && errno == ENODEV);
	EXPECT(lines_of_driver(kmsg) == 1);
	EXPECT(access(PMU, F_OK));
	close(kmsg);
}

/* The kernel's log since the tests began */
static int log_of_tests;

static void test_no_complaint(void)
{
	static const char *const complaints[] = { "WARNING:", "BUG:", "INFO:", "Call Trace" };
	const char *record;
	size_t i;

	EXPECT(log_of_tests >= 0);
	while ((record = next_record(log_of_tests))) {
		for (i = 0; i < sizeof(complaints) / sizeof(*complaints); i++) {
			if (!strstr(record, complaints[i]))
				continue;
			printf("# %s", record);
			EXPECT(!"a complaint");
		}
	}
}

static void test_load(void)
{
	int kmsg = open_kmsg();

	EXPECT(!load());
	EXPECT(!lines_of_driver(kmsg));
	EXPECT(!access(PMU, F_OK));
	close(kmsg);
}

/* ---- events without perf ---- */

static char *read_text(const char *path)
{
	static char text[256];

	slurp(path, text, sizeof(text));
	text[strcspn(text, "\n")] = 0;
	return text;
}

static u64 config_of(const char *event)
{
	unsigned int reason, what;
	char path[512];

	snprintf(path, sizeof(path), PMU "events/%s", event);
	if (sscanf(read_text(path), "reason=%x,what=%x", &reason, &what) != 2)
		return -1;
	return what << 16 | reason;
}

static int open_event(u64 config, int cpu, pid_t pid, u64 sample_period)
{
	struct perf_event_attr attr = {
		.type = atoi(read_text(PMU "type")),
		.size = sizeof(attr),
		.config = config,
		.sample_period = sample_period,
	};

	return syscall(SYS_perf_event_open, &attr, pid, cpu, -1, PERF_FLAG_FD_CLOEXEC);
}

static u64 read_event(int fd)
{
	u64 value = 0;

	EXPECT(read(fd, &value, sizeof(value)) == sizeof(value));
	return value;
}

static void stay_on(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	EXPECT(!sched_setaffinity(0, sizeof(set), &set));
}

static void go_anywhere(void)
{
	cpu_set_t set;

	memset(&set, 0xff, sizeof(set));
	sched_setaffinity(0, sizeof(set), &set);
}

static bool cannot_open(u64 config, int cpu, pid_t pid, u64 sample_period, int error)
{
	int fd = open_event(config, cpu, pid, sample_period);

	if (fd >= 0)
		close(fd);
	return fd < 0 && errno == error;
}

static u64 undefined_reason(void)
{
	return numbering == SVM ? 0x3f : 35;
}

static void test_refused(void)
{
	u64 exits = config_of("exits");

	EXPECT(cannot_open(undefined_reason(), 0, -1, 0, EINVAL));
	EXPECT(cannot_open(undefined_reason() | 1 << 16, 0, -1, 0, EINVAL));
	EXPECT(cannot_open(0xffff, 0, -1, 0, EINVAL));
	EXPECT(cannot_open(2 << 16 | 7, 0, -1, 0, EINVAL));
	EXPECT(cannot_open(3 << 16 | 0xffff, 0, -1, 0, EINVAL));
	EXPECT(cannot_open(4 << 16, 0, -1, 0, EINVAL));
	EXPECT(cannot_open(exits | 1ull << 32, 0, -1, 0, EINVAL));
	EXPECT(cannot_open(exits, -1, 0, 0, EINVAL));
	EXPECT(cannot_open(exits, 0, 0, 0, EINVAL));
	EXPECT(cannot_open(exits, 0, -1, 1000, EOPNOTSUPP));
}

/* Every listed event can be opened, and those of cycles have a unit and a scale. */
static void test_events(void)
{
	static char list[OUT_MAX];
	int fd, nr = 0, cycles = 0;
	char path[512];
	struct dirent *d;
	DIR *dir = opendir(PMU "events");

	EXPECT(dir);
	while (dir && (d = readdir(dir))) {
		if (*d->d_name == '.' || strchr(d->d_name, '.'))
			continue;
		fd = open_event(config_of(d->d_name), 0, -1, 0);
		if (fd < 0)
			printf("# %s: %s\n", d->d_name, strerror(errno));
		EXPECT(fd >= 0);
		close(fd);
		nr++;
		snprintf(path, sizeof(path), PMU "events/%s.scale", d->d_name);
		if (access(path, F_OK))
			continue;
		EXPECT(!strcmp(read_text(path), "1"));
		snprintf(path, sizeof(path), PMU "events/%s.unit", d->d_name);
		EXPECT(!strcmp(read_text(path), "cycles"));
		cycles++;
	}
	if (dir)
		closedir(dir);
	printf("# %d events, %d of them cycles\n", nr, cycles);
	EXPECT(cycles > 50 && nr > 100);

	PERF("list", "exitstats");
	EXPECT(!ran.status);
	snprintf(list, sizeof(list), "%s", ran.out);
	EXPECT(strstr(list, "exitstats/exits/"));
	EXPECT(strstr(list, "exitstats/cpuid_cycles/"));
	EXPECT(strstr(list, numbering == SVM ? "exitstats/pf_excp/" : "exitstats/ept_violation/"));
}

static u64 vcpu_exits(unsigned int selector)
{
	unsigned long long exits;

	exitstats_read_exits(selector | KVM_EXITSTATS_SELECT_VCPU, &exits);
	return exits;
}

/* The driver subtracts its own CPUIDs. Print their remaining cost. */
static void test_own_exits(void)
{
	const unsigned int all_exits = KVM_EXITSTATS_SELECT_ACCOUNT(KVM_EXITSTATS_ACCOUNT_ALL);
	const unsigned int cpuid_exits = KVM_EXITSTATS_SELECT_REASON(numbering == SVM ? 0x72 : 10);
	int cpuid, exits, entries, cycles, i;
	u64 before, after, wrong = 0, others;

	stay_on(0);
	/* In this order, others is at least the number of exits that are not CPUIDs. */
	others = -vcpu_exits(all_exits);
	others += vcpu_exits(cpuid_exits);
	cpuid = open_event(config_of("cpuid"), 0, -1, 0);
	cycles = open_event(config_of("cpuid_cycles"), 0, -1, 0);
	exits = open_event(config_of("exits"), 0, -1, 0);
	entries = open_event(2 << 16 | KVM_EXITSTATS_ACCOUNT_GUEST, 0, -1, 0);

	/* The driver does not subtract this CPUID and the next, which are not its own. */
	before = vcpu_exits(cpuid_exits);
	for (i = 0; i < NR_READINGS; i++)
		wrong += read_event(cpuid) != 1;
	after = vcpu_exits(cpuid_exits);
	EXPECT(!wrong);
	EXPECT(after - before == NR_READINGS + 1);
	EXPECT(read_event(cpuid) == 2);

	before = read_event(exits);
	after = read_event(entries);
	others -= vcpu_exits(cpuid_exits);
	others += vcpu_exits(all_exits);
	printf("# %d readings of one event: %llu other exits, %llu cycles each remain\n",
	       NR_READINGS, before, read_event(cycles) / NR_READINGS);
	EXPECT(before && before < others + 10);
	EXPECT(after && after < others + 10);
	EXPECT(read_event(cycles) > NR_READINGS);
	close(cpuid);
	close(exits);
	close(cycles);
	close(entries);
	go_anywhere();
}

/* ---- perf's figures ---- */

/* A line of perf's CSV: [time,][CPU,]value,unit,event,... */
struct line {
	int cpu;
	double time;
	u64 value;
	bool counted;
	char unit[16], event[64];
};

static bool next_line(char **text, struct line *l, bool intervals, bool each_cpu)
{
	char *line, *field;

	while ((line = strsep(text, "\n"))) {
		if (!*line || *line == '#')
			continue;
		memset(l, 0, sizeof(*l));
		l->cpu = -1;
		if (intervals)
			l->time = atof(strsep(&line, ","));
		field = strsep(&line, ",") ?: "";
		/* perf of 6.1 omits the CPU if it could not count. */
		if (each_cpu && sscanf(field, "CPU%d", &l->cpu) == 1)
			field = strsep(&line, ",") ?: "";
		l->counted = strcmp(field, "<not counted>");
		if (l->counted && (*field < '0' || *field > '9')) {
			printf("# %s,%s\n", field, line);
			EXPECT(!"a number");
		}
		l->value = strtoull(field, NULL, 10);
		snprintf(l->unit, sizeof(l->unit), "%s", strsep(&line, ",") ?: "");
		snprintf(l->event, sizeof(l->event), "%s", strsep(&line, ",") ?: "");
		return true;
	}
	return false;
}

static char *stat_text(void)
{
	static char text[OUT_MAX];

	slurp("/tmp/stat", text, sizeof(text));
	if (failed)
		show("perf", text);
	return text;
}

/* The value of an event on @cpu, or on all if -1; -1 if there is not exactly one line */
static u64 value_of(const char *event, int cpu)
{
	char name[64], *text = stat_text();
	struct line l;
	u64 value = -1;
	int lines = 0;

	snprintf(name, sizeof(name), "exitstats/%s/", event);
	while (next_line(&text, &l, false, cpu >= 0)) {
		if (strcmp(l.event, name) || l.cpu != cpu)
			continue;
		value = l.value;
		lines++;
	}
	return lines == 1 ? value : (u64)-1;
}

/* The CPUIDs of the tiny program according to the tool */
static u64 by_tool(void)
{
	struct csv c;

	TOOL("--csv", "--", "/tmp/tiny");
	parse_csv(&c, ran.err);
	EXPECT(c.good);
	return c.row[find_reason(numbering, numbering == SVM ? "0x72" : "10")].exits;
}

/* The CPUIDs of the tiny program according to the leaves */
static u64 by_leaves(void)
{
	unsigned long long before, after;

	exitstats_read_exits(numbering == SVM ? 0x72 : 10, &before);
	RUN("/tmp/tiny");
	exitstats_read_exits(numbering == SVM ? 0x72 : 10, &after);
	return after - before - 1;
}

static void test_known_exits(void)
{
	EXPECT(by_leaves() == CPUIDS);
	EXPECT(by_tool() == CPUIDS);

	STAT("-e", "exitstats/cpuid/,exitstats/exits/,exitstats/cpuid_cycles/", "-a", "/tmp/tiny");
	EXPECT(!ran.status);
	EXPECT(value_of("cpuid", -1) == CPUIDS);
	EXPECT(value_of("exits", -1) >= value_of("cpuid", -1));
	EXPECT(value_of("cpuid_cycles", -1) > value_of("cpuid", -1));

	/* The result is the same without -a: perf knows that the events are per CPU. */
	STAT("-e", "exitstats/cpuid/", "/tmp/tiny");
	EXPECT(!ran.status);
	EXPECT(value_of("cpuid", -1) == CPUIDS);

	/* The same by number */
	STAT("-e", numbering == SVM ? "exitstats/reason=0x72,name=tiny/" :
				      "exitstats/reason=10,name=tiny/", "-a", "/tmp/tiny");
	EXPECT(!ran.status);
	EXPECT(strstr(stat_text(), CPUIDS_TEXT ",,tiny,"));
}

/* Each CPU shows the figures of its own vCPU. */
static void test_each_cpu(void)
{
	int busy, cpu;

	for (busy = 0; busy < nr_cpus; busy++) {
		stay_on(busy);
		STAT("-e", "exitstats/cpuid/", "-a", "-A", "/tmp/tiny");
		EXPECT(!ran.status);
		for (cpu = 0; cpu < nr_cpus; cpu++)
			EXPECT(value_of("cpuid", cpu) == (cpu == busy ? CPUIDS : 0ull));
	}
	go_anywhere();
}

/* CPUIDs in all intervals so far, on @cpu, or in lines for all CPUs if -1 */
static u64 sum_of_intervals(int cpu, int *lines)
{
	char *text = stat_text();
	struct line l;
	u64 sum = 0;

	*lines = 0;
	while (next_line(&text, &l, true, cpu >= 0)) {
		EXPECT(l.value < 1 << 20);
		if (l.cpu != cpu || strcmp(l.event, "exitstats/cpuid/"))
			continue;
		sum += l.value;
		++*lines;
	}
	return sum;
}

/*
 * The intervals add up to the whole. Use no command, as perf may omit the last interval when
 * its command ends.
 */
static void test_intervals(void)
{
	int lines, tries = 0;
	pid_t pid;

	unlink("/tmp/stat");
	pid = START(perf, "stat", "-x,", "-o", "/tmp/stat", "-a", "-I", "10", "-e",
		    "exitstats/cpuid/");
	EXPECT(await("/tmp/stat", "exitstats/cpuid/"));
	RUN("/tmp/long");
	while (sum_of_intervals(-1, &lines) < NR_LONG && tries++ < 600)
		usleep(100000);
	usleep(200000);
	EXPECT(sum_of_intervals(-1, &lines) == NR_LONG);
	printf("# %d intervals\n", lines);
	EXPECT(lines >= 3);
	kill(pid, SIGINT);
	finish(pid);
}

static void test_json(void)
{
	PERF("stat", "-j", "-o", "/tmp/stat", "-e", "exitstats/cpuid/,exitstats/guest/", "-a",
	     "/tmp/tiny");
	EXPECT(!ran.status);
	EXPECT(strstr(stat_text(), "{\"counter-value\" : \"" CPUIDS_TEXT ".000000\", "));
	EXPECT(strstr(stat_text(), "\"unit\" : \"\", \"event\" : \"exitstats/cpuid/\""));
	EXPECT(strstr(stat_text(), "\"unit\" : \"cycles\", \"event\" : \"exitstats/guest/\""));
}

/* The accounts of a CPU add up to its time. */
static void test_accounts(void)
{
	static const char *const accounts[] = {
		"cycles", "guest", "userspace", "halted", "preempted", "asleep",
	};
	char *text;
	struct line l;
	u64 sum = 0, tsc = 0;
	size_t i;

	stay_on(0);
	STAT("-C", "0", "-e", "msr/tsc/", "-e", "exitstats/cycles/,exitstats/guest/",
	     "-e", "exitstats/userspace/,exitstats/halted/",
	     "-e", "exitstats/preempted/,exitstats/asleep/", "/tmp/long");
	go_anywhere();
	EXPECT(!ran.status);
	for (i = 0; i < sizeof(accounts) / sizeof(*accounts); i++) {
		EXPECT(value_of(accounts[i], -1) != (u64)-1);
		sum += value_of(accounts[i], -1);
	}
	text = stat_text();
	while (next_line(&text, &l, false, false))
		if (!strcmp(l.event, "msr/tsc/"))
			tsc = l.value;
	printf("# %llu cycles in all accounts, %llu of the TSC\n", sum, tsc);
	/* Allow for the events being read one after the other, with an exit each. */
	EXPECT(sum > tsc - tsc / 20 && sum < tsc + tsc / 20);
	EXPECT(value_of("guest", -1) && value_of("cycles", -1));
}

/* ---- perf's messages ---- */

static bool says(const char *text)
{
	return ran.status && (strstr(ran.err, text) || strstr(ran.out, text));
}

static void test_errors(void)
{
	char event[64], task[16];

	PERF("stat", "-e", "exitstats/nonsense/", "-a", "/tmp/tiny");
	EXPECT(says("nonsense") && says("unknown term"));

	snprintf(event, sizeof(event), "exitstats/config=0x%llx/", undefined_reason());
	PERF("stat", "-e", event, "-a", "/tmp/tiny");
	EXPECT(strstr(ran.err, "<not supported>"));

	PERF("stat", "-e", "exitstats/reason=0x10000/", "-a", "/tmp/tiny");
	EXPECT(says("value too big for format"));

	/* perf stat continues without an event that the kernel refuses. */
	snprintf(task, sizeof(task), "%d", getpid());
	PERF("stat", "-e", "exitstats/exits/", "--timeout", "50", "-p", task);
	EXPECT(strstr(ran.err, "<not supported>"));

	PERF("record", "-o", "/tmp/data", "-e", "exitstats/exits/", "-a", "/tmp/tiny");
	EXPECT(says("doesn't support sampling/overflow-interrupts. Try 'perf stat'"));

	PERF("stat", "-e", "exitstats/exits/u", "-a", "/tmp/tiny");
	EXPECT(strstr(ran.err, "<not supported>"));
}

static void set_paranoid(const char *level)
{
	write_text(PARANOID, level, strlen(level));
}

static void test_unprivileged(void)
{
	char before[16];

	snprintf(before, sizeof(before), "%s", read_text(PARANOID));
	chmod("/tmp", 0777);
	unlink("/tmp/stat");
	/* The kernel returns EACCES. perf then tries exclude_kernel, which the driver refuses. */
	set_paranoid("2");
	RUN(self, "cannot-open");
	EXPECT(!ran.status);
	RUN(self, "as-nobody", perf, "stat", "-e", "exitstats/exits/", "-a",
	    "/tmp/tiny");
	EXPECT(strstr(ran.err, "<not supported>      exitstats/exits/u"));
	set_paranoid("1");
	RUN(self, "as-nobody", perf, "stat", "-e", "exitstats/exits/", "-a",
	    "/tmp/tiny");
	EXPECT(says("perf_event_paranoid"));
	set_paranoid("0");
	RUN(self, "as-nobody", perf, "stat", "-x,", "-o", "/tmp/stat", "-e",
	    "exitstats/cpuid/", "-a", "/tmp/tiny");
	EXPECT(!ran.status);
	EXPECT(value_of("cpuid", -1) == CPUIDS);
	unlink("/tmp/stat");
	set_paranoid(before);
}

/* ---- changes while it counts ---- */

static void test_unload(void)
{
	int fd, i, kmsg = open_kmsg();

	fd = open_event(config_of("exits"), 0, -1, 0);
	EXPECT(fd >= 0);
	EXPECT(unload() && (errno == EWOULDBLOCK || errno == EBUSY));
	EXPECT(read_event(fd) < 1 << 20);
	close(fd);

	for (i = 0; i < 20; i++) {
		EXPECT(unload_soon());
		EXPECT(access(PMU, F_OK));
		EXPECT(!load());
		fd = open_event(config_of("cpuid"), 0, -1, 0);
		EXPECT(fd >= 0 && !read_event(fd));
		close(fd);
	}
	EXPECT(!lines_of_driver(kmsg));
	close(kmsg);
}

/* An event must not go backwards, nor grow by more than is possible. */
static void expect_step(const char *name, u64 last, u64 now)
{
	u64 most = strcmp(name, "exits") && strcmp(name, "cpuid") ? 1ull << 40 : 1 << 20;

	if (now < last || now - last > most)
		printf("# %s: %llu, now %llu\n", name, last, now);
	EXPECT(now >= last && now - last <= most);
}

static bool set_online(int cpu, bool online)
{
	char path[64];
	int fd, n;

	snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%d/online", cpu);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : write(fd, online ? "1" : "0", 1);
	close(fd);
	return n == 1;
}

/* Start perf, which counts in the background until it is ended. */
static pid_t start_perf(void)
{
	pid_t pid;

	unlink("/tmp/stat");
	pid = START(perf, "stat", "-x,", "-o", "/tmp/stat", "-a", "-A", "-I", "10", "-e",
		    "exitstats/exits/,exitstats/cpuid/");
	EXPECT(await("/tmp/stat", "exitstats/cpuid/"));
	return pid;
}

/* End perf. Until then, it counts CPU 0's exits, and no interval has a huge figure. */
static void end_perf(pid_t pid)
{
	int lines, tries = 0;

	stay_on(0);
	RUN("/tmp/tiny");
	go_anywhere();
	while (sum_of_intervals(0, &lines) < CPUIDS && tries++ < 600)
		usleep(100000);
	/* Starting a CPU adds some. */
	printf("# %llu CPUIDs on CPU 0\n", sum_of_intervals(0, &lines));
	EXPECT(sum_of_intervals(0, &lines) >= CPUIDS);
	EXPECT(sum_of_intervals(0, &lines) < 2 * CPUIDS);
	kill(pid, SIGINT);
	finish(pid);
}

/* The CPU goes offline and online while perf counts. CPU 0, with the CPUIDs, is unaffected. */
static void test_hotplug_of_perf(int cpu)
{
	pid_t pid = start_perf();

	EXPECT(set_online(cpu, false));
	EXPECT(await("/tmp/stat", "<not counted>"));
	EXPECT(set_online(cpu, true));
	end_perf(pid);
}

/* The counter of a CPU that goes offline keeps its value. A new one counts from 0. */
static void test_hotplug(void)
{
	int cpu = nr_cpus - 1, event, again;
	u64 exits, cycles;
	char cpus[16];

	if (!cpu) {
		skipped = "one CPU only";
		return;
	}
	snprintf(cpus, sizeof(cpus), "0-%d", cpu);
	EXPECT(!strcmp(read_text(PMU "cpumask"), cpus));
	event = open_event(config_of("exits"), cpu, -1, 0);
	exits = read_event(event);
	EXPECT(set_online(cpu, false));
	snprintf(cpus, sizeof(cpus), cpu > 1 ? "0-%d" : "0", cpu - 1);
	EXPECT(!strcmp(read_text(PMU "cpumask"), cpus));
	EXPECT(cannot_open(config_of("exits"), cpu, -1, 0, ENODEV));
	EXPECT(read_event(event) >= exits && read_event(event) < 1 << 20);
	exits = read_event(event);
	EXPECT(set_online(cpu, true));
	EXPECT(read_event(event) == exits);
	again = open_event(config_of("exits"), cpu, -1, 0);
	cycles = open_event(config_of("cycles"), cpu, -1, 0);
	EXPECT(read_event(again) < 1 << 20);
	EXPECT(read_event(cycles) < 1ull << 40);
	close(cycles);
	close(again);
	close(event);

	test_hotplug_of_perf(cpu);
}

/* ---- migration ---- */

/* Load the driver, open and read an event of each name, and ask for the migration. */
static void start_events(const char *const *names, int nr, int *fd, u64 *last)
{
	int i;

	EXPECT(!load());
	for (i = 0; i < nr; i++) {
		fd[i] = open_event(config_of(names[i]), 0, -1, 0);
		last[i] = read_event(fd[i]);
	}
	printf("# ready\n");
	fflush(stdout);
}

/*
 * On the new host, the figures of a vCPU begin at 0. Events continue: they neither go back nor
 * grow by more than is possible. Each round executes one CPUID that is not the driver's.
 */
static void test_migrated(void)
{
	static const char *const names[] = { "exits", "cycles", "guest", "userspace", "cpuid" };
	enum { NR = sizeof(names) / sizeof(*names), ROUNDS = 50 };
	u64 now[NR], last[NR], raw, last_raw = 0;
	int fd[NR], i, round = -1;
	unsigned int timeout;

	start_events(names, NR, fd, last);

	for (timeout = 0; timeout < 30000 && round < ROUNDS; timeout++) {
		raw = exitstats_read_vcpu_exits();
		if (raw < last_raw) {
			printf("# exits of the vCPU: %llu, now %llu\n", last_raw, raw);
			round = 0;
		}
		last_raw = raw;
		for (i = 0; i < NR; i++) {
			now[i] = read_event(fd[i]);
			expect_step(names[i], last[i], now[i]);
			if (!strcmp(names[i], "cpuid") && round > 0)
				EXPECT(now[i] == last[i] + 1);
			last[i] = now[i];
		}
		if (round >= 0)
			round++;
		usleep(2000);
	}
	EXPECT(round == ROUNDS);
	for (i = 0; i < NR; i++)
		close(fd[i]);
}

/*
 * The new host has no figures. Events stop without a step, and new events stay at 0. The driver
 * does not load again.
 */
static void test_uncounted(void)
{
	static const char *const names[] = {
		"exits", "cycles", "guest", "halted", "cpuid", "cpuid_cycles", "other",
	};
	enum { NR = sizeof(names) / sizeof(*names), ROUNDS = 50 };
	int fd[NR], i, round = -1, new;
	unsigned int timeout;
	u64 now, last[NR];

	start_events(names, NR, fd, last);

	for (timeout = 0; timeout < 30000 && round < ROUNDS; timeout++) {
		if (round < 0 && !exitstats_present())
			round = 0;
		for (i = 0; i < NR; i++) {
			now = read_event(fd[i]);
			expect_step(names[i], last[i], now);
			EXPECT(round < 1 || now == last[i]);
			last[i] = now;
		}
		if (round >= 0)
			round++;
		usleep(2000);
	}
	EXPECT(round == ROUNDS);

	for (i = 0; i < NR; i++) {
		new = open_event(config_of(names[i]), 0, -1, 0);
		EXPECT(new < 0 || !read_event(new));
		close(new);
		close(fd[i]);
	}
	EXPECT(unload_soon());
	EXPECT(load() && errno == ENODEV);
}

static void test_unloaded(void)
{
	EXPECT(unload_soon());
	EXPECT(access(PMU, F_OK));
}

static const struct test absent_tests[] = {
	{ "the driver does not load, and says so", test_absent },
	{ "the kernel does not complain", test_no_complaint },
};

static const struct test migrated_tests[] = {
	{ "events continue after a migration", test_migrated },
	{ "the kernel does not complain", test_no_complaint },
};

static const struct test uncounted_tests[] = {
	{ "events stop on a host that does not count", test_uncounted },
	{ "the kernel does not complain", test_no_complaint },
};

static const struct test tests[] = {
	{ "the driver loads", test_load },
	{ "events are listed, and can be opened", test_events },
	{ "invalid events are refused", test_refused },
	{ "the driver's own exits are subtracted", test_own_exits },
	{ "perf, the tool and the leaves agree", test_known_exits },
	{ "each CPU shows its own figures", test_each_cpu },
	{ "intervals add up", test_intervals },
	{ "JSON", test_json },
	{ "accounts add up to the time", test_accounts },
	{ "perf explains refusals", test_errors },
	{ "unprivileged users", test_unprivileged },
	{ "CPUs go offline and online", test_hotplug },
	{ "unloaded and loaded", test_unload },
	{ "unloaded", test_unloaded },
	{ "the kernel does not complain", test_no_complaint },
};

enum { NR_TESTS = sizeof(tests) / sizeof(*tests) };

static int run_only(const char *name)
{
	struct test only[] = {
		{ "the driver loads", test_load }, {}, { "unloaded", test_unloaded },
	};
	int i;

	for (i = 0; i < NR_TESTS; i++)
		if (!strcmp(tests[i].name, name))
			only[1] = tests[i];
	if (!only[1].run) {
		fprintf(stderr, "exitstats_pmu_test: there is no test \"%s\"\n", name);
		return 1;
	}
	return run_tests(only, 3);
}

static bool become_nobody(void)
{
	return !setgid(65534) && !setuid(65534);
}

int main(int argc, char **argv)
{
	struct utsname kernel;

	if (argc > 1 && !strcmp(argv[1], "cannot-open"))
		return !become_nobody() || !cannot_open(config_of("exits"), 0, -1, 0, EACCES);
	if (argc > 2 && !strcmp(argv[1], "as-nobody")) {
		if (!become_nobody())
			return 99;
		execv(argv[2], argv + 2);
		return 99;
	}
	if (argc < 4) {
		fprintf(stderr, "usage: exitstats_pmu_test TOOL PERF MODULE [MODE]\n");
		return 1;
	}
	self = argv[0];
	tool = argv[1];
	perf = argv[2];
	module = argv[3];
	uname(&kernel);
	printf("# Linux %s\n", kernel.release);
	log_of_tests = open_kmsg();
	if (argc > 4 && !strcmp(argv[4], "absent"))
		return run_tests(absent_tests, 2);
	if (argc > 4 && !strcmp(argv[4], "uncounted"))
		return run_tests(uncounted_tests, 2);
	if (argc > 4 && !strcmp(argv[4], "migrated"))
		return run_tests(migrated_tests, 2);
	numbering = exitstats_numbering() == KVM_EXITSTATS_NUMBERING_SVM ? SVM : VMX;
	nr_cpus = sysconf(_SC_NPROCESSORS_ONLN);
	write_tiny("/tmp/tiny", CPUIDS);
	write_tiny("/tmp/long", NR_LONG);
	if (argc > 5 && !strcmp(argv[4], "only"))
		return run_only(argv[5]);
	return run_tests(tests, NR_TESTS);
}
