/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Shared by the fuzzers of KVM exitstats: random numbers that a seed reproduces, and the
 * options.
 */
#ifndef SELFTEST_KVM_EXITSTATS_FUZZ_H
#define SELFTEST_KVM_EXITSTATS_FUZZ_H

#include <time.h>

#include "exitstats_util.h"

/* The guest has no libc, and older kernels' frameworks have no generator. */
struct rnd {
	u64 state;
};

/* A linear congruential generator. Its upper half is the more random one. */
static inline u32 rnd(struct rnd *r)
{
	r->state = (r->state + 1) * 6364136223846793005ull;
	return r->state >> 32;
}

static inline struct rnd rnd_seed(u32 seed, u32 stream)
{
	struct rnd r = { (u64)stream << 32 | seed };
	int i;

	/* Similar seeds must not start with similar numbers. */
	for (i = 0; i < 4; i++)
		r.state ^= rnd(&r);
	return r;
}

static inline u32 rnd_below(struct rnd *r, u32 n)
{
	return rnd(r) % n;
}

static inline u64 rnd_u64(struct rnd *r)
{
	u64 hi = rnd(r);

	return hi << 32 | rnd(r);
}

/* A random number of random size, as most interesting numbers are small */
static inline u64 rnd_any_size(struct rnd *r)
{
	u64 n = rnd_u64(r);

	return n >> rnd_below(r, 64);
}

static u32 fuzz_seed = 1, fuzz_cases, fuzz_steps, fuzz_seconds;

static void fuzz_usage(const char *name)
{
	printf("usage: %s [-s SEED] [-n STEPS] [-t SECONDS] [OPTION OF THE HARNESS ...]\n"
	       "  -s SEED     replay the case with this seed\n"
	       "  -n STEPS    number of steps in a case (%u)\n"
	       "  -t SECONDS  run cases from SEED on for this time\n"
	       "default: seeds %u to %u\n", name, fuzz_steps, fuzz_seed,
	       fuzz_seed + fuzz_cases - 1);
}

/*
 * Remove -@letter and its number from the command line, the rest of which is for the
 * harness. Return whether it was there.
 */
static inline bool take_option(int *argc, char **argv, char letter, u32 *value)
{
	char *end = "";
	int i;

	for (i = 1; i < *argc; i++)
		if (argv[i][0] == '-' && argv[i][1] == letter && !argv[i][2])
			break;
	if (i == *argc)
		return false;
	if (i + 1 < *argc)
		*value = strtoul(argv[i + 1], &end, 0);
	if (i + 1 == *argc || end == argv[i + 1] || *end) {
		fprintf(stderr, "-%c needs a number: %s --help\n", letter, argv[0]);
		exit(1);
	}
	*argc -= 2;
	memmove(&argv[i], &argv[i + 2], (*argc - i + 1) * sizeof(*argv));
	return true;
}

static inline bool wants_help(int argc, char **argv)
{
	return argc > 1 && !strcmp(argv[1], "--help");
}

static inline void fuzz_options(int *argc, char **argv, u32 cases, u32 steps)
{
	fuzz_cases = cases;
	fuzz_steps = steps;
	if (wants_help(*argc, argv)) {
		fuzz_usage(argv[0]);
		exit(0);
	}
	if (take_option(argc, argv, 's', &fuzz_seed))
		fuzz_cases = 1;
	take_option(argc, argv, 'n', &fuzz_steps);
	take_option(argc, argv, 't', &fuzz_seconds);
}

/* Run the cases. Print the seed of each first, so that a failure follows its seed. */
static inline void fuzz_run(void (*run_case)(u32 seed))
{
	time_t end = time(NULL) + fuzz_seconds;
	u32 seed, nr = 0;

	for (seed = fuzz_seed; fuzz_seconds ? time(NULL) < end : nr < fuzz_cases; seed++, nr++) {
		ksft_print_msg("-s %u -n %u\n", seed, fuzz_steps);
		run_case(seed);
	}
	ksft_print_msg("%u cases of %u steps\n", nr, fuzz_steps);
}

/* Effectively no timeout; the harness's default is half a minute. */
#define FUZZ_TIMEOUT	(24 * 3600)

#endif /* SELFTEST_KVM_EXITSTATS_FUZZ_H */
