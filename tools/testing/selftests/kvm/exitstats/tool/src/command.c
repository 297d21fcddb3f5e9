// SPDX-License-Identifier: GPL-2.0-only
/*
 * Running a command.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "command.h"
#include "error.h"
#include "formats.h"
#include "options.h"
#include "output.h"
#include "source.h"

static pid_t child;		/* set before the signal handlers that use it */

static void pass_on(int sig)
{
	int error = errno;

	kill(child, sig);
	errno = error;
}

static void set_signals(void (*interactive)(int), void (*other)(int))
{
	signal(SIGINT, interactive);
	signal(SIGQUIT, interactive);
	signal(SIGTERM, other);
	signal(SIGHUP, other);
}

/* Start @argv, which waits for a byte from @go. If exec fails, errno can be read from @error. */
static void start_command(char **argv, int *go, int *error)
{
	int go_pipe[2], error_pipe[2];
	char byte;
	pid_t pid;

	if (pipe2(go_pipe, O_CLOEXEC) || pipe2(error_pipe, O_CLOEXEC))
		fail(STATUS_USAGE, "pipe: %s", strerror(errno));
	pid = fork();
	if (pid < 0)
		fail(STATUS_USAGE, "fork: %s", strerror(errno));
	if (!pid) {
		close(go_pipe[1]);
		if (read(go_pipe[0], &byte, 1) != 1)
			_exit(1);
		execvp(argv[0], argv);
		byte = errno;
		_exit(write(error_pipe[1], &byte, 1) != 1);
	}

	child = pid;
	set_signals(SIG_IGN, pass_on);
	close(go_pipe[0]);
	close(error_pipe[1]);
	*go = go_pipe[1];
	*error = error_pipe[0];
}

/* Return: the exit status as in a shell */
static int wait_command(const char *name, int error)
{
	char reason;
	int status;

	if (read(error, &reason, 1) == 1)
		fail(reason == ENOENT ? STATUS_NO_CMD : STATUS_NO_EXEC, "%s: %s", name,
		     strerror(reason));
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	set_signals(SIG_IGN, SIG_IGN);
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

int measure_command(struct stats *d, char **argv)
{
	static struct stats from, to;
	int go, error, status;
	bool alive;

	start_command(argv, &go, &error);
	alive = read_source(&from);
	if (write(go, "", 1) != 1)
		fail(STATUS_USAGE, "%s: cannot start", argv[0]);
	status = wait_command(argv[0], error);
	if (!alive || !read_source(&to))
		fail(STATUS_NO_FIGURES, "the VM ended before the command did: no figures");
	subtract(d, &from, &to);
	return status;
}

static char *command_title(char **argv)
{
	size_t len;
	char *text;
	FILE *mem = need(open_memstream(&text, &len));

	fprintf(mem, "%s while this ran:", source_title());
	while (*argv)
		fprintf(mem, " %s", *argv++);
	fclose(mem);
	return need(text);
}

int command_mode(char **argv)
{
	char *title = command_title(argv);
	static struct stats d;
	int status = measure_command(&d, argv);

	/* Write to standard error, like perf stat: standard output is for CMD. */
	signal(SIGPIPE, SIG_IGN);
	if (opt.output)
		save(&d);
	else
		print_stats(stderr, &d, title);
	free(title);
	return status;
}
