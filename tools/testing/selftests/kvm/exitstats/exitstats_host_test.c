// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM exitstats: compare what the host reads in KVM's statistics and in debugfs with each
 * other and with what the guest reads.
 */
#include <ctype.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "exitstats_debugfs.h"

#define NR_VCPUS	3
#define NR_EXITS	100

static u64 guest_exits[MAX_REASONS], guest_cycles[MAX_REASONS];

/* Cause @count exits for EXIT_FLUSH. */
static void guest_exit(int count)
{
	while (count--)
		flush_caches();
	GUEST_DONE();
}

static void guest_exit_and_read_all(void)
{
	u32 reason;
	int i;

	for (i = 0; i < NR_EXITS; i++)
		flush_caches();
	GUEST_SYNC(0);
	for (reason = 0; reason < NR_REASONS; reason++) {
		guest_exits[reason] = exits_of(reason);
		guest_cycles[reason] = cycles_of(reason);
	}
	GUEST_DONE();
}

/* Create a VM whose vCPU n has had n * NR_EXITS of these exits, and some of other kinds. */
static struct kvm_vm *create_vm(struct kvm_vcpu **vcpus)
{
	struct kvm_vm *vm = vm_create_with_vcpus(NR_VCPUS, guest_exit, vcpus);
	int i;

	for (i = 0; i < NR_VCPUS; i++) {
		vcpu_args_set(vcpus[i], 1, i * NR_EXITS);
		run_to_done(vcpus[i]);
	}
	return vm;
}

/* The statistics of exitstats come after KVM's usual ones. */
static const struct {
	const char *name;
	u32 type, unit;
} own_stats[] = {
	{ "exits_by_reason", KVM_STATS_TYPE_LINEAR_HIST, KVM_STATS_UNIT_NONE },
	{ "cycles_by_reason", KVM_STATS_TYPE_LINEAR_HIST, KVM_STATS_UNIT_NONE },
	{ "exit_cycles", KVM_STATS_TYPE_CUMULATIVE, KVM_STATS_UNIT_CYCLES },
	{ "guest_cycles", KVM_STATS_TYPE_CUMULATIVE, KVM_STATS_UNIT_CYCLES },
	{ "userspace_cycles", KVM_STATS_TYPE_CUMULATIVE, KVM_STATS_UNIT_CYCLES },
	{ "halted_cycles", KVM_STATS_TYPE_CUMULATIVE, KVM_STATS_UNIT_CYCLES },
	{ "preempted_cycles", KVM_STATS_TYPE_CUMULATIVE, KVM_STATS_UNIT_CYCLES },
	{ "asleep_cycles", KVM_STATS_TYPE_CUMULATIVE, KVM_STATS_UNIT_CYCLES },
	{ "longest_exit_cycles", KVM_STATS_TYPE_PEAK, KVM_STATS_UNIT_CYCLES },
};

TEST(stats_descriptors)
{
	struct kvm_stats_desc *desc;
	struct stats_file file;
	struct kvm_vcpu *vcpu;
	struct kvm_vm *vm = vm_create_with_one_vcpu(&vcpu, guest_exit);
	bool hist;
	int i;

	file = open_stats(vcpu);
	for (i = 0; i < ARRAY_SIZE(own_stats); i++) {
		desc = stat_desc(&file, file.header.num_desc - ARRAY_SIZE(own_stats) + i);
		hist = own_stats[i].type == KVM_STATS_TYPE_LINEAR_HIST;
		TEST_ASSERT(!strcmp(desc->name, own_stats[i].name), "%s instead of %s",
			    desc->name, own_stats[i].name);
		TEST_ASSERT_EQ(desc->flags & KVM_STATS_TYPE_MASK, own_stats[i].type);
		TEST_ASSERT_EQ(desc->flags & KVM_STATS_UNIT_MASK, own_stats[i].unit);
		TEST_ASSERT_EQ(desc->flags & KVM_STATS_BASE_MASK, KVM_STATS_BASE_POW10);
		TEST_ASSERT_EQ(desc->exponent, 0);
		TEST_ASSERT_EQ(desc->size, hist ? NR_SLOTS : 1);
		TEST_ASSERT_EQ(desc->bucket_size, hist);
	}
	close_stats(&file);
	kvm_vm_free(vm);
}

