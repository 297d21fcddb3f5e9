// SPDX-License-Identifier: GPL-2.0-only
/*
 * Formats for programs.
 */
#include <string.h>

#include "distribution.h"
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

void print_csv_hist_head(FILE *out, const char *prefix)
{
	int b;

	fprintf(out, ",%sp50_cycles,%sp99_cycles,%slongest_cycles", prefix, prefix, prefix);
	for (b = 0; b < BUCKETS; b++)
		fprintf(out, ",%sfrom_%llu", prefix, bucket_from(b));
}

void print_csv_hist(FILE *out, const struct stats *s, int row)
{
	struct distribution d = distribution_of(s, row);
	int b;

	if (!s->histogram)
		return;
	fprintf(out, ",%llu,%llu,%llu", d.p50, d.p99, d.longest);
	for (b = 0; b < BUCKETS; b++)
		fprintf(out, ",%llu", d.hist.bucket[b]);
}

/* Print empty fields, as many as print_csv_hist() would. */
static void print_csv_no_hist(FILE *out, const struct stats *s)
{
	int i;

	for (i = 0; s->histogram && i < 3 + BUCKETS; i++)
		fputc(',', out);
}

void print_csv_head(FILE *out, const struct stats *s, double at)
{
	fprintf(out, "%s%s", at >= 0 ? "seconds," : "",
		opt.time ? "account,entered,cycles" : "reason,name,exits,cycles,avg_cycles");
	if (s->histogram && !opt.time)
		print_csv_hist_head(out, "");
	fputc('\n', out);
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
		if (row < REASONS && !s->defined[row] && !s->row[row].exits) {
			fputs("undefined,,,", out);
			print_csv_no_hist(out, s);
		} else {
			fprintf(out, "%s,%llu,%llu,%llu", reason_name(s->numbering, row),
				s->row[row].exits, s->row[row].cycles, average(s->row[row]));
			print_csv_hist(out, s, row);
		}
		fputc('\n', out);
	}
	print_csv_at(out, at);
	fprintf(out, "total,,%llu,%llu,%llu", all.exits, all.cycles, average(all));
	print_csv_hist(out, s, -1);
	fputc('\n', out);
}

void print_csv(FILE *out, const struct stats *s, double at)
{
	if (s->reset) {
		print_csv_at(out, at);
		fputs(opt.time ? "reset,," : "reset,,,,", out);
		if (!opt.time)
			print_csv_no_hist(out, s);
		fputc('\n', out);
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

void print_json_hist(FILE *out, const struct stats *s, int row)
{
	struct distribution d = distribution_of(s, row);
	int b;

	if (!s->histogram)
		return;
	fprintf(out, "\"p50_cycles\":%llu,\"p99_cycles\":%llu,\"buckets\":", d.p50, d.p99);
	for (b = 0; b < BUCKETS; b++)
		fprintf(out, "%c%llu", b ? ',' : '[', d.hist.bucket[b]);
	fputs("],", out);
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
	if (s->histogram)
		fprintf(out, "\"longest_cycles\":%llu,", longest_of_all(s));
	print_json_hist(out, s, -1);
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
		print_json_hist(out, s, row);
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

/* Begin a sample, with its name and the label of the VM. */
static void print_sample(FILE *out, const char *name, const char *vm)
{
	fprintf(out, "%s{", name);
	if (!vm)
		return;
	fputs("vm=", out);
	print_quoted(out, vm);
	fputc(',', out);
}

static void print_head(FILE *out, const char *name, const char *type, const char *help)
{
	fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void print_reason_labels(FILE *out, const struct stats *s, int row)
{
	fprintf(out, "reason=\"%s\",", reason_number(s->numbering, row));
	fprintf(out, "name=\"%s\"", reason_name(s->numbering, row));
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
		print_reason_labels(out, s, row);
		fprintf(out, "} %llu\n", cycles ? s->row[row].cycles : s->row[row].exits);
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
 * Buckets are cumulative. Cycles are whole numbers, so "less than 2^n" equals "at most
 * 2^n - 1".
 */
static void print_histogram(FILE *out, const struct labelled *vm, const char *name, int row)
{
	const struct stats *s = vm->stats;
	unsigned long long n = 0;
	char sample[64];
	int b;

	snprintf(sample, sizeof(sample), "%s_bucket", name);
	for (b = 0; b < BUCKETS; b++) {
		n += s->hist[row].bucket[b];
		print_sample(out, sample, vm->vm);
		print_reason_labels(out, s, row);
		if (b < BUCKETS - 1)
			fprintf(out, ",le=\"%llu\"} %llu\n", bucket_to(b), n);
		else
			fprintf(out, ",le=\"+Inf\"} %llu\n", n);
	}
	snprintf(sample, sizeof(sample), "%s_sum", name);
	print_sample(out, sample, vm->vm);
	print_reason_labels(out, s, row);
	fprintf(out, "} %llu\n", s->row[row].cycles);
	snprintf(sample, sizeof(sample), "%s_count", name);
	print_sample(out, sample, vm->vm);
	print_reason_labels(out, s, row);
	fprintf(out, "} %llu\n", n);
}

static void print_histograms(FILE *out, const struct labelled *vm, const char *name)
{
	struct order o;
	int i;

	make_order(&o, vm->stats, false);
	for (i = 0; i < o.rows; i++)
		print_histogram(out, vm, name, o.row[i]);
}

/*
 * Use the text format that node_exporter and promtool read, where a counter's TYPE line has
 * its full name. They take the last line for a comment.
 */
void print_openmetrics(FILE *out, const struct labelled *vm, int n)
{
	static const char counter[] = "counter";
	static const char exits[] = "kvm_exitstats_exits_total";
	static const char cycles[] = "kvm_exitstats_cycles_total";
	static const char time[] = "kvm_exitstats_time_cycles_total";
	static const char took[] = "kvm_exitstats_exit_cycles";
	bool histogram = false;
	int i;

	print_head(out, exits, counter, "VM exits by exit reason.");
	for (i = 0; i < n; i++)
		print_reasons(out, &vm[i], exits, false);
	print_head(out, cycles, counter,
		   "TSC cycles from VM exits until the guest was entered again.");
	for (i = 0; i < n; i++)
		print_reasons(out, &vm[i], cycles, true);
	print_head(out, time, counter, "TSC cycles of the vCPUs' time by account.");
	for (i = 0; i < n; i++)
		print_accounts(out, &vm[i], time);
	for (i = 0; i < n; i++)
		histogram |= vm[i].stats->histogram;
	if (histogram)
		print_head(out, took, "histogram", "TSC cycles that a VM exit took.");
	for (i = 0; i < n; i++) {
		if (vm[i].stats->histogram)
			print_histograms(out, &vm[i], took);
	}
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
		print_csv_head(out, s, -1);
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
