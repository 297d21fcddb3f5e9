// SPDX-License-Identifier: GPL-2.0-only
/*
 * Run the emulator in the run's directory, and relay its output.
 *
 * The emulator writes its first serial port to "console.log", its second to the FIFO
 * "stream" (see stream.h), and its log of VM exits to the FIFO "oracle". Its screen goes
 * to "screen.log". The output of programs goes to our own output and to "output", files
 * go to the directory, and progress goes to standard error.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "lab.h"
#include "stream.h"

#define CONSOLE_LINES	25

static volatile sig_atomic_t interrupted;
static struct lab *lab;
static const char *label;	/* tells apart the progress of labs that run side by side */
static time_t start;
static time_t heard;	/* when the last message came */
static FILE *output;	/* a copy of standard output and standard error */
static FILE *file;	/* STREAM_OUT goes here, or to standard output if NULL */
static int result;	/* from STREAM_EXIT */

static void on_signal(int sig)
{
	interrupted = sig;
}

static void fail(const char *what)
{
	die("lab: %s: %s", what, strerror(errno));
}

static void open_file(const char *name)
{
	if (file && fclose(file))
		fail("cannot write a result");
	file = NULL;
	if (!*name)
		return;
	/* The name comes from the lab. Reject one that leads out of the directory. */
	if (strchr(name, '/'))
		errno = EINVAL;
	else
		file = fopen(name, "we");
	if (!file)
		fail(name);
}

static void handle(enum stream_type type, char *data, size_t len)
{
	FILE *to = stderr;

	heard = time(NULL);
	switch (type) {
	case STREAM_OUT:
		to = file ?: stdout;
		__attribute__((__fallthrough__));
	case STREAM_ERR:
		if (fwrite(data, 1, len, to) != len || (to != file && fflush(to)))
			fail("cannot write");
		if (to != file)
			fwrite(data, 1, len, output);
		break;
	case STREAM_FILE:
		open_file(data);
		break;
	case STREAM_STEP:
		if (!lab->quiet)
			fprintf(stderr, "  %s [%3lds] %s\n", label, (long)(time(NULL) - start),
				data);
		break;
	case STREAM_EXIT:
		result = atoi(data);
		break;
	}
}

/* Handle the complete messages, and keep an incomplete one for the next call. */
static void parse(const char *data, size_t n)
{
	static char buf[sizeof(struct stream_header) + STREAM_MAX + 1];
	static size_t have;
	struct stream_header h;
	size_t want;

	while (n--) {
		buf[have++] = *data++;
		if ((uint8_t)buf[0] != STREAM_MAGIC) {
			have = 0;
			continue;
		}
		if (have < sizeof(h))
			continue;
		memcpy(&h, buf, sizeof(h));
		want = sizeof(h) + h.len;
		if (h.len > STREAM_MAX) {
			have = 0;
		} else if (have == want) {
			buf[have] = 0;
			handle(h.type, buf + sizeof(h), h.len);
			have = 0;
		}
	}
}

static void show_console(void)
{
	char text[8192];
	int fd = open("console.log", O_RDONLY | O_CLOEXEC);
	ssize_t n = 0;
	char *p;
	int lines = 0;

	if (fd >= 0) {
		lseek(fd, -(off_t)(sizeof(text) - 1), SEEK_END);
		n = read(fd, text, sizeof(text) - 1);
		if (n < 0) {
			lseek(fd, 0, SEEK_SET);
			n = read(fd, text, sizeof(text) - 1);
		}
		close(fd);
	}
	if (n <= 0) {
		fprintf(stderr, "lab: the console is empty\n");
		return;
	}
	text[n] = 0;
	for (p = text + n - 1; p > text && lines < CONSOLE_LINES; p--)
		lines += p[-1] == '\n';
	fprintf(stderr, "lab: the console's last lines:\n%s\n", p);
}

/*
 * Bochs, as a debugger, opens a terminal of its own for the screen and prints its name.
 * Nobody reads that terminal. Its buffer is full after some minutes, and Bochs would then
 * wait forever. Return the terminal, whose buffer the caller empties, or -1.
 */
