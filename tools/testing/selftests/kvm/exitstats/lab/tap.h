/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the lab's own tests print: TAP, a line for each test. TAP_NAME, which the program
 * defines, says whose.
 */
#ifndef LAB_TAP_H
#define LAB_TAP_H

#include <stdbool.h>
#include <stdio.h>

static int nr_tests;
static int nr_failed;

static inline void test(bool ok, const char *what)
{
	printf("%sok %d " TAP_NAME ": %s\n", ok ? "" : "not ", ++nr_tests, what);
	fflush(stdout);
	nr_failed += !ok;
}

#endif /* LAB_TAP_H */
