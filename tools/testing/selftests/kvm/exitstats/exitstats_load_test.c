// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM exitstats under load: in each round, groups of threads create VMs, run their vCPUs
 * concurrently and destroy them, while another thread reads all figures. After each run of
 * a vCPU, its counters must equal those of the model and KVM's own counter, so that no exit
 * is lost or counted twice. In the first eighth of the rounds they are also compared with
 * tracing, which takes as long as everything else. No kernel memory may leak.
 */
#include <glob.h>
#include <pthread.h>

#include "exitstats_debugfs.h"
#include "exitstats_memory.h"
#include "exitstats_model_host.h"

#define NR_GROUPS	3
#define NR_VCPUS	2
#define NR_STEPS	60
#define NR_BURST	10000

/*
 * The allocator keeps some memory even after few VMs (in the lab, 44 KB after 9 VMs, 96 KB
 * after 60), so check only after more of them. A leak grows with their number.
 */
#define MIN_VMS		50
#define KB_PER_VM	3

static bool hist;
static u32 nr_rounds = 1;

struct group {
	pthread_barrier_t barrier;
	pthread_mutex_t lock;	/* protects the fields below, for the reader */
	struct model_vm m;
	int stats[NR_VCPUS];	/* KVM_GET_STATS_FD, or -1 */
	u32 nr, round, nr_rounds;
	u64 exits;
};

struct worker {
	struct group *group;
	int vcpu;
	pthread_t thread;
};

static void begin_round(struct group *g)
{
	u32 seed = g->round * NR_GROUPS + g->nr;
	int i;

	pthread_mutex_lock(&g->lock);
	/* Every eighth VM does not count. */
	model_create(&g->m, NR_VCPUS, seed % 8 != 7, seed, NR_STEPS, NR_BURST);
	for (i = 0; i < NR_VCPUS; i++)
		g->stats[i] = vcpu_get_stats_fd(g->m.vcpus[i]);
	pthread_mutex_unlock(&g->lock);
}

static void end_round(struct group *g)
{
	int i;

	pthread_mutex_lock(&g->lock);
	for (i = 0; i < NR_VCPUS; i++) {
		close(g->stats[i]);
		g->stats[i] = -1;
	}
	kvm_vm_free(g->m.vm);
	g->round++;
	pthread_mutex_unlock(&g->lock);
}

static void *work(void *arg)
{
	struct worker *w = arg;
	struct group *g = w->group;
	u32 round;
	u64 exits;

	for (round = 0; round < g->nr_rounds; round++) {
		if (!w->vcpu)
			begin_round(g);
		pthread_barrier_wait(&g->barrier);
		exits = model_run(&g->m, w->vcpu, hist);
		__atomic_fetch_add(&g->exits, exits, __ATOMIC_RELAXED);
		pthread_barrier_wait(&g->barrier);
		if (!w->vcpu)
			end_round(g);
	}
	return NULL;
}

static bool stop;

/* Read the statistics of running vCPUs: no figure goes back. */
static u64 read_running(struct group *g)
{
	static struct stats last[NR_GROUPS][NR_VCPUS];
	static u32 rounds[NR_GROUPS];
	struct stats now, *then;
	u64 nr = 0;
	int i, slot;

	pthread_mutex_lock(&g->lock);
	if (rounds[g->nr] != g->round)
		memset(last[g->nr], 0, sizeof(last[g->nr]));
	rounds[g->nr] = g->round;
	for (i = 0; i < NR_VCPUS; i++) {
		if (g->stats[i] < 0 || !g->m.model->on)
			continue;
		then = &last[g->nr][i];
		read_stats_fd(g->stats[i], &now);
		for (slot = 0; slot < NR_SLOTS; slot++)
			TEST_ASSERT(now.exits_by_reason[slot] >= then->exits_by_reason[slot] &&
				    now.cycles_by_reason[slot] >= then->cycles_by_reason[slot],
				    "reason %d goes back: %lu exits, then %lu", slot,
				    then->exits_by_reason[slot], now.exits_by_reason[slot]);
		*then = now;
		nr++;
	}
	pthread_mutex_unlock(&g->lock);
	return nr;
}

/* Read tables of VMs, which may be destroyed meanwhile. All other tables must be complete. */
static u64 read_tables(const char *pattern)
{
	struct table table;
	char buf[16384];
	glob_t found;
	u64 nr = 0;
	ssize_t n;
	u32 i;
	int fd;

	if (glob(pattern, GLOB_NOSORT, NULL, &found))
		return 0;
	for (i = 0; i < found.gl_pathc; i++) {
		fd = open(found.gl_pathv[i], O_RDONLY);
		n = fd < 0 ? -1 : read(fd, buf, sizeof(buf));
		TEST_ASSERT(n > 0 || errno == ENOENT || errno == EIO, "%s: %s", found.gl_pathv[i],
			    strerror(errno));
		if (n > 0) {
			parse_table(fmemopen(buf, n, "r"), &table);
			nr++;
		}
		if (fd >= 0)
			close(fd);
	}
	globfree(&found);
	return nr;
}

