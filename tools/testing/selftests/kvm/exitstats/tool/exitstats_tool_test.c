// SPDX-License-Identifier: GPL-2.0-only
/*
 * Test of the guest tool: run it in every mode and look at what it prints and how
 * it exits.
 *
 *	exitstats_tool_test TOOL EXAMPLE		in a guest whose host counts
 *	exitstats_tool_test TOOL EXAMPLE absent		on a host that does not
 *
 * TOOL is the path of exitstats, EXAMPLE that of example_critical. Needs root, for
 * file systems of its own. Prints TAP; exit status 1 if a test failed.
 *
 * The tool is compiled in as well, for what cannot be provoked from outside.
 */
#define main exitstats_main
#include "exitstats.c"
#undef main

#include <linux/elf.h>
#include <sys/mount.h>

#define OUT_MAX		(256 * 1024)
#define LAST_REASON	85

static char *tool, *example, *self;
static bool failed;		/* the test that is running */

/* What the last run program did. */
static struct {
	int status;		/* as a shell has it */
	char out[OUT_MAX];
	char err[OUT_MAX];
} ran;

static void show(const char *what, char *text)
{
	char *line, *rest = strndup(text, 3000), *start = rest;

	while ((line = strsep(&rest, "\n")))
		printf("#   %s: %s\n", what, line);
	free(start);
}

static void expect(bool ok, const char *what, int line)
{
	if (ok)
		return;
	printf("# line %d: not so: %s\n", line, what);
	if (!failed) {
		printf("#   exit status: %d\n", ran.status);
		show("stdout", ran.out);
		show("stderr", ran.err);
	}
	failed = true;
}

#define EXPECT(condition)	expect(condition, #condition, __LINE__)

/* ---- running programs ---- */

static void slurp(const char *path, char *text, size_t max)
{
	FILE *f = fopen(path, "r");
	size_t n = f ? fread(text, 1, max - 1, f) : 0;

	text[n] = 0;
	if (f)
		fclose(f);
}

static void write_text(const char *path, const char *text, size_t len)
{
	FILE *f = fopen(path, "w");

	if (!f || fwrite(text, 1, len, f) != len || fclose(f)) {
		printf("Bail out! %s: %s\n", path, strerror(errno));
		exit(1);
	}
}

static int shell_status(pid_t pid)
{
	int status;

	if (waitpid(pid, &status, 0) != pid)
		return -1;
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static void redirect(const char *path, int fd)
{
	int from = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	if (from < 0 || dup2(from, fd) < 0)
		_exit(99);
	close(from);
}

static pid_t start(char **argv)
{
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid)
		return pid;
	redirect("/tmp/out", STDOUT_FILENO);
	redirect("/tmp/err", STDERR_FILENO);
	execv(argv[0], argv);
	_exit(99);
}

static void finish(pid_t pid)
{
	ran.status = shell_status(pid);
	slurp("/tmp/out", ran.out, OUT_MAX);
	slurp("/tmp/err", ran.err, OUT_MAX);
}

static void run(char **argv)
{
	finish(start(argv));
}

#define RUN(...)	run((char *[]){ __VA_ARGS__, NULL })
#define TOOL(...)	RUN(tool, ##__VA_ARGS__)

/* Wait until a file of the running program's output has @text; for 60 s at most. */
static bool await(const char *path, const char *text)
{
	static char seen[OUT_MAX];
	int i;

	for (i = 0; i < 6000; i++) {
		slurp(path, seen, OUT_MAX);
		if (strstr(seen, text))
			return true;
		usleep(10000);
	}
	return false;
}

static int count(const char *text, const char *what)
{
	int n = 0;

	while ((text = strstr(text, what))) {
		text += strlen(what);
		n++;
	}
	return n;
}

static bool one_line(const char *text)
{
	return *text && strchr(text, '\n') == text + strlen(text) - 1;
}

/* One line on standard error that begins like the tool's, and nothing else. */
static void expect_error(int status, const char *text)
{
	EXPECT(ran.status == status);
	EXPECT(!*ran.out);
	EXPECT(one_line(ran.err));
	EXPECT(!strncmp(ran.err, "exitstats: ", 11));
	if (!strstr(ran.err, text)) {
		printf("# expected: %s\n", text);
		EXPECT(!"the message");
	}
}

/* ---- programs of known exits ---- */

static void execute_cpuids(int n)
{
	while (n--)
		exitstats_cpuid(0, 0);
}

/*
 * A program that executes CPUID so many times and no other CPUID: it has no C
 * library, whose start-up code asks for the features of the CPU.
 */
