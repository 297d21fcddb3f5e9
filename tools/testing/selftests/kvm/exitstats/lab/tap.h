/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the lab's own tests print: TAP, a line for each test. TAP_NAME, which the program
 * defines, says whose.
 */
#ifndef LAB_TAP_H
#define LAB_TAP_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

static int nr_tests;
static int nr_failed;

static inline void test(bool ok, const char *what)
{
	printf("%sok %d " TAP_NAME ": %s\n", ok ? "" : "not ", ++nr_tests, what);
	fflush(stdout);
	nr_failed += !ok;
}

/* The end of a test that cannot go on: printf()'s arguments say why. */
static inline void die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	printf("Bail out! ");
	vprintf(fmt, ap);
	printf("\n");
	va_end(ap);
	exit(1);
}

#endif /* LAB_TAP_H */
