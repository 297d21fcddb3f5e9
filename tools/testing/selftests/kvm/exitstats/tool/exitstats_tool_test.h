/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Shared by the tests of the tool: run the tool, check its output and exit status, and
 * print TAP. Uses only the C library, as the tests run wherever the tool runs.
 */
#ifndef EXITSTATS_TOOL_TEST_H
#define EXITSTATS_TOOL_TEST_H

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/elf.h>

#include "src/error.h"
#include "src/options.h"
#include "src/stats.h"

#define OUT_MAX		(256 * 1024)

static char *tool;		/* path of the tool */
static bool failed;		/* the current test has failed */
static const char *skipped;	/* why the current test cannot run here */
static enum numbering numbering;	/* of this host */

/* Result of the last program */
static struct {
	int status;		/* exit status as in a shell */
	char out[OUT_MAX];
	char err[OUT_MAX];
} ran;

static inline void show(const char *what, char *text)
{
	char *line, *rest = strndup(text, 3000), *start = rest;

	while ((line = strsep(&rest, "\n")))
		printf("#   %s: %s\n", what, line);
	free(start);
}

static inline void expect(bool ok, const char *what, int line)
{
	if (ok)
		return;
	printf("# line %d: failed: %s\n", line, what);
	if (!failed) {
		printf("#   exit status: %d\n", ran.status);
		show("stdout", ran.out);
		show("stderr", ran.err);
	}
	failed = true;
}

#define EXPECT(condition)	expect(condition, #condition, __LINE__)

/* ---- running programs ---- */

static inline void slurp(const char *path, char *text, size_t max)
{
	FILE *f = fopen(path, "r");
	size_t n = f ? fread(text, 1, max - 1, f) : 0;

	text[n] = 0;
	if (f)
		fclose(f);
}

static inline void write_text(const char *path, const char *text, size_t len)
{
	FILE *f = fopen(path, "w");

	if (!f || fwrite(text, 1, len, f) != len || fclose(f)) {
		printf("Bail out! %s: %s\n", path, strerror(errno));
		exit(1);
	}
}

static inline int shell_status(pid_t pid)
{
	int status;

	if (waitpid(pid, &status, 0) != pid)
		return -1;
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static inline void redirect(const char *path, int fd)
{
	int from = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	if (from < 0 || dup2(from, fd) < 0)
		_exit(99);
	close(from);
}

static inline pid_t start(char **argv)
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

static inline void finish(pid_t pid)
{
	ran.status = shell_status(pid);
	slurp("/tmp/out", ran.out, OUT_MAX);
	slurp("/tmp/err", ran.err, OUT_MAX);
}

static inline void run(char **argv)
{
	finish(start(argv));
}

#define RUN(...)	run((char *[]){ __VA_ARGS__, NULL })
#define TOOL(...)	RUN(tool, ##__VA_ARGS__)

/* Run with @fd as standard output, and close it. */
static inline void run_into(int fd, char **argv)
{
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid) {
		redirect("/tmp/err", STDERR_FILENO);
		dup2(fd, STDOUT_FILENO);
		close(fd);
		execv(argv[0], argv);
		_exit(99);
	}
	close(fd);
	ran.out[0] = 0;
	ran.status = shell_status(pid);
	slurp("/tmp/err", ran.err, OUT_MAX);
}

/* Nobody reads what @argv writes. */
static inline void expect_sigpipe(char **argv)
{
	int fds[2];

	if (pipe(fds))
		return EXPECT(!"a pipe");
	close(fds[0]);
	run_into(fds[1], argv);
	EXPECT(ran.status == 128 + SIGPIPE);
	EXPECT(!*ran.err);
}

/* Wait for @text in an output file of the running program, for at most 60 s. */
static inline bool await(const char *path, const char *text)
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

static inline int count(const char *text, const char *what)
{
	int n = 0;

	while ((text = strstr(text, what))) {
		text += strlen(what);
		n++;
	}
	return n;
}

static inline bool one_line(const char *text)
{
	return *text && strchr(text, '\n') == text + strlen(text) - 1;
}

