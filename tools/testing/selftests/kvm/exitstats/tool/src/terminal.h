/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Properties of the terminal.
 */
#ifndef TERMINAL_H
#define TERMINAL_H

#include <stdbool.h>
#include <stdio.h>

#define BAR_MAX		40

/* Size of the terminal; 0 if the output is no terminal */
extern int term_width;
extern int term_height;

void measure_terminal(int fd);

/* A bar for @share, 0 to 1, where 1 takes @width characters, at most BAR_MAX */
const char *bar_text(double share, int width);

/**
 * struct flow - text that breaks before words that do not fit
 * @out: output file
 * @column: current length of the line
 * @indent: indentation of the lines after the first
 */
struct flow {
	FILE *out;
	int column;
	int indent;
};

/* Append ASCII text, which is not broken itself. Without a terminal, lines do not break. */
__attribute__((format(printf, 2, 3)))
void flow_word(struct flow *f, const char *fmt, ...);

#endif /* TERMINAL_H */
