// SPDX-License-Identifier: GPL-2.0-only
/*
 * exitstats --host.
 */
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "formats.h"
#include "host.h"
#include "list.h"
#include "live.h"
#include "options.h"
#include "output.h"
#include "report.h"
#include "table.h"

/**
 * struct row - a VM in the list
 * @vm: its last reading
 * @d: figures of the interval, or since the VM started
 * @label: its name, with its id if others have the same name
 */
struct row {
	const struct vm *vm;
	struct stats d;
	char label[VM_NAME_MAX + VM_ID_MAX];
};

static struct vms readings[2], *vms = &readings[0], *earlier = &readings[1];
static struct row *rows;
static unsigned long long start, now, before;	/* times of the first, last and previous reading */

/* ---- reading ---- */

static const struct vm *find_earlier(const char *id)
{
	int i;

	for (i = 0; i < earlier->n; i++) {
		if (!strcmp(earlier->vm[i].id, id))
			return &earlier->vm[i];
	}
	return NULL;
}

/* A VM is new if there was none with its id, or if its figures are below that one's. */
static void fill_interval(struct row *r)
{
	const struct vm *from = find_earlier(r->vm->id);

	if (from)
		subtract(&r->d, &from->stats, &r->vm->stats);
	if (from && !r->d.reset)
		return;
	r->d = r->vm->stats;
	r->d.span = true;
	r->d.ns = r->vm->age * NSEC_PER_SEC;
}

static void fill_label(struct row *r)
{
	int i, same = 0;

	for (i = 0; i < vms->n; i++)
		same += !strcmp(vms->vm[i].name, r->vm->name);
	snprintf(r->label, sizeof(r->label), "%s%s%s", r->vm->name, same > 1 ? "/" : "",
		 same > 1 ? r->vm->id : "");
}

static bool read_list(void)
{
	struct vms *old = earlier;
	int i;

	before = now;
	now = now_ns();
	earlier = vms;
	vms = old;
	read_vms(vms);
	rows = need(realloc(rows, (vms->n + 1) * sizeof(*rows)));
	for (i = 0; i < vms->n; i++) {
		rows[i].vm = &vms->vm[i];
		fill_label(&rows[i]);
		if (start) {
			fill_interval(&rows[i]);
		} else {
			rows[i].d = vms->vm[i].stats;
			rows[i].d.ns = vms->vm[i].age * NSEC_PER_SEC;
		}
	}
	if (!start)
		start = now;
	return true;
}

/* ---- for people ---- */

static int compare_list(const void *pa, const void *pb)
{
	const struct row *a = *(const struct row **)pa, *b = *(const struct row **)pb;
	struct exitstats of_a = total(&a->d), of_b = total(&b->d);
	double key_a = sort_key(of_a, per_second(of_a.exits, &a->d));
	double key_b = sort_key(of_b, per_second(of_b.exits, &b->d));

	if (key_a != key_b)
		return key_a < key_b ? 1 : -1;
	return a < b ? -1 : a > b;
}

static void fill_vm(struct line *l, const struct row *r)
{
	const struct stats *d = &r->d;
	int a, column = 0, top = top_row(d);

	put(l, column++, "%d", r->vm->pid);
	put(l, column++, "%.40s", r->label);
	put(l, column++, "%lu", r->vm->stats.vcpus);
	put_rate(l, column++, per_second(total(d).exits, d));
	for (a = 0; a < ACCOUNTS; a++)
		put_percent(l, column++, time_share(d, account(d, a).cycles));
	if (top < 0)
		return;
	put(l, column, "%.1f%% %s", 100 * time_share(d, d->row[top].cycles),
	    top == OTHER ? "other" : reason_name(d->numbering, top));
}

static void draw_list(FILE *out, int max)
{
	static const struct column columns[] = {
		{ .head = "PID" }, { .head = "name", .left = true },
		{ .head = "vCPUs", .rank = 3 }, { .head = "exits/s" },
		{ .head = "guest", .rank = 4 }, { .head = "exits" },
		{ .head = "userspace", .rank = 5 }, { .head = "halted", .rank = 6 },
		{ .head = "preempted", .rank = 7 }, { .head = "asleep", .rank = 8 },
		{ .head = "costs most", .left = true, .rank = 2 },
	};
	const struct row **order = need(calloc(vms->n + 1, sizeof(*order)));
	struct table t = { .columns = 0 };
	int i;

	fprintf(out, "%d VM%s ", vms->n, plural(vms->n));
	if (before)
		fprintf(out, "in %.1f s\n\n", (double)(now - before) / NSEC_PER_SEC);
	else
		fprintf(out, "since %s started\n\n", vms->n == 1 ? "it" : "they");

	for (i = 0; i < vms->n; i++)
		order[i] = &rows[i];
	qsort(order, vms->n, sizeof(*order), compare_list);
	add_columns(&t, columns, ARRAY_SIZE(columns));
	for (i = 0; i < vms->n; i++)
		fill_vm(add_line(&t), order[i]);
	print_table(out, &t, max);
	free(order);
	if (vms->others)
		fprintf(out, "\n%d VM%s not counted: started with kvm's parameter exitstats=0\n",
			vms->others, vms->others == 1 ? " is" : "s are");
}

