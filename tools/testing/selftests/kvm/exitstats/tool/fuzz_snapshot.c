// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fuzz the tool's reader of saved snapshots.
 *
 *	clang -g -O1 -fsanitize=fuzzer,address,undefined -I<repo>/include/uapi
 *
 * A snapshot that the reader accepts must survive being written and read again, and being
 * shown. The fuzzer would hardly ever find the right check at a snapshot's end, so each
 * input is tried both unchanged and with a corrected check. It is also tried as both tables
 * of the host's debugfs and as a command line of QEMU.
 */
#define _GNU_SOURCE
#include "src/diff.c"
#include "src/distribution.c"
#include "src/error.c"
#include "src/formats.c"
#include "src/guest.c"
#include "src/hist.c"
#include "src/host.c"
#include "src/options.c"
#include "src/reasons.c"
#include "src/report.c"
#include "src/snapshot.c"
#include "src/source.c"
#include "src/stats.c"
#include "src/table.c"
#include "src/terminal.c"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static char *written(const struct stats *s, size_t *len)
{
	char *text;
	FILE *mem = need(open_memstream(&text, len));

	write_snapshot(mem, s);
	fclose(mem);
	return need(text);
}

static void show(const struct stats *s)
{
	static FILE *null;
	char name[] = "name", *names[2] = { name, name };

	if (!null)
		null = need(fopen("/dev/null", "w"));
	opt.format = TABLE;
	for (term_width = 0; term_width <= 200; term_width += 40) {
		print_report(null, s, "title", 0);
		print_diff(null, s, s, names);
	}
	if (s->histogram) {
		opt.hist = "all";
		for (term_width = 0; term_width <= 200; term_width += 40) {
			print_report(null, s, "title", 0);
			print_diff(null, s, s, names);
		}
		opt.hist = NULL;
	}
	term_width = 0;
	if (s->accounts) {
		opt.time = true;
		print_report(null, s, "title", 1);
		print_diff(null, s, s, names);
		opt.time = false;
	}
	opt.format = CSV;
	print_diff(null, s, s, names);
	opt.format = JSON;
	print_diff(null, s, s, names);
	print_json(null, s, 1);
	opt.format = OPENMETRICS;
	print_stats(null, s, "");
}

static void try(const char *text, size_t len)
{
	static struct stats s, again;
	size_t new_len;
	char *new;

	if (!parse_snapshot(&s, text, len))
		return;
	new = written(&s, &new_len);
	if (!parse_snapshot(&again, new, new_len) || memcmp(&s, &again, sizeof(s)))
		abort();
	free(new);
	show(&s);
}

static void try_host(const char *text, size_t len)
{
	char name[VM_NAME_MAX];
	static struct stats s;
	const char *p;

	if (parse_table(&s, text))
		show(&s);
	memset(&s, 0, sizeof(s));
	s.numbering = VMX;
	if (parse_histogram(&s, text))
		show(&s);
	name_from_cmdline(name, text, len);
	for (p = name; *p; p++) {
		if (*p <= ' ' || *p > '~')
			abort();
	}
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	char *text, *check;

	if (size > SNAPSHOT_MAX)
		return 0;
	/* Give the reader a buffer of the exact size, with a 0 byte at the end. */
	text = need(malloc(size + 32));
	memcpy(text, data, size);
	text[size] = 0;
	try(text, size);
	try_host(text, size);

	check = strstr(text, "check ");
	if (check)
		size = check - text;
	size += snprintf(text + size, 32, "check %016llx\n", snapshot_hash(text, size));
	try(text, size);
	free(text);
	return 0;
}