static const unsigned char tiny[] = {
	0x41, 0xb8, 0, 0, 0, 0,		/*	mov $cpuids, %r8d */
	0x41, 0xff, 0xc8,		/* 1:	dec %r8d */
	0x78, 0x06,			/*	js 2f */
	0x31, 0xc0,			/*	xor %eax, %eax */
	0x0f, 0xa2,			/*	cpuid */
	0xeb, 0xf5,			/*	jmp 1b */
	0xb8, 60, 0, 0, 0,		/* 2:	mov $__NR_exit, %eax */
	0x31, 0xff,			/*	xor %edi, %edi */
	0x0f, 0x05,			/*	syscall */
};

#define TINY_CPUIDS	2		/* where in it the number stands */
#define TINY_ADDRESS	0x400000

static void write_tiny(const char *path, unsigned int cpuids)
{
	struct {
		struct elf64_hdr header;
		struct elf64_phdr segment;
		unsigned char code[sizeof(tiny)];
	} file = {
		.header = {
			.e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
			.e_type = ET_EXEC,
			.e_machine = EM_X86_64,
			.e_version = EV_CURRENT,
			.e_entry = TINY_ADDRESS + sizeof(file.header) + sizeof(file.segment),
			.e_phoff = sizeof(file.header),
			.e_ehsize = sizeof(file.header),
			.e_phentsize = sizeof(file.segment),
			.e_phnum = 1,
		},
		.segment = {
			.p_type = PT_LOAD,
			.p_flags = PF_R | PF_X,
			.p_vaddr = TINY_ADDRESS,
			.p_filesz = sizeof(file),
			.p_memsz = sizeof(file),
			.p_align = 0x1000,
		},
	};

	memcpy(file.code, tiny, sizeof(tiny));
	memcpy(file.code + TINY_CPUIDS, &cpuids, sizeof(cpuids));
	write_text(path, (char *)&file, sizeof(file));
	chmod(path, 0755);
}

/* ---- reading the tool's CSV ---- */

struct csv {
	struct exitstats row[ROWS];
	struct exitstats sum;
	struct exitstats total;
	int rows;
	bool good;		/* every line is as it should be */
};

static const char csv_head[] = "reason,name,exits,cycles,avg_cycles\n";

static bool csv_line(struct csv *c, char *line, int *last)
{
	unsigned long long exits, cycles, avg;
	char reason[16], name[32] = "";
	int n, length = 0;

	if (sscanf(line, "total,,%llu,%llu,%llu%n", &exits, &cycles, &avg, &length) == 3 &&
	    !line[length]) {
		c->total = (struct exitstats){ exits, cycles };
		return avg == average(c->total);
	}
	if (sscanf(line, "%15[^,],%31[^,],%llu,%llu,%llu%n", reason, name, &exits, &cycles, &avg,
		   &length) != 5 || line[length])
		return false;

	n = strcmp(reason, "other") ? atoi(reason) : OTHER;
	if (n <= *last || n >= ROWS || strcmp(name, reason_name(n)))
		return false;
	*last = n;
	c->row[n] = (struct exitstats){ exits, cycles };
	c->sum.exits += exits;
	c->sum.cycles += cycles;
	c->rows++;
	return exits && avg == average(c->row[n]);
}

static void parse_csv(struct csv *c, const char *text)
{
	char *copy = strdup(text), *next = copy, *line;
	int last = -1;

	memset(c, 0, sizeof(*c));
	c->good = !strncmp(text, csv_head, strlen(csv_head));
	strsep(&next, "\n");
	while ((line = strsep(&next, "\n"))) {
		if (*line)
			c->good &= csv_line(c, line, &last);
		else
			c->good &= !next;
	}
	c->good &= c->total.exits == c->sum.exits && c->total.cycles == c->sum.cycles;
	free(copy);
}

/* CPUID exits of a command as the tool counts them, SIZE_MAX if it does not. */
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
	return c.good ? c.row[EXIT_REASON_CPUID].exits : SIZE_MAX;
}

#define CPUIDS_OF(...)	cpuids_of((char *[]){ __VA_ARGS__, NULL })

/* ---- since the VM started ---- */

static void test_table(void)
{
	TOOL();
	EXPECT(!ran.status);
	EXPECT(!*ran.err);
	EXPECT(!strncmp(ran.out, "VM exits since the VM started\n\nreason  name ", 44));
	EXPECT(strstr(ran.out, "\n    10  CPUID "));
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
	EXPECT(c.row[EXIT_REASON_CPUID].exits);
}

