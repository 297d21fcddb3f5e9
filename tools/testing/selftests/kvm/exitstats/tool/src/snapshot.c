// SPDX-License-Identifier: GPL-2.0-only
/*
 * Saved snapshots.
 */
#include <errno.h>
#include <string.h>

#include "error.h"
#include "snapshot.h"

static const char version_1[] = "exitstats snapshot 1\n";
static const char version_2[] = "exitstats snapshot 2\n";
static const char version_3[] = "exitstats snapshot 3\n";

/* FNV-1a */
unsigned long long snapshot_hash(const char *text, size_t len)
{
	unsigned long long h = 0xcbf29ce484222325;

	while (len--)
		h = (h ^ (unsigned char)*text++) * 0x100000001b3;
	return h;
}

static void write_hists(FILE *out, const struct stats *s)
{
	int i, b;

	for (i = 0; i < ROWS; i++) {
		if (hist_last(&s->hist[i]) < 0)
			continue;
		fprintf(out, "hist %s %llu", reason_number(s->numbering, i), s->longest[i]);
		for (b = 0; b < BUCKETS; b++) {
			if (s->hist[i].bucket[b])
				fprintf(out, " %d:%llu", b, s->hist[i].bucket[b]);
		}
		fputc('\n', out);
	}
}

void write_snapshot(FILE *out, const struct stats *s)
{
	size_t len;
	char *text;
	FILE *mem = need(open_memstream(&text, &len));
	int i;

	fprintf(mem, "%snumbering %s\n", s->histogram ? version_3 : version_2,
		numbering_name(s->numbering));
	if (s->span)
		fprintf(mem, "span %llu %llu %lu\n", s->ns, s->tsc, s->vcpus);
	else
		fputs("start\n", mem);
	for (i = 0; i < REASONS; i++) {
		if (s->defined[i])
			fprintf(mem, "reason %s %llu %llu\n", reason_number(s->numbering, i),
				s->row[i].exits, s->row[i].cycles);
	}
	fprintf(mem, "other %llu %llu\n", s->row[OTHER].exits, s->row[OTHER].cycles);
	if (s->histogram)
		write_hists(mem, s);
	for (i = 0; s->accounts && i < ACCOUNTS; i++) {
		if (i != EXITS)
			fprintf(mem, "account %s %llu %llu\n", account_names[i],
				s->account[i].exits, s->account[i].cycles);
	}
	fclose(mem);
	need(text);

	fprintf(out, "%scheck %016llx\n", text, snapshot_hash(text, len));
	free(text);
}

/* ---- reading: each function moves *@p on only if it finds what it is asked for ---- */

static bool parse_text(const char **p, const char *text)
{
	size_t len = strlen(text);

	if (strncmp(*p, text, len))
		return false;
	*p += len;
	return true;
}

static bool parse_number(const char **p, unsigned long long *n)
{
	const char *c = *p;

	if (*c < '0' || *c > '9')
		return false;
	for (*n = 0; *c >= '0' && *c <= '9'; c++) {
		if (__builtin_mul_overflow(*n, 10, n) || __builtin_add_overflow(*n, *c - '0', n))
			return false;
	}
	*p = c;
	return true;
}

static bool parse_figures(const char **p, struct exitstats *s)
{
	return parse_text(p, " ") && parse_number(p, &s->exits) &&
	       parse_text(p, " ") && parse_number(p, &s->cycles) && parse_text(p, "\n");
}

static bool parse_head(const char **p, struct stats *s)
{
	s->numbering = VMX;
	if (parse_text(p, version_1))
		return true;
	s->histogram = parse_text(p, version_3);
	if ((!s->histogram && !parse_text(p, version_2)) || !parse_text(p, "numbering "))
		return false;
	if (parse_text(p, "VMX\n"))
		return true;
	s->numbering = SVM;
	return parse_text(p, "SVM\n");
}

