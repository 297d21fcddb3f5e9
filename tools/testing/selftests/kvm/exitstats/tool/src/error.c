// SPDX-License-Identifier: GPL-2.0-only
/*
 * Errors that end the tool.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "error.h"

void *need(void *p)
{
	if (!p)
		fail(STATUS_USAGE, "out of memory");
	return p;
}

void flush(FILE *out)
{
	if (!fflush(out) && !ferror(out))
		return;
	if (errno == EPIPE)
		_exit(128 + SIGPIPE);
	fail(STATUS_USAGE, "cannot write: %s", strerror(errno));
}

const char *plural(unsigned long n)
{
	return n == 1 ? "" : "s";
}