/* A VM that does not count has only KVM's usual statistics, as on an unpatched host. */
TEST(stats_of_a_vm_that_does_not_count)
{
	struct kvm_vm *off_vm = vm_create(1), *on_vm = vm_create(1);
	struct stats_file off, on;
	int i, j;

	vm_enable_cap(off_vm, KVM_CAP_X86_EXITSTATS, 0);
	off = open_stats(vm_vcpu_add(off_vm, 0, guest_exit));
	on = open_stats(vm_vcpu_add(on_vm, 0, guest_exit));

	TEST_ASSERT_EQ(on.header.num_desc, off.header.num_desc + ARRAY_SIZE(own_stats));
	TEST_ASSERT_EQ(on.header.desc_offset, off.header.desc_offset);
	TEST_ASSERT_EQ(off.header.data_offset, off.header.desc_offset + size_of_descs(&off));
	TEST_ASSERT_EQ(on.header.data_offset, on.header.desc_offset + size_of_descs(&on));
	TEST_ASSERT(!memcmp(on.descs, off.descs, size_of_descs(&off)),
		    "KVM's usual statistics differ");
	for (i = 0; i < off.header.num_desc; i++)
		for (j = 0; j < ARRAY_SIZE(own_stats); j++)
			TEST_ASSERT(strcmp(stat_desc(&off, i)->name, own_stats[j].name), "%s",
				    own_stats[j].name);
	close_stats(&off);
	close_stats(&on);
	kvm_vm_free(off_vm);
	kvm_vm_free(on_vm);
}

/* A VM that does not count has no tables. */
TEST(tables_of_a_vm_that_does_not_count)
{
	struct kvm_vm *vm = vm_create(1);
	int i;

	vm_enable_cap(vm, KVM_CAP_X86_EXITSTATS, 0);
	vm_vcpu_add(vm, 0, guest_exit);
	for (i = VM_TABLE; i <= 0; i++)
		TEST_ASSERT(open_table(vm, i) < 0 && errno == ENOENT, "table %d: %s", i,
			    strerror(errno));
	kvm_vm_free(vm);
}

TEST(stats_are_the_vcpus)
{
	struct kvm_vcpu *vcpus[NR_VCPUS];
	struct kvm_vm *vm = create_vm(vcpus);
	struct stats stats;
	int i;

	for (i = 0; i < NR_VCPUS; i++) {
		read_stats(vcpus[i], &stats);
		TEST_ASSERT_EQ(stats.exits_by_reason[EXIT_FLUSH], i * NR_EXITS);
	}
	kvm_vm_free(vm);
}

TEST(stats_are_what_the_guest_reads)
{
	struct kvm_vcpu *vcpu;
	struct kvm_vm *vm = vm_create_with_one_vcpu(&vcpu, guest_exit_and_read_all);
	struct stats before, after;
	int i, moved = 0;

	TEST_ASSERT_EQ(run_guest(vcpu), UCALL_SYNC);
	read_stats(vcpu, &before);
	run_to_done(vcpu);
	read_stats(vcpu, &after);
	sync_global_from_guest(vm, guest_exits);
	sync_global_from_guest(vm, guest_cycles);

	/* Exits happen while the guest reads. Figures of reasons that did not occur are exact. */
	for (i = 0; i < NR_REASONS; i++) {
		TEST_ASSERT(guest_exits[i] >= before.exits_by_reason[i] &&
			    guest_exits[i] <= after.exits_by_reason[i] &&
			    guest_cycles[i] >= before.cycles_by_reason[i] &&
			    guest_cycles[i] <= after.cycles_by_reason[i],
			    "reason %d: guest reads %lu, %lu; host %lu, %lu, then %lu, %lu",
			    i, guest_exits[i], guest_cycles[i],
			    before.exits_by_reason[i], before.cycles_by_reason[i],
			    after.exits_by_reason[i], after.cycles_by_reason[i]);
		moved += before.exits_by_reason[i] != after.exits_by_reason[i];
	}
	TEST_ASSERT_EQ(guest_exits[EXIT_FLUSH], NR_EXITS);
	TEST_ASSERT(moved <= 7, "exits of %d reasons while the guest reads", moved);
	kvm_vm_free(vm);
}

