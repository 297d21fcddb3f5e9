// SPDX-License-Identifier: GPL-2.0-only
/*
 * qmp_test: compare the figures that an unmodified QEMU reports with those that its guest
 * reads from the leaves, and with debugfs.
 *
 *	qmp_test [-v] [plan=NAME]	in the emulated host: start the guest, and compare
 *	qmp_test guest			in the guest: print all figures in a loop
 *
 * The guest's plan NAME has to run "qmp_test guest".
 *
 * The guest exits while it prints. So this test queries QEMU twice, with the guest stopped.
 * The guest's figures in between have to lie between those of the two queries, and equal
 * them for each reason that did not occur in that time.
 */
#define _GNU_SOURCE
#include <glob.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <jansson.h>
#include <linux/kvm_exitstats.h>

#include "guest.h"
#include "stream.h"
#include "kselftest.h"
#include "../tool/exitstats_read.h"

/* One bucket for each number up to the last exit reason, and one for "other" */
#define NR_VMX_REASONS	86
#define NR_SVM_REASONS	0x404
#define NR_SLOTS	(NR_SVM_REASONS + 1)
#define QMP_SOCKET	"/tmp/qmp"
#define STATS		"{'provider': 'kvm', 'names': ['exits', 'exits_by_reason', 'cycles_by_reason']}"

typedef unsigned long long u64;

static int nr_reasons;	/* without "other" */

struct figures {
	u64 exits[NR_SLOTS];
	u64 cycles[NR_SLOTS];
	u64 total_exits;
	u64 total_cycles;
	int nr_vcpus;
	bool complete;		/* per vCPU, the histogram's sum is KVM's exits */
};

static bool verbose;
static bool reversed;	/* QEMU 7.2 has the last bucket of a histogram first */

/* Runs in the guest. The last line of a round tells the host that it is complete. */
static void print_figures(void)
{
	static u64 exits[NR_SLOTS], cycles[NR_SLOTS];
	struct exitstats total;
	int i;

	nr_reasons = exitstats_numbering() == KVM_EXITSTATS_NUMBERING_SVM ? NR_SVM_REASONS :
									    NR_VMX_REASONS;
	for (;;) {
		for (i = 0; i < nr_reasons; i++) {
			exitstats_read_exits(i, &exits[i]);
			exitstats_read_cycles(i, &cycles[i]);
		}
		total = exitstats_read();
		for (i = 0; i < nr_reasons; i++)
			if (exits[i])
				printf("%d %llu %llu\n", i, exits[i], cycles[i]);
		printf("total %llu %llu\n", total.exits, total.cycles);
		printf("end 0 0\n");
		fflush(stdout);
		usleep(100000);
	}
}

/* Read one line of the guest's output. */
static bool guest_line(FILE *from, char *line, size_t size)
{
	static char text[STREAM_MAX];
	static size_t have, at;
	struct stream_header h;
	size_t n = 0;

	while (n < size - 1) {
		if (at == have) {
			do {
				if (fread(&h, sizeof(h), 1, from) != 1 || h.magic != STREAM_MAGIC ||
				    h.len > STREAM_MAX || fread(text, 1, h.len, from) != h.len)
					return false;
				if (h.type == STREAM_ERR)
					fwrite(text, 1, h.len, stderr);
			} while (h.type != STREAM_OUT);
			have = h.len;
			at = 0;
			continue;
		}
		if (text[at] == '\n') {
			at++;
			break;
		}
		line[n++] = text[at++];
	}
	line[n] = 0;
	return true;
}

/* Read the guest's figures up to the end of a round. */
static void guest_round(FILE *from, struct figures *f)
{
	char line[128], word[16];
	u64 exits, cycles;
	int slot;

	memset(f, 0, sizeof(*f));
	while (guest_line(from, line, sizeof(line))) {
		if (sscanf(line, "%15s %llu %llu", word, &exits, &cycles) != 3)
			ksft_exit_fail_msg("the guest says: %s\n", line);
		if (!strcmp(word, "end"))
			return;
		if (!strcmp(word, "total")) {
			f->total_exits = exits;
			f->total_cycles = cycles;
			continue;
		}
		slot = atoi(word);
		f->exits[slot] = exits;
		f->cycles[slot] = cycles;
	}
	ksft_exit_fail_msg("the guest ended\n");
}

static int qmp_socket(void)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX, .sun_path = QMP_SOCKET };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)))
		ksft_exit_fail_msg("%s: %m\n", QMP_SOCKET);
	return fd;
}

/* Read the next message that is no event. */
static json_t *qmp_read(int fd)
{
	json_error_t error;
	json_t *message;

	for (;;) {
		message = json_loadfd(fd, JSON_DISABLE_EOF_CHECK, &error);
		if (!message)
			ksft_exit_fail_msg("QMP: %s\n", error.text);
		if (!json_object_get(message, "event"))
			return message;
		json_decref(message);
	}
}

