/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Saved snapshots. Text, so that it can be looked at:
 *
 *	exitstats snapshot 2
 *	numbering VMX		or SVM
 *	start			since the VM started, or
 *	span NS TSC VCPUS	between two readings
 *	reason N EXITS CYCLES	for each that is defined, ascending; hexadecimal for SVM
 *	other EXITS CYCLES
 *	account NAME ENTERED CYCLES	for each but "exits"; none if they are not known
 *	check HASH		of all bytes before this line
 *
 * Version 3, which is that of a VM with the histogram, has behind "other":
 *
 *	hist N LONGEST BUCKET:EXITS ...	for each reason with exits, ascending; N as above
 *
 * Version 1 has neither numbering, which was VMX, nor accounts.
 */
#ifndef SNAPSHOT_H
#define SNAPSHOT_H

#include <stdio.h>

#include "stats.h"

#define SNAPSHOT_MAX	(256 * 1024)

void write_snapshot(FILE *out, const struct stats *s);

/**
 * parse_snapshot() - read what write_snapshot() wrote
 * @s: where to put it
 * @text: ends with a 0 byte
 * @len: its length without that
 *
 * Return: false if it is damaged, or not a snapshot
 */
bool parse_snapshot(struct stats *s, const char *text, size_t len);

/* From a file; the end if it is none. */
void load_snapshot(struct stats *s, const char *path);

/* What the check line has of @text */
unsigned long long snapshot_hash(const char *text, size_t len);

#endif /* SNAPSHOT_H */
