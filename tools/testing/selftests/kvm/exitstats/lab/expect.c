// SPDX-License-Identifier: GPL-2.0-only
/*
 * Check what the plan expects of the run, in the run's directory, and print one line of
 * TAP for each expectation:
 *
 *	quiet-console			the kernel complained of nothing that is not pardoned
 *	same FILE FILE			the files are the same and not empty
 *	differ FILE FILE only REGEX	some lines differ, and REGEX matches each of those
 *	line FILE REGEX			a line of FILE matches
 *	no-line FILE REGEX		no line of FILE matches
 *	sum REGEX >= NUMBER		the numbers that () in REGEX matches in the output add
 *					up to NUMBER at least
 *	oracle				KVM counted each exit of the processor
 *	reported NAME			the console has a complaint after kvm was loaded from
 *					mutant-NAME, or the file NAME has a failed test
 *	check COMMAND			the shell command succeeds; its output goes to
 *					"check.log". TAP comments in it are always shown, all
 *					of it if the command fails
 */
#include <errno.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kselftest.h"
#include "lab.h"

#define COMPLAINTS	"WARNING:|BUG:|UBSAN:|INFO:|Oops|general protection|Call Trace|" \
			"unchecked MSR|kmemleak: .* new"

static struct plan *plan;

static bool matches(const char *regex, const char *text, regmatch_t *match)
{
	regex_t compiled;
	bool found;

	if (regcomp(&compiled, regex, REG_EXTENDED | REG_NEWLINE))
		die("%s: not a regular expression", regex);
	found = !regexec(&compiled, text, match ? 2 : 0, match, 0);
	regfree(&compiled);
	return found;
}

static struct words read_file(const char *name)
{
	FILE *from = fopen(name, "re");
	struct words lines = {};
	char *line = NULL;
	size_t size = 0;

	while (from && getline(&line, &size, from) > 0) {
		line[strcspn(line, "\r\n")] = 0;
		add_word(&lines, line);
	}
	if (from)
		fclose(from);
	free(line);
	return lines;
}

static bool line(const char *name, const char *regex)
{
	struct words lines = read_file(name);
	size_t i;

	for (i = 0; i < lines.nr; i++)
		if (matches(regex, lines.word[i], NULL))
			return true;
	return false;
}

/* Ignore the output of the firmware and of the boot. */
static bool quiet_console(void)
{
	struct words lines = read_file("console.log");
	const char *until = NULL;
	bool booted = false, quiet = true;
	size_t i, j;

	for (i = 0; i < lines.nr; i++) {
		char *line = lines.word[i];

		if (!booted) {
			booted = strstr(line, "Run /init");
			continue;
		}
		if (until) {
			if (matches(until, line, NULL))
				until = NULL;
			continue;
		}
		for (j = 0; j < plan->nr_pardons; j++) {
			struct pardon *p = &plan->pardons[j];

			if (matches(p->from, line, NULL) &&
			    !(p->unless && matches(p->unless, line, NULL))) {
				until = p->to;
				break;
			}
		}
		if (j == plan->nr_pardons && matches(COMPLAINTS, line, NULL)) {
			fprintf(stderr, "%s\n", line);
			quiet = false;
		}
	}
	return quiet && booted;
}

/* Look between the line in which init announces this mutant and the next such line. */
static bool reported(const char *name)
{
	struct words lines = read_file("console.log");
	char *begin = format("lab: kvm from=/modules/mutant-%s/", name);
	bool within = false;
	size_t i;

	for (i = 0; i < lines.nr; i++) {
		if (strstr(lines.word[i], "lab: kvm"))
			within = strstr(lines.word[i], begin);
		else if (within && matches(COMPLAINTS, lines.word[i], NULL))
			return true;
	}
	return line(name, "^not ok");
}

