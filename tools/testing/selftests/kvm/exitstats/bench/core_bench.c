// SPDX-License-Identifier: GPL-2.0-only
/*
 * core_bench: the cost of counting an exit on this machine's own cores.
 *
 *	core_bench			CSV: way, threads, median, minimum, rounds
 *
 * The accounting is arch/x86/kvm/exitstats.h itself, built with the selftests' shim. Each
 * thread is a vCPU that only exits, on its own core; the figures are TSC cycles per exit.
 * Each way includes the RDTSC that KVM executes after every exit anyway. "kvm" is that
 * RDTSC alone, so the cost of a way is the difference to it.
 *
 * The rounds of the ways alternate, so that other load on the machine affects all ways
 * alike. Rounds in which the threads did not run side by side, because one of them was
 * scheduled out, are discarded. Compare the median of the others over all threads: in the
 * quickest rounds, threads that share a counter hardly met.
 */
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

#include <linux/kvm_host.h>

#include "exitstats.c"
#include "exitstats_reasons.c"

#define ROUNDS		501
#define EXITS		2000		/* per round */
#define MAX_THREADS	256

static struct kvm vm;
static struct kvm_vcpu vcpus[MAX_THREADS];
static u16 reasons[MAX_THREADS][64];	/* at least one cache line per thread */
static const u16 mix[4] = { 10, 1, 30, 48 };

/* Counters of the naive way, as in naive.patch */
static struct {
	_Alignas(4096) u64 exits;
	u64 cycles, exits_by_reason[86], cycles_by_reason[86];
} naive;

static int nr_threads, cpus[MAX_THREADS];
static pthread_barrier_t start_line;
static int arrived, reading, stop;

static __always_inline void locked_add(u64 n, u64 *counter)
{
	asm volatile("lock addq %1, %0" : "+m" (*counter) : "er" (n));
}

static __always_inline void exit_kvm(struct kvm_vcpu *vcpu, u16 *reason)
{
	rdtsc();
}

static __always_inline void exit_exitstats(struct kvm_vcpu *vcpu, u16 *reason)
{
	u64 tsc;

	kvm_exitstats_exit(vcpu, *reason);
	barrier();
	/* KVM reads the TSC here even without exitstats. */
	tsc = kvm_exitstats_exit_tsc(vcpu);
	OPTIMIZER_HIDE_VAR(tsc);
	kvm_exitstats_enter(vcpu);
}

static __always_inline void exit_naive(struct kvm_vcpu *vcpu, u16 *reason)
{
	u64 cycles;

	rdtsc();
	cycles = rdtsc();
	barrier();
	cycles = rdtsc() - cycles;
	locked_add(1, &naive.exits);
	locked_add(cycles, &naive.cycles);
	if (*reason < 86) {
		locked_add(1, &naive.exits_by_reason[*reason]);
		locked_add(cycles, &naive.cycles_by_reason[*reason]);
	}
}

static __always_inline void exit_rdtsc(struct kvm_vcpu *vcpu, u16 *reason)
{
	rdtsc();
	barrier();
	rdtsc();
}

#define DEFINE_WAY(name)							\
static __attribute_noinline__ void way_##name(struct kvm_vcpu *vcpu, u16 *reason)	\
{										\
	int i;									\
										\
	for (i = 0; i < EXITS; i++) {						\
		*reason = mix[i & 3];						\
		barrier();							\
		exit_##name(vcpu, reason);					\
		barrier();							\
	}									\
}

DEFINE_WAY(kvm)
DEFINE_WAY(rdtsc)
DEFINE_WAY(exitstats)
DEFINE_WAY(naive)

static const struct way {
	const char *name;
	void (*run)(struct kvm_vcpu *vcpu, u16 *reason);
} ways[] = {
	{ "kvm", way_kvm },
	{ "rdtsc", way_rdtsc },
	{ "exitstats", way_exitstats },
	{ "naive", way_naive },
};

#define EXITSTATS	2
#define NR_WAYS		4

/* Begin and end of each thread's rounds */
static struct round {
	u64 start, end;
} rounds[NR_WAYS][ROUNDS][MAX_THREADS];

static void pin(int thread)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpus[thread], &set);
	sched_setaffinity(0, sizeof(set), &set);
}

