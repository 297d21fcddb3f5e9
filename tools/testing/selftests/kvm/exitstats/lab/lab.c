// SPDX-License-Identifier: GPL-2.0-only
/*
 * lab: carry out a plan.
 *
 *	lab [-nq] [-a NAME] [-e EMULATOR] -b BUILD [-p DIR ...] PLAN [NAME=VALUE ...]
 *	lab -s FILE ...
 *
 * A plan is a file that describes one run of the lab (see README). The driver
 *
 *	reads and expands the plan				plan.c
 *	packs the programs and modules that the plan names	pack.c
 *	chooses the emulator and its command line		emulator.c
 *	runs the emulator and relays its output			relay.c
 *	judges what the plan expects, as TAP			expect.c
 *
 * BUILD is the directory in which make has built a kernel (build/6.12); each run locks
 * its own directory, BUILD/run/PLAN.CPU. The driver looks for programs in BUILD and in
 * each DIR. EMULATOR is bochs or kvm. NAME=VALUE sets a variable of the plan. -n shows
 * what would be done. -q omits the progress. -a gives the run a name other than the
 * plan's, so that a plan can run twice at a time.
 *
 * -s adds up the TAP in FILEs and prints "N passed, N failed, N skipped".
 *
 * Exit status: LAB_ERROR if the lab gave no result. 1 if an expectation failed.
 * Otherwise that of the first command that failed in the lab; a skipped test is no
 * failure if the plan expects something.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "lab.h"

#define ROOM_MB	300	/* disk space that a run needs */

void die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(LAB_ERROR);
}

static void make_directory(const char *path)
{
	if (mkdir(path, 0777) && errno != EEXIST)
		die("%s: %s", path, strerror(errno));
}

static void check_needs(struct lab *lab, struct plan *plan)
{
	size_t i;

	for (i = 0; i < plan->needs.nr; i++) {
		char *path = format("%s/%s", lab->build, plan->needs.word[i]);

		if (access(path, F_OK))
			die("%s is not built: make %s builds it", path, path);
		free(path);
	}
}

/* Lock the run's directory and empty it. The lock is held until the driver ends. */
static void take_directory(struct lab *lab, struct plan *plan)
{
	char *runs = format("%s/run", lab->build);
	struct statvfs disk;
	unsigned long free_mb;
	int lock;

	make_directory(runs);
	if (!statvfs(runs, &disk)) {
		free_mb = disk.f_bavail * (disk.f_frsize / 1024) / 1024;
		if (free_mb < ROOM_MB)
			die("%s: %lu MB free, a run of the lab needs %d: free some, or say BUILD=DIR",
			    runs, free_mb, ROOM_MB);
	}
	lab->dir = format("%s/%s.%s", runs, plan->name, plan->cpu);
	lock = open(format("%s.lock", lab->dir), O_CREAT | O_WRONLY | O_CLOEXEC, 0666);
	if (lock < 0)
		die("%s.lock: %s", lab->dir, strerror(errno));
	if (flock(lock, LOCK_EX | LOCK_NB)) {
		fprintf(stderr, "  waiting for the lab that runs in %s\n", lab->dir);
		flock(lock, LOCK_EX);
	}
	if (system(format("rm -rf '%s'", lab->dir)))
		die("%s: cannot be removed", lab->dir);
	make_directory(lab->dir);
	if (chdir(lab->dir))
		die("%s: %s", lab->dir, strerror(errno));
}

static void show_words(const char *what, struct words *words)
{
	size_t i;

	printf("%s", what);
	for (i = 0; i < words->nr && words->word[i]; i++)
		printf(" %s", words->word[i]);
	printf("\n");
}

static void show_script(const char *what, struct script *script)
{
	size_t i;

	printf("%s%s%s:\n", what, *script->name ? " " : "", script->name);
	for (i = 0; i < script->lines.nr; i++) {
		const char *line = script->lines.word[i];

		if (*line == '\t')
			printf(" %s", line + 1);
		else
			printf("%s\t%s", i ? "\n" : "", line);
	}
	printf("\n");
}

