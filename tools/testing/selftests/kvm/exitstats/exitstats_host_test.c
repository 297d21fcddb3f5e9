// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM exitstats: what the host reads, in KVM's statistics and in debugfs, against
 * each other and against what the guest reads.
 */
#include <ctype.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "exitstats_debugfs.h"

#define NR_VCPUS	3
#define NR_EXITS	100

static u64 guest_exits[NR_REASONS], guest_cycles[NR_REASONS];

/* INVD exits of each vCPU: as many as its number says, times NR_EXITS. */
static void guest_invd(int count)
{
	while (count--)
		asm volatile("invd");
	GUEST_DONE();
}

static void guest_invd_and_read_all(void)
{
	u32 reason;
	int i;

	for (i = 0; i < NR_EXITS; i++)
		asm volatile("invd");
	GUEST_SYNC(0);
	for (reason = 0; reason < NR_REASONS; reason++) {
		guest_exits[reason] = exits_of(reason);
		guest_cycles[reason] = cycles_of(reason);
	}
	GUEST_DONE();
}

/* A VM of which vCPU n has had n * NR_EXITS INVD exits, and more of other kinds. */
static struct kvm_vm *create_vm(struct kvm_vcpu **vcpus)
{
	struct kvm_vm *vm = vm_create_with_vcpus(NR_VCPUS, guest_invd, vcpus);
	int i;

	for (i = 0; i < NR_VCPUS; i++) {
		vcpu_args_set(vcpus[i], 1, i * NR_EXITS);
		run_to_done(vcpus[i]);
	}
	return vm;
}

static void check_descriptor(int fd, const char *name, u32 unit)
{
	struct kvm_stats_header header;
	struct kvm_stats_desc *descs, *desc;
	int i, found = 0;

	read_stats_header(fd, &header);
	descs = read_stats_descriptors(fd, &header);
	for (i = 0; i < header.num_desc; i++) {
		desc = get_stats_descriptor(descs, i, &header);
		if (strcmp(desc->name, name))
			continue;
		found++;
		TEST_ASSERT_EQ(desc->flags & KVM_STATS_TYPE_MASK, KVM_STATS_TYPE_LINEAR_HIST);
		TEST_ASSERT_EQ(desc->flags & KVM_STATS_UNIT_MASK, unit);
		TEST_ASSERT_EQ(desc->flags & KVM_STATS_BASE_MASK, KVM_STATS_BASE_POW10);
		TEST_ASSERT_EQ(desc->exponent, 0);
		TEST_ASSERT_EQ(desc->size, NR_SLOTS);
		TEST_ASSERT_EQ(desc->bucket_size, 1);
	}
	TEST_ASSERT_EQ(found, 1);
	free(descs);
}

TEST(stats_descriptors)
{
	struct kvm_vcpu *vcpu;
	struct kvm_vm *vm = vm_create_with_one_vcpu(&vcpu, guest_invd);
	int fd = vcpu_get_stats_fd(vcpu);

	check_descriptor(fd, "exits_by_reason", KVM_STATS_UNIT_NONE);
	check_descriptor(fd, "cycles_by_reason", KVM_STATS_UNIT_CYCLES);
	close(fd);
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
		TEST_ASSERT_EQ(stats.exits_by_reason[EXIT_REASON_INVD], i * NR_EXITS);
	}
	kvm_vm_free(vm);
}

TEST(stats_are_what_the_guest_reads)
{
	struct kvm_vcpu *vcpu;
	struct kvm_vm *vm = vm_create_with_one_vcpu(&vcpu, guest_invd_and_read_all);
	struct stats before, after;
	int i, moved = 0;

	TEST_ASSERT_EQ(run_guest(vcpu), UCALL_SYNC);
	read_stats(vcpu, &before);
	run_to_done(vcpu);
	read_stats(vcpu, &after);
	sync_global_from_guest(vm, guest_exits);
	sync_global_from_guest(vm, guest_cycles);

	/* The guest reads while exits happen: exact for those that did not. */
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
	TEST_ASSERT_EQ(guest_exits[EXIT_REASON_INVD], NR_EXITS);
	TEST_ASSERT(moved <= 7, "exits of %d reasons while the guest reads", moved);
	kvm_vm_free(vm);
}

TEST(stats_outlive_the_vm_fd)
{
	struct kvm_vcpu *vcpus[NR_VCPUS];
	struct kvm_vm *vm = create_vm(vcpus);
	struct kvm_stats_header header;
	struct kvm_stats_desc *descs;
	int fd = vcpu_get_stats_fd(vcpus[2]);
	u64 exits[NR_SLOTS];

	kvm_vm_free(vm);
	read_stats_header(fd, &header);
	descs = read_stats_descriptors(fd, &header);
	read_stat(fd, &header, descs, "exits_by_reason", exits, NR_SLOTS);
	TEST_ASSERT_EQ(exits[EXIT_REASON_INVD], 2 * NR_EXITS);
	free(descs);
	close(fd);
}

/* A table is what the statistics are: a row for each reason that occurred. */
static void check_table(const struct table *table, const u64 *exits, const u64 *cycles)
{
	int i, nr_rows = 0;

	for (i = 0; i < NR_SLOTS; i++) {
		TEST_ASSERT(table->exits[i] == exits[i] && table->cycles[i] == cycles[i],
			    "reason %d: table %lu, %lu, statistics %lu, %lu", i,
			    table->exits[i], table->cycles[i], exits[i], cycles[i]);
		nr_rows += exits[i] != 0;
	}
	TEST_ASSERT_EQ(table->nr_rows, nr_rows);
	TEST_ASSERT_EQ(table->total_exits, sum_slots(exits));
	TEST_ASSERT_EQ(table->total_cycles, sum_slots(cycles));
}

TEST(tables_are_the_stats)
{
	u64 exits[NR_SLOTS] = {}, cycles[NR_SLOTS] = {};
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
	TEST_ASSERT_EQ(table.exits[EXIT_REASON_INVD], 3 * NR_EXITS);
	kvm_vm_free(vm);
}

/* What awk's NF makes of each row */
TEST(tables_have_five_columns)
{
	struct kvm_vcpu *vcpus[NR_VCPUS];
	struct kvm_vm *vm = create_vm(vcpus);
	FILE *file = fdopen(open_table(vm, VM_TABLE), "r");
	int i, columns, rows = 0;
	char line[256];

	for (; fgets(line, sizeof(line), file); rows++) {
		for (i = 0, columns = 0; line[i]; i++)
			columns += !isspace(line[i]) && isspace(line[i + 1]);
		TEST_ASSERT(columns == 5, "%d columns: %s", columns, line);
	}
	TEST_ASSERT(rows > 2, "%d rows", rows);
	fclose(file);
	kvm_vm_free(vm);
}

TEST(tables_of_an_idle_vm)
{
	struct kvm_vm *vm = vm_create(1);
	struct table table;

	read_table(open_table(vm, VM_TABLE), &table);
	TEST_ASSERT_EQ(table.nr_rows, 0);
	TEST_ASSERT_EQ(table.total_exits, 0);
	TEST_ASSERT_EQ(table.total_cycles, 0);
	TEST_ASSERT(open_table(vm, 0) < 0 && errno == ENOENT, "a table, and no vCPU");
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

/* An open table neither keeps the VM nor shows what is no more. */
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
