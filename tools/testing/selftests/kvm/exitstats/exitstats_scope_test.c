// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM exitstats: a guest reads the exits of all vCPUs of its VM, and of no other VM.
 *
 * Most tests look at the exits of flush_caches(). In the last one, a VM exits in all ways,
 * and another VM looks at all figures.
 */
#include <pthread.h>

#include "exitstats_model_host.h"

#define NR_VCPUS	4
#define NR_EXITS	2000

static void guest_flush(void)
{
	int i;

	for (i = 0; i < NR_EXITS; i++)
		flush_caches();
	GUEST_DONE();
}

static u64 guest_exits, guest_cycles;

/* Report the EXIT_FLUSH exits of the VM at each GUEST_SYNC(). */
static void guest_reader(void)
{
	for (;;) {
		guest_exits = exits_of(EXIT_FLUSH);
		guest_cycles = cycles_of(EXIT_FLUSH);
		GUEST_SYNC(0);
	}
}

static u64 read_exits(struct kvm_vcpu *reader)
{
	TEST_ASSERT_EQ(run_guest(reader), UCALL_SYNC);
	sync_global_from_guest(reader->vm, guest_exits);
	sync_global_from_guest(reader->vm, guest_cycles);
	return guest_exits;
}

/* Keep reading until all exits of the other vCPUs are counted. */
static u64 guest_nr_exits;

static void guest_watch(void)
{
	u64 exits, cycles, total, last_exits = 0, last_cycles = 0, last_total = 0;

	do {
		exits = exits_of(EXIT_FLUSH);
		cycles = cycles_of(EXIT_FLUSH);
		total = total_exits();
		GUEST_ASSERT(exits >= last_exits && cycles >= last_cycles);
		GUEST_ASSERT(!exits == !cycles || cycles > exits);
		/* The readings of a round are exits, too. */
		GUEST_ASSERT(!last_total || total >= last_total + 3);
		GUEST_ASSERT(total > exits);
		last_exits = exits;
		last_cycles = cycles;
		last_total = total;
	} while (exits < guest_nr_exits);

	GUEST_ASSERT_EQ(exits, guest_nr_exits);
	GUEST_DONE();
}

static void *run_thread(void *vcpu)
{
	run_to_done(vcpu);
	return NULL;
}

TEST(reads_all_vcpus)
{
	struct kvm_vcpu *vcpus[NR_VCPUS];
	struct kvm_vm *vm = vm_create_with_vcpus(NR_VCPUS, guest_flush, vcpus);
	struct kvm_vcpu *reader = vcpus[0];
	int i;

	vcpu_arch_set_entry_point(reader, guest_reader);
	TEST_ASSERT_EQ(read_exits(reader), 0);
	for (i = 1; i < NR_VCPUS; i++) {
		run_to_done(vcpus[i]);
		TEST_ASSERT_EQ(read_exits(reader), i * NR_EXITS);
	}
	assert_stats(reader);
	kvm_vm_free(vm);
}

TEST(reads_vcpus_while_they_run)
{
	pthread_t threads[NR_VCPUS];
	struct kvm_vcpu *vcpus[NR_VCPUS];
	struct kvm_vm *vm = vm_create_with_vcpus(NR_VCPUS, guest_flush, vcpus);
	int i;

	vcpu_arch_set_entry_point(vcpus[0], guest_watch);
	guest_nr_exits = (NR_VCPUS - 1) * NR_EXITS;
	sync_global_to_guest(vm, guest_nr_exits);

	for (i = 0; i < NR_VCPUS; i++)
		pthread_create(&threads[i], NULL, run_thread, vcpus[i]);
	for (i = 0; i < NR_VCPUS; i++)
		pthread_join(threads[i], NULL);
	kvm_vm_free(vm);
}

/* The other vCPU causes one exit at a time. */
#define NR_TURNS	30

static int guest_turn;

static void guest_take_turns(void)
{
	int i;

	for (i = 1; i <= NR_TURNS; i++) {
		while (READ_ONCE(guest_turn) < i)
			cpu_relax();
		flush_caches();
	}
	GUEST_DONE();
}

/* The other vCPU's cycles are visible together with its exit. */
static void guest_give_turns(void)
{
	u64 cycles, last_cycles = 0;
	int i;

	for (i = 1; i <= NR_TURNS; i++) {
		WRITE_ONCE(guest_turn, i);
		while (exits_of(EXIT_FLUSH) < i)
			;
		cycles = cycles_of(EXIT_FLUSH);
		GUEST_ASSERT(cycles > last_cycles);
		GUEST_ASSERT_EQ(exits_of(EXIT_FLUSH), i);
		GUEST_ASSERT_EQ(cycles_of(EXIT_FLUSH), cycles);
		last_cycles = cycles;
	}
	GUEST_DONE();
}

