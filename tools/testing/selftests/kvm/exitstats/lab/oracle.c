// SPDX-License-Identifier: GPL-2.0-only
/*
 * The oracle beneath KVM: how often the emulated processor left a guest, by reason.
 *
 * Bochs logs each VM exit as "VMEXIT reason = N", QEMU's TCG as "vmexit(CODE,", CODE
 * having eight hexadecimal digits. Two processors' texts can share a line.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lab.h"

#define MAX_REASON	0x500	/* SVM's last code is below; all others are counted together */
#define TEXT		32	/* more than either log's text for one exit */

static uint64_t counts[MAX_REASON + 1];

static void count(const char *text, bool svm)
{
	char digits[9] = "";
	unsigned long reason;

	if (svm)
		memcpy(digits, text, 8);
	reason = strtoul(svm ? digits : text, NULL, svm ? 16 : 10);
	counts[reason < MAX_REASON ? reason : MAX_REASON]++;
}

/* A text may be cut in two: keep what is left after the last one that was counted. */
void oracle_feed(const char *data, size_t n, bool svm)
{
	const char *marker = svm ? "vmexit(" : "VMEXIT reason = ";
	static char buffer[65536 + 2 * TEXT];
	static size_t have;
	size_t len = strlen(marker), part;
	char *p, *end;

	while (n) {
		part = n < 65536 ? n : 65536;
		memcpy(buffer + have, data, part);
		have += part;
		data += part;
		n -= part;

		end = buffer + have;
		p = buffer;
		while ((p = memmem(p, end - p, marker, len))) {
			if (end - p < TEXT)
				break;
			count(p + len, svm);
			p += len;
		}
		/* What was counted begins at least TEXT before the end. */
		if (!p)
			p = have >= TEXT ? end - (TEXT - 1) : buffer;
		have = end - p;
		memmove(buffer, p, have);
	}
}

/* The log's last text is shorter than TEXT. */
void oracle_write(const char *path, bool svm)
{
	static const char nothing[TEXT];
	FILE *to = fopen(path, "we");
	int i;

	oracle_feed(nothing, TEXT, svm);
	if (!to)
		die("%s: %s", path, strerror(errno));
	for (i = 0; i <= MAX_REASON; i++)
		if (counts[i])
			fprintf(to, "%d,%llu\n", i, (unsigned long long)counts[i]);
	if (fclose(to))
		die("%s: %s", path, strerror(errno));
}
