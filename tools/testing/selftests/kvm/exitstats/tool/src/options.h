/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The command line.
 */
#ifndef OPTIONS_H
#define OPTIONS_H

#include <stdbool.h>

#define VERSION		"2.0"

enum format { TABLE, CSV, JSON, OPENMETRICS };
enum sort { BY_CYCLES, BY_EXITS, BY_REASON, BY_AVERAGE, BY_CHANGE };

/**
 * struct max - a budget of check
 * @reason: as given by the user; "all": the total
 * @exits: maximum
 */
struct max {
	char *reason;
	unsigned long long exits;
};

#define MAX_MAX		64

/**
 * struct options - the command line
 * @format: output format
 * @sort: order of the table's rows
 * @all: show reasons that did not occur, too
 * @time: show accounts instead of reasons
 * @hist: reason whose distribution to draw, or "all"; NULL: show the table
 * @watch: live view
 * @interval: seconds; 0: no intervals
 * @count: intervals; 0: until stopped
 * @output: the file to save to, or NULL
 * @raw: leaf of --raw, or NULL
 * @pin: CPU to run on; -1: any
 * @vcpu: in a guest: show only the vCPU that runs the tool
 * @host: show all VMs of this host
 * @vm: one VM of this host, "PID" or "PID-FD"; NULL: none
 * @vm_vcpu: one vCPU of @vm; -1: all
 * @tolerance: of check, in percent
 * @max: budgets of check
 * @nr_max: number of budgets
 */
struct options {
	enum format format;
	enum sort sort;
	bool all;
	bool time;
	const char *hist;
	bool watch;
	double interval;
	unsigned long count;
	const char *output;
	const char *raw;
	int pin;
	bool vcpu;
	bool host;
	const char *vm;
	long vm_vcpu;
	double tolerance;
	struct max max[MAX_MAX];
	int nr_max;
};

extern struct options opt;

/**
 * struct arguments - the command line's arguments that are not options
 * @word: arguments before "--"
 * @words: their number
 * @command: CMD after "--", or NULL
 */
struct arguments {
	char *word[4];
	int words;
	char **command;
};

extern struct arguments args;

/* Exits with one line on errors, and after --help and --version. */
void parse_command_line(int argc, char **argv);

/* Is the first word @mode, "diff" or "check"? */
bool is_mode(const char *mode);

/* Parse a number up to @max, decimal, or hexadecimal with 0x. Errors call it @what. */
unsigned long parse_unsigned(const char *what, const char *text, unsigned long max);

#endif /* OPTIONS_H */