static int find_screen(const char *text, size_t n)
{
	static const char says[] = "connected to screen \"";
	static char said[4096];
	static size_t have;
	char *path, *end;

	if (n > sizeof(said) - 1 - have)
		n = sizeof(said) - 1 - have;
	memcpy(said + have, text, n);
	have += n;
	path = memmem(said, have, says, strlen(says));
	if (!path)
		return -1;
	path += strlen(says);
	end = strchr(path, '"');
	if (!end)
		return -1;
	*end = 0;
	have = sizeof(said) - 1;	/* ignore all further text */
	return open(path, O_RDONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
}

/* The kernel kills the emulator when the driver ends, even by a signal. */
static pid_t spawn(char **argv, int *tty)
{
	struct winsize size = { .ws_row = 25, .ws_col = 80 };
	pid_t pid = forkpty(tty, NULL, NULL, &size);

	if (pid < 0)
		fail("forkpty");
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		setenv("TERM", "xterm", 1);
		execvp(argv[0], argv);
		fprintf(stderr, "%s: %s\n", argv[0], strerror(errno));
		_exit(127);
	}
	fcntl(*tty, F_SETFD, FD_CLOEXEC);
	return pid;
}

/* Open it for writing, too: reading then never blocks, and never sees an end of file. */
static int open_fifo(const char *name)
{
	int fd;

	if (mkfifo(name, 0600))
		fail(name);
	fd = open(name, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		fail(name);
	fcntl(fd, F_SETPIPE_SZ, 1 << 20);
	return fd;
}

static void read_oracle(int fd, bool svm)
{
	static char buf[65536];
	ssize_t n;

	while ((n = read(fd, buf, sizeof(buf))) > 0)
		oracle_feed(buf, n, svm);
}

/* Return the exit status that init sent, or LAB_ERROR if it sent none. */
int run_emulator(struct lab *the_lab, struct plan *plan, enum emulator emulator,
		 struct words *command)
{
	struct sigaction sa = { .sa_handler = on_signal };
	struct pollfd fds[3];
	bool running = true;
	char buf[4096];
	int tty, screen, display = -1;
	FILE *debugger;
	ssize_t n;
	pid_t pid;

	lab = the_lab;
	label = format("%s.%s", plan->name, plan->cpu);
	result = -1;
	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGHUP, &sa, NULL);

	if (emulator == BOCHS) {
		debugger = fopen("debugger", "we");
		if (!debugger || fputs("c\n", debugger) < 0 || fclose(debugger))
			fail("debugger");
	}
	output = fopen("output", "we");
	if (!output)
		fail("output");
	fds[0] = (struct pollfd){ .fd = open_fifo("stream"), .events = POLLIN };
	fds[2] = (struct pollfd){ .fd = -1, .events = POLLIN };
	if (plan->oracle)
		fds[2].fd = open_fifo("oracle");
	screen = open("screen.log", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	start = time(NULL);
	heard = start;
	pid = spawn(command->word, &tty);
	fds[1] = (struct pollfd){ .fd = tty, .events = POLLIN };

	while (result < 0 && !interrupted && time(NULL) - start < plan->timeout &&
	       (!plan->silence || time(NULL) - heard < plan->silence)) {
		if (poll(fds, 3, 1000) < 0 && errno != EINTR)
			fail("poll");
		while ((n = read(fds[0].fd, buf, sizeof(buf))) > 0)
			parse(buf, n);
		if (fds[1].revents) {
			n = read(tty, buf, sizeof(buf));
			if (n <= 0 || write(screen, buf, n) != n)
				fds[1].fd = -1;
			else if (display < 0)
				display = find_screen(buf, n);
		}
		if (fds[2].revents)
			read_oracle(fds[2].fd, plan->svm);
		if (display >= 0)
			tcflush(display, TCIFLUSH);
		if (!running)
			break;
		running = waitpid(pid, NULL, WNOHANG) != pid;
	}

	if (running) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
	if (plan->oracle) {
		read_oracle(fds[2].fd, plan->svm);
		oracle_write("processor.csv", plan->svm);
		unlink("oracle");
	}
	unlink("stream");
	open_file("");
	fclose(output);

	if (result >= 0)
		return result;
	if (interrupted) {
		fprintf(stderr, "lab: interrupted\n");
		exit(128 + interrupted);
	}
	if (running)
		fprintf(stderr, "lab: timed out after %ld s\n", (long)(time(NULL) - start));
	else
		fprintf(stderr, "lab: %s ended without a result\n", command->word[0]);
	show_console();
	fprintf(stderr, "lab: more in %s: console.log, screen.log\n", lab->dir);
	return LAB_ERROR;
}