TEST(stats_outlive_the_vm_fd)
{
	struct kvm_vcpu *vcpus[NR_VCPUS];
	struct kvm_vm *vm = create_vm(vcpus);
	int fd = vcpu_get_stats_fd(vcpus[2]);
	struct stats stats;

	kvm_vm_free(vm);
	read_stats_fd(fd, &stats);
	TEST_ASSERT_EQ(stats.exits_by_reason[EXIT_FLUSH], 2 * NR_EXITS);
	close(fd);
}

/* The scalars agree with the histograms, the tables and the guest's leaves. */
static u64 guest_longest;

static void guest_read_longest(void)
{
	guest_longest = read_leaf(KVM_EXITSTATS_LEAF_CYCLES,
				  KVM_EXITSTATS_SELECT_ACCOUNT(KVM_EXITSTATS_ACCOUNT_ALL)).eax;
	GUEST_DONE();
}

TEST(stats_scalars)
{
	struct kvm_vcpu *vcpu;
	struct kvm_vm *vm = vm_create_with_one_vcpu(&vcpu, guest_read_longest);
	struct stats stats;
	struct table table;

	run_to_done(vcpu);
	read_stats(vcpu, &stats);
	read_table(open_table(vm, 0), &table);
	sync_global_from_guest(vm, guest_longest);

	TEST_ASSERT_EQ(vcpu_stat(vcpu, "exit_cycles"), sum_slots(stats.cycles_by_reason));
	TEST_ASSERT_EQ(vcpu_stat(vcpu, "longest_exit_cycles"), table.total.longest);
	TEST_ASSERT_EQ(vcpu_stat(vcpu, "guest_cycles"),
		       table.accounts[KVM_EXITSTATS_ACCOUNT_GUEST].cycles);
	TEST_ASSERT_EQ(vcpu_stat(vcpu, "halted_cycles"), 0);
	TEST_ASSERT(guest_longest && guest_longest <= table.total.longest, "%lu, then %lu",
		    guest_longest, table.total.longest);
	TEST_ASSERT_EQ(table.accounts[KVM_EXITSTATS_ACCOUNT_GUEST].exits, stats.exits);

	/* The vCPU is in userspace: only that account grows. */
	TEST_ASSERT(vcpu_stat(vcpu, "userspace_cycles") >
		    table.accounts[KVM_EXITSTATS_ACCOUNT_USERSPACE].cycles, "time stands still");
	kvm_vm_free(vm);
}

/* A table has the figures of the statistics, in a row for each reason that occurred. */
static void check_table(const struct table *table, const u64 *exits, const u64 *cycles)
{
	int i, nr_rows = 0;

	for (i = 0; i < NR_SLOTS; i++) {
		TEST_ASSERT(table->reasons[i].exits == exits[i] &&
			    table->reasons[i].cycles == cycles[i],
			    "reason %d: table %lu, %lu, statistics %lu, %lu", i,
			    table->reasons[i].exits, table->reasons[i].cycles, exits[i],
			    cycles[i]);
		nr_rows += exits[i] != 0;
	}
	TEST_ASSERT_EQ(table->nr_rows, nr_rows);
	TEST_ASSERT_EQ(table->total.exits, sum_slots(exits));
	TEST_ASSERT_EQ(table->total.cycles, sum_slots(cycles));
}

