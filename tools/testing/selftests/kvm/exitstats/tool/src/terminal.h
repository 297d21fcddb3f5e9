/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the terminal can show.
 */
#ifndef TERMINAL_H
#define TERMINAL_H

#include <stdbool.h>
#include <stdio.h>

#define BAR_MAX		40

/* Of the terminal; 0 if the output is none. */
extern int term_width;
extern int term_height;

void measure_terminal(int fd);

/* A bar of @share, 0 to 1, of @width characters, at most BAR_MAX. */
const char *bar_text(double share, int width);

/**
 * struct flow - text that breaks before words that do not fit
 * @out: where it goes
 * @column: where the line ends
 * @indent: of the lines after the first
 */
struct flow {
	FILE *out;
	int column;
	int indent;
};

/* Append ASCII text, which is not broken; on no terminal, nothing is. */
__attribute__((format(printf, 2, 3)))
void flow_word(struct flow *f, const char *fmt, ...);

#endif /* TERMINAL_H */