/* ---- for programs ---- */

static double at_seconds(void)
{
	return before ? (double)(now - start) / NSEC_PER_SEC : -1;
}

static void print_csv_list_head(FILE *out, bool at)
{
	int a;

	fprintf(out, "%spid,fd,name,vcpus,period,exits", at ? "seconds," : "");
	for (a = 0; a < ACCOUNTS; a++)
		fprintf(out, ",%s_cycles", account_names[a]);
	fputs(",top_reason,top_name,top_cycles\n", out);
}

/* Quote a name that has a comma or a quote, and double its quotes. */
static void print_csv_name(FILE *out, const char *name)
{
	if (!strpbrk(name, ",\"")) {
		fputs(name, out);
		return;
	}
	fputc('"', out);
	for (; *name; name++)
		fprintf(out, "%s%c", *name == '"' ? "\"" : "", *name);
	fputc('"', out);
}

static void print_csv_list(FILE *out)
{
	const struct row *r;
	int a, top;

	for (r = rows; r < rows + vms->n; r++) {
		if (before)
			fprintf(out, "%.3f,", at_seconds());
		fprintf(out, "%d,%d,", r->vm->pid, r->vm->fd);
		print_csv_name(out, r->vm->name);
		fprintf(out, ",%lu,%.3f,%llu", r->vm->stats.vcpus, seconds(&r->d),
			total(&r->d).exits);
		for (a = 0; a < ACCOUNTS; a++)
			fprintf(out, ",%llu", account(&r->d, a).cycles);
		top = top_row(&r->d);
		if (top < 0) {
			fputs(",,,\n", out);
			continue;
		}
		fprintf(out, ",%s", reason_number(r->d.numbering, top));
		fprintf(out, ",%s,%llu\n", reason_name(r->d.numbering, top),
			r->d.row[top].cycles);
	}
}

static void print_json_list(FILE *out)
{
	const struct row *r;

	fputc('{', out);
	if (before)
		fprintf(out, "\"at\":%.3f,", at_seconds());
	fprintf(out, "\"not_counted\":%d,\"vms\":[", vms->others);
	for (r = rows; r < rows + vms->n; r++) {
		fprintf(out, "%s{\"pid\":%d,\"fd\":%d,\"name\":", r == rows ? "" : ",",
			r->vm->pid, r->vm->fd);
		print_quoted(out, r->vm->name);
		fprintf(out, ",\"age\":%.3f,", r->vm->age);
		if (!r->d.span)
			fprintf(out, "\"vcpus\":%lu,", r->vm->stats.vcpus);
		print_json_body(out, &r->d, -1);
		fputc('}', out);
	}
	fputs("]}\n", out);
}

static void print_metrics_list(FILE *out)
{
	struct labelled *vm = need(calloc(vms->n + 1, sizeof(*vm)));
	int i;

	for (i = 0; i < vms->n; i++)
		vm[i] = (struct labelled){ rows[i].label, &rows[i].d };
	print_openmetrics(out, vm, vms->n);
	free(vm);
}

static void print_list(FILE *out)
{
	switch (opt.format) {
	case TABLE:
		draw_list(out, 0);
		break;
	case CSV:
		print_csv_list(out);
		break;
	case JSON:
		print_json_list(out);
		break;
	case OPENMETRICS:
		print_metrics_list(out);
		break;
	}
}

/* ---- both ---- */

static void print_interval(void)
{
	print_list(stdout);
	if (opt.format == TABLE)
		fputc('\n', stdout);
}

int list_mode(void)
{
	static const struct view view = { read_list, draw_list, print_interval };
	FILE *out;

	require_tables();
	open_output();
	out = opt.output ? output_file() : stdout;
	if (opt.interval) {
		if (opt.format == CSV)
			print_csv_list_head(stdout, true);
		run_view(&view);
		return 0;
	}
	read_list();
	if (opt.format == CSV)
		print_csv_list_head(out, false);
	print_list(out);
	if (opt.output)
		close_output();
	return 0;
}
