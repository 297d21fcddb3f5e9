// SPDX-License-Identifier: GPL-2.0-only
/*
 * Properties of the terminal. The tool uses no colours.
 */
#define _GNU_SOURCE
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "error.h"
#include "terminal.h"

int term_width;
int term_height;

void measure_terminal(int fd)
{
	struct winsize ws;

	if (!isatty(fd))
		return;
	term_width = 80;
	term_height = 24;
	if (!ioctl(fd, TIOCGWINSZ, &ws) && ws.ws_col && ws.ws_row) {
		term_width = ws.ws_col;
		term_height = ws.ws_row;
	}
}

/*
 * Does the terminal take UTF-8? The environment says so, for a static program may have no
 * locales.
 */
static bool is_utf8(void)
{
	static const char *const variable[] = { "LC_ALL", "LC_CTYPE", "LANG" };
	const char *value;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(variable); i++) {
		value = getenv(variable[i]);
		if (value && *value)
			return strcasestr(value, "utf-8") || strcasestr(value, "utf8");
	}
	return false;
}

/* Use eighths of a character if the terminal supports UTF-8. */
const char *bar_text(double share, int width)
{
	static const char *const part[] = { "", "▏", "▎", "▍", "▌", "▋", "▊", "▉" };
	static char text[BAR_MAX * 3 + 4];
	bool utf8 = is_utf8();
	int eighths = share > 0 && share <= 1 ? share * width * 8 + 0.5 : 0;
	int full = utf8 ? eighths / 8 : (eighths + 4) / 8;
	char *p = text;

	while (full--)
		p = stpcpy(p, utf8 ? "█" : "#");
	stpcpy(p, utf8 ? part[eighths % 8] : "");
	return text;
}

void flow_word(struct flow *f, const char *fmt, ...)
{
	char text[128];
	va_list ap;
	int len;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	len = strlen(text);

	if (term_width && f->column && f->column + 1 + len > term_width) {
		fprintf(f->out, "\n%*s", f->indent, "");
		f->column = f->indent;
	} else if (f->column) {
		fputc(' ', f->out);
		f->column++;
	}
	fputs(text, f->out);
	f->column += len;
}