/* Expect one line on standard error in the form of the tool's errors, and no other output. */
static inline void expect_error(int status, const char *text)
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

/* ---- programs with known exits ---- */

/*
 * A program that executes CPUID exactly a given number of times. It has no C library, as
 * its start-up code executes CPUID, too.
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

#define TINY_CPUIDS	2		/* offset of the number */
#define TINY_ADDRESS	0x400000

static inline void write_tiny(const char *path, unsigned int cpuids)
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

/* Expect each of the command lines to be refused with one line. */
static inline void expect_bad_usage(char *const (*bad)[6], int n)
{
	char *argv[8];
	int i;

	for (i = 0; i < n; i++) {
		memset(argv, 0, sizeof(argv));
		argv[0] = tool;
		memcpy(argv + 1, bad[i], sizeof(bad[i]));
		run(argv);
		printf("# %s", *ran.err ? ran.err : "(silent)\n");
		expect_error(2, "");
	}
}

/* ---- reading the tool's CSV ---- */

struct csv {
	struct exitstats row[ROWS];
	struct exitstats sum;
	struct exitstats total;
	bool histogram;		/* has the columns of the histogram */
	struct hist hist[ROWS];
	struct hist all;	/* of the total */
	int rows;
	bool good;		/* all lines are well-formed */
};

#define CSV_HEAD	"reason,name,exits,cycles,avg_cycles"
#define CSV_HIST_HEAD	",p50_cycles,p99_cycles,longest_cycles,from_0,from_2,from_4,"

/* Parse the columns after the average: none, or the histogram. */
static inline bool csv_tail(const struct csv *c, struct hist *h, const char *text)
{
	unsigned long long p50, p99, longest;
	int b, length = 0;

	if (!c->histogram)
		return !*text;
	if (sscanf(text, ",%llu,%llu,%llu%n", &p50, &p99, &longest, &length) != 3)
		return false;
	for (b = 0; b < BUCKETS; b++) {
		text += length;
		length = 0;
		if (sscanf(text, ",%llu%n", &h->bucket[b], &length) != 1)
			return false;
	}
	return !text[length] && p50 <= p99 && p99 <= longest &&
	       p50 == hist_percentile(h, 50, longest) && longest <= hist_longest(h);
}

static inline bool csv_line(struct csv *c, char *line, int *last)
{
	unsigned long long exits, cycles, avg;
	char reason[16], name[32] = "";
	int n, length = 0;

	if (sscanf(line, "total,,%llu,%llu,%llu%n", &exits, &cycles, &avg, &length) == 3) {
		c->total = (struct exitstats){ exits, cycles };
		return csv_tail(c, &c->all, line + length) && avg == average(c->total);
	}
	if (sscanf(line, "%15[^,],%31[^,],%llu,%llu,%llu%n", reason, name, &exits, &cycles, &avg,
		   &length) != 5)
		return false;

	n = find_reason(numbering, reason);
	if (n <= *last || strcmp(reason, reason_number(numbering, n)) ||
	    strcmp(name, reason_name(numbering, n)))
		return false;
	*last = n;
	c->row[n] = (struct exitstats){ exits, cycles };
	c->sum.exits += exits;
	c->sum.cycles += cycles;
	c->rows++;
	return csv_tail(c, &c->hist[n], line + length) && (exits || cycles) &&
	       avg == average(c->row[n]);
}

static inline void parse_csv(struct csv *c, const char *text)
{
	char *copy = strdup(text), *next = copy, *line;
	int last = -1;

	memset(c, 0, sizeof(*c));
	line = strsep(&next, "\n");
	c->good = !strncmp(line, CSV_HEAD, strlen(CSV_HEAD));
	line += c->good ? strlen(CSV_HEAD) : 0;
	c->histogram = !strncmp(line, CSV_HIST_HEAD, strlen(CSV_HIST_HEAD));
	c->good &= c->histogram || !*line;
	while ((line = strsep(&next, "\n"))) {
		if (*line)
			c->good &= csv_line(c, line, &last);
		else
			c->good &= !next;
	}
	c->good &= c->total.exits == c->sum.exits && c->total.cycles == c->sum.cycles;
	free(copy);
}

