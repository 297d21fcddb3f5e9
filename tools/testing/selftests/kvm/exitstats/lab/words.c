// SPDX-License-Identifier: GPL-2.0-only
/*
 * Strings and lists of words, for all parts of the driver.
 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "lab.h"

char *format(const char *fmt, ...)
{
	va_list ap;
	char *text;

	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) < 0)
		die("lab: out of memory");
	va_end(ap);
	return text;
}

/* Make room for one more element in an array that has @nr. */
void *grow(void *array, size_t nr, size_t size)
{
	if (nr & (nr - 1))
		return array;
	array = realloc(array, (nr ? 2 * nr : 1) * size);
	if (!array)
		die("lab: out of memory");
	return array;
}

void add_word(struct words *words, const char *word)
{
	words->word = grow(words->word, words->nr, sizeof(*words->word));
	words->word[words->nr++] = word ? format("%s", word) : NULL;
}

bool has_word(const struct words *words, const char *word)
{
	size_t i;

	for (i = 0; i < words->nr; i++)
		if (!strcmp(words->word[i], word))
			return true;
	return false;
}