static void *read_everything(void *arg)
{
	struct group *groups = arg;
	u64 nr = 0;
	int i;

	while (!READ_ONCE(stop)) {
		for (i = 0; i < NR_GROUPS; i++)
			nr += read_running(&groups[i]);
		nr += read_tables(KVM_DEBUGFS "/*/exitstats");
		nr += read_tables(KVM_DEBUGFS "/*/vcpu*/exitstats");
		usleep(100000);
	}
	return (void *)nr;
}

/* Run @nr more rounds in new threads, whose memory is freed with them. */
static u64 run_rounds(struct group *groups, u32 nr)
{
	struct worker workers[NR_GROUPS * NR_VCPUS];
	pthread_t reader;
	void *nr_read;
	u32 i;

	for (i = 0; i < NR_GROUPS; i++)
		groups[i].nr_rounds = nr;
	WRITE_ONCE(stop, false);
	pthread_create(&reader, NULL, read_everything, groups);
	for (i = 0; i < ARRAY_SIZE(workers); i++) {
		workers[i] = (struct worker) { &groups[i / NR_VCPUS], i % NR_VCPUS };
		pthread_create(&workers[i].thread, NULL, work, &workers[i]);
	}
	for (i = 0; i < ARRAY_SIZE(workers); i++)
		pthread_join(workers[i].thread, NULL);
	WRITE_ONCE(stop, true);
	pthread_join(reader, &nr_read);
	return (u64)nr_read;
}

FIXTURE(load) {};

FIXTURE_SETUP(load)
{
}

FIXTURE_TEARDOWN(load)
{
}

static u64 all_exits(const struct group *groups)
{
	u64 exits = 0;
	int i;

	for (i = 0; i < NR_GROUPS; i++)
		exits += groups[i].exits;
	return exits;
}

/* Run @nr more rounds with tracing, if available. Return the exits that it saw. */
static u64 run_traced(struct group *groups, u32 nr, u64 *nr_read)
{
	u64 before = all_exits(groups);

	hist = hist_is_there();
	if (hist)
		hist_start();
	*nr_read += run_rounds(groups, nr);
	if (!hist)
		return 0;
	hist_stop();
	hist = false;
	return all_exits(groups) - before;
}

TEST_F_TIMEOUT(load, nothing_is_lost, FUZZ_TIMEOUT)
{
	u32 warm_up = nr_rounds / 8, nr_traced = (nr_rounds + 7) / 8, i;
	u32 nr_vms = nr_rounds * NR_GROUPS;
	struct group groups[NR_GROUPS] = {};
	u64 nr_read = 0, traced;
	long before, grown;

	for (i = 0; i < NR_GROUPS; i++) {
		pthread_barrier_init(&groups[i].barrier, NULL, NR_VCPUS);
		pthread_mutex_init(&groups[i].lock, NULL);
		groups[i].nr = i;
		memset(groups[i].stats, -1, sizeof(groups[i].stats));
	}

	traced = run_traced(groups, warm_up, &nr_read);
	before = kernel_memory();
	traced += run_traced(groups, nr_traced, &nr_read);
	nr_read += run_rounds(groups, nr_rounds - nr_traced);
	grown = kernel_memory() - before;

	ksft_print_msg("%u VMs of %d vCPUs, %lu exits, reconciled with the model and KVM's exits\n",
		       nr_vms + warm_up * NR_GROUPS, NR_VCPUS, all_exits(groups));
	ksft_print_msg("%lu of them also with kvm:kvm_exit\n", traced);
	ksft_print_msg("%lu tables and statistics read meanwhile\n", nr_read);
	ksft_print_msg("%ld KB more kernel memory after %u VMs\n", grown, nr_vms);
	TEST_ASSERT(nr_read, "nothing was read");
	TEST_ASSERT(nr_vms < MIN_VMS || grown <= (long)nr_vms * KB_PER_VM,
		    "%u VMs left %ld KB behind", nr_vms, grown);
}

int main(int argc, char *argv[])
{
	if (wants_help(argc, argv)) {
		printf("usage: %s [-n ROUNDS] [OPTION OF THE HARNESS ...]\n"
		       "  -n ROUNDS   rounds of %d VMs each, after some to warm up (%u)\n", argv[0],
		       NR_GROUPS, nr_rounds);
		return 0;
	}
	take_option(&argc, argv, 'n', &nr_rounds);
	require_exitstats();
	require_debugfs();
	/* Fill its cache now; threads would race to fill it. */
	kvm_get_supported_cpuid();
	return test_harness_run(argc, argv);
}
