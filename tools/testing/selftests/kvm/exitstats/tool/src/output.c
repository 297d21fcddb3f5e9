// SPDX-License-Identifier: GPL-2.0-only
/*
 * The file of -o.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "error.h"
#include "formats.h"
#include "options.h"
#include "output.h"
#include "snapshot.h"

static struct {
	FILE *file;
	char *path;
	char *temporary;
} output;

static void output_failed(int error)
{
	if (output.temporary)
		unlink(output.temporary);
	output.temporary = NULL;
	fail(STATUS_USAGE, "%s: %s", opt.output, strerror(error));
}

static void forget_output(void)
{
	if (output.temporary)
		unlink(output.temporary);
}

static void open_temporary(mode_t mode)
{
	int fd;

	if (asprintf(&output.temporary, "%s.XXXXXX", output.path) < 0)
		need(NULL);
	fd = mkostemp(output.temporary, O_CLOEXEC);
	if (fd < 0) {
		free(output.temporary);
		output.temporary = NULL;
		output_failed(errno);
	}
	atexit(forget_output);
	if (fchmod(fd, mode))
		output_failed(errno);
	output.file = need(fdopen(fd, "w"));
}

void open_output(void)
{
	struct stat st;
	mode_t mask;

	if (!opt.output)
		return;
	output.path = realpath(opt.output, NULL) ?: need(strdup(opt.output));
	if (stat(output.path, &st)) {
		mask = umask(0);
		umask(mask);
		open_temporary(0666 & ~mask);
	} else if (S_ISREG(st.st_mode)) {
		if (access(output.path, W_OK))
			output_failed(errno);
		open_temporary(st.st_mode & 0777);
	} else {
		output.file = fopen(output.path, "we");
		if (!output.file)
			output_failed(errno);
	}
}

FILE *output_file(void)
{
	return output.file;
}

void close_output(void)
{
	bool bad = fflush(output.file) || ferror(output.file) ||
		   (output.temporary && fsync(fileno(output.file)));

	if (fclose(output.file) || bad)
		output_failed(errno);
	if (output.temporary && rename(output.temporary, output.path))
		output_failed(errno);
	output.temporary = NULL;
}

void save(const struct stats *s)
{
	if (s->reset)
		fail(STATUS_USAGE, "%s: not written: the counters were reset", opt.output);
	if (opt.format == TABLE)
		write_snapshot(output.file, s);
	else
		print_stats(output.file, s, "");
	close_output();
}
