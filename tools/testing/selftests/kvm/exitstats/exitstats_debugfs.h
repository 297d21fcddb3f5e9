/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The tables that KVM exitstats has in debugfs, for its tests.
 */
#ifndef SELFTEST_KVM_EXITSTATS_DEBUGFS_H
#define SELFTEST_KVM_EXITSTATS_DEBUGFS_H

#include <fcntl.h>
#include <sys/syscall.h>

#include "exitstats_util.h"

#define KVM_DEBUGFS	"/sys/kernel/debug/kvm"
#define VM_TABLE	-1	/* instead of a vCPU's ID */

struct table {
	int nr_rows;
	u64 exits[NR_SLOTS];
	u64 cycles[NR_SLOTS];
	u64 total_exits;
	u64 total_cycles;
};

static inline void require_debugfs(void)
{
	__TEST_REQUIRE(!access(KVM_DEBUGFS, R_OK), "no " KVM_DEBUGFS ": debugfs, as root");
}

/* Of a VM that this thread made: KVM's directory has its number. */
static inline void table_path(struct kvm_vm *vm, int vcpu_id, char *path, size_t size)
{
	int n = snprintf(path, size, KVM_DEBUGFS "/%ld-%d/", syscall(SYS_gettid), vm->fd);

	if (vcpu_id != VM_TABLE)
		n += snprintf(path + n, size - n, "vcpu%d/", vcpu_id);
	snprintf(path + n, size - n, "exitstats");
}

static inline int open_table(struct kvm_vm *vm, int vcpu_id)
{
	char path[128];

	table_path(vm, vcpu_id, path, sizeof(path));
	return open(path, O_RDONLY);
}

/* The names of exit reasons, as the kernel has them. */
static inline const char *slot_name(u32 slot)
{
	static const struct {
		u32 reason;
		const char *name;
	} names[] = { VMX_EXIT_REASONS };
	int i;

	for (i = 0; i < ARRAY_SIZE(names); i++)
		if (names[i].reason == slot)
			return names[i].name;
	return slot == NR_REASONS ? "other" : "-";
}

/* Take a table apart, closing it. Whatever is not as documented fails. */
static inline void parse_table(FILE *file, struct table *table)
{
	char line[256], reason[8], name[32], end;
	u64 exits, cycles, average, sum_exits = 0, sum_cycles = 0;
	int slot, last = -1;
	bool total = false;

	memset(table, 0, sizeof(*table));

	TEST_ASSERT(fgets(line, sizeof(line), file), "no header row");
	TEST_ASSERT(sscanf(line, "reason name exits cycles average%c", &end) == 1 && end == '\n',
		    "header row: %s", line);

	while (fgets(line, sizeof(line), file)) {
		TEST_ASSERT(!total, "a row after the total: %s", line);
		TEST_ASSERT(sscanf(line, "%7s %31s %lu %lu %lu%c", reason, name, &exits, &cycles,
				   &average, &end) == 6 && end == '\n', "row: %s", line);
		TEST_ASSERT_EQ(average, exits ? cycles / exits : 0);

		total = !strcmp(reason, "total");
		if (total) {
			table->total_exits = exits;
			table->total_cycles = cycles;
			continue;
		}

		slot = strcmp(reason, "-") ? atoi(reason) : NR_REASONS;
		TEST_ASSERT(slot > last && slot < NR_SLOTS && exits, "row: %s", line);
		TEST_ASSERT(!strcmp(name, slot_name(slot)), "reason %d is not %s", slot, name);
		last = slot;
		table->nr_rows++;
		table->exits[slot] = exits;
		table->cycles[slot] = cycles;
		sum_exits += exits;
		sum_cycles += cycles;
	}
	fclose(file);

	TEST_ASSERT(total, "no totals");
	TEST_ASSERT_EQ(table->total_exits, sum_exits);
	TEST_ASSERT_EQ(table->total_cycles, sum_cycles);
}

static inline void read_table(int fd, struct table *table)
{
	FILE *file = fdopen(fd, "r");

	TEST_ASSERT(file, "no table: %s", strerror(errno));
	parse_table(file, table);
}

#endif /* SELFTEST_KVM_EXITSTATS_DEBUGFS_H */
