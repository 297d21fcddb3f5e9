/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The lab's driver. lab.c says what it does, and in which order; each other file does
 * one step of it.
 */
#ifndef LAB_LAB_H
#define LAB_LAB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/types.h>

#define LAB_ERROR	125	/* exit status: no answer came out of the lab */
#define MAX_WORDS	62	/* of a command; init's array has two more */

/* A list of strings, ended by NULL */
struct words {
	char **word;
	size_t nr;
};

/* A plan that init carries out, in the emulated host or in QEMU's guest there */
struct script {
	char *name;	/* "" is the plan of a guest that no name is given for */
	struct words lines;	/* what init reads */
};

/* A file of the image: @path there is @source here. */
struct file {
	char *path, *source;
};

/* What has to hold after the run */
struct expect {
	char *what;		/* the line of TAP */
	struct words words;	/* what expect.c carries out */
};

/* Lines of the console that are no reason to complain */
struct pardon {
	char *from;	/* a regular expression */
	char *to;	/* drop all lines up to this one, or NULL */
	char *unless;	/* a line that has this is not pardoned, or NULL */
};

/* A plan, all of it read and expanded: this is all that the other steps need. */
struct plan {
	const char *name, *cpu;
	bool svm, oracle, no_oracle, no_exits, icount, uses_qemu, boots;
	long host_cpus, timeout, silence;
	char *kernel, *accel, *append;
	struct words needs;
	struct words modules;	/* instead of the kernel's own; file names */
	struct script host;
	struct script *guests;
	size_t nr_guests;
	struct file *files, *guest_files;
	size_t nr_files, nr_guest_files;
	struct words guest_programs;	/* of this machine, with their libraries */
	struct expect *expects;
	size_t nr_expects;
	struct pardon *pardons;
	size_t nr_pardons;
};

/* Where things are */
struct lab {
	const char *build;	/* the build of a kernel: build/6.12 */
	const char *source;	/* this directory of the repository */
	const char *emulator;	/* what LAB= asks for, or NULL */
	struct words search;	/* directories with programs */
	char *dir;		/* the run's own directory */
	bool dry;		/* -n: show, and do not do it */
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
enum emulator choose_emulator(const char *asked, bool svm, const char *root, char **why);
struct words emulator_command(struct lab *lab, struct plan *plan, enum emulator emulator);

/* relay.c */
int run_emulator(struct lab *lab, struct plan *plan, enum emulator emulator,
		 struct words *command);

/* oracle.c: exits by reason, as the emulated processor logged them */
void oracle_feed(const char *data, size_t n, bool svm);
void oracle_write(const char *path, bool svm);

/* expect.c */
int judge(struct plan *plan, int status);
int sum_files(int argc, char **argv);

#endif /* LAB_LAB_H */
