// SPDX-License-Identifier: GPL-2.0-only
/*
 * The oracle beneath KVM: count the VM exits of the emulated processor by reason.
 *
 * Bochs logs each VM exit as "VMEXIT reason = N", QEMU's TCG as "vmexit(CODE,", where
 * CODE has eight hexadecimal digits. The texts of two processors can share a line.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lab.h"

#define MAX_REASON	0x500	/* above SVM's last code; counts all undefined codes */
#define TEXT		32	/* longer than the text for one exit in either log */

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

/* The data may end within a text: keep what follows the last counted one. */
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
		/* All counted texts begin at least TEXT before the end: drop them. */
		if (!p)
			p = have >= TEXT ? end - (TEXT - 1) : buffer;
		have = end - p;
		memmove(buffer, p, have);
	}
}

/* Pad the log: its last text may be shorter than TEXT. */
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