static bool parse_span(const char **p, struct stats *s)
{
	unsigned long long ns, tsc, vcpus;

	if (parse_text(p, "start\n"))
		return true;
	if (!parse_text(p, "span ") || !parse_number(p, &ns) ||
	    !parse_text(p, " ") || !parse_number(p, &tsc) ||
	    !parse_text(p, " ") || !parse_number(p, &vcpus) || !parse_text(p, "\n"))
		return false;
	s->span = true;
	s->ns = ns;
	s->tsc = tsc;
	s->vcpus = vcpus;
	return vcpus == s->vcpus;
}

/* The number of a reason as reason_number() writes it, or "other". Return: its row, or -1 */
static int parse_reason(const char **p, enum numbering numbering)
{
	const char *end = *p + strcspn(*p, " \n");
	char text[12];
	int row;

	if (end - *p >= (int)sizeof(text))
		return -1;
	memcpy(text, *p, end - *p);
	text[end - *p] = 0;
	row = find_reason(numbering, text);
	if (row < 0 || strcmp(text, reason_number(numbering, row)))
		return -1;
	*p = end;
	return row;
}

static bool parse_reasons(const char **p, struct stats *s)
{
	int row, next = 0;

	while (parse_text(p, "reason ")) {
		row = parse_reason(p, s->numbering);
		if (row < next || row == OTHER || !parse_figures(p, &s->row[row]))
			return false;
		s->defined[row] = true;
		next = row + 1;
	}
	return true;
}

/* The buckets after a reason: there must be at least one. */
static bool parse_buckets(const char **p, struct hist *h)
{
	unsigned long long b, next = 0;

	do {
		if (!parse_text(p, " ") || !parse_number(p, &b) || b < next || b >= BUCKETS ||
		    !parse_text(p, ":") || !parse_number(p, &h->bucket[b]) || !h->bucket[b])
			return false;
		next = b + 1;
	} while (!parse_text(p, "\n"));
	return true;
}

static bool parse_hists(const char **p, struct stats *s)
{
	int row, next = 0;

	while (s->histogram && parse_text(p, "hist ")) {
		row = parse_reason(p, s->numbering);
		if (row < next || !parse_text(p, " ") || !parse_number(p, &s->longest[row]) ||
		    !parse_buckets(p, &s->hist[row]))
			return false;
		next = row + 1;
	}
	return true;
}

static bool parse_accounts(const char **p, struct stats *s)
{
	int a;

	for (a = 0; a < ACCOUNTS; a++) {
		if (a == EXITS)
			continue;
		if (!parse_text(p, "account "))
			return !a;
		if (!parse_text(p, account_names[a]) || !parse_figures(p, &s->account[a]))
			return false;
	}
	s->accounts = true;
	return true;
}

bool parse_snapshot(struct stats *s, const char *text, size_t len)
{
	const char *p = text;
	char check[32];
	size_t checked;

	memset(s, 0, sizeof(*s));
	s->consistent = true;
	if (!parse_head(&p, s) || !parse_span(&p, s) || !parse_reasons(&p, s) ||
	    !parse_text(&p, "other") || !parse_figures(&p, &s->row[OTHER]) ||
	    !parse_hists(&p, s) || !parse_accounts(&p, s))
		return false;

	checked = p - text;
	snprintf(check, sizeof(check), "check %016llx\n", snapshot_hash(text, checked));
	return parse_text(&p, check) && p == text + len;
}

void load_snapshot(struct stats *s, const char *path)
{
	static char text[SNAPSHOT_MAX + 1];
	FILE *f = fopen(path, "re");
	size_t len;

	if (!f)
		fail(STATUS_USAGE, "%s: %s", path, strerror(errno));
	len = fread(text, 1, SNAPSHOT_MAX, f);
	if (ferror(f))
		fail(STATUS_USAGE, "%s: %s", path, strerror(errno));
	fclose(f);
	text[len] = 0;
	if (!parse_snapshot(s, text, len))
		fail(STATUS_USAGE, "%s: not a snapshot, or damaged", path);
}