static bool check(const char *command)
{
	struct words lines;
	bool ok;
	size_t i;

	ok = !system(format("exec > check.log 2>&1 < /dev/null; %s", command));
	lines = read_file("check.log");
	for (i = 0; i < lines.nr; i++)
		if (!ok || !strncmp(lines.word[i], "# ", 2))
			fprintf(*lines.word[i] == '#' ? stdout : stderr, "%s\n", lines.word[i]);
	return ok;
}

static bool same(const char *a, const char *b)
{
	return !system(format("[ -s '%s' ] && cmp '%s' '%s' >&2", a, a, b));
}

static bool differ(const char *a, const char *b, const char *regex)
{
	struct words lines_a = read_file(a), lines_b = read_file(b);
	bool some = false, ok = lines_a.nr && lines_a.nr == lines_b.nr;
	size_t i;

	for (i = 0; ok && i < lines_a.nr; i++) {
		if (!strcmp(lines_a.word[i], lines_b.word[i]))
			continue;
		some = true;
		if (!matches(regex, lines_a.word[i], NULL)) {
			fprintf(stderr, "%s: %s\n%s: %s\n", a, lines_a.word[i], b, lines_b.word[i]);
			ok = false;
		}
	}
	return ok && some;
}

static bool sum_at_least(const char *regex, const char *least)
{
	struct words lines = read_file("output");
	unsigned long long sum = 0;
	regmatch_t match[2];
	size_t i;

	for (i = 0; i < lines.nr; i++)
		if (matches(regex, lines.word[i], match) && match[1].rm_so >= 0)
			sum += strtoull(lines.word[i] + match[1].rm_so, NULL, 10);
	ksft_print_msg("%llu\n", sum);
	return sum >= strtoull(least, NULL, 10);
}

/* oracle.c wrote processor.csv; kvm.csv comes from the module lab_oracle.c. */
#define MAX_REASON	0x500
#define INVALID_STATE	33

static unsigned long long read_counts(const char *name, long long *counts,
				      const char *word, bool *found)
{
	struct words lines = read_file(name);
	unsigned long long value = 0, n;
	unsigned int reason;
	size_t i;

	*found = !access(name, F_OK);
	for (i = 0; i < lines.nr; i++) {
		if (sscanf(lines.word[i], "%u,%llu", &reason, &n) == 2 && reason <= MAX_REASON)
			counts[reason] += n;
		else if (word && !strncmp(lines.word[i], word, strlen(word)))
			value = strtoull(lines.word[i] + strlen(word), NULL, 10);
	}
	return value;
}

/*
 * For each reason, KVM's count must equal the processor's. Exits of VMs that do not count
 * are known only by their total number, which is that of their VM entries. KVM may count
 * more INVALID_STATE exits, as it synthesizes them while it emulates a guest.
 */
static bool oracle(FILE *to)
{
	static long long processor[MAX_REASON + 1], kvm[MAX_REASON + 1];
	unsigned long long uncounted, total = 0;
	long long difference, left = 0;
	bool have_processor, have_kvm, ok = true;
	int i;

	read_counts("processor.csv", processor, NULL, &have_processor);
	uncounted = read_counts("kvm.csv", kvm, "uncounted,", &have_kvm);
	if (!have_processor || !have_kvm) {
		fprintf(stderr, "no figures of %s\n", have_kvm ? "the processor" : "KVM");
		return false;
	}
	for (i = 0; i <= MAX_REASON; i++) {
		difference = processor[i] - kvm[i];
		total += processor[i];
		if (!plan->svm && i == INVALID_STATE && difference <= 0) {
			fprintf(to, "# %lld exits INVALID_STATE synthesized by KVM\n",
				-difference);
			continue;
		}
		left += difference;
		if (difference < 0 || (difference && !uncounted)) {
			fprintf(stderr, "reason %d (%#x): %lld exits, of which KVM counted %lld\n",
				i, i, processor[i], kvm[i]);
			ok = false;
		}
	}
	fprintf(to, "# %llu VM exits of the processor, %llu of VMs that do not count\n",
		total, uncounted);
	if ((unsigned long long)left != uncounted) {
		fprintf(stderr, "%lld exits not counted, %llu entries of VMs that do not count\n",
			left, uncounted);
		ok = false;
	}
	return ok && (total || plan->no_exits);
}

