// SPDX-License-Identifier: GPL-2.0-only
/*
 * Formats for programs.
 */
#include <string.h>

#include "formats.h"
#include "options.h"
#include "report.h"
#include "source.h"

/* ---- CSV ---- */

static void print_csv_at(FILE *out, double at)
{
	if (at >= 0)
		fprintf(out, "%.3f,", at);
}

void print_csv_head(FILE *out, double at)
{
	fprintf(out, "%s%s\n", at >= 0 ? "seconds," : "",
		opt.time ? "account,entered,cycles" : "reason,name,exits,cycles,avg_cycles");
}

static void print_csv_accounts(FILE *out, const struct stats *s, double at)
{
	struct exitstats figures;
	int a;

	for (a = 0; a < ACCOUNTS; a++) {
		figures = account(s, a);
		print_csv_at(out, at);
		fprintf(out, "%s,%llu,%llu\n", account_names[a], figures.exits, figures.cycles);
	}
}

static void print_csv_reasons(FILE *out, const struct stats *s, double at)
{
	struct exitstats all = total(s);
	struct order o;
	int i, row;

	make_order(&o, s, true);
	for (i = 0; i < o.rows; i++) {
		row = o.row[i];
		print_csv_at(out, at);
		fprintf(out, "%s,", reason_number(s->numbering, row));
		if (row < REASONS && !s->defined[row] && !s->row[row].exits)
			fputs("undefined,,,\n", out);
		else
			fprintf(out, "%s,%llu,%llu,%llu\n", reason_name(s->numbering, row),
				s->row[row].exits, s->row[row].cycles, average(s->row[row]));
	}
	print_csv_at(out, at);
	fprintf(out, "total,,%llu,%llu,%llu\n", all.exits, all.cycles, average(all));
}

void print_csv(FILE *out, const struct stats *s, double at)
{
	if (s->reset) {
		print_csv_at(out, at);
		fputs(opt.time ? "reset,,\n" : "reset,,,,\n", out);
	} else if (opt.time) {
		print_csv_accounts(out, s, at);
	} else {
		print_csv_reasons(out, s, at);
	}
}

/* ---- JSON ---- */

void print_quoted(FILE *out, const char *text)
{
	fputc('"', out);
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			fputc('\\', out);
		fputc(*text, out);
	}
	fputc('"', out);
}

void print_json_figures(FILE *out, struct exitstats of)
{
	fprintf(out, "\"exits\":%llu,\"cycles\":%llu,\"avg_cycles\":%llu}",
		of.exits, of.cycles, average(of));
}

void print_json_reason(FILE *out, enum numbering numbering, int row)
{
	if (row == OTHER)
		fputs("{\"reason\":null,", out);
	else
		fprintf(out, "{\"reason\":%u,", row_code(row));
	if (!strcmp(reason_name(numbering, row), "-"))
		fputs("\"name\":null,", out);
	else
		fprintf(out, "\"name\":\"%s\",", reason_name(numbering, row));
}

static void print_json_span(FILE *out, const struct stats *s, double at)
{
	double share = handling_share(s);

	if (at >= 0)
		fprintf(out, "\"at\":%.3f,", at);
	fprintf(out, "\"seconds\":%.9f,\"vcpus\":%lu,\"handling_share\":", seconds(s), s->vcpus);
	if (share >= 0)
		fprintf(out, "%.6f,", share);
	else
		fputs("null,", out);
}

static void print_json_accounts(FILE *out, const struct stats *s)
{
	struct exitstats figures;
	int a;

	fputs(",\"accounts\":", out);
	if (!s->accounts) {
		fputs("null", out);
		return;
	}
	for (a = 0; a < ACCOUNTS; a++) {
		figures = account(s, a);
		fprintf(out, "%c\"%s\":{\"entered\":%llu,\"cycles\":%llu}", a ? ',' : '{',
			account_names[a], figures.exits, figures.cycles);
	}
	fputc('}', out);
}

