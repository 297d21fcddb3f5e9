// SPDX-License-Identifier: GPL-2.0-only
/*
 * The live view, and intervals without one.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "error.h"
#include "live.h"
#include "options.h"
#include "stats.h"
#include "terminal.h"

static struct termios saved_termios;
static bool keys;		/* standard input is a terminal without line buffering */

/* ---- the screen ---- */

/* Use write(), as standard output may have failed. */
static void leave_screen(void)
{
	static const char text[] = "\033[?7h\033[?25h\033[?1049l";
	static bool left;

	if (left || write(STDOUT_FILENO, text, sizeof(text) - 1) < 0)
		return;
	left = true;
	if (keys)
		tcsetattr(STDIN_FILENO, TCSANOW, &saved_termios);
	keys = false;
}

/*
 * Alternate screen, no cursor, no line wrapping, keys without echo. Disable Ctrl-Z, which
 * would leave the terminal in this state.
 */
static void enter_screen(void)
{
	struct termios t;

	if (isatty(STDIN_FILENO) && !tcgetattr(STDIN_FILENO, &saved_termios)) {
		t = saved_termios;
		t.c_lflag &= ~(ICANON | ECHO);
		t.c_cc[VSUSP] = _POSIX_VDISABLE;
		keys = !tcsetattr(STDIN_FILENO, TCSANOW, &t);
	}
	atexit(leave_screen);
	fputs("\033[?1049h\033[?25l\033[?7l", stdout);
}

/* Draw the view, with at most @max lines of its table, and the list of keys. */
static char *drawing(const struct view *view, int max)
{
	size_t len;
	char *text;
	FILE *mem = need(open_memstream(&text, &len));

	view->draw(mem, max);
	fputs("\norder: c cycles, e exits, a average, r reason; q quits\n", mem);
	fclose(mem);
	return need(text);
}

static int count_lines(const char *text)
{
	int n = 0;

	while ((text = strchr(text, '\n'))) {
		text++;
		n++;
	}
	return n;
}

static void draw(const struct view *view)
{
	char *text, *line, *end;
	int room;

	/* Draw one line of the table to learn how many lines everything else takes. */
	measure_terminal(STDOUT_FILENO);
	text = drawing(view, 1);
	room = term_height - count_lines(text) + 1;
	free(text);
	text = drawing(view, room > 1 ? room : 1);

	/* Overwrite each line. The last one must not scroll the screen. */
	fputs("\033[H", stdout);
	for (line = text; (end = strchr(line, '\n')); line = end + 1)
		printf("%.*s\033[K%s", (int)(end - line), line, end[1] ? "\r\n" : "");
	fputs("\033[J", stdout);
	flush(stdout);
	free(text);
}

/* ---- the user ---- */

/* Return: whether to continue */
static bool handle_key(void)
{
	char key;

	if (read(STDIN_FILENO, &key, 1) != 1) {
		keys = false;
		return true;
	}
	switch (key) {
	case 'c':
		opt.sort = BY_CYCLES;
		break;
	case 'e':
		opt.sort = BY_EXITS;
		break;
	case 'a':
		opt.sort = BY_AVERAGE;
		break;
	case 'r':
		opt.sort = BY_REASON;
		break;
	case 'q':
		return false;
	}
	return true;
}

static int open_signals(void)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	if (opt.watch)
		sigaddset(&set, SIGWINCH);
	sigprocmask(SIG_BLOCK, &set, NULL);
	fd = signalfd(-1, &set, SFD_CLOEXEC);
	if (fd < 0)
		fail(STATUS_USAGE, "signalfd: %s", strerror(errno));
	return fd;
}

/* Wait until @deadline, and redraw when necessary. Return: false if the user quit */
static bool wait_until(unsigned long long deadline, int signals, const struct view *view)
{
	struct pollfd fds[2] = { { .fd = signals, .events = POLLIN }, { .events = POLLIN } };
	struct signalfd_siginfo info;
	struct timespec timeout;
	unsigned long long left, now;

	while ((now = now_ns()) < deadline) {
		left = deadline - now;
		timeout = (struct timespec){ left / NSEC_PER_SEC, left % NSEC_PER_SEC };
		fds[1].fd = keys ? STDIN_FILENO : -1;
		if (ppoll(fds, ARRAY_SIZE(fds), &timeout, NULL) <= 0)
			continue;
		if (fds[0].revents && read(signals, &info, sizeof(info)) == sizeof(info) &&
		    info.ssi_signo != SIGWINCH)
			return false;
		if (fds[1].revents && !handle_key())
			return false;
		if (opt.watch)
			draw(view);
	}
	return true;
}

/* ---- both ---- */

void run_view(const struct view *view)
{
	unsigned long long deadline, step = opt.interval * NSEC_PER_SEC;
	int signals = open_signals();
	unsigned long n;

	if (!view->read())
		return;
	deadline = now_ns();
	if (opt.watch) {
		enter_screen();
		draw(view);
	}

	for (n = 0; !opt.count || n < opt.count; n++) {
		deadline += step;
		if (!wait_until(deadline, signals, view) || !view->read())
			break;
		if (opt.watch) {
			draw(view);
		} else {
			view->print();
			flush(stdout);
		}
	}

	if (opt.watch)
		leave_screen();
	else if (term_width)
		putchar('\n');	/* after the terminal's ^C */
}