static bool holds(struct words *w)
{
	char **word = w->word;
	const char *name = word[0];

	if (!strcmp(name, "check"))
		return check(word[1]);
	name = word[1];
	if (w->nr == 2 && !strcmp(name, "quiet-console"))
		return quiet_console();
	if (w->nr == 2 && !strcmp(name, "oracle"))
		return oracle(stdout);
	if (w->nr == 3 && !strcmp(name, "reported"))
		return reported(word[2]);
	if (w->nr == 4 && !strcmp(name, "same"))
		return same(word[2], word[3]);
	if (w->nr == 6 && !strcmp(name, "differ") && !strcmp(word[4], "only"))
		return differ(word[2], word[3], word[5]);
	if (w->nr == 4 && !strcmp(name, "line"))
		return line(word[2], word[3]);
	if (w->nr == 4 && !strcmp(name, "no-line"))
		return !line(word[2], word[3]);
	if (w->nr == 5 && !strcmp(name, "sum") && !strcmp(word[3], ">="))
		return sum_at_least(word[2], word[4]);
	fprintf(stderr, "expect %s: unknown\n", name);
	return false;
}

/* @status is init's exit status. Return the driver's, in which a skipped test is no failure. */
int judge(struct plan *the_plan, int status)
{
	size_t i;

	plan = the_plan;
	if (status == LAB_ERROR)
		return status;
	if (!plan->nr_expects) {
		/* Standard output is for the user's program only. */
		if (plan->oracle && !oracle(stderr) && !status)
			return 1;
		return status;
	}
	fflush(stdout);
	printf("1..%zu\n", plan->nr_expects);
	for (i = 0; i < plan->nr_expects; i++) {
		bool ok;

		fflush(stdout);
		ok = holds(&plan->expects[i].words);
		ksft_test_result(ok, "%s.%s: %s\n", plan->name, plan->cpu, plan->expects[i].what);
	}
	if (ksft_get_fail_cnt())
		return 1;
	return status == KSFT_SKIP ? 0 : status;
}

/*
 * Add up TAP. A test that was announced and did not report has failed. A line "not ok -
 * make ..." is a failed command; it counts as a failed test if no other test has failed.
 */
int sum_files(int argc, char **argv)
{
	unsigned long passed = 0, failed = 0, skipped = 0;
	int i;

	for (i = 0; i < argc; i++) {
		struct words lines = read_file(argv[i]);
		unsigned long planned = 0, ok = 0, bad = 0, skip = 0, n, broken = 0;
		size_t j;

		for (j = 0; j < lines.nr; j++) {
			const char *text = lines.word[j];

			if (sscanf(text, "1..%lu", &n) == 1) {
				planned += n;
				if (!n && strstr(text, "SKIP")) {
					planned++;
					skip++;
				}
			} else if (!strncmp(text, "ok ", 3)) {
				if (strstr(text, "# SKIP"))
					skip++;
				else
					ok++;
			} else if (!strncmp(text, "not ok - make", 13)) {
				broken++;
			} else if (!strncmp(text, "not ok ", 7)) {
				bad++;
			}
		}
		if (!planned || planned > ok + bad + skip)
			bad += planned ? planned - ok - bad - skip : 1;
		if (broken && !bad)
			bad++;
		for (j = 0; j < lines.nr; j++)
			if (!strncmp(lines.word[j], "not ok ", 7))
				printf("%s: %s\n", argv[i], lines.word[j]);
		if (argc > 1)
			printf("%s: %lu passed, %lu failed, %lu skipped\n", argv[i], ok, bad, skip);
		passed += ok;
		failed += bad;
		skipped += skip;
	}
	printf("%lu passed, %lu failed, %lu skipped\n", passed, failed, skipped);
	return failed > 0;
}