/* ---- tables and accounts ---- */

/* Parse the number in a column of a table: with commas, or hexadecimal. */
static inline unsigned long long table_number(const char *line, int column)
{
	unsigned long long n = 0;

	while (column--) {
		line += strspn(line, " ");
		line += strcspn(line, " ");
	}
	line += strspn(line, " ");
	if (!strncmp(line, "0x", 2))
		return strtoull(line, NULL, 16);
	for (; strchr("0123456789,", *line) && *line; line++) {
		if (*line != ',')
			n = n * 10 + *line - '0';
	}
	return n;
}

/* Parse the output of --time --csv. Return: false if it is malformed */
static inline bool parse_time_csv(const char *text, struct exitstats *accounts)
{
	static const char head[] = "account,entered,cycles\n";
	char name[16];
	int a, length;

	if (strncmp(text, head, strlen(head)))
		return false;
	text += strlen(head);
	for (a = 0; a < ACCOUNTS; a++) {
		if (sscanf(text, "%15[a-z],%llu,%llu%n", name, &accounts[a].exits,
			   &accounts[a].cycles, &length) != 3 || text[length] != '\n' ||
		    strcmp(name, account_names[a]))
			return false;
		text += length + 1;
	}
	return !*text;
}

static inline unsigned long long sum_of(const struct exitstats *accounts)
{
	unsigned long long sum = 0;
	int a;

	for (a = 0; a < ACCOUNTS; a++)
		sum += accounts[a].cycles;
	return sum;
}

/* ---- on a terminal ---- */

static inline pid_t start_on_terminal(char **argv, int columns, int *master)
{
	struct winsize ws = { .ws_row = 24, .ws_col = columns };
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
	if (!getenv("LC_ALL"))
		setenv("LC_ALL", "C.UTF-8", 1);
	execv(argv[0], argv);
	_exit(99);
}

/* Read the terminal's output until @text, or to its end if NULL. */
static inline bool read_terminal(int master, size_t *n, const char *text)
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

/* Run a program to its end on a terminal with @columns. Its output is in ran.out. */
static inline void run_on_terminal(int columns, char **argv)
{
	size_t n = 0;
	int master;
	pid_t pid = start_on_terminal(argv, columns, &master);

	ran.out[0] = 0;
	ran.err[0] = 0;
	EXPECT(pid > 0);
	if (pid < 0)
		return;
	EXPECT(read_terminal(master, &n, NULL));
	close(master);
	ran.status = shell_status(pid);
}

/* Return the length in characters, not bytes. A terminal's lines end with \r\n. */
static inline int longest_line(const char *text)
{
	int width = 0, longest = 0;

	for (; *text; text++) {
		if (*text == '\n' || *text == '\r')
			width = 0;
		else if ((*text & 0xc0) != 0x80)
			width++;
		if (width > longest)
			longest = width;
	}
	return longest;
}

/* ---- tests ---- */

struct test {
	const char *name;
	void (*run)(void);
};

static inline int run_tests(const struct test *test, int n)
{
	int i, failures = 0;

	printf("1..%d\n", n);
	for (i = 0; i < n; i++) {
		failed = false;
		skipped = NULL;
		test[i].run();
		failures += failed;
		printf("%sok %d - exitstats: %s%s%s\n", failed ? "not " : "", i + 1, test[i].name,
		       skipped ? " # SKIP " : "", skipped ?: "");
		fflush(stdout);
	}
	return failures > 0;
}

/* Mount the test's own file systems, and pseudoterminals. Needs root. */
static inline void prepare_mounts(void)
{
	unshare(CLONE_NEWNS);
	mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
	mkdir("/dev/pts", 0755);
	if (access("/dev/pts/ptmx", F_OK))
		mount("devpts", "/dev/pts", "devpts", 0, "ptmxmode=666");
}

#endif /* EXITSTATS_TOOL_TEST_H */
