// SPDX-License-Identifier: GPL-2.0-only
/*
 * boot: run the lab in an emulator and bring out what comes of it.
 *
 *	boot [-q] [-t SECONDS] [-i SECONDS] DIR EMULATOR [ARG ...]
 *
 * DIR is the run's directory: the emulator starts there, writes its second
 * serial port to the FIFO "stream" (stream.h says what), which is made here, and
 * its first to "console.log"; its screen ends in "screen.log". Programs' output goes to
 * boot's own, files go to DIR, progress to standard error (-q: not).
 *
 * Exit status: what init said; 125 if it did not say (the kernel hung or died, or
 * SECONDS of the wall clock, 900 by default, were over, or as many as -i says without
 * a word): then the last lines of the console are shown.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "stream.h"

#define NO_ANSWER	125
#define CONSOLE_LINES	25

static volatile sig_atomic_t interrupted;
static time_t start;
static time_t heard;	/* when the last message came */
static bool quiet;
static FILE *file;	/* where STREAM_OUT goes, or NULL: standard output */
static int result = -1;	/* of STREAM_EXIT */

static void on_signal(int sig)
{
	interrupted = sig;
}

static void fail(const char *what)
{
	fprintf(stderr, "boot: %s: %s\n", what, strerror(errno));
	exit(NO_ANSWER);
}

static void open_file(const char *name)
{
	if (file && fclose(file))
		fail("cannot write a result");
	file = NULL;
	if (!*name)
		return;
	/* The name comes out of the lab: keep it inside the directory. */
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
		break;
	case STREAM_FILE:
		open_file(data);
		break;
	case STREAM_STEP:
		if (!quiet)
			fprintf(stderr, "  [%3lds] %s\n", (long)(time(NULL) - start), data);
		break;
	case STREAM_EXIT:
		result = atoi(data);
		break;
	}
}

/* Take what has come so far apart into messages; keep an unfinished one. */
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
		close(fd);
	}
	if (n <= 0) {
		fprintf(stderr, "boot: the console is empty\n");
		return;
	}
	text[n] = 0;
	for (p = text + n - 1; p > text && lines < CONSOLE_LINES; p--)
		lines += p[-1] == '\n';
	fprintf(stderr, "boot: the console's last lines:\n%s\n", p);
}

/*
 * Bochs, as a debugger, opens a terminal of its own for the screen, and says which.
 * Nobody looks there: once its buffer is full, after some minutes, Bochs would wait
 * for ever. Return the terminal, for the buffer to be emptied, or -1.
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
	have = sizeof(said) - 1;	/* that was it */
	return open(path, O_RDONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
}

static pid_t spawn(char **argv, int *tty)
{
	struct winsize size = { .ws_row = 25, .ws_col = 80 };
	pid_t pid = forkpty(tty, NULL, NULL, &size);

	if (pid < 0)
		fail("forkpty");
	if (!pid) {
		setenv("TERM", "xterm", 1);
		execvp(argv[0], argv);
		fprintf(stderr, "%s: %s\n", argv[0], strerror(errno));
		_exit(127);
	}
	fcntl(*tty, F_SETFD, FD_CLOEXEC);
	return pid;
}

int main(int argc, char **argv)
{
	struct sigaction sa = { .sa_handler = on_signal };
	struct pollfd fds[2];
	bool running = true;
	long wall = 900, silence = 0;
	char buf[4096];
	int opt, tty, screen, display = -1;
	ssize_t n;
	pid_t pid;

	while ((opt = getopt(argc, argv, "+qt:i:")) != -1) {
		if (opt == 'q')
			quiet = true;
		else if (opt == 't')
			wall = atol(optarg);
		else if (opt == 'i')
			silence = atol(optarg);
		else
			return NO_ANSWER;
	}
	if (argc - optind < 2) {
		fprintf(stderr,
			"usage: boot [-q] [-t SECONDS] [-i SECONDS] DIR EMULATOR [ARG ...]\n");
		return NO_ANSWER;
	}
	if (chdir(argv[optind]))
		fail(argv[optind]);

	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGHUP, &sa, NULL);

	unlink("stream");
	unlink("console.log");
	if (mkfifo("stream", 0600))
		fail("stream");
	/* For writing too, so that it neither blocks nor ends before the emulator. */
	fds[0] = (struct pollfd){ .fd = open("stream", O_RDWR | O_NONBLOCK | O_CLOEXEC),
				  .events = POLLIN };
	screen = open("screen.log", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	start = time(NULL);
	heard = start;
	pid = spawn(argv + optind + 1, &tty);
	fds[1] = (struct pollfd){ .fd = tty, .events = POLLIN };

	while (result < 0 && !interrupted && time(NULL) - start < wall &&
	       (!silence || time(NULL) - heard < silence)) {
		if (poll(fds, 2, 1000) < 0 && errno != EINTR)
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
	unlink("stream");
	open_file("");

	if (result >= 0)
		return result;
	if (interrupted) {
		fprintf(stderr, "boot: interrupted\n");
		return 128 + interrupted;
	}
	if (running)
		fprintf(stderr, "boot: no end after %ld s: stopped\n", (long)(time(NULL) - start));
	else
		fprintf(stderr, "boot: %s ended before the lab did\n", argv[optind + 1]);
	show_console();
	fprintf(stderr, "boot: more in %s: console.log, screen.log\n", argv[optind]);
	return NO_ANSWER;
}
