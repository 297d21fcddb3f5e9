// SPDX-License-Identifier: GPL-2.0-only
/*
 * init of the lab: process 1 in the emulated host and in the QEMU guest on it.
 *
 * It carries out /plan, which the lab's driver writes. A command starts on a line of its
 * own; each further word is on a line that starts with a tab. README has an overview.
 *
 *	kvm [PARAM=VALUE ...]		unload kvm-intel (or kvm-amd) and load it with
 *					these parameters; from=DIR is no parameter, but
 *					the directory to load the modules from
 *	unkvm				unload it
 *	run PROGRAM [ARG ...]		run a program
 *	guest [plan=NAME] [QEMU-OPTION ...]
 *					run the guest, which follows its own /plan, or
 *					/plan.NAME
 *	try SECONDS COMMAND ...		run a command that may fail, and kill it after
 *					SECONDS. Print its result as "tried PROGRAM STATUS";
 *					it is never a failure
 *	file [NAME]			write all further output to NAME
 *	send FILE NAME			copy FILE to NAME
 *	leaks				let kmemleak look for leaked memory, which it
 *					reports on the console
 *	cost WORD			print WORD and the cost of the last guest: TSC
 *					cycles of the emulated host, exits
 *	trace on|off [ring]		count kvm:kvm_exit by exit_reason with a trigger;
 *					ring: record kvm_entry and kvm_exit in the ring
 *					buffer instead
 *
 * All commands run, even after one has failed. The exit status is that of the first
 * command that failed; if none failed but one was skipped, it is 4. Every command may
 * take LIMIT seconds of the lab's own time. Output is a stream (stream.h) on the second
 * serial port; the first is the kernel's console.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "guest.h"
#include "stream.h"

#define STREAM_DEVICE	"/dev/ttyS1"
#define MODULES		"/modules/"
#define GUEST_CONSOLE	"/tmp/guest.log"
#define KSFT_SKIP	4	/* exit status of a selftest that cannot run here */
#define GUEST_COST	"/tmp/guest.cost"
#define ORACLE		"/sys/kernel/debug/lab_oracle"

static int stream = -1;
/* Seconds that a command may take; LIMIT= on the kernel's command line */
static int limit = 1200;