/* Execute a command, which is JSON with ' in place of ". */
static json_t *qmp(int fd, const char *command)
{
	json_t *message, *result;
	char json[256];
	size_t i = 0;

	do {
		json[i] = command[i] == '\'' ? '"' : command[i];
	} while (command[i++]);
	if (verbose)
		printf("# %s\n", json);
	if (write(fd, json, strlen(json)) < 0)
		ksft_exit_fail_msg("QMP: %m\n");
	message = qmp_read(fd);
	result = json_incref(json_object_get(message, "return"));
	if (!result)
		ksft_exit_fail_msg("%s: %s\n", command, json_dumps(message, 0));
	json_decref(message);
	return result;
}

static u64 add_histogram(u64 *slots, json_t *values)
{
	u64 value, sum = 0;
	int i, bucket;

	if (json_array_size(values) != (size_t)nr_reasons + 1)
		ksft_exit_fail_msg("a histogram of %zu\n", json_array_size(values));
	for (i = 0; i <= nr_reasons; i++) {
		bucket = reversed ? nr_reasons - i : i;
		value = json_integer_value(json_array_get(values, bucket));
		slots[i] += value;
		sum += value;
	}
	return sum;
}

static json_t *stat_value(json_t *stats, const char *name)
{
	json_t *stat;
	size_t i;

	json_array_foreach(stats, i, stat) {
		if (!strcmp(json_string_value(json_object_get(stat, "name")), name))
			return json_object_get(stat, "value");
	}
	ksft_exit_fail_msg("no %s in query-stats\n", name);
	return NULL;
}

static const char stats_query[] =
	"{'execute': 'query-stats', 'arguments': {'target': 'vcpu', 'providers': [" STATS "]}}";

/* Call this with the guest stopped: all figures are then of one moment. */
static void query_stats(int fd, struct figures *f)
{
	json_t *vcpus = qmp(fd, stats_query), *vcpu, *stats;
	u64 exits, cycles;
	char *text;
	size_t i;

	if (verbose) {
		text = json_dumps(vcpus, 0);
		printf("# %s\n", text);
		free(text);
	}
	memset(f, 0, sizeof(*f));
	f->complete = true;
	json_array_foreach(vcpus, i, vcpu) {
		stats = json_object_get(vcpu, "stats");
		exits = add_histogram(f->exits, stat_value(stats, "exits_by_reason"));
		cycles = add_histogram(f->cycles, stat_value(stats, "cycles_by_reason"));
		f->total_exits += exits;
		f->total_cycles += cycles;
		f->complete &= exits == (u64)json_integer_value(stat_value(stats, "exits"));
		f->nr_vcpus++;
	}
	json_decref(vcpus);
}

/* The schema has @name with @type, and @unit or no unit; a histogram's buckets have size 1. */
static bool schema_says(json_t *schemas, const char *name, const char *type, const char *unit)
{
	bool histogram = !strcmp(type, "linear-histogram");
	json_t *schema, *stat, *u;
	size_t i, j;

	json_array_foreach(schemas, i, schema) {
		json_array_foreach(json_object_get(schema, "stats"), j, stat) {
			if (strcmp(json_string_value(json_object_get(stat, "name")), name))
				continue;
			u = json_object_get(stat, "unit");
			return (unit ? u && !strcmp(json_string_value(u), unit) : !u) &&
			       !strcmp(json_string_value(json_object_get(stat, "type")), type) &&
			       (!histogram ||
				json_integer_value(json_object_get(stat, "bucket-size")) == 1);
		}
	}
	return false;
}

/* With kvm.exitstats_hist=Y, QEMU's VM has the histogram. */
static bool has_histogram(void)
{
	FILE *file = fopen("/sys/module/kvm/parameters/exitstats_hist", "r");
	bool has = file && fgetc(file) == 'Y';

	if (file)
		fclose(file);
	return has;
}

static bool schema_says_all(json_t *schemas)
{
	static const char *const times[] = {
		"exit_cycles", "guest_cycles", "userspace_cycles", "halted_cycles",
		"preempted_cycles", "asleep_cycles",
	};
	size_t i;

	for (i = 0; i < sizeof(times) / sizeof(*times); i++)
		if (!schema_says(schemas, times[i], "cumulative", "cycles"))
			return false;
	if (schema_says(schemas, "exit_cycles_hist", "log2-histogram", "cycles") != has_histogram())
		return false;
	return schema_says(schemas, "longest_exit_cycles", "peak", "cycles") &&
	       schema_says(schemas, "exits_by_reason", "linear-histogram", NULL) &&
	       schema_says(schemas, "cycles_by_reason", "linear-histogram", NULL);
}

