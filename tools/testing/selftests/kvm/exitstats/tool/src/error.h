/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Errors end exitstats with one line on standard error and an exit status.
 */
#ifndef ERROR_H
#define ERROR_H

#include <stdio.h>
#include <stdlib.h>

/* Exit statuses other than 0 and CMD's own */
#define STATUS_EXCEEDED		1	/* check: a budget is exceeded */
#define STATUS_USAGE		2	/* bad options or files */
#define STATUS_NO_FIGURES	3	/* there are no exit statistics here */
#define STATUS_CMD_FAILED	125	/* check: CMD failed; git bisect run skips the commit */
#define STATUS_NO_EXEC		126	/* CMD cannot be executed, as in a shell */
#define STATUS_NO_CMD		127	/* CMD does not exist */

/* Message for a VM that counts, in the guest and on the host */
#define NO_HISTOGRAM	"this VM has no histogram: its host needs kvm.exitstats_hist=1 when it " \
			"starts, or its VMM sets flag 4 of KVM_CAP_X86_EXITSTATS"

#define ARRAY_SIZE(a)		(sizeof(a) / sizeof((a)[0]))

#define fail(status, fmt, ...)							\
	do {									\
		fprintf(stderr, "exitstats: " fmt "\n", ##__VA_ARGS__);		\
		exit(status);							\
	} while (0)

/* Return @p; if it is NULL, the tool exits. */
void *need(void *p);

/* Flush @out. A closed pipe ends the tool like SIGPIPE, even if that signal is ignored. */
void flush(FILE *out);

/* "s" unless @n is 1 */
const char *plural(unsigned long n);

#endif /* ERROR_H */