TEST(tables_are_the_stats)
{
	static u64 exits[MAX_SLOTS], cycles[MAX_SLOTS];
	struct kvm_vcpu *vcpus[NR_VCPUS];
	struct kvm_vm *vm = create_vm(vcpus);
	struct table table;
	struct stats stats;
	int i, slot;

	for (i = 0; i < NR_VCPUS; i++) {
		read_stats(vcpus[i], &stats);
		read_table(open_table(vm, i), &table);
		check_table(&table, stats.exits_by_reason, stats.cycles_by_reason);
		for (slot = 0; slot < NR_SLOTS; slot++) {
			exits[slot] += stats.exits_by_reason[slot];
			cycles[slot] += stats.cycles_by_reason[slot];
		}
	}
	read_table(open_table(vm, VM_TABLE), &table);
	check_table(&table, exits, cycles);
	TEST_ASSERT_EQ(table.reasons[EXIT_FLUSH].exits, 3 * NR_EXITS);
	TEST_ASSERT_EQ(table.accounts[KVM_EXITSTATS_ACCOUNT_GUEST].exits, table.total.exits);
	kvm_vm_free(vm);
}

/* Count the columns of each row as awk does for NF. */
TEST(tables_have_six_columns)
{
	struct kvm_vcpu *vcpus[NR_VCPUS];
	struct kvm_vm *vm = create_vm(vcpus);
	FILE *file = fdopen(open_table(vm, VM_TABLE), "r");
	int i, columns, rows = 0;
	char line[256];

	for (; fgets(line, sizeof(line), file); rows++) {
		for (i = 0, columns = 0; line[i]; i++)
			columns += !isspace(line[i]) && isspace(line[i + 1]);
		TEST_ASSERT(columns == 6, "%d columns: %s", columns, line);
	}
	TEST_ASSERT(rows > 2, "%d rows", rows);
	fclose(file);
	kvm_vm_free(vm);
}

/* The VM's table is created with its first vCPU. */
TEST(tables_of_an_idle_vm)
{
	struct kvm_vm *vm = vm_create(1);
	struct table table;
	int i;

	for (i = VM_TABLE; i <= 0; i++)
		TEST_ASSERT(open_table(vm, i) < 0 && errno == ENOENT, "table %d, but no vCPU", i);

	vm_vcpu_add(vm, 0, guest_exit);
	for (i = VM_TABLE; i <= 0; i++) {
		read_table(open_table(vm, i), &table);
		TEST_ASSERT_EQ(table.nr_rows, 0);
		TEST_ASSERT_EQ(table.accounts[KVM_EXITSTATS_ACCOUNT_USERSPACE].exits, 1);
		TEST_ASSERT_EQ(table.accounts[KVM_EXITSTATS_ACCOUNT_GUEST].exits, 0);
	}
	kvm_vm_free(vm);
}

TEST(tables_are_roots)
{
	struct kvm_vcpu *vcpus[NR_VCPUS];
	struct kvm_vm *vm = create_vm(vcpus);
	struct stat st;
	int i, fd;

	for (i = VM_TABLE; i < NR_VCPUS; i++) {
		fd = open_table(vm, i);
		TEST_ASSERT(!fstat(fd, &st), "fstat: %s", strerror(errno));
		TEST_ASSERT_EQ(st.st_mode & 07777, 0400);
		TEST_ASSERT_EQ(st.st_uid, 0);
		close(fd);
	}
	kvm_vm_free(vm);
}

/* An open table neither keeps the VM alive nor shows figures after its end. */
TEST(tables_end_with_the_vm)
{
	struct kvm_vcpu *vcpus[NR_VCPUS];
	struct kvm_vm *vm = create_vm(vcpus);
	char path[128], byte;
	int i, fds[NR_VCPUS + 1];

	for (i = VM_TABLE; i < NR_VCPUS; i++) {
		fds[i + 1] = open_table(vm, i);
		TEST_ASSERT_EQ(read(fds[i + 1], &byte, 1), 1);
	}
	table_path(vm, VM_TABLE, path, sizeof(path));
	kvm_vm_free(vm);

	TEST_ASSERT(access(path, F_OK) && errno == ENOENT, "%s outlives its VM", path);
	for (i = 0; i <= NR_VCPUS; i++) {
		TEST_ASSERT(read(fds[i], &byte, 1) < 0 && errno == EIO, "table %d: %s", i,
			    strerror(errno));
		close(fds[i]);
	}
}

int main(int argc, char *argv[])
{
	require_exitstats();
	require_debugfs();
	return test_harness_run(argc, argv);
}
