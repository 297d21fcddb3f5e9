/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Saved snapshots. They are readable text:
 *
 *	exitstats snapshot 2
 *	numbering VMX		or SVM
 *	start			since the VM started, or
 *	span NS TSC VCPUS	between two readings
 *	reason N EXITS CYCLES	for each defined reason, ascending; hexadecimal for SVM
 *	other EXITS CYCLES
 *	account NAME ENTERED CYCLES	for each except "exits"; no lines if unknown
 *	check HASH		of all bytes before this line
 *
 * Version 3, for a VM with the histogram, has in addition after "other":
 *
 *	hist N LONGEST BUCKET:EXITS ...	for each reason with exits, ascending; N as above
 *
 * Version 1 has neither a numbering, which was always VMX, nor accounts.
 */
#ifndef SNAPSHOT_H
#define SNAPSHOT_H

#include <stdio.h>

#include "stats.h"

#define SNAPSHOT_MAX	(256 * 1024)

void write_snapshot(FILE *out, const struct stats *s);

/**
 * parse_snapshot() - parse the output of write_snapshot()
 * @s: result
 * @text: the snapshot, followed by a 0 byte
 * @len: length of @text without that byte
 *
 * Return: false if it is damaged, or not a snapshot
 */
bool parse_snapshot(struct stats *s, const char *text, size_t len);

/* Load a snapshot from a file; exit if it is none. */
void load_snapshot(struct stats *s, const char *path);

/* The hash in the check line */
unsigned long long snapshot_hash(const char *text, size_t len);

#endif /* SNAPSHOT_H */