static void write_all(int fd, const void *data, size_t len)
{
	const char *p = data;
	ssize_t n;

	while (len) {
		n = write(fd, p, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return;
		p += n;
		len -= n;
	}
}

static void message(enum stream_type type, const void *data, size_t len)
{
	struct stream_header h = { STREAM_MAGIC, type, len };

	write_all(stream, &h, sizeof(h));
	write_all(stream, data, len);
}

static void print(enum stream_type type, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	message(type, text, strlen(text));
}

static void die(int status)
{
	char text[12];

	message(STREAM_EXIT, text, sprintf(text, "%d", status));
	tcdrain(stream);
	sync();
	/* The guest's QEMU ends on a reset, the emulated host on a power-off. */
	reboot(getenv("GUEST") ? RB_AUTOBOOT : RB_POWER_OFF);
	for (;;)
		pause();
}

static void fatal(const char *what)
{
	print(STREAM_ERR, "lab: %s: %s\n", what, strerror(errno));
	die(1);
}

static void mount_one(const char *type, const char *dir)
{
	mkdir(dir, 0755);
	if (mount(type, dir, type, 0, NULL) && errno != EBUSY && errno != ENODEV)
		fatal(dir);
}

static void open_stream(void)
{
	struct termios tio;

	stream = open(STREAM_DEVICE, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (stream < 0)
		return;
	tcgetattr(stream, &tio);
	cfmakeraw(&tio);
	cfsetspeed(&tio, B115200);
	tcsetattr(stream, TCSANOW, &tio);
}

static int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -1;
	n = write(fd, text, strlen(text));
	close(fd);
	return n < 0 ? -1 : 0;
}

static bool cpu_has(const char *flag)
{
	static char info[8192];
	int fd = open("/proc/cpuinfo", O_RDONLY | O_CLOEXEC);
	ssize_t n = read(fd, info, sizeof(info) - 1);
	char word[32];

	close(fd);
	info[n > 0 ? n : 0] = 0;
	snprintf(word, sizeof(word), " %s ", flag);
	return strstr(info, word);
}

static const char *vendor(void)
{
	return cpu_has("svm") ? "kvm_amd" : "kvm_intel";
}

static int insmod(const char *dir, const char *name, const char *params)
{
	char path[64];
	int fd, r;

	snprintf(path, sizeof(path), "%s%s.ko", dir, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT && !strcmp(name, "irqbypass") ? 0 : -1;
	r = syscall(SYS_finit_module, fd, params, 0);
	close(fd);
	return r && errno == EEXIST ? 0 : r;
}

static int unload_kvm(void)
{
	static const char *const modules[] = { "kvm_intel", "kvm_amd", "kvm" };
	size_t i;

	for (i = 0; i < sizeof(modules) / sizeof(*modules); i++) {
		if (syscall(SYS_delete_module, modules[i], O_NONBLOCK) && errno != ENOENT) {
			print(STREAM_ERR, "lab: cannot unload %s: %s\n", modules[i],
			      strerror(errno));
			return 1;
		}
	}
	return 0;
}

/*
 * Linux refines the frequency of TCG's TSC some seconds after the boot. If KVM is loaded
 * before, its VMs get the old frequency, which is "below hardware speed", and KVM then
 * scales their TSC by 0.
 */
static void wait_for_tsc(void)
{
	char name[8] = "";
	int fd, tries;

	for (tries = 0; tries < 150 && strcmp(name, "tsc\n"); tries++) {
		if (tries)
			usleep(100000);
		memset(name, 0, sizeof(name));
		fd = open("/sys/devices/system/clocksource/clocksource0/current_clocksource",
			  O_RDONLY | O_CLOEXEC);
		if (fd < 0 || read(fd, name, sizeof(name) - 1) < 0)
			tries = 150;
		close(fd);
	}
}

/* Parameters that start with "kvm." are for kvm.ko, the others for the vendor module. */
static int load_kvm(char **params)
{
	char kvm[256] = "", own[256] = "";
	const char *dir = MODULES;

	for (; *params; params++) {
		bool common = !strncmp(*params, "kvm.", 4);
		char *to = common ? kvm : own;

		if (!strncmp(*params, "from=", 5)) {
			dir = *params + 5;
			continue;
		}
		strcat(strcat(to, common ? *params + 4 : *params), " ");
	}

	if (cpu_has("svm"))
		wait_for_tsc();
	if (insmod(MODULES, "irqbypass", "") || insmod(dir, "kvm", kvm) ||
	    insmod(dir, vendor(), own)) {
		print(STREAM_ERR, "lab: cannot load %s %s: %s\n", vendor(), own, strerror(errno));
		return 1;
	}
	return 0;
}

/*
 * Start argv in the process group @group, or in a new one if 0, with nothing to read. The
 * kernel kills it if we die: a test may have started us as its guest, and kill us.
 */
static pid_t start(char **argv, int out, int err, pid_t group)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	dup2(open("/dev/null", O_RDONLY | O_CLOEXEC), 0);
	dup2(out, 1);
	dup2(err, 2);
	setpgid(0, group);
	execv(argv[0], argv);
	dprintf(2, "lab: %s: %s\n", argv[0], strerror(errno));
	_exit(errno == ENOENT ? 127 : 126);
}

/*
 * Run argv and send its output as messages. With @forward, its output consists of
 * messages already. Return the exit status as a shell would, and 124 on a timeout.
 */
static int run(char **argv, bool forward)
{
	int out[2], err[2], status, left;
	struct pollfd fds[2];
	static char buf[STREAM_MAX];
	bool late = false;
	time_t end;
	ssize_t n;
	pid_t pid;
	int i;

	if (pipe2(out, O_CLOEXEC) || pipe2(err, O_CLOEXEC))
		fatal("pipe");

	pid = start(argv, out[1], err[1], 0);
	if (pid < 0)
		fatal("fork");

	close(out[1]);
	close(err[1]);
	fds[0] = (struct pollfd){ .fd = out[0], .events = POLLIN };
	fds[1] = (struct pollfd){ .fd = err[0], .events = POLLIN };
	end = time(NULL) + limit;

	while (fds[0].fd >= 0 || fds[1].fd >= 0) {
		left = end - time(NULL);
		if (left <= 0 && !late) {
			late = true;
			kill(-pid, SIGKILL);
		}
		if (poll(fds, 2, late ? 1000 : left * 1000) < 0 && errno != EINTR)
			fatal("poll");
		for (i = 0; i < 2; i++) {
			if (fds[i].fd < 0 || !fds[i].revents)
				continue;
			n = read(fds[i].fd, buf, sizeof(buf));
			if (n <= 0)
				fds[i].fd = -1;
			else if (forward && i == 0)
				write_all(stream, buf, n);
			else
				message(i ? STREAM_ERR : STREAM_OUT, buf, n);
		}
	}
	close(out[0]);
	close(err[0]);

	waitpid(pid, &status, 0);
	if (late) {
		print(STREAM_ERR, "lab: %s: stopped after %d s of the lab's time\n", argv[0],
		      limit);
		return 124;
	}
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* Show the last lines of the console of a guest that died. */
static void tail_guest(void)
{
	static char text[1500];
	int fd = open(GUEST_CONSOLE, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return;
	lseek(fd, -(off_t)sizeof(text), SEEK_END);
	n = read(fd, text, sizeof(text));
	close(fd);
	if (n > 0)
		message(STREAM_ERR, text, n);
}

static unsigned long long host_tsc(void)
{
	unsigned int lo, hi;

	asm volatile("rdtsc" : "=a" (lo), "=d" (hi));
	return (unsigned long long)hi << 32 | lo;
}

/* Call this while the VM exists: KVM removes its statistics with it. */
static void note_cost(unsigned long long cycles)
{
	char exits[24] = "";
	int fd = open("/sys/kernel/debug/kvm/exits", O_RDONLY | O_CLOEXEC);
	FILE *cost = fopen(GUEST_COST, "we");

	if (fd >= 0 && read(fd, exits, sizeof(exits) - 1) > 0 && cost)
		fprintf(cost, "%llu,%llu\n", cycles, strtoull(exits, NULL, 10));
	if (fd >= 0)
		close(fd);
	if (cost)
		fclose(cost);
}

static int print_cost(const char *word)
{
	char text[64] = "";
	int fd = open(GUEST_COST, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0) {
		print(STREAM_ERR, "lab: no guest has completed\n");
		return 1;
	}
	close(fd);
	print(STREAM_OUT, "%s,%s", word, text);
	return 0;
}

/*
 * The guest's init ends its stream with STREAM_EXIT. The guest's stream passes through
 * here, as this message must not reach the driver: it would end the run.
 */
static int guest_filter(char **argv)
{
	struct stream_header h;
	unsigned long long began = host_tsc();
	int out[2], status, result = -1;
	static char buf[STREAM_MAX + 1];
	FILE *from;
	pid_t pid;

	if (pipe2(out, O_CLOEXEC))
		return GUEST_DIED;
	pid = start(argv, out[1], 2, getpgrp());
	if (pid < 0)
		return GUEST_DIED;
	close(out[1]);
	from = fdopen(out[0], "r");

	while (fread(&h, sizeof(h), 1, from) == 1) {
		if (h.magic != STREAM_MAGIC || h.len > STREAM_MAX ||
		    fread(buf, 1, h.len, from) != h.len)
			break;
		if (h.type == STREAM_EXIT) {
			note_cost(host_tsc() - began);
			buf[h.len] = 0;
			result = atoi(buf);
			continue;
		}
		write_all(1, &h, sizeof(h));
		write_all(1, buf, h.len);
	}
	waitpid(pid, &status, 0);
	return result >= 0 ? result : GUEST_DIED;
}

static int run_guest(char **options)
{
	char append[128] = "console=ttyS0 panic=-1 reboot=t quiet GUEST=1 ";
	char *qemu[64] = {
		"/usr/bin/qemu-system-x86_64",
		"-machine", "microvm,accel=kvm,pit=on,pic=on,rtc=on",
		"-cpu", "host", "-m", "128M", "-nodefaults", "-no-user-config",
		"-display", "none", "-no-reboot",
		"-kernel", "/boot/bzImage", "-initrd", "/boot/guest.cpio",
		"-append", append,
		"-serial", "file:" GUEST_CONSOLE,
		"-chardev", "stdio,id=stream,signal=off",
		"-device", "isa-serial,index=1,chardev=stream",
	};
	char *self[64 + 2] = { "/init", "guest-filter" };
	int n = 0, status;
	char *name;

	/*
	 * QEMU's TCG does not intercept XSETBV, so KVM does not learn which states the guest
	 * enables. The guest's CPUID then has the wrong size for them, and Linux 7.2 crashes.
	 */
	if (vendor_is_amd())
		strcat(append, "noxsave ");

	if (*options && !strncmp(*options, "plan=", 5)) {
		name = *options++ + 5;
		if (*name)
			strncat(strcat(append, "PLAN=/plan."), name, 32);
	}
	while (qemu[n])
		n++;
	while (*options && n < 62)
		qemu[n++] = *options++;
	memcpy(self + 2, qemu, sizeof(*qemu) * n);

	unlink(GUEST_CONSOLE);
	unlink(GUEST_COST);
	status = run(self, true);
	if (status == GUEST_DIED) {
		print(STREAM_ERR, "lab: the guest died; the end of its console:\n");
		tail_guest();
		print(STREAM_ERR, "\n");
	}
	return status;
}

static int trace(bool on, bool ring)
{
	static const char kvm_exit[] = "/sys/kernel/tracing/events/kvm/kvm_exit/";
	static const char kvm_entry[] = "/sys/kernel/tracing/events/kvm/kvm_entry/";
	char path[80];
	int r;

	if (ring) {
		snprintf(path, sizeof(path), "%senable", kvm_entry);
		r = write_file(path, on ? "1" : "0");
		snprintf(path, sizeof(path), "%senable", kvm_exit);
		r = r ?: write_file(path, on ? "1" : "0");
	} else {
		snprintf(path, sizeof(path), "%strigger", kvm_exit);
		r = write_file(path, on ? "hist:keys=exit_reason\n" : "!hist:keys=exit_reason\n");
	}
	if (r)
		print(STREAM_ERR, "lab: %s: %s\n", path, strerror(errno));
	return r ? 1 : 0;
}

/* kmemleak skips recent objects: scan again later. */
static int find_leaks(void)
{
	static const char kmemleak[] = "/sys/kernel/debug/kmemleak";
	int r = write_file(kmemleak, "scan");

	sleep(6);
	r = r ?: write_file(kmemleak, "scan");
	if (r)
		print(STREAM_ERR, "lab: %s: %s\n", kmemleak, strerror(errno));
	return r ? 1 : 0;
}

static int send_file(const char *path, const char *name)
{
	static char buf[STREAM_MAX];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0) {
		print(STREAM_ERR, "lab: %s: %s\n", path, strerror(errno));
		return 1;
	}
	print(STREAM_FILE, "%s", name);
	while ((n = read(fd, buf, sizeof(buf))) > 0)
		message(STREAM_OUT, buf, n);
	print(STREAM_FILE, "");
	close(fd);
	return 0;
}

static int command(char **argv);

static int try(int seconds, char **argv)
{
	int all = limit, status;

	limit = seconds;
	status = command(argv);
	limit = all;
	print(STREAM_OUT, "\ntried %s %d\n", argv[1] ?: argv[0], status);
	return 0;
}

static int command(char **argv)
{
	char *name = argv[0];

	if (!strcmp(name, "kvm"))
		return unload_kvm() || load_kvm(argv + 1);
	if (!strcmp(name, "unkvm"))
		return unload_kvm();
	if (!strcmp(name, "run") && argv[1])
		return run(argv + 1, false);
	if (!strcmp(name, "try") && argv[1] && argv[2])
		return try(atoi(argv[1]), argv + 2);
	if (!strcmp(name, "guest"))
		return run_guest(argv + 1);
	if (!strcmp(name, "trace") && argv[1])
		return trace(!strcmp(argv[1], "on"), argv[2] && !strcmp(argv[2], "ring"));
	if (!strcmp(name, "leaks"))
		return find_leaks();
	if (!strcmp(name, "cost") && argv[1])
		return print_cost(argv[1]);
	if (!strcmp(name, "file")) {
		print(STREAM_FILE, "%s", argv[1] ?: "");
		return 0;
	}
	if (!strcmp(name, "send") && argv[1] && argv[2])
		return send_file(argv[1], argv[2]);
	print(STREAM_ERR, "lab: /plan: unknown word %s\n", name);
	return 1;
}

/* Announce a command, on the console too: complaints there are below their command. */
static void announce(char **argv)
{
	char text[256];
	size_t n = snprintf(text, sizeof(text), "lab:");
	int i;

	for (i = 0; i < 4 && argv[i] && n < sizeof(text); i++)
		n += snprintf(text + n, sizeof(text) - n, " %s", argv[i]);
	print(STREAM_STEP, "%s", text + strlen("lab: "));
	write_file("/dev/kmsg", text);
}

/* Commands that take no time are not shown as progress. */
static bool quiet_command(const char *name)
{
	return !strcmp(name, "file") || !strcmp(name, "send");
}

/*
 * lab_oracle.ko sums the figures of all VMs, so it is loaded before KVM and read when the
 * plan is done. lab_tracer.ko is present only if the plan packs it.
 */
static void begin_oracle(void)
{
	if (!access(MODULES "lab_oracle.ko", F_OK) && insmod(MODULES, "lab_oracle", ""))
		fatal("lab_oracle");
	if (!access(MODULES "lab_tracer.ko", F_OK) && insmod(MODULES, "lab_tracer", ""))
		fatal("lab_tracer");
}

static int end_oracle(void)
{
	return access(ORACLE, F_OK) ? 0 : send_file(ORACLE, "kvm.csv");
}

static int carry_out(char **argv, int argc)
{
	int status;

	argv[argc] = NULL;
	if (!quiet_command(argv[0]))
		announce(argv);
	status = command(argv);
	while (argc)
		free(argv[--argc]);
	return status;
}

static int follow_plan(void)
{
	char *line = NULL, *argv[64];
	const char *path = getenv("PLAN") ?: "/plan";
	FILE *plan = fopen(path, "re");
	int status = 0, argc = 0, r;
	size_t size = 0;
	ssize_t n;

	if (!plan)
		fatal(path);

	do {
		n = getline(&line, &size, plan);
		if (n > 0 && line[n - 1] == '\n')
			line[--n] = 0;
		if (argc && (n < 0 || *line != '\t')) {
			r = carry_out(argv, argc);
			if (!status || status == KSFT_SKIP)
				status = r ?: status;
			argc = 0;
		}
		if (n > 0 && argc < 63)
			argv[argc++] = strdup(*line == '\t' ? line + 1 : line);
	} while (n >= 0);

	return status;
}

int main(int argc, char **argv)
{
	int status;

	if (argc > 2 && !strcmp(argv[1], "guest-filter"))
		return guest_filter(argv + 2);
	/* For tests that start the guest: send messages to standard output. */
	if (argc > 1 && !strcmp(argv[1], "guest")) {
		stream = 1;
		return run_guest(argv + 2);
	}

	mount_one("devtmpfs", "/dev");
	open_stream();
	if (stream < 0)
		die(1);
	mount_one("proc", "/proc");
	mount_one("sysfs", "/sys");
	mount_one("debugfs", "/sys/kernel/debug");
	mount_one("tracefs", "/sys/kernel/tracing");
	mount_one("tmpfs", "/tmp");
	mkdir("/dev/shm", 0755);
	mount_one("tmpfs", "/dev/shm");

	setenv("PATH", "/usr/bin:/bin", 1);
	setenv("HOME", "/tmp", 1);
	setenv("LC_ALL", "C.UTF-8", 1);
	if (getenv("LIMIT"))
		limit = atoi(getenv("LIMIT"));
	chdir("/tmp");

	begin_oracle();
	status = follow_plan();
	die(end_oracle() ?: status);
}