void print_json_body(FILE *out, const struct stats *s, double at)
{
	struct order o;
	int i, row;

	if (s->span)
		print_json_span(out, s, at);
	fprintf(out, "\"numbering\":\"%s\",\"consistent\":%s,\"reset\":%s,\"total\":{",
		numbering_name(s->numbering), s->consistent ? "true" : "false",
		s->reset ? "true" : "false");
	print_json_figures(out, total(s));
	print_json_accounts(out, s);

	fputs(",\"reasons\":[", out);
	make_order(&o, s, true);
	for (i = 0; i < o.rows; i++) {
		row = o.row[i];
		fputs(i ? "," : "", out);
		print_json_reason(out, s->numbering, row);
		if (row < REASONS)
			fprintf(out, "\"defined\":%s,", s->defined[row] ? "true" : "false");
		if (s->longest[row])
			fprintf(out, "\"longest_cycles\":%llu,", s->longest[row]);
		print_json_figures(out, s->row[row]);
	}
	fputc(']', out);
}

void print_json(FILE *out, const struct stats *s, double at)
{
	fputc('{', out);
	print_json_body(out, s, at);
	fputs("}\n", out);
}

/* ---- OpenMetrics ---- */

/* A counter, with the labels up to where its own begin. */
static void print_sample(FILE *out, const char *name, const char *vm)
{
	fprintf(out, "%s{", name);
	if (!vm)
		return;
	fputs("vm=", out);
	print_quoted(out, vm);
	fputc(',', out);
}

static void print_head(FILE *out, const char *name, const char *help)
{
	fprintf(out, "# HELP %s %s\n# TYPE %s counter\n", name, help, name);
}

static void print_reasons(FILE *out, const struct labelled *vm, const char *name, bool cycles)
{
	const struct stats *s = vm->stats;
	struct order o;
	int i, row;

	make_order(&o, s, false);
	for (i = 0; i < o.rows; i++) {
		row = o.row[i];
		print_sample(out, name, vm->vm);
		fprintf(out, "reason=\"%s\",", reason_number(s->numbering, row));
		fprintf(out, "name=\"%s\"} %llu\n", reason_name(s->numbering, row),
			cycles ? s->row[row].cycles : s->row[row].exits);
	}
}

static void print_accounts(FILE *out, const struct labelled *vm, const char *name)
{
	int a;

	for (a = 0; vm->stats->accounts && a < ACCOUNTS; a++) {
		print_sample(out, name, vm->vm);
		fprintf(out, "account=\"%s\"} %llu\n", account_names[a],
			account(vm->stats, a).cycles);
	}
}

/*
 * In the text format that node_exporter and promtool read, where a counter's
 * TYPE has its full name. To them, the last line is a comment.
 */
void print_openmetrics(FILE *out, const struct labelled *vm, int n)
{
	static const char exits[] = "kvm_exitstats_exits_total";
	static const char cycles[] = "kvm_exitstats_cycles_total";
	static const char time[] = "kvm_exitstats_time_cycles_total";
	int i;

	print_head(out, exits, "VM exits by exit reason.");
	for (i = 0; i < n; i++)
		print_reasons(out, &vm[i], exits, false);
	print_head(out, cycles, "TSC cycles from VM exits until the guest was entered again.");
	for (i = 0; i < n; i++)
		print_reasons(out, &vm[i], cycles, true);
	print_head(out, time, "TSC cycles of the vCPUs' time by account.");
	for (i = 0; i < n; i++)
		print_accounts(out, &vm[i], time);
	fputs("# EOF\n", out);
}

void print_stats(FILE *out, const struct stats *s, const char *title)
{
	struct labelled vm = { .vm = source_vm(), .stats = s };

	switch (opt.format) {
	case TABLE:
		print_report(out, s, title, 0);
		break;
	case CSV:
		print_csv_head(out, -1);
		print_csv(out, s, -1);
		break;
	case JSON:
		print_json(out, s, -1);
		break;
	case OPENMETRICS:
		print_openmetrics(out, &vm, 1);
		break;
	}
}