TEST(reads_cycles_with_exits)
{
	struct kvm_vcpu *vcpus[2];
	struct kvm_vm *vm = vm_create_with_vcpus(2, guest_take_turns, vcpus);
	pthread_t thread;

	vcpu_arch_set_entry_point(vcpus[0], guest_give_turns);
	pthread_create(&thread, NULL, run_thread, vcpus[1]);
	run_to_done(vcpus[0]);
	pthread_join(thread, NULL);
	kvm_vm_free(vm);
}

/* With the vCPU bit, a vCPU reads only its own figures. */
static void guest_report_own(int count)
{
	u32 own = KVM_EXITSTATS_SELECT_REASON(EXIT_FLUSH) | KVM_EXITSTATS_SELECT_VCPU;

	while (count--)
		flush_caches();
	GUEST_ASSERT_EQ(read_leaf(KVM_EXITSTATS_LEAF_EXITS, own).edx, KVM_EXITSTATS_DEFINED);
	GUEST_ASSERT_EQ(read_leaf(KVM_EXITSTATS_LEAF_CYCLES, own).edx, KVM_EXITSTATS_DEFINED);
	for (;;) {
		guest_exits = exits_of(own);
		guest_cycles = cycles_of(own);
		GUEST_SYNC(0);
	}
}

TEST(reads_its_own_vcpu)
{
	struct kvm_vcpu *vcpus[NR_VCPUS];
	struct kvm_vm *vm = vm_create_with_vcpus(NR_VCPUS, guest_report_own, vcpus);
	u64 exits = 0, cycles = 0;
	int i;

	for (i = 1; i < NR_VCPUS; i++) {
		vcpu_args_set(vcpus[i], 1, i * NR_EXITS);
		TEST_ASSERT_EQ(read_exits(vcpus[i]), i * NR_EXITS);
	}
	/* All vCPUs are stopped: their own exits add up to the VM's. */
	for (i = 1; i < NR_VCPUS; i++) {
		TEST_ASSERT_EQ(read_exits(vcpus[i]), i * NR_EXITS);
		exits += guest_exits;
		cycles += guest_cycles;
	}
	vcpu_arch_set_entry_point(vcpus[0], guest_reader);
	TEST_ASSERT_EQ(read_exits(vcpus[0]), exits);
	TEST_ASSERT_EQ(guest_cycles, cycles);
	kvm_vm_free(vm);
}

/* The same for all leaves and all kinds of selectors with the vCPU bit */
static void guest_read_own_account(void)
{
	static const u32 selectors[] = {
		KVM_EXITSTATS_SELECT_ACCOUNT(KVM_EXITSTATS_ACCOUNT_ALL),
		KVM_EXITSTATS_SELECT_ACCOUNT(KVM_EXITSTATS_ACCOUNT_GUEST),
		KVM_EXITSTATS_SELECT_ACCOUNT(KVM_EXITSTATS_ACCOUNT_USERSPACE),
	};
	struct leaf own, all;
	int i;

	for (i = 0; i < ARRAY_SIZE(selectors); i++) {
		own = read_leaf(KVM_EXITSTATS_LEAF_REASON, selectors[i] | KVM_EXITSTATS_SELECT_VCPU);
		all = read_leaf(KVM_EXITSTATS_LEAF_REASON, selectors[i]);
		/* The other vCPU has had NR_EXITS exits, this one only a few. */
		__GUEST_ASSERT(own.edx == KVM_EXITSTATS_DEFINED && own.eax < 1000,
			       "selector %x: %u exits, status %x", selectors[i], own.eax, own.edx);
		GUEST_ASSERT(make_u64(own.ebx, own.ecx) < make_u64(all.ebx, all.ecx));
		if (i < 2)
			GUEST_ASSERT(all.eax > NR_EXITS);
	}
	GUEST_DONE();
}

TEST(reads_its_own_accounts)
{
	struct kvm_vcpu *vcpus[2];
	struct kvm_vm *vm = vm_create_with_vcpus(2, guest_flush, vcpus);

	run_to_done(vcpus[0]);
	vcpu_arch_set_entry_point(vcpus[1], guest_read_own_account);
	run_to_done(vcpus[1]);
	kvm_vm_free(vm);
}

