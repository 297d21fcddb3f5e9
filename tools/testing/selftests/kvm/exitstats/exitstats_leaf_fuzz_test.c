// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM exitstats: a fuzzer of the leaves. Guests with several vCPUs exit at random and
 * execute CPUID with random leaves, ours and any others. A VM that does not count does the
 * same for comparison. exitstats_model_guest.h predicts the figures.
 */
#include <pthread.h>

#include "exitstats_model_host.h"

#define NR_CASES	8
#define NR_STEPS	600	/* per vCPU */
#define NR_BURST	8

struct run {
	struct model_vm *m;
	int vcpu;
	bool hist;
	pthread_t thread;
};

static void *run_thread(void *arg)
{
	struct run *run = arg;

	return (void *)model_run(run->m, run->vcpu, run->hist);
}

/* Leaves that are not ours return the same as without exitstats. */
static void compare_answers(const struct model_vcpu *on, const struct model_vcpu *off)
{
	const struct answer *a, *b;
	int i;

	TEST_ASSERT_EQ(on->nr_answers, off->nr_answers);
	for (i = 0; i < MODEL_ANSWERS; i++) {
		a = &on->answers[i];
		b = &off->answers[i];
		TEST_ASSERT(!memcmp(a, b, sizeof(*a)),
			    "leaf %x, index %x: %x %x %x %x, without exitstats %x %x %x %x",
			    a->leaf, a->index, a->regs.eax, a->regs.ebx, a->regs.ecx, a->regs.edx,
			    b->regs.eax, b->regs.ebx, b->regs.ecx, b->regs.edx);
	}
	TEST_ASSERT(on->digest == off->digest, "leaves that are not ours differ");
}

static void run_case(u32 seed)
{
	struct rnd r = rnd_seed(seed, MODEL_VCPUS);
	u32 nr_vcpus = 1 + rnd_below(&r, MODEL_VCPUS - 1), i, j;
	struct run runs[2][MODEL_VCPUS];
	struct model_vm m[2];
	u64 answers = 0, exits = 0;
	void *n;

	for (i = 0; i < 2; i++)
		model_create(&m[i], nr_vcpus, i, seed, fuzz_steps, NR_BURST);

	for (i = 0; i < 2; i++) {
		for (j = 0; j < nr_vcpus; j++) {
			runs[i][j] = (struct run) { &m[i], j, hist_is_there() };
			pthread_create(&runs[i][j].thread, NULL, run_thread, &runs[i][j]);
		}
	}
	for (i = 0; i < 2; i++) {
		for (j = 0; j < nr_vcpus; j++) {
			pthread_join(runs[i][j].thread, &n);
			exits += (u64)n;
		}
	}

	for (j = 0; j < nr_vcpus; j++) {
		compare_answers(&m[1].model->vcpus[j], &m[0].model->vcpus[j]);
		answers += m[1].model->vcpus[j].nr_answers;
	}
	ksft_print_msg("%u vCPUs, %lu exits, %lu answers of other leaves\n", nr_vcpus, exits,
		       answers);
	for (i = 0; i < 2; i++)
		kvm_vm_free(m[i].vm);
}

FIXTURE(leaf_fuzz) {};

FIXTURE_SETUP(leaf_fuzz)
{
	if (hist_is_there())
		hist_start();
}

FIXTURE_TEARDOWN(leaf_fuzz)
{
	if (hist_is_there())
		hist_stop();
}

TEST_F_TIMEOUT(leaf_fuzz, random_leaves, FUZZ_TIMEOUT)
{
	fuzz_run(run_case);
}

int main(int argc, char *argv[])
{
	fuzz_options(&argc, argv, NR_CASES, NR_STEPS);
	require_exitstats();
	return test_harness_run(argc, argv);
}