static int compare(const void *a, const void *b)
{
	const u64 *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* Did all threads run for nine tenths of the time from the first start to the last end? */
static bool side_by_side(const struct round *threads, int nr)
{
	u64 first = -1, last_start = 0, first_end = -1, last = 0;
	int i;

	for (i = 0; i < nr; i++) {
		first = threads[i].start < first ? threads[i].start : first;
		last_start = threads[i].start > last_start ? threads[i].start : last_start;
		first_end = threads[i].end < first_end ? threads[i].end : first_end;
		last = threads[i].end > last ? threads[i].end : last;
	}
	return first_end > last_start && (first_end - last_start) * 10 > (last - first) * 9;
}

static void report(const char *name, int threads, struct round (*rounds)[MAX_THREADS])
{
	static u64 figures[MAX_THREADS * ROUNDS];
	int round, i, nr = 0;

	for (round = 0; round < ROUNDS; round++) {
		for (i = 0; side_by_side(rounds[round], threads) && i < threads; i++)
			figures[nr++] = rounds[round][i].end - rounds[round][i].start;
	}
	if (!nr) {
		fprintf(stderr, "core_bench: %d threads never ran side by side\n", threads);
		exit(1);
	}
	qsort(figures, nr, sizeof(*figures), compare);
	printf("%s,%d,%.1f,%.1f,%d\n", name, threads, (double)figures[nr / 2] / EXITS,
	       (double)figures[0] / EXITS, nr / threads);
	fflush(stdout);
}

static void run_round(int thread, int round, size_t way)
{
	struct round *r = &rounds[way][round][thread];

	r->start = rdtsc();
	ways[way].run(&vcpus[thread], reasons[thread]);
	r->end = rdtsc();
}

/* All threads start a round together. */
static void meet(int round)
{
	__atomic_add_fetch(&arrived, 1, __ATOMIC_SEQ_CST);
	while (__atomic_load_n(&arrived, __ATOMIC_SEQ_CST) < nr_threads * (round + 1))
		__builtin_ia32_pause();
}

static void *thread_of_ways(void *arg)
{
	int thread = (long)arg, round, turn = 0;
	size_t way;

	pin(thread);
	pthread_barrier_wait(&start_line);
	for (round = 0; round < ROUNDS; round++) {
		for (way = 0; way < NR_WAYS; way++) {
			meet(turn++);
			run_round(thread, round, way);
		}
	}
	return NULL;
}

static void run_threads(int threads, void *(*function)(void *))
{
	pthread_t ids[MAX_THREADS];
	long i;

	nr_threads = threads;
	arrived = 0;
	pthread_barrier_init(&start_line, NULL, threads);
	for (i = 0; i < threads; i++) {
		if (pthread_create(&ids[i], NULL, function, (void *)i)) {
			perror("core_bench: pthread_create");
			exit(1);
		}
	}
	for (i = 0; i < threads; i++)
		pthread_join(ids[i], NULL);
	pthread_barrier_destroy(&start_line);
}

static void bench_ways(int threads)
{
	size_t way;

	run_threads(threads, thread_of_ways);
	for (way = 0; way < NR_WAYS; way++)
		report(ways[way].name, threads, rounds[way]);
}

/*
 * One more thread, the last one, only reads the totals of all vCPUs, faster than any guest
 * can, as each reading in a guest is an exit. The other threads count. Rounds in which the
 * reader did not run are discarded.
 */
static struct {
	_Alignas(4096) u64 count;
	char rest[4096 - sizeof(u64)];
} reads;

static void read_until_stop(int nr)
{
	int i;

	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		for (i = 0; reading && i < nr; i++) {
			READ_ONCE(vcpus[i].arch.exitstats->accounts[KVM_EXITSTATS_ALL].exits);
			READ_ONCE(vcpus[i].arch.exitstats->accounts[KVM_EXITSTATS_ALL].cycles);
		}
		__atomic_store_n(&reads.count, reads.count + 1, __ATOMIC_RELAXED);
	}
}

static void *thread_of_reads(void *arg)
{
	int thread = (long)arg, last = nr_threads - 1, round;
	u64 reads_before;

	pin(thread);
	pthread_barrier_wait(&start_line);

	if (thread == last) {
		read_until_stop(last);
		return NULL;
	}
	for (round = 0; round < ROUNDS; round++) {
		reads_before = __atomic_load_n(&reads.count, __ATOMIC_RELAXED);
		while (__atomic_load_n(&reads.count, __ATOMIC_RELAXED) == reads_before)
			__builtin_ia32_pause();
		run_round(thread, round, EXITSTATS);
		if (__atomic_load_n(&reads.count, __ATOMIC_RELAXED) < reads_before + EXITS / 40)
			rounds[EXITSTATS][round][thread].end = 0;
	}
	__atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
	return NULL;
}

static void bench_reads(int threads)
{
	for (reading = 0; reading < 2; reading++) {
		stop = 0;
		run_threads(threads + 1, thread_of_reads);
		report(reading ? "exitstats_read" : "exitstats_unread", threads, rounds[EXITSTATS]);
	}
}

int main(void)
{
	int nr_cpus = 0, i;
	cpu_set_t set;

	sched_getaffinity(0, sizeof(set), &set);
	for (i = 0; i < CPU_SETSIZE && nr_cpus < MAX_THREADS; i++) {
		if (CPU_ISSET(i, &set))
			cpus[nr_cpus++] = i;
	}
	kvm_exitstats_hardware_setup(KVM_EXITSTATS_NUMBERING_VMX);
	kvm_exitstats_init_vm(&vm);
	for (i = 0; i < MAX_THREADS; i++) {
		vcpus[i].kvm = &vm;
		if (kvm_exitstats_create_vcpu(&vcpus[i])) {
			fprintf(stderr, "core_bench: out of memory\n");
			return 1;
		}
		kvm_exitstats_run_begin(&vcpus[i]);
		kvm_exitstats_load(&vcpus[i]);
		kvm_exitstats_enter(&vcpus[i]);
	}

	printf("way,threads,median,minimum,rounds\n");
	for (i = 1; i <= nr_cpus; i++)
		bench_ways(i);
	for (i = 1; i < nr_cpus; i++)
		bench_reads(i);
	return 0;
}