TEST(reads_later_vcpus)
{
	struct kvm_vm *vm = vm_create(2);
	struct kvm_vcpu *reader = vm_vcpu_add(vm, 0, guest_reader), *later;
	u64 cycles;

	TEST_ASSERT_EQ(read_exits(reader), 0);
	TEST_ASSERT_EQ(guest_cycles, 0);

	later = vm_vcpu_add(vm, 1, guest_flush);
	TEST_ASSERT_EQ(read_exits(reader), 0);

	run_to_done(later);
	TEST_ASSERT_EQ(read_exits(reader), NR_EXITS);
	cycles = guest_cycles;
	TEST_ASSERT(cycles, "%d exits without cycles", NR_EXITS);
	TEST_ASSERT_EQ(read_exits(reader), NR_EXITS);
	TEST_ASSERT_EQ(guest_cycles, cycles);
	kvm_vm_free(vm);
}

TEST(reads_no_other_vm)
{
	struct kvm_vcpu *vcpu, *reader;
	struct kvm_vm *vm, *other, *later;

	vm = vm_create_with_one_vcpu(&reader, guest_reader);
	TEST_ASSERT_EQ(read_exits(reader), 0);

	other = vm_create_with_one_vcpu(&vcpu, guest_flush);
	run_to_done(vcpu);
	TEST_ASSERT_EQ(read_exits(reader), 0);
	TEST_ASSERT_EQ(guest_cycles, 0);
	kvm_vm_free(other);

	/* The end of one VM does not affect another. */
	TEST_ASSERT_EQ(read_exits(reader), 0);
	assert_stats(reader);

	/* A new VM does not see the figures of a destroyed one. */
	later = vm_create_with_one_vcpu(&vcpu, guest_reader);
	TEST_ASSERT_EQ(read_exits(vcpu), 0);
	kvm_vm_free(later);
	kvm_vm_free(vm);
}

static bool stop;

static void *read_thread(void *reader)
{
	while (!READ_ONCE(stop))
		TEST_ASSERT_EQ(read_exits(reader), 0);
	return NULL;
}

TEST(reads_no_other_vm_while_it_runs)
{
	struct kvm_vcpu *vcpu, *reader;
	struct kvm_vm *vm = vm_create_with_one_vcpu(&reader, guest_reader);
	struct kvm_vm *other = vm_create_with_one_vcpu(&vcpu, guest_flush);
	struct stats stats;
	pthread_t thread;

	pthread_create(&thread, NULL, read_thread, reader);
	run_to_done(vcpu);
	WRITE_ONCE(stop, true);
	pthread_join(thread, NULL);

	assert_stats(reader);
	read_stats(vcpu, &stats);
	TEST_ASSERT_EQ(stats.exits_by_reason[EXIT_FLUSH], NR_EXITS);
	kvm_vm_free(other);
	kvm_vm_free(vm);
}

/* Everything that a guest can read, for all reasons and SVM's undefined codes between them */
#define NR_LEAVES	(KVM_EXITSTATS_LEAF_TOTAL - KVM_EXITSTATS_LEAF_CYCLES + 1)
#define NR_INDICES	(NR_SLOTS + 1)
#define MAX_INDICES	(MAX_SLOTS + 1)
#define for_each_index(index)						\
	for ((index) = 0; (index) < NR_INDICES;				\
	     (index) = (index) == 0xb0 ? SVM_EXIT_NPF - 8 : (index) + 1)

static struct leaf guest_view[NR_LEAVES][MAX_INDICES];

static void guest_look(void)
{
	u32 leaf, reason;

	for (;;) {
		for (leaf = 0; leaf < NR_LEAVES; leaf++)
			for_each_index(reason)
				guest_view[leaf][reason] =
					read_leaf(KVM_EXITSTATS_LEAF_CYCLES + leaf, reason);
		GUEST_SYNC(0);
	}
}

static bool between(u64 value, u64 least, u64 most)
{
	return value >= least && value <= most;
}

/*
 * Does reading number @nr, @r at @leaf and @reason, have only the VM's own figures, which
 * were between @before and @after?
 */
static bool is_own(u32 leaf, u32 reason, u32 nr, struct leaf r, const struct stats *before,
		   const struct stats *after)
{
	u64 exits[2] = {}, cycles[2] = {}, all[2] = {
		sum_slots(before->cycles_by_reason), sum_slots(after->cycles_by_reason),
	};
	u32 status = is_defined(reason) ? KVM_EXITSTATS_DEFINED : KVM_EXITSTATS_UNDEFINED;

	if (!status) {
		exits[0] = before->exits_by_reason[reason];
		exits[1] = after->exits_by_reason[reason];
		cycles[0] = before->cycles_by_reason[reason];
		cycles[1] = after->cycles_by_reason[reason];
	}

	switch (leaf + KVM_EXITSTATS_LEAF_CYCLES) {
	case KVM_EXITSTATS_LEAF_CYCLES:
		return between(r.eax, 0, cycles[1]) &&
		       between(make_u64(r.ebx, r.ecx), cycles[0], cycles[1]) && r.edx == status;
	case KVM_EXITSTATS_LEAF_EXITS:
		/* The exact number of CPUID exits so far, without this one */
		if (reason == EXIT_CPUID) {
			exits[0] += nr;
			exits[1] = exits[0];
		}
		return between(make_u64(r.ebx, r.eax), exits[0], exits[1]) && !r.ecx &&
		       r.edx == status;
	case KVM_EXITSTATS_LEAF_REASON:
		return between(r.eax, exits[0], exits[1]) &&
		       between(make_u64(r.ebx, r.ecx), all[0], all[1]) && r.edx == status;
	default:
		return between(make_u64(r.edx, r.eax), before->exits, after->exits) &&
		       between(make_u64(r.ebx, r.ecx), all[0], all[1]);
	}
}