static void show(struct plan *plan, struct words *command)
{
	size_t i;

	show_words("needs", &plan->needs);
	for (i = 0; i < plan->nr_files; i++)
		printf("host has %s: %s\n", plan->files[i].path, plan->files[i].source);
	for (i = 0; i < plan->nr_guest_files; i++)
		printf("guest has %s: %s\n", plan->guest_files[i].path,
		       plan->guest_files[i].source);
	if (plan->boots)
		show_words("emulator:", command);
	show_script("init in the host", &plan->host);
	for (i = 0; i < plan->nr_guests; i++)
		show_script("init in the guest", &plan->guests[i]);
	for (i = 0; i < plan->nr_expects; i++)
		printf("expect: %s\n", plan->expects[i].what);
}

/*
 * TCG's log costs almost nothing, so it is on in each run of an AMD host, unless the plan
 * turns it off or brings its own kernel, for which lab_oracle.ko is not built. Only a plan
 * that asks for the oracle fails if there were no exits.
 */
static void ask_oracle(struct plan *plan, enum emulator emulator)
{
	struct words words = {};

	if (plan->svm && emulator == QEMU_TCG && !plan->no_oracle && !plan->kernel) {
		plan->no_exits = !plan->oracle;
		plan->oracle = true;
	}
	if (!plan->oracle)
		return;
	add_word(&plan->needs, "oracle/lab_oracle.ko");
	if (!plan->nr_expects)
		return;
	add_word(&words, "expect");
	add_word(&words, "oracle");
	add_expect("KVM counted each VM exit of the processor (oracle)", &words);
}

int main(int argc, char **argv)
{
	struct plan plan = { .timeout = 900, .host_cpus = 1 };
	enum emulator emulator = BOCHS;
	struct words command = {};
	struct lab lab = {};
	char *value, *why;
	int opt, status;

	while ((opt = getopt(argc, argv, "+nqa:e:b:p:s")) != -1) {
		switch (opt) {
		case 'n':
			lab.dry = true;
			break;
		case 'q':
			lab.quiet = true;
			break;
		case 'a':
			plan.name = optarg;
			break;
		case 'e':
			lab.emulator = *optarg ? optarg : NULL;
			break;
		case 'b':
			lab.build = optarg;
			break;
		case 'p':
			add_word(&lab.search, optarg);
			break;
		case 's':
			return sum_files(argc - optind, argv + optind);
		default:
			return LAB_ERROR;
		}
	}
	if (!lab.build || optind >= argc)
		die("usage: lab [-nq] [-a NAME] [-e EMULATOR] -b BUILD [-p DIR] PLAN [N=V ...]");
	add_word(&lab.search, lab.build);
	lab.source = LAB_SOURCE;

	for (opt = optind + 1; opt < argc; opt++) {
		value = strchr(argv[opt], '=');
		if (!value)
			die("%s: not NAME=VALUE", argv[opt]);
		*value++ = 0;
		set_variable(argv[opt], value, false);
	}

	read_plan(&lab, &plan, argv[optind]);
	if (plan.boots) {
		emulator = choose_emulator(lab.emulator, plan.svm, plan.oracle,
					   getenv("LAB_ROOT") ?: "", &why);
		if ((int)emulator < 0)
			die("%s", why);
		if (why && !lab.quiet)
			fprintf(stderr, "  %s\n", why);
		if (plan.accel)
			emulator = QEMU_TCG;
		ask_oracle(&plan, emulator);
		command = emulator_command(&lab, &plan, emulator);
	}
	if (lab.dry) {
		show(&plan, &command);
		return 0;
	}

	check_needs(&lab, &plan);
	take_directory(&lab, &plan);
	if (!plan.boots)
		return judge(&plan, 0);
	pack(&lab, &plan, emulator == BOCHS);
	status = run_emulator(&lab, &plan, emulator, &command);
	return judge(&plan, status);
}
