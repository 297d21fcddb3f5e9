/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The lab's driver. lab.c describes its steps and their order; each other file
 * implements one step.
 */
#ifndef LAB_LAB_H
#define LAB_LAB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/types.h>

#define LAB_ERROR	125	/* exit status: the lab gave no result */
#define MAX_WORDS	62	/* in a command; init's array has two more elements */

/* A list of strings */
struct words {
	char **word;
	size_t nr;
};

/* A plan that init carries out, in the emulated host or in QEMU's guest there */
struct script {
	char *name;	/* "" is the plan of a guest without plan=NAME */
	struct words lines;	/* the file that init reads */
};

/* A file in the image: @path there is a copy of @source here. */
struct file {
	char *path, *source;
};

/* A condition that has to hold after the run */
struct expect {
	char *what;		/* the line of TAP */
	struct words words;	/* the check, for expect.c */
};

/* Lines of the console to ignore. All three are regular expressions. */
struct pardon {
	char *from;
	char *to;	/* ignore all lines up to the one that matches this, or NULL */
	char *unless;	/* do not ignore a line that matches this, or NULL */
};

/* A plan, read and expanded: everything that the other steps need */
struct plan {
	const char *name, *cpu;
	bool svm, oracle, no_oracle, no_exits, icount, uses_qemu, boots, parallel;
	long host_cpus, timeout, silence;
	char *kernel, *accel, *append;
	struct words needs;
	struct words modules;	/* file names; they replace the kernel's own modules */
	struct script host;
	struct script *guests;
	size_t nr_guests;
	struct file *files, *guest_files;
	size_t nr_files, nr_guest_files;
	struct words guest_programs;	/* of this machine; their libraries are packed, too */
	struct expect *expects;
	size_t nr_expects;
	struct pardon *pardons;
	size_t nr_pardons;
};

/* Where things are */
struct lab {
	const char *build;	/* the build of a kernel: build/6.12 */
	const char *source;	/* this directory of the repository */
	const char *emulator;	/* value of LAB=, or NULL */
	struct words search;	/* directories with programs */
	char *dir;		/* the run's own directory */
	bool dry;		/* -n: show what would be done */
	bool quiet;
};

/* lab.c */
__attribute__((noreturn, format(printf, 1, 2))) void die(const char *fmt, ...);
__attribute__((format(printf, 1, 2))) char *format(const char *fmt, ...);
void *grow(void *array, size_t nr, size_t size);
void add_word(struct words *words, const char *word);
bool has_word(const struct words *words, const char *word);

/* plan.c */
void set_variable(const char *name, const char *value, bool keep);
void read_plan(struct lab *lab, struct plan *plan, const char *path);
void add_expect(char *what, struct words *words);

/* pack.c */
void pack(struct lab *lab, struct plan *plan, bool cdrom);

/* emulator.c */
enum emulator { BOCHS, QEMU_KVM, QEMU_TCG };
enum emulator choose_emulator(const char *asked, bool svm, bool oracle, const char *root,
			      char **why);
struct words emulator_command(struct lab *lab, struct plan *plan, enum emulator emulator);

/* relay.c */
int run_emulator(struct lab *lab, struct plan *plan, enum emulator emulator,
		 struct words *command);

/* oracle.c: the exits by reason in the emulated processor's log */
void oracle_feed(const char *data, size_t n, bool svm);
void oracle_write(const char *path, bool svm);

/* expect.c */
int judge(struct plan *plan, int status);
int sum_files(int argc, char **argv);

#endif /* LAB_LAB_H */