/*
 * Read all figures. @own has the VM's statistics after the last look, which must not have
 * changed since. Update them.
 */
static void look(struct kvm_vcpu *vcpu, struct stats *own)
{
	struct leaf (*view)[MAX_INDICES] = addr_gva2hva(vcpu->vm, (unsigned long)guest_view);
	struct stats before, after;
	u32 leaf, reason, nr = 0;

	read_stats(vcpu, &before);
	TEST_ASSERT(!memcmp(&before, own, sizeof(before)), "exits of a VM that does not run");
	TEST_ASSERT_EQ(run_guest(vcpu), UCALL_SYNC);
	read_stats(vcpu, &after);

	for (leaf = 0; leaf < NR_LEAVES; leaf++)
		for_each_index(reason)
			TEST_ASSERT(is_own(leaf, reason, nr++, view[leaf][reason], &before, &after),
				    "leaf %x, reason %u shows another VM's figures: %x %x %x %x",
				    leaf + KVM_EXITSTATS_LEAF_CYCLES, reason,
				    view[leaf][reason].eax, view[leaf][reason].ebx,
				    view[leaf][reason].ecx, view[leaf][reason].edx);
	*own = after;
}

#define NR_WORKERS	2
#define NR_STEPS	100
#define NR_BURST	200

/* Cause exits of all kinds, whose number the model knows. */
static void *work_thread(void *m)
{
	int i;

	for (i = 0; i < NR_WORKERS; i++)
		model_run(m, i, false);
	return NULL;
}

FIXTURE(busy_vm) {
	struct kvm_vcpu *spy;
	struct stats own;
	struct model_vm busy;
};

/* It must not matter which VM is created first. */
FIXTURE_VARIANT(busy_vm) {
	bool first;
};

FIXTURE_VARIANT_ADD(busy_vm, made_later) { .first = false };
FIXTURE_VARIANT_ADD(busy_vm, made_earlier) { .first = true };

FIXTURE_SETUP(busy_vm)
{
	if (variant->first)
		model_create(&self->busy, NR_WORKERS, true, 1, NR_STEPS, NR_BURST);
	vm_create_with_one_vcpu(&self->spy, guest_look);
	if (!variant->first)
		model_create(&self->busy, NR_WORKERS, true, 2, NR_STEPS, NR_BURST);
	read_stats(self->spy, &self->own);
	look(self->spy, &self->own);
}

FIXTURE_TEARDOWN(busy_vm)
{
	kvm_vm_free(self->busy.vm);
	/* The destroyed VM must not leave traces, either. */
	look(self->spy, &self->own);
	kvm_vm_free(self->spy->vm);
}

/* Emulators are slow on a busy machine. */
TEST_F_TIMEOUT(busy_vm, leaves_no_trace, 300)
{
	struct kvm_vcpu **vcpus = self->busy.vcpus;
	struct stats before, after;
	int i, nr_reasons = 0;

	read_stats(vcpus[0], &before);
	work_thread(&self->busy);
	read_stats(vcpus[0], &after);
	for (i = 0; i < NR_SLOTS; i++)
		nr_reasons += after.exits_by_reason[i] != before.exits_by_reason[i];
	TEST_ASSERT(nr_reasons >= 8, "the busy VM had exits for %d reasons only", nr_reasons);
	look(self->spy, &self->own);
}

TEST_F_TIMEOUT(busy_vm, leaves_no_trace_while_it_runs, 300)
{
	pthread_t thread;
	int i;

	pthread_create(&thread, NULL, work_thread, &self->busy);
	for (i = 0; i < 20; i++)
		look(self->spy, &self->own);
	pthread_join(thread, NULL);
	look(self->spy, &self->own);
}

int main(int argc, char *argv[])
{
	require_exitstats();
	return test_harness_run(argc, argv);
}