static void read_table(struct figures *f)
{
	char line[256], word[16], name[32];
	u64 exits, cycles;
	FILE *file = NULL;
	glob_t found;
	int slot;

	memset(f, 0, sizeof(*f));
	if (!glob("/sys/kernel/debug/kvm/*/exitstats", 0, NULL, &found))
		file = fopen(found.gl_pathv[0], "r");
	if (!file)
		ksft_exit_fail_msg("no table in debugfs\n");
	while (fgets(line, sizeof(line), file)) {
		if (verbose)
			printf("# %s", line);
		if (sscanf(line, "%15s %31s %llu %llu", word, name, &exits, &cycles) != 4)
			continue;
		if (!strcmp(word, "total")) {
			f->total_exits = exits;
			f->total_cycles = cycles;
			continue;
		}
		if (!strcmp(word, "account"))
			continue;
		slot = strcmp(word, "-") ? (int)strtoul(word, NULL, 0) : nr_reasons;
		f->exits[slot] = exits;
		f->cycles[slot] = cycles;
	}
	fclose(file);
}

static bool between(u64 low, u64 value, u64 high)
{
	return low <= value && value <= high;
}

static bool figures_between(const struct figures *low, const struct figures *f,
			    const struct figures *high)
{
	bool ok = between(low->total_exits, f->total_exits, high->total_exits) &&
		  between(low->total_cycles, f->total_cycles, high->total_cycles);
	int i, nr_exact = 0;

	for (i = 0; i < nr_reasons; i++) {
		if (!between(low->exits[i], f->exits[i], high->exits[i]) ||
		    !between(low->cycles[i], f->cycles[i], high->cycles[i])) {
			printf("# reason %d: guest %llu, %llu; QEMU %llu, %llu, then %llu, %llu\n",
			       i, f->exits[i], f->cycles[i], low->exits[i], low->cycles[i],
			       high->exits[i], high->cycles[i]);
			ok = false;
		}
		nr_exact += high->exits[i] && low->exits[i] == high->exits[i];
	}
	printf("# reasons that occurred, but not between the queries: %d\n", nr_exact);
	return ok && nr_exact > 0;
}

static bool figures_same(const struct figures *a, const struct figures *b)
{
	return a->total_exits == b->total_exits && a->total_cycles == b->total_cycles &&
	       !memcmp(a->exits, b->exits, sizeof(a->exits)) &&
	       !memcmp(a->cycles, b->cycles, sizeof(a->cycles));
}

int main(int argc, char **argv)
{
	char *options[4] = {
		"plan=", "-qmp", "unix:" QMP_SOCKET ",server=on,wait=off", NULL,
	};
	struct figures before, read, after, table;
	int fd, out[2];
	json_t *json;
	pid_t guest;
	FILE *from;

	if (argc > 1 && !strcmp(argv[1], "guest"))
		print_figures();
	verbose = argc > 1 && !strcmp(argv[1], "-v");
	argv += verbose;

	nr_reasons = access("/sys/module/kvm_amd", F_OK) ? NR_VMX_REASONS : NR_SVM_REASONS;
	ksft_print_header();
	ksft_set_plan(4);
	if (argv[1])
		options[0] = argv[1];
	if (pipe(out))
		ksft_exit_fail_msg("pipe: %m\n");
	guest = start_guest(options, out[1]);
	if (guest < 0)
		ksft_exit_fail_msg("fork: %m\n");
	close(out[1]);
	from = fdopen(out[0], "r");
	guest_round(from, &read);

	fd = qmp_socket();
	json = qmp_read(fd);	/* the greeting */
	json = json_object_get(json_object_get(json_object_get(json, "QMP"), "version"), "qemu");
	printf("# QEMU %lld.%lld\n", json_integer_value(json_object_get(json, "major")),
	       json_integer_value(json_object_get(json, "minor")));
	json_decref(qmp(fd, "{'execute': 'qmp_capabilities'}"));

	json = qmp(fd, "{'execute': 'query-stats-schemas'}");
	ksft_test_result(schema_says_all(json),
			 "qmp: query-stats-schemas has the histograms, the times and the longest exit\n");
	json_decref(json);

	json_decref(qmp(fd, "{'execute': 'stop'}"));
	read_table(&table);
	query_stats(fd, &before);
	reversed = !figures_same(&before, &table);
	if (reversed)
		query_stats(fd, &before);
	printf("# histograms %s bucket first\n", reversed ? "last" : "first");
	json_decref(qmp(fd, "{'execute': 'cont'}"));

	/* Skip rounds of before the stop, and the one that may have begun before it. */
	do {
		guest_round(from, &read);
	} while (read.total_exits < before.total_exits);
	guest_round(from, &read);

	json_decref(qmp(fd, "{'execute': 'stop'}"));
	query_stats(fd, &after);
	read_table(&table);

	printf("# %d vCPUs, %llu exits, then %llu, then %llu\n", after.nr_vcpus,
	       before.total_exits, read.total_exits, after.total_exits);
	ksft_test_result(before.complete && after.complete && after.nr_vcpus,
			 "qmp: query-stats: exits_by_reason adds up to exits, for each vCPU\n");
	ksft_test_result(figures_between(&before, &read, &after),
			 "qmp: the guest reads what query-stats says\n");
	ksft_test_result(figures_same(&after, &table), "qmp: debugfs has what query-stats says\n");
	json_decref(qmp(fd, "{'execute': 'quit'}"));
	waitpid(guest, NULL, 0);
	ksft_finished();
}