/* No figure is less than what was so before, or more than what is so after. */
static void test_csv_against_leaves(void)
{
	unsigned long long before[REASONS], exits, cycles[REASONS], after;
	struct exitstats first, last;
	struct csv c;
	int i;

	for (i = 0; i < REASONS; i++) {
		exitstats_read_exits(i, &before[i]);
		exitstats_read_cycles(i, &cycles[i]);
	}
	first = exitstats_read();
	TOOL("--csv");
	last = exitstats_read();
	parse_csv(&c, ran.out);
	EXPECT(c.good);
	EXPECT(c.total.exits > first.exits && c.total.exits < last.exits);
	EXPECT(c.total.cycles > first.cycles && c.total.cycles < last.cycles);
	for (i = 0; i < REASONS; i++) {
		exitstats_read_exits(i, &exits);
		exitstats_read_cycles(i, &after);
		EXPECT(c.row[i].exits >= before[i] && c.row[i].exits <= exits);
		EXPECT(c.row[i].cycles >= cycles[i] && c.row[i].cycles <= after);
	}
}

/* The number in a column of the table, with its commas. */
static unsigned long long table_number(const char *line, int column)
{
	unsigned long long n = 0;

	while (column--) {
		line += strspn(line, " ");
		line += strcspn(line, " ");
	}
	for (line += strspn(line, " "); strchr("0123456789,", *line) && *line; line++) {
		if (*line != ',')
			n = n * 10 + *line - '0';
	}
	return n;
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

static void test_all(void)
{
	unsigned long long exits;
	char *line;
	int i;

	TOOL("-a", "-s", "reason");
	EXPECT(!ran.status);
	line = ran.out;
	for (i = 0; i <= LAST_REASON; i++) {
		char number[16];
		bool defined = !exitstats_read_exits(i, &exits);

		snprintf(number, sizeof(number), "\n%6d  ", i);
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
	EXPECT(strstr(ran.out, "\n2,TRIPLE_FAULT,0,0,0\n"));
	EXPECT(strstr(ran.out, "\n35,undefined,,,\n"));
}

static void test_json(void)
{
	unsigned long long exits = 0, sum = 0, n;
	char *p;

	TOOL("--json");
	EXPECT(!ran.status);
	EXPECT(one_line(ran.out));
	EXPECT(count(ran.out, "{") == count(ran.out, "}"));
	EXPECT(sscanf(ran.out, "{\"consistent\":true,\"reset\":false,\"total\":{\"exits\":%llu,",
		      &exits) == 1);
	p = strstr(ran.out, "\"reasons\":[");
	EXPECT(p);
	for (; p && (p = strstr(p, "\"exits\":")); p++) {
		EXPECT(sscanf(p, "\"exits\":%llu,\"cycles\":", &n) == 1);
		sum += n;
	}
	EXPECT(exits && sum == exits);
	EXPECT(strstr(ran.out, "{\"reason\":10,\"name\":\"CPUID\",\"defined\":true,\"exits\":"));
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
	EXPECT(count(ran.out, "# HELP ") == 2);
	EXPECT(strstr(ran.out, "\nkvm_exitstats_exits_total{reason=\"10\",name=\"CPUID\"} "));
	EXPECT(!strcmp(ran.out + strlen(ran.out) - 6, "# EOF\n"));
	while ((line = strsep(&next, "\n"))) {
		unsigned long long n;
		char metric[8], reason[8], name[32];

		if (!*line || *line == '#')
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
	TOOL("--raw", "1342177277", "10");
	EXPECT(!ran.status);
	EXPECT(strstr(ran.out, "edx 0x00000000 0\n"));
}

/* ---- a command ---- */

static void test_exact(void)
{
	EXPECT(CPUIDS_OF("/tmp/1000-cpuids") == 1000);
	EXPECT(CPUIDS_OF("/tmp/0-cpuids") == 0);
	TOOL("--", "/tmp/1000-cpuids");
	EXPECT(strstr(ran.err, "    10  CPUID "));
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

	/* Each child executes 500 and has no start-up of its own. */
	EXPECT(two == one + 500);
}

static void test_command_output(void)
{
	TOOL("--", self, "say", "hello", "0");
	EXPECT(!strcmp(ran.out, "hello\n"));
	EXPECT(!strncmp(ran.err, "VM exits while this ran: ", 25));
	EXPECT(strstr(ran.err, " say hello 0\n\nreason "));
	EXPECT(strstr(ran.err, "exits/s"));
	EXPECT(strstr(ran.err, " time went into handling exits\n"));
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

/* A terminal's Ctrl-C is for CMD; a TERM to the tool is passed on. */
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

/* With something else exiting all the time, figures are less exact, but never absurd. */
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
	EXPECT(!strncmp(ran.out + 44, "0.2", 3));

	TOOL("-i", "0.2", "-n", "3", "--json");
	EXPECT(count(ran.out, "\n") == 3);
	EXPECT(count(ran.out, "{\"at\":") == 3);
}

/* Nothing that the tool does itself is in the rates. */
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

static pid_t start_on_terminal(char **argv, int *master)
{
	struct winsize ws = { .ws_row = 24, .ws_col = 100 };
	pid_t pid;
	int slave;

	*master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (*master < 0 || grantpt(*master) || unlockpt(*master)) {
		printf("# no pseudoterminals: %s\n", strerror(errno));
		return -1;
	}
	ioctl(*master, TIOCSWINSZ, &ws);
	fflush(stdout);
	pid = fork();
	if (pid)
		return pid;
	setsid();
	slave = open(ptsname(*master), O_RDWR);
	if (slave < 0)
		_exit(98);
	dup2(slave, 0);
	dup2(slave, 1);
	dup2(slave, 2);
	setenv("LC_ALL", "C.UTF-8", 1);
	execv(argv[0], argv);
	_exit(99);
}

/* Read what comes to the terminal until @text, or the end if NULL. */
static bool read_terminal(int master, size_t *n, const char *text)
{
	struct pollfd fd = { .fd = master, .events = POLLIN };
	ssize_t got;

	while (poll(&fd, 1, 60000) > 0 && *n < OUT_MAX - 1) {
		got = read(master, ran.out + *n, OUT_MAX - 1 - *n);
		if (got <= 0)
			return !text;
		*n += got;
		ran.out[*n] = 0;
		if (text && strstr(ran.out, text))
			return true;
	}
	return false;
}

static void press(int master, const char *key)
{
	EXPECT(write(master, key, 1) == 1);
}

static pid_t start_watch(int *master)
{
	pid_t pid = start_on_terminal((char *[]){ tool, "-w", "-i", "0.3", NULL }, master);

	EXPECT(pid > 0);
	return pid;
}

/* The terminal is as it was, below it stands the sum, and that was no error. */
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
	EXPECT(!strncmp(first, "exitstats snapshot 1\nstart\n", 27));
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
	TOOL("--json", "diff", "/tmp/a", "/tmp/c");
	EXPECT(one_line(ran.out));
	EXPECT(count(ran.out, "{") == count(ran.out, "}"));
}

/* Any byte that is changed, any that is missing, any that is too much. */
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

	/* A file system of one page, which is in use. */
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
	pid_t pid;

	for (i = 0; i < ARRAY_SIZE(modes); i++) {
		fflush(stdout);
		pid = fork();
		if (!pid) {
			redirect("/tmp/err", STDERR_FILENO);
			dup2(open("/dev/full", O_WRONLY), STDOUT_FILENO);
			execl(tool, tool, modes[i], NULL);
			_exit(99);
		}
		ran.out[0] = 0;
		ran.status = shell_status(pid);
		slurp("/tmp/err", ran.err, OUT_MAX);
		expect_error(2, "cannot write: No space left");
	}
}

static void test_closed_pipe(void)
{
	int ignored, fds[2];
	pid_t pid;

	for (ignored = 0; ignored < 2; ignored++) {
		if (pipe(fds))
			return EXPECT(!"a pipe");
		fflush(stdout);
		pid = fork();
		if (!pid) {
			signal(SIGPIPE, ignored ? SIG_IGN : SIG_DFL);
			redirect("/tmp/err", STDERR_FILENO);
			close(fds[0]);
			dup2(fds[1], STDOUT_FILENO);
			execl(tool, tool, "-i", "0.01", NULL);
			_exit(99);
		}
		close(fds[0]);
		close(fds[1]);
		ran.out[0] = 0;
		ran.status = shell_status(pid);
		slurp("/tmp/err", ran.err, OUT_MAX);
		EXPECT(ran.status == 128 + SIGPIPE);
		EXPECT(!*ran.err);
	}
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
		{ "--csv=yes" }, { "" },
	};
	char *argv[8];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		memset(argv, 0, sizeof(argv));
		argv[0] = tool;
		memcpy(argv + 1, bad[i], sizeof(bad[i]));
		run(argv);
		printf("# %s", *ran.err ? ran.err : "(silent)\n");
		expect_error(2, "");
	}
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

	from.row[48] = (struct exitstats){ 1000, 5000 };
	from.row[EXIT_REASON_CPUID] = (struct exitstats){ 100, 7000 };
	from.own = (struct exitstats){ 50, 500 };
	from.ns = 1;
	to = from;
	to.ns = 2;
	to.own = (struct exitstats){ 60, 600 };
	to.row[EXIT_REASON_CPUID] = (struct exitstats){ 113, 7130 };
	to.row[48].exits += 5;
	to.row[48].cycles += 25;
	subtract(&d, &from, &to);
	EXPECT(!d.reset);
	EXPECT(d.row[48].exits == 5 && d.row[48].cycles == 25);
	EXPECT(d.row[EXIT_REASON_CPUID].exits == 3 && d.row[EXIT_REASON_CPUID].cycles == 30);
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

	/* None is less, but the tool's own exits are not there. */
	to.row[48] = from.row[48];
	to.row[EXIT_REASON_CPUID].exits = 109;
	subtract(&d, &from, &to);
	EXPECT(d.reset);
}

static void test_reset_is_said(void)
{
	static const char said[] =
		"title\n\nNo figures: the counters began anew, the VM was restarted or migrated.\n";
	struct stats d = { .span = true, .reset = true, .consistent = true };
	FILE *f;

	f = fmemopen(ran.out, OUT_MAX, "w");
	print_text(f, &d, "title", 0);
	fclose(f);
	EXPECT(!strcmp(ran.out, said));
	f = fmemopen(ran.out, OUT_MAX, "w");
	print_csv(f, &d, -1);
	fclose(f);
	EXPECT(!strcmp(ran.out, "reset,,,,\n"));
	f = fmemopen(ran.out, OUT_MAX, "w");
	print_json(f, &d, 1);
	fclose(f);
	EXPECT(strstr(ran.out, "\"reset\":true"));
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

struct test {
	const char *name;
	void (*run)(void);
};

static const struct test tests[] = {
	{ "table since the VM started", test_table },
	{ "--csv adds up", test_csv },
	{ "--csv is what the leaves say", test_csv_against_leaves },
	{ "-s", test_sort },
	{ "-a", test_all },
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
	{ "-i shows nothing of the tool itself", test_idle_interval },
	{ "-i prints the sum on Ctrl-C", test_interrupt },
	{ "-w", test_watch },
	{ "-w prints the sum on Ctrl-C", test_watch_interrupt },
	{ "-o and diff", test_snapshot },
	{ "damaged snapshots", test_damaged },
	{ "-o that fails leaves the old file", test_output_failures },
	{ "-o with a format, through a link", test_output_format },
	{ "full standard output", test_full_stdout },
	{ "closed pipe", test_closed_pipe },
	{ "bad usage", test_usage },
	{ "--help and --version", test_help },
	{ "--pin", test_pin },
	{ "reset between two readings", test_reset },
	{ "reset is said", test_reset_is_said },
	{ "example_critical", test_example },
};

static const struct test absent_tests[] = {
	{ "no leaves: says so, exit 3", test_absent },
	{ "no leaves: what works all the same", test_absent_others },
};

static int run_tests(const struct test *test, int n)
{
	int i, failures = 0;

	printf("1..%d\n", n);
	for (i = 0; i < n; i++) {
		failed = false;
		test[i].run();
		failures += failed;
		printf("%sok %d - exitstats: %s\n", failed ? "not " : "", i + 1, test[i].name);
		fflush(stdout);
	}
	return failures > 0;
}

/* What the tests have the tool run: this program with a word before the rest. */
static int act(char **argv)
{
	int n = argv[2] ? atoi(argv[2]) : 0;
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
		sleep(60);
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
		fprintf(stderr, "usage: %s TOOL EXAMPLE [absent]\n", argv[0]);
		return 1;
	}

	self = argv[0];
	tool = argv[1];
	example = argv[2];
	unshare(CLONE_NEWNS);
	mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
	mkdir("/dev/pts", 0755);
	if (access("/dev/pts/ptmx", F_OK))
		mount("devpts", "/dev/pts", "devpts", 0, "ptmxmode=666");

	if (argc > 3 && !strcmp(argv[3], "absent"))
		return run_tests(absent_tests, ARRAY_SIZE(absent_tests));
	write_tiny("/tmp/0-cpuids", 0);
	write_tiny("/tmp/1000-cpuids", 1000);
	return run_tests(tests, ARRAY_SIZE(tests));
}
